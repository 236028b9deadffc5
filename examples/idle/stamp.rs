//! The stamp at the beginning of every message and ping, from which a reply shows when its message
//! was due. This file knows no frames.

/// Bytes of a stamp.
pub const LEN: usize = 16;

/// The time at which a message was due, its run, and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub due: u64,
    pub nonce: u32,
    pub number: u32,
}

impl Stamp {
    /// Writes the stamp over the first bytes of a message.
    pub fn write(self, message: &mut [u8]) {
        message[..8].copy_from_slice(&self.due.to_be_bytes());
        message[8..12].copy_from_slice(&self.nonce.to_be_bytes());
        message[12..LEN].copy_from_slice(&self.number.to_be_bytes());
    }

    /// Reads a stamp of this run.
    pub fn read(message: &[u8], nonce: u32) -> Option<Stamp> {
        let (due, rest) = message.split_first_chunk()?;
        let (run, rest) = rest.split_first_chunk()?;
        let (number, _) = rest.split_first_chunk()?;
        let stamp = Stamp {
            due: u64::from_be_bytes(*due),
            nonce: u32::from_be_bytes(*run),
            number: u32::from_be_bytes(*number),
        };
        (stamp.nonce == nonce).then_some(stamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamp_is_read_back_in_its_own_run_only() {
        let stamp = Stamp { due: u64::MAX - 7, nonce: 0xC0FFEE, number: 9 };
        let mut message = [0xFF; LEN + 3];
        stamp.write(&mut message);
        assert_eq!(Stamp::read(&message, 0xC0FFEE), Some(stamp));
        assert_eq!(Stamp::read(&message, 0xC0FFEF), None);
        assert_eq!(Stamp::read(&message[..LEN - 1], 0xC0FFEE), None);
    }
}
