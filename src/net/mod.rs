//! Bytes and readiness: sockets, an in-memory stand-in for sockets, accepting, connecting and
//! name resolution. This folder knows neither HTTP nor WebSocket frames.

mod acceptor;
mod address;
mod arrival;
mod bindings;
mod bound;
#[cfg(feature = "tls")]
mod carrier;
mod descriptor;
mod dial;
mod first_read;
mod into_listener;
mod listener;
mod memory;
mod networks;
mod outcome;
#[cfg(feature = "tls")]
mod over_tls;
mod proxy_header;
mod readiness;
mod resolve;
mod scripted;
mod send_limits;
mod socket;
mod tcp;
#[cfg(feature = "tls")]
mod tls;
mod traffic;
mod transport;
mod unix;

pub(crate) use acceptor::{AcceptOutcome, Acceptor};
pub(crate) use address::{Network, prefix, race_order};
pub(crate) use arrival::Arrival;
pub(crate) use bindings::Bindings;
pub(crate) use bound::Bound;
pub use bound::ListenAddr;
pub use descriptor::Descriptor;
pub(crate) use dial::dial;
pub use listener::Listener;
pub use memory::{Memory, MemoryPeer};
pub(crate) use networks::Networks;
pub(crate) use outcome::{Read, Wrote};
pub use proxy_header::{ProxyHeader, ProxyHeaderFault};
pub use readiness::Readiness;
pub(crate) use resolve::{Lookup, Resolver};
pub(crate) use scripted::Scripted;
pub(crate) use send_limits::SendLimits;
pub use socket::Socket;
#[cfg(feature = "tls")]
pub use tls::{ClientTls, Tls, TlsConfig, TlsStream};
#[cfg(feature = "tls")]
pub(crate) use tls::{FRONT, HTTP_1_1, Handshake, NO_NAME, reason, server_name};
pub(crate) use traffic::Traffic;
pub use transport::Transport;
