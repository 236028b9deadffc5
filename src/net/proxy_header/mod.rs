//! The header of the PROXY protocol, versions 1 and 2. This folder reads bytes and knows no
//! connection.

mod block;
mod fault;
mod header;
mod line;

pub use fault::ProxyHeaderFault;
pub use header::ProxyHeader;
