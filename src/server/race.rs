//! An attempt with several addresses, as data: the slots of its rivals, and when the next address
//! is due. This file opens no socket.

use std::time::Instant;

use crate::context::TimerId;

/// The race of one attempt.
#[derive(Debug, Default)]
pub(super) struct Race {
    /// The slots of the rivals: sockets beside the one in the attempt's own slot.
    pub(super) rivals: Vec<u32>,
    /// A rival whose connection stands.
    pub(super) winner: Option<u32>,
    /// When the next address is due, while one is left.
    pub(super) next: Option<(TimerId, Instant)>,
}
