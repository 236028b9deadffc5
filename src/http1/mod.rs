//! HTTP/1.1 (RFC 9110, RFC 9112) as functions over bytes: heads, bodies and responses. This folder
//! knows no socket, no clock and no zone: time and bytes are arguments.
//!
//! A server reads with [`scan`], which finds the end of a head however its bytes arrive, and
//! [`Request::parse`], which judges a whole head. [`Chunked`] decodes a chunked body. A server
//! writes with [`Response`], [`encode_chunk`] and [`event_stream`]. A fault is a [`RequestError`],
//! which converts to the [`Response`] that the peer gets.
//!
//! A client reads heads with [`scan_response`] and [`ResponseHead::parse`]. A fault is a
//! [`ResponseError`].

mod body;
mod characters;
mod date;
pub mod event_stream;
mod extensions;
mod first_line;
mod forwarded;
mod head_fault;
mod header_lines;
mod host;
mod parse;
mod query;
mod request;
mod request_error;
mod request_headers;
mod response;
mod response_encoding;
mod response_error;
mod response_head;
mod scan;
mod target;

pub use body::{Chunked, LAST_CHUNK, Progress, encode_chunk};
pub(crate) use characters::{elements, is_token, is_value_byte, is_well_formed};
pub use date::Date;
pub use extensions::Extensions;
pub use first_line::Version;
pub(crate) use first_line::request_line;
pub(crate) use forwarded::Hops;
pub use forwarded::TrustedHeader;
#[cfg(test)]
pub(crate) use header_lines::HTTPARSE_CALLS;
pub use header_lines::HeaderSlots;
pub(crate) use header_lines::Known;
pub(crate) use host::{is_authority, parse_port, split_port};
pub use query::QueryPairs;
pub(crate) use query::is_query;
pub use request::Request;
pub use request_error::RequestError;
pub use request_headers::BodyLength;
pub(crate) use request_headers::Repeated;
pub use response::Response;
pub use response_encoding::{Encoding, Framing, KeepAliveHeader};
pub use response_error::ResponseError;
pub use response_head::{ResponseHead, scan_response};
pub use scan::{HeadLimits, MAX_HEADERS, Scan, scan};
pub(crate) use target::normalise_prefix;
