//! From a message to outboxes and sockets: the cork, the fast path, fan-out, compression and
//! closing. This folder knows no topic, and calls no handler.
//!
//! | word | meaning |
//! | --- | --- |
//! | cork | the outbox of the connection whose input is being handled; it leaves in one write |
//! | fast path | whole messages of a plain WebSocket, handled by one function and one buffer |
//! | fan-out | a published frame, and the connections that it is still to be written to |
//! | at rest | open, with nothing unfinished and no output that waits |

mod as_outgoing;
mod backpressure;
mod broadcast;
#[cfg(feature = "deflate")]
mod compression;
#[expect(clippy::module_inception)]
mod delivery;
mod fast_path;
mod forms;
mod frame_buf;
mod outgoing;
mod output;
mod publish;
mod replay;
#[cfg(feature = "deflate")]
mod shared_contexts;

pub use as_outgoing::AsOutgoing;
pub(crate) use broadcast::EncodedOnce;
pub(crate) use delivery::Delivery;
pub(crate) use forms::Forms;
pub use outgoing::Outgoing;
