//! Bytes and readiness: sockets, their in-memory stand-in, and the accepting of new ones.
//!
//! Nothing here knows HTTP or WebSocket frames.

mod listener;
mod memory;
mod transport;

pub use listener::Listener;
pub(crate) use listener::{Accepted, Acceptor};
pub use memory::{Memory, Peer};
pub(crate) use transport::Read;
pub use transport::{Readiness, Transport};
