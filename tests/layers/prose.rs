//! Finds paragraphs of documentation that begin with words whose noun a reader has to look for. It
//! reads doc comments only, and no code in them.

/// The words that no paragraph begins with.
const FIRST_WORDS: [&str; 9] = [
    "The same",
    "Whoever",
    "Whatever",
    "Nobody",
    "Somebody",
    "So many",
    "So much",
    "Who ",
    "Those who",
];

/// The first words that are wrong, each with its line.
pub fn faults(source: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let (mut in_paragraph, mut in_code) = (false, false);
    for (number, line) in source.lines().enumerate() {
        let line = line.trim_start();
        let text = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")).map(str::trim);
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            in_paragraph = false;
            in_code &= text.is_some();
            continue;
        };
        if text.starts_with("```") {
            (in_code, in_paragraph) = (!in_code, false);
            continue;
        }
        let item = text.trim_start_matches(['-', '*', '#', '|', ' ']);
        let begins = !in_code && (!in_paragraph || item.len() < text.len());
        in_paragraph = true;
        if let Some(words) = FIRST_WORDS.iter().find(|words| begins && item.starts_with(*words)) {
            let words = words.trim_end();
            faults.push(format!("line {}: a paragraph begins with {words:?}", number + 1));
        }
    }
    faults
}

#[test]
fn prose_is_judged_by_the_first_words_of_its_paragraphs() {
    for words in FIRST_WORDS {
        let fault = format!("a paragraph begins with {:?}", words.trim_end());
        for (before, line) in [
            ("//! ", 1),
            ("/// ", 1),
            ("/// A list:\n/// - ", 2),
            ("    /// A title.\n    ///\n    /// ", 3),
            ("/// ```\n/// code();\n/// ```\n/// ", 4),
        ] {
            let found = faults(&format!("{before}{words} reads this\n"));
            assert_eq!(found, [format!("line {line}: {fault}")], "{before}{words}");
        }
        for before in ["// ", "/// This is\n/// ", "let text = \"", "/// ```\n/// ", "/// `"] {
            assert_eq!(faults(&format!("{before}{words}\n")), [""; 0], "{before}{words}");
        }
    }
}
