//! What the topics of one prefix keep. This file keeps nothing.

use std::time::Duration;

use super::gate::AheadBounds;

/// What each topic of a prefix keeps, for [`Server::history`](crate::Server::history).
///
/// A message is forgotten as soon as one of the bounds is passed, the oldest first. With the
/// defaults a topic keeps its last 200 messages, 256 KiB of them, for one hour.
///
/// ```
/// use std::time::Duration;
/// use switchboard::{History, Server};
///
/// let mut server = Server::detached();
/// server.history("room/", History::new());
/// let scores = History::new().messages(1000).bytes(1 << 20).age(Duration::from_secs(600));
/// server.history("scores/", scores);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    pub(super) messages: usize,
    pub(super) bytes: usize,
    pub(super) age: Duration,
}

impl History {
    /// Makes the default: 200 messages, 256 KiB, one hour.
    #[must_use]
    pub const fn new() -> History {
        History { messages: 200, bytes: 256 << 10, age: Duration::from_secs(3600) }
    }

    /// Sets how many messages a topic keeps, 200 by default. With 0 it keeps none.
    #[must_use]
    pub const fn messages(mut self, messages: usize) -> History {
        self.messages = messages;
        self
    }

    /// Sets how many bytes a topic keeps, 256 KiB by default. Each message counts 256 bytes beyond
    /// its own. A message that is larger than the bound is delivered and not kept, so a resume
    /// across it is a gap. With 0 the topic keeps none.
    #[must_use]
    pub const fn bytes(mut self, bytes: usize) -> History {
        self.bytes = bytes;
        self
    }

    /// Sets how long a topic keeps a message, one hour by default.
    ///
    /// A message stays at most two seconds longer, or a 64th of the time (at most a minute) where
    /// that is more. A topic without subscribers goes with its last message.
    #[must_use]
    pub const fn age(mut self, age: Duration) -> History {
        self.age = age;
        self
    }

    /// Returns the bounds of messages that wait for an earlier one.
    pub(crate) fn ahead(self) -> AheadBounds {
        AheadBounds { messages: self.messages.max(1), bytes: self.bytes }
    }
}

/// No second.
pub(super) const NEVER: u32 = u32::MAX;

impl History {
    /// Returns the second from which a message is too old that was published in another second;
    /// [`NEVER`] for more than 136 years. Many messages share one, so that an idle server wakes
    /// seldom.
    pub(super) fn check_of(&self, second: u32) -> u32 {
        let age = self.age.as_secs().saturating_add(u64::from(self.age.subsec_nanos() > 0));
        let grain = (age / 64).clamp(1, 60);
        // The second of the publish is partly over.
        let exact = age.saturating_add(u64::from(second) + 1);
        let check = exact.checked_next_multiple_of(grain).unwrap_or(u64::MAX);
        u32::try_from(check).unwrap_or(NEVER)
    }
}

impl Default for History {
    fn default() -> History {
        History::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_is_forgotten_a_little_after_its_age() {
        let ages = [0, 1, 999, 1000, 1001, 10_000, 63_999, 64_000, 130_500, 3_600_000, 86_400_000];
        for millis in ages {
            let history = History::new().age(Duration::from_millis(millis));
            for second in (0..5_000).step_by(7) {
                let check = u64::from(history.check_of(second)) * 1000;
                // Published in any moment of its second.
                let (early, late) = (u64::from(second) * 1000, u64::from(second) * 1000 + 999);
                assert!(check >= late + millis, "{millis} {second}");
                let more = (millis / 64).clamp(2_000, 60_000);
                assert!(check <= early + millis + more + 1_000, "{millis} {second} {check}");
            }
        }
        assert_eq!(History::new().age(Duration::MAX).check_of(7), NEVER);
        assert_eq!(History::new().age(Duration::from_secs(u32::MAX.into())).check_of(0), NEVER);
    }
}
