//! What a head is made of: the classes of its bytes, and header lines (RFC 9110 section 5.6.2, RFC 9112 section 5).
//! Knows how a line looks and where the lines of a head are, not what any of them means.

use super::MAX_HEADERS;
use super::request_headers::KNOWN;

/// A byte of a token: any visible character that is no delimiter (RFC 9110 section 5.6.2).
pub(super) const TOKEN: u8 = 1 << 0;
/// No byte of a word in a request line: space, and every control character.
pub(super) const GAP: u8 = 1 << 1;
/// Something that is not ASCII, or `"`, `<`, `>`, which neither the grammar nor any browser puts into a target.
pub(super) const FOREIGN: u8 = 1 << 2;
/// `#`: a fragment is the client's own (RFC 9110 section 4.2.5).
pub(super) const FRAGMENT: u8 = 1 << 3;
/// `%`.
pub(super) const ESCAPE: u8 = 1 << 4;
/// `\`, which some take for `/`.
pub(super) const BACKSLASH: u8 = 1 << 5;
/// `?`.
pub(super) const QUERY: u8 = 1 << 6;

const CLASSES: [u8; 256] = {
    let mut classes = [FOREIGN; 256];
    let mut byte = 0_u8;
    while byte < 0x80 {
        classes[byte as usize] = match byte {
            0x00..=0x20 | 0x7F => GAP,
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => TOKEN,
            b'!' | b'$' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|'
            | b'~' => TOKEN,
            b'#' => TOKEN | FRAGMENT,
            b'%' => TOKEN | ESCAPE,
            b'"' | b'<' | b'>' => FOREIGN,
            b'\\' => BACKSLASH,
            b'?' => QUERY,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

/// The classes that a byte is in.
#[inline]
pub(super) fn class(byte: u8) -> u8 {
    CLASSES[usize::from(byte)]
}

pub(super) fn is_token_byte(byte: u8) -> bool {
    class(byte) & TOKEN != 0
}

pub(super) fn is_token(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&byte| is_token_byte(byte))
}

/// How many bytes of a token some input begins with.
#[inline]
pub(super) fn token_len(input: &[u8]) -> usize {
    let mut len = 0;
    while input.get(len).is_some_and(|&byte| is_token_byte(byte)) {
        len += 1;
    }
    len
}

/// Room for what is noted of the header lines of one head: 720 bytes on the stack.
pub struct HeaderSlots<'h> {
    /// Where each line begins.
    pub(super) starts: [u32; MAX_HEADERS],
    /// The value of the first line of each known name.
    pub(super) known: [Option<&'h [u8]>; KNOWN],
}

impl HeaderSlots<'_> {
    /// Empty room.
    #[inline]
    pub const fn new() -> Self {
        HeaderSlots { starts: [0; MAX_HEADERS], known: [None; KNOWN] }
    }
}

impl Default for HeaderSlots<'_> {
    fn default() -> Self {
        HeaderSlots::new()
    }
}

/// Why header lines cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineFault {
    /// The empty line that ends them is not there.
    Incomplete,
    /// A name that is not a token directly before its colon.
    Name,
    /// A value with a control character, or one that does not end with CR LF.
    Value,
    /// More lines than the limit.
    TooMany,
}

/// The header lines of a head, each known to be well-formed.
#[derive(Clone, Copy)]
pub(super) struct Lines<'h> {
    /// All bytes up to the empty line and with it.
    head: &'h [u8],
    starts: &'h [u32],
}

impl<'h> Lines<'h> {
    pub(super) const NONE: Lines<'static> = Lines { head: &[], starts: &[] };

