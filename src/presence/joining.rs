//! What a connection joins, and what it has joined. These are plain values.

use std::sync::Arc;

/// What a connection joins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Joining<'j> {
    pub(crate) zone: u16,
    pub(crate) topic: &'j str,
    pub(crate) user: &'j str,
    pub(crate) value: &'j str,
    /// The grace, in ticks.
    pub(crate) grace: u32,
}

/// A topic that a connection has joined.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) topic: Arc<str>,
    pub(super) user: Arc<str>,
    /// The grace, in ticks.
    pub(super) grace: u32,
    /// The index among the receivers of the topic.
    pub(super) place: usize,
    /// The connection has had no report yet.
    pub(super) is_new: bool,
}
