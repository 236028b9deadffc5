//! Texts as JSON strings (RFC 8259 section 7). The answers of long polling have no other values
//! that need an encoder. This file saves a dependency on one: the whole of it is one match.

/// Appends a text as a JSON string, in its quotes.
///
/// Quotes, backslashes and control characters have to be escaped. U+2028 and U+2029 are escaped
/// too: JavaScript before ES2019 takes them for line ends in a string. All else stays as it is, in
/// UTF-8.
pub(super) fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text;
    while let Some((at, len, escape)) = next_escape(rest) {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        match escape {
            Escape::Short(letter) => out.extend_from_slice(&[b'\\', letter]),
            Escape::Code(code) => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u");
                let digits = [12, 8, 4, 0].map(|shift| HEX[usize::from(code >> shift & 0xF)]);
                out.extend_from_slice(&digits);
            }
        }
        rest = &rest[at + len..];
    }
    out.extend_from_slice(rest.as_bytes());
    out.push(b'"');
}

enum Escape {
    Short(u8),
    Code(u16),
}

/// Finds the next character to escape: its place, its bytes in UTF-8, and its escape.
fn next_escape(text: &str) -> Option<(usize, usize, Escape)> {
    let bytes = text.as_bytes();
    let found = |&(at, byte): &(usize, &u8)| match byte {
        0..0x20 | b'"' | b'\\' => true,
        // U+2028 and U+2029 are E2 80 A8 and E2 80 A9.
        0xE2 => matches!(bytes.get(at + 1..at + 3), Some([0x80, 0xA8 | 0xA9])),
        _ => false,
    };
    let (at, &byte) = bytes.iter().enumerate().find(found)?;
    let (len, escape) = match byte {
        b'"' | b'\\' => (1, Escape::Short(byte)),
        b'\n' => (1, Escape::Short(b'n')),
        b'\r' => (1, Escape::Short(b'r')),
        b'\t' => (1, Escape::Short(b't')),
        0xE2 if bytes[at + 2] == 0xA8 => (3, Escape::Code(0x2028)),
        0xE2 => (3, Escape::Code(0x2029)),
        control => (1, Escape::Code(u16::from(control))),
    };
    Some((at, len, escape))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::push_string;

    fn json(text: &str) -> String {
        let mut out = Vec::new();
        push_string(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    /// The naive oracle: character by character, as RFC 8259 section 7 says.
    fn naive(text: &str) -> String {
        let mut out = String::from('"');
        for character in text.chars() {
            match character {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\0'..='\u{1F}' | '\u{2028}' | '\u{2029}' => {
                    out.push_str(&format!("\\u{:04x}", u32::from(character)));
                }
                other => out.push(other),
            }
        }
        out + "\""
    }

    /// Judges one text by the naive writer and by the reader of another crate.
    fn judge(text: &str) {
        let json = json(text);
        assert_eq!(json, naive(text));
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }

    #[test]
    fn text_becomes_a_string_of_rfc_8259() {
        let rows = [
            ("", r#""""#),
            ("plain", r#""plain""#),
            ("a\"b\\c/", r#""a\"b\\c/""#),
            ("\0\u{1}\u{8}\u{c}\u{1f} \u{7f}", "\"\\u0000\\u0001\\u0008\\u000c\\u001f \u{7f}\""),
            ("\n\r\t", r#""\n\r\t""#),
            ("\u{2027}\u{2028}\u{2029}\u{202a}", "\"\u{2027}\\u2028\\u2029\u{202a}\""),
            ("e\u{301}ß€\u{1f600}", "\"e\u{301}ß€\u{1f600}\""),
            ("</script>", r#""</script>""#),
        ];
        for (text, expected) in rows {
            assert_eq!(json(text), expected);
            judge(text);
        }
    }

    #[test]
    fn each_character_alone_and_among_others_is_read_back() {
        let planes = (0x1_0000..=0x10_FFFF).step_by(0x0FF1);
        for character in (0..=0xFFFF_u32).chain(planes).filter_map(char::from_u32) {
            judge(&character.to_string());
            judge(&format!("\u{2028}{character}\\{character}"));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 512,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_text_is_read_back(
            pieces in proptest::collection::vec(
                prop_oneof![
                    any::<char>().prop_map(String::from),
                    prop_oneof![Just('"'), Just('\\'), Just('\u{2028}'), Just('\u{2029}')]
                        .prop_map(String::from),
                    (0_u8..0x20).prop_map(|control| char::from(control).to_string()),
                    ".{0,9}",
                ],
                0..20,
            )
        ) {
            judge(&pieces.concat());
        }
    }
}
