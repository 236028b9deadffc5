//! TLS (RFC 8446, RFC 5246) by rustls: certificates and roots. This folder knows neither HTTP nor
//! WebSocket frames, and does not know which listener or attempt uses it.

mod certificates;
mod client;
mod config;
mod fault;
mod pem;
mod server;
mod stream;
mod swap;
mod ticket_file;
mod ticket_keys;
mod tickets;

pub use client::ClientTls;
pub(crate) use client::{HTTP_1_1, server_name};
pub use config::TlsConfig;
pub(crate) use fault::{NO_NAME, reason};
pub use server::Tls;
pub use stream::TlsStream;
pub(crate) use stream::{FRONT, Handshake, is_plain_text};
