//! Bytes on their way to one peer: segments in their order, what leaves in one write, and what a
//! policy may drop. This folder knows no connection and no reason for a message.

mod drop_policy;
#[expect(clippy::module_inception)]
mod outbox;
mod paged_buf;
mod segment;
#[cfg(test)]
mod tests;
mod writing;

pub(crate) use outbox::Outbox;
pub(crate) use paged_buf::MAX_HEAP;
pub(crate) use segment::{Droppable, Kind, Shared};
