//! Frames that leave in one write, one after the other in one buffer. A short one costs a look at the room that is left and its bytes:
//! appending to a `Vec` would ask twice and call twice. Knows no connection.

use super::output::{CORK_KEPT, CORKED_AT_MOST};
use crate::websocket::{Header, Opcode};

/// Room to begin with.
const ROOM: usize = 4 << 10;

/// What has been gathered, and room for more: at most [`CORKED_AT_MOST`] bytes of it but for the last frame.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// Initialised as far as it goes; what lies beyond `len` means nothing.
    bytes: Vec<u8>,
    len: usize,
}

impl Gathered {
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Appends an unmasked frame if it is as long as most are and there is room; false, and nothing done, if not. So little code becomes a
    /// part of the handler that sends.
    #[inline]
    pub(super) fn push_usual(&mut self, opcode: Opcode, payload: &[u8]) -> bool {
        self.push_short(opcode, payload, |room, payload| match payload.len() {
            16..=32 => copy_ends::<16>(room, payload),
            33..=64 => copy_ends::<32>(room, payload),
            _ => false,
        })
    }

    /// The same for the other short ones.
    pub(super) fn push_unusual(&mut self, opcode: Opcode, payload: &[u8]) -> bool {
        self.push_short(opcode, payload, |room, payload| match payload.len() {
            65..=Header::SHORT => copy_ends::<64>(room, payload),
            8..16 => copy_ends::<8>(room, payload),
            4..8 => copy_ends::<4>(room, payload),
            2..4 => copy_ends::<2>(room, payload),
            0..2 => copy_ends::<1>(room, payload),
            _ => false,
        })
    }

    /// The same with whatever copies the payload, which may refuse it.
    #[inline(always)]
    fn push_short(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        copy: impl FnOnce(&mut [u8], &[u8]) -> bool,
    ) -> bool {
        let end = self.len + 2 + payload.len();
        let Some([first, second, room @ ..]) = self.bytes.get_mut(self.len..end) else {
            return false;
        };
        (*first, *second) = (Header::FIN | opcode as u8, payload.len() as u8);
        let copied = copy(room, payload);
        if copied {
            self.len = end;
        }
        copied
    }

    /// Appends bytes of frames, for which it grows if it must. Whether more should not be gathered.
    pub(super) fn push<const N: usize>(&mut self, parts: [&[u8]; N]) -> bool {
        for part in parts {
            let end = self.len + part.len();
            if let Some(room) = self.bytes.get_mut(self.len..end) {
                room.copy_from_slice(part);
            } else {
                self.bytes.truncate(self.len);
                self.bytes.extend_from_slice(part);
                self.bytes.resize(end.max((2 * end).clamp(ROOM, CORKED_AT_MOST)), 0);
            }
            self.len = end;
        }
        self.len >= CORKED_AT_MOST
    }

    /// They have left, or lie elsewhere.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.len = 0;
        if self.bytes.len() > CORKED_AT_MOST {
            self.shrink();
        }
    }

    #[cold]
    fn shrink(&mut self) {
        self.bytes.truncate(CORKED_AT_MOST);
        self.bytes.shrink_to(CORK_KEPT);
    }
}

/// Copies N to 2 N bytes as two pieces that may overlap, without a call: a function that calls none saves no registers either.
#[inline(always)]
fn copy_ends<const N: usize>(to: &mut [u8], from: &[u8]) -> bool {
    if let (Some(to), Some(from)) = (to.first_chunk_mut::<N>(), from.first_chunk()) {
        *to = *from;
    }
    if let (Some(to), Some(from)) = (to.last_chunk_mut::<N>(), from.last_chunk()) {
        *to = *from;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_frames_of_every_length_lie_one_after_the_other() {
        let payload: Vec<u8> = (0..=255).collect();
        let (mut gathered, mut expected) = (Gathered::default(), Vec::new());
        for len in 0..=130 {
            let payload = &payload[len..2 * len.min(127)];
            crate::websocket::encode_frame(&mut expected, true, Opcode::Binary, payload);
            if !gathered.push_usual(Opcode::Binary, payload)
                && !gathered.push_unusual(Opcode::Binary, payload)
            {
                let before = gathered.len();
                assert!(
                    payload.len() > Header::SHORT
                        || before + 2 + payload.len() > gathered.bytes.len()
                );
                gathered.push([&expected[before..]]);
            }
        }
        assert_eq!(gathered.as_bytes(), expected);
        gathered.clear();
        assert!(gathered.is_empty() && gathered.as_bytes().is_empty());
    }

    #[test]
    fn gathering_ends_at_its_limit_and_keeps_little() {
        let mut gathered = Gathered::default();
        assert!(!gathered.push([&[1; 10]]));
        while gathered.push_unusual(Opcode::Text, &[b'x'; 100]) || !gathered.push([&[b'y'; 102]]) {
            assert!(gathered.len() <= CORKED_AT_MOST);
        }
        assert!((CORKED_AT_MOST..CORKED_AT_MOST + 102).contains(&gathered.len()));
        assert!(gathered.push([&vec![2; 3 << 20]]));
        gathered.clear();
        assert!(gathered.is_empty() && gathered.bytes.capacity() <= CORK_KEPT);
        // Room beyond the limit would let short frames pass it.
        assert!(gathered.bytes.len() <= CORKED_AT_MOST);
    }
}
