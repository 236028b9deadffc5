//! Predicts whether a socket that was just accepted already has bytes to read. This file knows no
//! socket.

/// Decides for each accepted connection whether to try a read at once.
///
/// On a busy server the request has arrived by the time of the accept, and the read saves one turn
/// of the loop. Elsewhere the read is a wasted system call. A miss makes the next 1, 3, 7 .. 255
/// accepts skip the read; a hit resets this.
#[derive(Debug, Default)]
pub(crate) struct FirstReadBackoff {
    /// The number of accepts that skip the read after the next miss is twice this and one.
    skip: u8,
    /// The number of accepts that skip the read from now on.
    left: u8,
}

impl FirstReadBackoff {
    /// Whether to read at once from the connection accepted now; counts this accept.
    pub(crate) fn should_read(&mut self) -> bool {
        let expected = self.left == 0;
        self.left = self.left.saturating_sub(1);
        expected
    }

    /// Learns from the outcome of a read: a hit found bytes, a miss none.
    pub(crate) fn record(&mut self, hit: bool) {
        self.skip = if hit { 0 } else { self.skip.saturating_mul(2).saturating_add(1) };
        self.left = self.skip;
    }
}

#[cfg(test)]
mod tests {
    use super::FirstReadBackoff;

    #[test]
    fn one_read_in_256_accepts_at_most_is_a_miss() {
        let mut backoff = FirstReadBackoff::default();
        let mut read = |has_bytes: bool| {
            let expected = backoff.should_read();
            if expected {
                backoff.record(has_bytes);
            }
            expected
        };
        assert!((0..100).all(|_| read(true)), "peers that send at once are read at once");
        let misses: Vec<usize> = (0..1_000).filter(|_| read(false)).collect();
        assert_eq!(misses, [0, 2, 6, 14, 30, 62, 126, 254, 510, 766]);
        assert!((0..256).any(|_| read(true)) && (0..100).all(|_| read(true)));
    }
}
