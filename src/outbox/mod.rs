//! Bytes on their way to one peer: a queue of segments. This folder chooses the segments that leave
//! in one write, and those that a policy may drop. A segment is a run of bytes that stay together,
//! such as a whole frame. This folder knows no connection and no reason for a message.

mod drop_policy;
mod keep_latest;
#[expect(clippy::module_inception)]
mod outbox;
mod paged_buf;
mod places;
mod segment;
#[cfg(test)]
mod tests;
mod writing;

pub(crate) use outbox::Outbox;
pub(crate) use paged_buf::MAX_HEAP;
pub(crate) use segment::{Droppable, Kind, Shared};
