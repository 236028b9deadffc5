//! Facts about one connection, one bit each, and why it ends. This file does not know what follows
//! from a fact.

use std::ops::BitOr;

use super::cause::Cause;

/// A set of facts about a connection. The top 8 bits are the byte of its [`Cause`], 0 while it has
/// none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags(u32);

impl Flags {
    /// The connection is in the list of outboxes to offer to the kernel.
    pub(crate) const DIRTY: Flags = Flags(1 << 0);
    /// The connection is in the list of those to read from in the next turn.
    pub(crate) const UNREAD: Flags = Flags(1 << 1);
    /// The connection is in the list of those that ended, or whose open exchange ended.
    pub(crate) const ENDED: Flags = Flags(1 << 2);
    /// The connection is over: `flush` frees it.
    pub(crate) const GONE: Flags = Flags(1 << 3);
    /// The transport refused bytes. A writable event follows.
    pub(crate) const BLOCKED: Flags = Flags(1 << 4);
    /// Waiting output includes answers to the peer's own input: until they leave, nothing more is
    /// read from the peer.
    pub(crate) const ANSWERED: Flags = Flags(1 << 5);
    /// The transport reported input while none was wanted.
    pub(crate) const READABLE: Flags = Flags(1 << 6);
    /// The peer has ended its side.
    pub(crate) const READ_CLOSED: Flags = Flags(1 << 7);
    /// The first head of a connection that has arrived: its deadline counts from the accept.
    pub(crate) const FROM_ACCEPT: Flags = Flags(1 << 8);
    /// A ping has no answer yet, or a keep-alive comment has not left.
    pub(crate) const PINGED: Flags = Flags(1 << 9);
    /// The handler wants a call of `writable`.
    pub(crate) const WANT_WRITABLE: Flags = Flags(1 << 10);
    /// The connection is in the list of those whose handler wants `writable`.
    pub(crate) const WRITABLE: Flags = Flags(1 << 11);
    /// No further request follows this one.
    pub(crate) const LAST: Flags = Flags(1 << 12);
    /// The handler has had `open` and is owed `close`.
    pub(crate) const OWES_CLOSE: Flags = Flags(1 << 13);
    /// Our side of the transport has been shut down.
    pub(crate) const SHUT: Flags = Flags(1 << 14);
    /// The handler has released a taken-over connection: it goes back to HTTP.
    pub(crate) const RELEASED: Flags = Flags(1 << 15);
    /// This program opened the connection: the client role.
    pub(crate) const CLIENT: Flags = Flags(1 << 16);
    /// Compression was agreed on.
    pub(crate) const DEFLATES: Flags = Flags(1 << 17);
    /// The handler takes messages in chunks.
    pub(crate) const CHUNKS: Flags = Flags(1 << 18);
    /// A frame of the pending fan-out is to be written to the connection.
    pub(crate) const POSTED: Flags = Flags(1 << 19);
    /// The connection is in the list of those whose step towards the first request waits.
    pub(crate) const ARRIVES: Flags = Flags(1 << 20);
    /// No byte of a request has come since the accept.
    pub(crate) const FRESH: Flags = Flags(1 << 21);
    /// The connection came through an internal listener.
    pub(crate) const INTERNAL: Flags = Flags(1 << 22);
    /// The connection reads the history of its topics up to the end, and has no live message of
    /// them before.
    pub(crate) const FOLLOWING: Flags = Flags(1 << 23);
    /// Frames are masked or compressed: one test keeps both cases off the hot path.
    pub(crate) const UNUSUAL: Flags = Flags(Flags::CLIENT.0 | Flags::DEFLATES.0);

    /// Whether the set holds this one fact.
    #[inline]
    pub(crate) const fn has(self, one: Flags) -> bool {
        debug_assert!(one.0.is_power_of_two());
        self.any(one)
    }

    /// Whether the set holds at least one of several facts.
    #[inline]
    pub(crate) const fn any(self, several: Flags) -> bool {
        self.0 & several.0 != 0
    }

    /// Where the byte of the cause begins.
    const CAUSE: u32 = 24;

    /// Returns why the connection ends; `None` while nothing ends it.
    #[inline]
    pub(crate) fn cause(self) -> Option<Cause> {
        Cause::of_byte((self.0 >> Flags::CAUSE) as u8)
    }

    /// Returns the index of the cause in [`Cause::ALL`]; past its end while there is none.
    #[inline]
    pub(crate) fn cause_index(self) -> usize {
        (self.0 >> Flags::CAUSE).wrapping_sub(1) as usize
    }

    /// Sets why the connection ends. The first cause stays.
    #[inline]
    pub(crate) fn end_by(&mut self, cause: Cause) {
        if self.0 >> Flags::CAUSE == 0 {
            self.0 |= u32::from(cause.byte()) << Flags::CAUSE;
        }
    }

    /// Forgets the cause: the connection goes on.
    #[inline]
    pub(crate) fn go_on(&mut self) {
        self.0 &= (1 << Flags::CAUSE) - 1;
    }

    #[inline]
    pub(crate) fn insert(&mut self, others: Flags) {
        self.0 |= others.0;
    }

    #[inline]
    pub(crate) fn remove(&mut self, others: Flags) {
        self.0 &= !others.0;
    }

    /// Inserts one fact, and returns whether it is new: a connection is in a list once.
    #[inline]
    pub(crate) fn mark(&mut self, one: Flags) -> bool {
        let new = !self.has(one);
        self.insert(one);
        new
    }
}

impl BitOr for Flags {
    type Output = Flags;

    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Cause, Flags};

    #[test]
    fn union_holds_the_facts_of_both_sets() {
        let both = Flags::PINGED | Flags::LAST;
        assert!(both.has(Flags::PINGED) && both.has(Flags::LAST));
        assert_eq!(both | Flags::LAST, both);
    }

    #[test]
    fn first_cause_stays_beside_the_facts() {
        let mut flags = Flags::default();
        assert_eq!(flags.cause(), None);
        flags.insert(Flags::PINGED | Flags::LAST);
        for &cause in Cause::ALL {
            flags.end_by(cause);
            flags.end_by(Cause::Local);
            assert_eq!(flags.cause(), Some(cause));
            assert!(flags.has(Flags::PINGED) && flags.has(Flags::LAST));
            flags.go_on();
            assert_eq!(flags, Flags::PINGED | Flags::LAST);
        }
    }
}
