//! Bytes and readiness: sockets, an in-memory stand-in for sockets, accepting, connecting and
//! name resolution. This folder knows neither HTTP nor WebSocket frames.

mod acceptor;
mod address;
mod arrival;
#[cfg(feature = "tls")]
mod carrier;
mod dial;
mod first_read;
mod listener;
mod memory;
mod outcome;
mod resolve;
mod scripted;
#[cfg(feature = "tls")]
mod tls;
mod transport;

pub(crate) use acceptor::{AcceptOutcome, Acceptor, turn_away};
pub(crate) use address::{Network, prefix, race_order};
pub(crate) use dial::dial;
pub use listener::Listener;
pub use memory::{Memory, MemoryPeer};
pub(crate) use outcome::{Read, Wrote};
pub(crate) use resolve::{Lookup, Resolver};
pub(crate) use scripted::Scripted;
#[cfg(feature = "tls")]
pub use tls::{ClientTls, Tls, TlsConfig, TlsStream};
#[cfg(feature = "tls")]
pub(crate) use tls::{FRONT, HTTP_1_1, Handshake, NO_NAME, reason, server_name};
pub use transport::{Readiness, Transport};
