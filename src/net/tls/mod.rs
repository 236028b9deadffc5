//! TLS (RFC 8446, RFC 5246) by rustls: certificates and roots. This folder knows neither HTTP nor
//! WebSocket frames, and does not know which listener or attempt uses it.

mod certificates;
mod config;
mod pem;
mod server;
mod stream;
mod swap;
mod ticket_file;
mod ticket_keys;
mod tickets;

pub use config::TlsConfig;
pub use server::Tls;
pub use stream::TlsStream;
pub(crate) use stream::{FRONT, Handshake};
