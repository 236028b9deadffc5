//! UTF-8 in pieces (RFC 3629; RFC 6455 section 8.1): each byte is judged when it arrives, wherever a piece ends.
//! Knows neither frames nor messages; keeps nothing but the beginning of a character that a piece cut in two.

/// These bytes, or what went before, cannot become UTF-8 any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Invalid;

/// The text that one piece made certain, in order: a character begun in an earlier piece, then all that follows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Valid<'i> {
    /// The character that the piece before had left unfinished.
    pub joined: Option<char>,
    /// The rest of the piece, without the unfinished character at its end.
    pub text: &'i str,
}

/// A validator of UTF-8 that arrives in pieces: four bytes of state.
///
/// ```
/// use switchboard::proto::websocket::Utf8;
///
/// let mut utf8 = Utf8::new();
/// assert_eq!(utf8.push(b"caf\xC3").unwrap().text, "caf");
/// assert!(!utf8.is_complete());
/// let valid = utf8.push(b"\xA9!").unwrap();
/// assert_eq!((valid.joined, valid.text), (Some('é'), "!"));
/// assert!(utf8.is_complete());
/// // No third byte makes this a character, so the second is refused as it comes.
/// assert!(utf8.push(b"\xED\xA0").is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Utf8 {
    carry: [u8; 3],
    carried: u8,
}

impl Utf8 {
    /// A validator at the beginning of a text.
    pub const fn new() -> Utf8 {
        Utf8 { carry: [0; 3], carried: 0 }
    }

    /// Whether the text may end here: no character is unfinished.
    pub const fn is_complete(&self) -> bool {
        self.carried == 0
    }

    /// How many bytes of an unfinished character are kept: at most three.
    pub const fn carried(&self) -> usize {
        self.carried as usize
    }

    /// Judges the next piece of the text.
    ///
    /// # Errors
    /// [`Invalid`] if a byte of it cannot be part of UTF-8 at its place; the text is lost then.
    pub fn push<'i>(&mut self, mut bytes: &'i [u8]) -> Result<Valid<'i>, Invalid> {
        let mut joined = None;
        if self.carried != 0 {
            (joined, bytes) = self.join(bytes)?;
        }
        let (whole, begun) = bytes.split_at(bytes.len() - unfinished(bytes));
        let text = simdutf8::basic::from_utf8(whole).map_err(|_| Invalid)?;
        if !begun.is_empty() {
            if !may_become_valid(begun) {
                return Err(Invalid);
            }
            self.carry[..begun.len()].copy_from_slice(begun);
            self.carried = begun.len() as u8;
        }
        Ok(Valid { joined, text })
    }

    /// Adds bytes to the carried ones until they are a character: it, if so, and the bytes after it.
    fn join<'i>(&mut self, mut bytes: &'i [u8]) -> Result<(Option<char>, &'i [u8]), Invalid> {
        let mut buf = [0; 4];
        let mut len = usize::from(self.carried);
        buf[..len].copy_from_slice(&self.carry[..len]);
        while let [byte, rest @ ..] = bytes {
            buf[len] = *byte;
            len += 1;
            bytes = rest;
            match std::str::from_utf8(&buf[..len]) {
                Ok(text) => {
                    self.carried = 0;
                    return Ok((text.chars().next(), bytes));
                }
                // Four bytes are a character or an error, so `carry` is long enough for what goes on.
                Err(error) if error.error_len().is_none() && len < buf.len() => {
                    self.carry[len - 1] = *byte
                }
                Err(_) => return Err(Invalid),
            }
        }
        self.carried = len as u8;
        Ok((None, bytes))
    }
}

/// How many bytes at the end, at most three, begin a character that goes on after them.
fn unfinished(bytes: &[u8]) -> usize {
    for (back, byte) in bytes.iter().rev().take(3).enumerate() {
        let len = match byte {
            0x00..=0x7F => return 0,
            0x80..=0xBF => continue,
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xFF => 4,
        };
        return if back + 1 < len { back + 1 } else { 0 };
    }
    0
}

/// Whether an unfinished character can still become one: not overlong, no surrogate, not beyond U+10FFFF.
fn may_become_valid(begun: &[u8]) -> bool {
    std::str::from_utf8(begun)
        .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
}
