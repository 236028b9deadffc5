//! The id of a message: two numbers, and their one written form. This file gives no id.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::str::{self, FromStr};

/// Names a published message, and the place of that message in the order of all messages.
///
/// The written form is `a-b`, two decimal numbers, at most 41 bytes. In the memory of a server
/// or a [`Cluster`](crate::Cluster), `a` is drawn by chance when it is made, and `b` counts the
/// messages of all its topics. A later message has a greater id. Other stores have other numbers: a
/// page must not take an id apart. No message has the id `0-0`, which is the default: a subscriber
/// from there gets a gap, and then all that its topic keeps.
///
/// An id is no permission: any client can send any id. The handler decides which topics a client
/// may read.
///
/// ```
/// use switchboard::MessageId;
///
/// let id: MessageId = "1042-7".parse()?;
/// assert_eq!(id, MessageId::new(1042, 7));
/// assert!(id < MessageId::new(1042, 8));
/// assert_eq!(id.to_string(), "1042-7");
/// assert!("1042-07".parse::<MessageId>().is_err());
/// # Ok::<(), switchboard::MalformedMessageId>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    a: u64,
    b: u64,
}

impl MessageId {
    /// Makes an id of its two numbers.
    #[must_use]
    pub const fn new(a: u64, b: u64) -> MessageId {
        MessageId { a, b }
    }

    /// Returns the first number.
    #[must_use]
    pub const fn a(self) -> u64 {
        self.a
    }

    /// Returns the second number.
    #[must_use]
    pub const fn b(self) -> u64 {
        self.b
    }

    /// Returns the written form, without memory of the heap.
    pub(crate) fn text(self) -> IdText {
        let mut text = IdText { bytes: [0; LONGEST], len: 0 };
        // Two numbers and a hyphen always fit.
        let _infallible = write!(text, "{self}");
        text
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.a, self.b)
    }
}

/// Bytes of the longest id: two numbers of 20 digits and a hyphen.
const LONGEST: usize = 41;

/// The text is no [`MessageId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedMessageId;

impl fmt::Display for MalformedMessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "not a message id: write two decimal numbers below 2^64 with a hyphen between, \
             without signs, blanks or leading zeros, such as 1042-7",
        )
    }
}

impl Error for MalformedMessageId {}

impl FromStr for MessageId {
    type Err = MalformedMessageId;

    /// Reads the written form, and no other.
    fn from_str(text: &str) -> Result<MessageId, MalformedMessageId> {
        let (a, b) = text.split_once('-').ok_or(MalformedMessageId)?;
        Ok(MessageId { a: number(a)?, b: number(b)? })
    }
}

/// Reads a number in its only form: digits without a sign and without a leading zero.
fn number(text: &str) -> Result<u64, MalformedMessageId> {
    let is_padded = text.len() > 1 && text.starts_with('0');
    match is_padded || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Err(MalformedMessageId),
        false => text.parse().map_err(|_| MalformedMessageId),
    }
}

/// The written form of an id, on the stack.
pub(crate) struct IdText {
    bytes: [u8; LONGEST],
    len: usize,
}

impl IdText {
    pub(crate) fn as_str(&self) -> &str {
        self.bytes.get(..self.len).and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

impl fmt::Write for IdText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        let room = self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_has_one_written_form() {
        let greatest = MessageId::new(u64::MAX, u64::MAX);
        for id in [MessageId::default(), MessageId::new(1, 0), MessageId::new(7, 10), greatest] {
            let text = id.text();
            assert_eq!(text.as_str(), id.to_string());
            assert_eq!(text.as_str().parse(), Ok(id));
        }
        assert_eq!(greatest.text().as_str().len(), LONGEST);
        for text in [
            "",
            "-",
            "1",
            "1-",
            "-1",
            "1-2-3",
            "01-2",
            "1-02",
            "00-0",
            "+1-2",
            "1-+2",
            "--1",
            " 1-2",
            "1-2 ",
            "1 -2",
            "1-2\n",
            "1-2\0",
            "1_0-2",
            "0x1-2",
            "1-2e3",
            "1–2",
            "١-٢",
            "18446744073709551616-0",
            "0-18446744073709551616",
            "1-99999999999999999999999999999999999999999",
        ] {
            assert_eq!(text.parse::<MessageId>(), Err(MalformedMessageId), "{text:?}");
        }
    }

    #[test]
    fn ids_are_ordered_by_their_first_number_first() {
        let ids =
            [(0, 0), (0, 9), (0, 10), (1, 0), (1, 1), (10, 0)].map(|(a, b)| MessageId::new(a, b));
        assert!(ids.is_sorted_by(|one, two| one < two));
        assert_eq!((ids[4].a(), ids[4].b()), (1, 1));
    }
}