    /// Reads the lines that begin at `at`, up to the empty one. Each is shown to `note`, its name and its value.
    /// What lies beyond 4 GiB is out of reach.
    #[inline]
    pub(super) fn read(
        head: &'h [u8],
        at: usize,
        starts: &'h mut [u32; MAX_HEADERS],
        limit: usize,
        mut note: impl FnMut(&'h [u8], &'h [u8]),
    ) -> Result<Lines<'h>, LineFault> {
        let starts = &mut starts[..limit.min(MAX_HEADERS)];
        let mut count = 0;
        let head = head.get(..u32::MAX as usize).unwrap_or(head);
        let mut rest = head.get(at..).unwrap_or_default();
        loop {
            if let [b'\r', b'\n', after @ ..] = rest {
                return Ok(Lines {
                    head: &head[..head.len() - after.len()],
                    starts: &starts[..count],
                });
            }
            let (name, after) = rest.split_at(token_len(rest));
            let (value, next) = match after {
                [b':', after @ ..] if !name.is_empty() => value(after)?,
                [] => return Err(LineFault::Incomplete),
                [b'\r'] if name.is_empty() => return Err(LineFault::Incomplete),
                _ => return Err(LineFault::Name),
            };
            *starts.get_mut(count).ok_or(LineFault::TooMany)? = (head.len() - rest.len()) as u32;
            count += 1;
            note(name, value);
            rest = next;
        }
    }

    /// All bytes of the head, its first line included.
    pub(super) fn head(self) -> &'h [u8] {
        self.head
    }

    /// Names and values in order.
    pub(super) fn iter(self) -> impl Iterator<Item = (&'h str, &'h [u8])> + use<'h> {
        self.starts.iter().filter_map(move |&start| {
            let line = self.head.get(start as usize..)?;
            let (name, after) = line.split_at(line.iter().position(|&byte| byte == b':')?);
            Some((std::str::from_utf8(name).ok()?, value(&after[1..]).ok()?.0))
        })
    }

    /// The values of all lines of this name, in order.
    pub(super) fn named<'n>(self, name: &'n str) -> impl Iterator<Item = &'h [u8]> + use<'h, 'n> {
        self.starts.iter().filter_map(move |&start| {
            let (sent, after) = self.head.get(start as usize..)?.split_at_checked(name.len())?;
            match after {
                [b':', after @ ..] if sent.eq_ignore_ascii_case(name.as_bytes()) => {
                    Some(value(after).ok()?.0)
                }
                _ => None,
            }
        })
    }
}

/// Whether any line of a head begins with white space.
pub(super) fn has_folded_line(head: &[u8]) -> bool {
    head.windows(3).any(|bytes| matches!(bytes, b"\r\n " | b"\r\n\t"))
}

/// The value at the beginning of what follows a colon, without the white space around it, and what comes after its line.
#[inline(always)] // a fifth of what a head costs, and not for its size
pub(super) fn value(after: &[u8]) -> Result<(&[u8], &[u8]), LineFault> {
    let mut end = 0;
    loop {
        end = next_control(after, end);
        if after.get(end) != Some(&b'\t') {
            break;
        }
        end += 1;
    }
    let (mut value, line_end) = after.split_at(end);
    let next = match line_end {
        [b'\r', b'\n', next @ ..] => next,
        [] | [b'\r'] => return Err(LineFault::Incomplete),
        _ => return Err(LineFault::Value),
    };
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    Ok((value, next))
}

/// The place of the next control character at or after `from`, or the end of the input: eight bytes at a time.
#[inline]
pub(super) fn next_control(input: &[u8], from: usize) -> usize {
    const LOW: u64 = u64::from_ne_bytes([0x7F; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    const TO_SPACE: u64 = u64::from_ne_bytes([0x80 - 0x20; 8]);
    const TO_DEL: u64 = u64::from_ne_bytes([0x80 - 0x7F; 8]);
    let mut rest = input.get(from..).unwrap_or_default();
    while let Some((word, after)) = rest.split_first_chunk() {
        let word = u64::from_le_bytes(*word);
        // Without its high bit no byte can carry into the next, so both sums are exact for each byte.
        let low = word & LOW;
        let controls = (!(low + TO_SPACE) | (low + TO_DEL)) & !word & HIGH;
        if controls != 0 {
            return input.len() - rest.len() + controls.trailing_zeros() as usize / 8;
        }
        rest = after;
    }
    let place = rest.iter().position(u8::is_ascii_control);
    input.len() - rest.len() + place.unwrap_or(rest.len())
}
