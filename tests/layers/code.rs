//! Reads Rust sources as far as the checks need: code without comments and literals, words, and the
//! paths that a file names. It knows no rule.

/// The code of a Rust source, without comments and the contents of literals.
pub fn code(source: &str) -> String {
    let mut code = String::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let skipped = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            'r' if raw_hashes(rest).is_some()
                && !code.ends_with(|last: char| last.is_alphanumeric() || last == '_') =>
            {
                let hashes = raw_hashes(rest).unwrap_or(0);
                let end = format!("\"{}", "#".repeat(hashes));
                let start = hashes + 2;
                rest[start..].find(&end).map_or(rest.len(), |at| start + at + end.len())
            }
            '"' => literal(rest, '"'),
            // A lifetime has no second quote so near.
            '\'' if rest[1..].starts_with('\\') => literal(rest, '\''),
            '\'' => rest[1..].chars().next().map_or(0, |inner| {
                let end = 1 + inner.len_utf8();
                if rest[end..].starts_with('\'') { end + 1 } else { 0 }
            }),
            _ => 0,
        };
        match skipped {
            0 => {
                code.push(first);
                rest = &rest[first.len_utf8()..];
            }
            skipped => rest = &rest[skipped..],
        }
    }
    code
}

/// The length of a literal with escapes that begins and ends with this quote.
fn literal(source: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, char) in source.char_indices().skip(1) {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if char == quote => return at + 1,
            _ => {}
        }
    }
    source.len()
}

/// The number of hashes that a raw string begins with, if `source` begins with one.
fn raw_hashes(source: &str) -> Option<usize> {
    let after = source.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then_some(hashes)
}

pub fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|char: char| !char.is_alphanumeric() && char != '_').filter(|word| !word.is_empty())
}

/// The code without the modules under `#[cfg(test)]`.
pub fn without_tests(code: &str) -> String {
    let mut kept = String::new();
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        kept.push_str(&rest[..at]);
        let block = &rest[at + "#[cfg(test)]".len()..];
        rest = match block.trim_start().starts_with("mod ") {
            true => block_end(block).map_or("", |end| &block[end..]),
            false => block,
        };
    }
    kept + rest
}

/// The end of a block in braces, or of a statement without.
fn block_end(code: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, char) in code.char_indices() {
        match char {
            '{' => depth += 1,
            '}' if depth == 1 => return Some(at + 1),
            '}' => depth = depth.saturating_sub(1),
            ';' if depth == 0 => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// A path that a file names, with the name under which a `use` brings its end into scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub path: Vec<String>,
    pub name: String,
    pub in_use: bool,
}

/// The paths of all `use` declarations, their groups resolved, and the paths elsewhere that begin
/// with `crate`, `self` or `super`.
pub fn paths(code: &str) -> Vec<Named> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let (mut at, mut before) = (0, "");
    while let Some(&token) = tokens.get(at) {
        let begins_path = matches!(token, "crate" | "self" | "super") && before != "in";
        if token == "use" {
            at = tree(&tokens, at + 1, &[], true, &mut found);
        } else if begins_path && tokens.get(at + 1) == Some(&"::") {
            at = tree(&tokens, at, &[], false, &mut found);
        } else {
            at += 1;
        }
        before = token;
    }
    found
}

/// Words, `::`, and all other characters one by one.
fn tokens(code: &str) -> Vec<&str> {
    let is_word = |char: char| char.is_alphanumeric() || char == '_';
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let len = match first {
            _ if is_word(first) => rest.find(|char| !is_word(char)).unwrap_or(rest.len()),
            ':' if rest.starts_with("::") => 2,
            _ => first.len_utf8(),
        };
        tokens.push(&rest[..len]);
        rest = rest[len..].trim_start();
    }
    tokens
}

/// Reads one tree of paths from `at` on, and returns where the tree ends.
fn tree(
    tokens: &[&str],
    mut at: usize,
    prefix: &[String],
    in_use: bool,
    found: &mut Vec<Named>,
) -> usize {
    let mut path = prefix.to_vec();
    loop {
        match tokens.get(at) {
            Some(&"{") if in_use => {
                at += 1;
                while !matches!(tokens.get(at), Some(&"}") | None) {
                    at = tree(tokens, at, &path, in_use, found);
                    at += usize::from(tokens.get(at) == Some(&","));
                }
                return at + 1;
            }
            Some(&"<") if !in_use => break,
            Some(&token) => path.push(token.to_owned()),
            None => return at,
        }
        at += 1;
        if tokens.get(at) != Some(&"::") {
            break;
        }
        at += 1;
    }
    // `a::{self}` names `a`.
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    let mut name = path.last().cloned().unwrap_or_default();
    if in_use && tokens.get(at) == Some(&"as") {
        name = tokens.get(at + 1).unwrap_or(&"").to_string();
        at += 2;
    }
    found.push(Named { path, name, in_use });
    at
}

#[test]
fn paths_are_read_from_groups_and_between_words() {
    let code = "pub use a::{self, b::{C as D, E}, f::*}; use super::g; fn h(self) { \
                crate::i::j::<K>(); self.x(); pub(in crate::l) pub(super) m }";
    let found: Vec<String> = paths(code)
        .iter()
        .map(|named| format!("{} {} {}", named.path.join("::"), named.name, named.in_use))
        .collect();
    let expected = [
        "a a true",
        "a::b::C D true",
        "a::b::E E true",
        "a::f::* * true",
        "super::g g true",
        "crate::i::j j false",
    ];
    assert_eq!(found, expected);
    assert_eq!(without_tests("a #[cfg(test)] mod b { { } c } d #[cfg(test)] e"), "a  d  e");
}
