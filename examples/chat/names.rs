//! What a name may be, and which names look the same. Unicode has many spellings for one sight, and
//! characters without any. This file knows no message and no member.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_script::{Script, UnicodeScript};
use unicode_security::{MixedScript, skeleton};

/// Longest nickname, in characters.
pub const MAX_NICK: usize = 24;
/// Longest room name, in characters.
pub const MAX_ROOM: usize = 32;

/// Returns a nickname in its one form, NFKC with single spaces, or what is wrong with it. It has
/// any script, and nothing that turns or hides the text around it.
pub fn nick(nick: &str) -> Result<String, String> {
    let nick: String = nick.trim().nfkc().collect();
    let mut before = ' ';
    for c in nick.chars() {
        let shapes = is_shaping(c) && takes_shaping(before);
        let is_line = c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        if is_line || (is_hidden(c) && !shapes) || (is_combining_mark(c) && before.is_whitespace())
        {
            let reason =
                "A nickname has only characters that can be seen, and no mark without a letter.";
            return Err(reason.to_owned());
        }
        before = c;
    }
    let nick = nick.split_whitespace().collect::<Vec<_>>().join(" ");
    let nick = nick.trim_end_matches(['\u{200c}', '\u{200d}']);
    match nick.chars().count() {
        1..=MAX_NICK => Ok(nick.to_owned()),
        _ => Err(format!("A nickname has 1 to {MAX_NICK} characters.")),
    }
}

/// Returns a room name in its one form, NFKC in lower case without ignorable characters, or what is
/// wrong with it. It is a topic, a path and a fragment, so it has no spaces and no punctuation.
pub fn room(room: &str) -> Result<String, String> {
    let room: String = room.trim().nfkc().filter(|&c| !is_ignorable(c)).collect();
    let room: String = room.to_lowercase().nfkc().collect();
    if room.is_empty() || room.chars().count() > MAX_ROOM {
        return Err(format!("A room name has 1 to {MAX_ROOM} characters."));
    }
    let fits = |c: char| c.is_alphanumeric() || is_combining_mark(c) || matches!(c, '-' | '_');
    if room.starts_with(is_combining_mark) || !room.chars().all(|c| fits(c) && !is_hidden(c)) {
        return Err("A room name has only letters, digits, “-” and “_”.".to_owned());
    }
    Ok(room)
}

/// Returns two keys. Nicknames that look the same have one of them in common: without case and
/// ignorable characters, and with each character replaced by what it is confusable with (UTS 39).
///
/// The first key is that of the small letters, the second that of the letters as they are: some
/// letters look the same as capitals only, such as В and B. ASCII stays apart: a "1" may look like
/// an "l", but people tell `user1` from `userl`.
pub fn likenesses(nick: &str) -> [String; 2] {
    let folded: String = nick.to_lowercase().nfkc().collect();
    [likeness(&folded), likeness(nick)]
}

fn likeness(nick: &str) -> String {
    let mut likeness = String::new();
    for c in nick.chars() {
        match c.is_ascii() {
            true => likeness.push(c),
            false => likeness.extend(skeleton(c.encode_utf8(&mut [0; 4]))),
        }
    }
    likeness.to_lowercase()
}

/// Names the scripts of a nickname that mixes them, like "Cyrillic and Latin". Returns an empty
/// text for all others: scripts that are written together, as in Japanese, are no mixture.
pub fn mixed_scripts(nick: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    if !nick.is_single_script() {
        for script in nick.chars().map(|c| c.script()) {
            let is_shared = matches!(script, Script::Common | Script::Inherited | Script::Unknown);
            if !is_shared && !names.contains(&script.full_name()) {
                names.push(script.full_name());
            }
        }
    }
    let last = names.pop().unwrap_or_default();
    if names.is_empty() { last.to_owned() } else { format!("{} and {last}", names.join(", ")) }
}

/// Whether a reader sees nothing of a text.
pub fn is_blank(text: &str) -> bool {
    text.nfkc().all(|c| c.is_whitespace() || c.is_control() || is_hidden(c))
}

/// Whether a character without a sight of its own is no space.
fn is_hidden(c: char) -> bool {
    is_ignorable(c)
        || matches!(
            c,
            // A blank in Braille, Khitan, music and hieroglyphs, with the controls of the latter.
            '\u{2800}' | '\u{16fe4}' | '\u{1d159}' | '\u{13430}'..='\u{13442}'
            // Interlinear annotations, and the place of an object.
            | '\u{fff9}'..='\u{fffc}'
        )
}

/// Whether a character is Default_Ignorable: no other is missing in its skeleton.
fn is_ignorable(c: char) -> bool {
    !c.is_ascii() && skeleton(c.encode_utf8(&mut [0; 4])).next().is_none()
}

/// Joiners, selectors of variants, and the tags of a flag: they change the sight of what is before
/// them.
fn is_shaping(c: char) -> bool {
    matches!(
        c,
        '\u{200c}'
            | '\u{200d}'
            | '\u{180b}'..='\u{180d}'
            | '\u{180f}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{e0020}'..='\u{e007f}'
            | '\u{e0100}'..='\u{e01ef}'
    )
}

/// Whether a shaping character can have an effect: not at the beginning, and not on these letters.
fn takes_shaping(before: char) -> bool {
    let script = before.script();
    !before.is_whitespace() && !matches!(script, Script::Latin | Script::Greek | Script::Cyrillic)
}
