//! Bytes and readiness: sockets, their in-memory stand-in, and the accepting of new ones.
//!
//! Nothing here knows HTTP or WebSocket frames.

mod address;
mod dial;
mod listener;
mod memory;
mod outcome;
mod resolve;
mod transport;

pub(crate) use address::prefix;
pub(crate) use dial::dial;
pub use listener::Listener;
pub(crate) use listener::{AcceptOutcome, Acceptor, turn_away};
pub use memory::{Memory, MemoryPeer};
pub(crate) use outcome::{Read, Wrote};
pub(crate) use resolve::{Lookup, Resolver};
pub use transport::{Readiness, Transport};
