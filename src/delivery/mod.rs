//! From a message to outboxes and sockets: the cork, the fast path, fan-out, compression and
//! closing. This folder knows no topic, and calls no handler.

mod backpressure;
mod broadcast;
mod closing;
#[cfg(feature = "deflate")]
mod compression;
#[expect(clippy::module_inception)]
mod delivery;
mod fan_out;
mod fast_path;
mod frame_buf;
mod outgoing;
mod output;
mod publish;
#[cfg(feature = "deflate")]
mod shared_contexts;

pub(crate) use broadcast::EncodedOnce;
pub(crate) use delivery::Delivery;
pub use outgoing::Outgoing;
