//! What the topics of one prefix keep. This file keeps nothing.

use std::time::Duration;

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
    /// across it is a gap.
    #[must_use]
    pub const fn bytes(mut self, bytes: usize) -> History {
        self.bytes = bytes;
        self
    }

    /// Sets how long a topic keeps a message, one hour by default.
    #[must_use]
    pub const fn age(mut self, age: Duration) -> History {
        self.age = age;
        self
    }
}

impl Default for History {
    fn default() -> History {
        History::new()
    }
}
