//! A single-threaded event-loop reactor over [mio] that serves HTTP/1.1, WebSocket and event streams from per-connection
//! state machines, and hands what happens to handlers registered by URI prefix.
//!
//! ```no_run
//! use switchboard::Reactor;
//!
//! fn main() -> std::io::Result<()> {
//!     let mut reactor = Reactor::new()?;
//!     reactor.server.websocket("/", |conn, message| conn.send(message));
//!     reactor.server.listen("127.0.0.1:9001")?;
//!     reactor.run()
//! }
//! ```
//!
//! # Six words
//! A [`Reactor`] is a `Poll` and a server. A [`Server`] is zones and a context. A [`Context`] is connections, topics and
//! timers: all that a handler may touch. A [`Conn`] is the context and one connection. A [`Zone`] is a URI prefix and its
//! handler. A [`Handler`] is your code.
//!
//! # Four rules
//! They hold for every callback.
//! 1. A handler runs to completion; none is ever called from inside another.
//! 2. Nothing that a handler calls fails, blocks, or calls a handler. Bytes may leave at once or later; a broken socket is
//!    heard of only through [`Handler::close`].
//! 3. A [`ConnId`] may be kept for ever; using it after its exchange ended does nothing.
//! 4. What a callback is lent (request, body, message, bytes) lives for the call.
//!
//! # The walk
//! A request is offered to the zones whose prefix matches its path, in the order of their registration, until one
//! [replies](Reply) something else than [`Reply::Pass`]. What a zone puts into the request's [`Extensions`] travels on, and
//! reaches [`Handler::open`]: an authentication zone at `/` guards pages and WebSockets alike.
//!
//! # One reading
//! Where the RFCs allow leniency there is none, so that no message has two readings. Of HTTP/1.1 (RFC 9112) these are answered 400, unless another
//! status is named, and the connection closes:
//! - `Content-Length` twice, as a list, with a sign, with leading zeros or white space in it, or beside `Transfer-Encoding`;
//! - `Transfer-Encoding` in HTTP/1.0, doubled codings; any coding but `chunked` (501);
//! - a bare CR or LF, NUL and other control characters, folded fields, white space before a colon;
//! - `Host` missing in HTTP/1.1, twice, as a list, or with userinfo, a path or a malformed port; of an absolute target the authority alone is read;
//! - targets that are not ASCII, have a fragment, a malformed `%` escape, or a path that decodes to no UTF-8, to control characters, to `/` or `\`
//!   within a segment, or that climbs above the root;
//! - chunk sizes with a sign, white space or more than 16 digits, and anything but CRLF around chunks.
//!
//! Of RFC 6455, every length must be in its shortest encoding, every reserved bit clear unless an extension was agreed on, and text is refused at its first bad
//! byte, in the middle of a frame too. A violation is answered by a Close frame with 1002, 1007 or 1009; too fast a peer by 1008, too slow a one
//! by 1013.
//!
//! # Features
//! - `deflate`: permessage-deflate (RFC 7692), off until `Options` turn it on. In shared mode a connection costs nothing more; a dedicated pair of
//!   contexts takes 370,240 bytes at 15 bits.
//!
//! # What an idle connection costs
//! A descriptor and at most 64 bytes: no buffer, no box. One read buffer and one write buffer, the cork, belong to the server. A
//! connection keeps bytes only while something is unfinished.
//!
//! # Where it runs
//! Tested on Linux x86-64. Other Unix systems are intended to work and are untested. Windows is not supported.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(not(unix))]
compile_error!(
    "switchboard runs on Unix systems only: it is built on edge-triggered readiness of file descriptors"
);

mod connection;
mod http1;
mod net;
mod reactor;
mod server;
mod websocket;

pub use http;
pub use mio;

pub use connection::{
    Accepted, Backpressure, CallError, Chunk, Close, Conn, ConnId, ConnMap, Connect, Context,
    EventStream, Options, OptionsId, Outgoing, Remote, Reply, Stats, Stream, TimerId, Upgrade,
    ZoneId,
};
pub use http1::{Extensions, Request, RequestError, Response, Version};
pub use net::{Listener, Memory, MemoryPeer, Readiness, Transport};
pub use reactor::Reactor;
pub use server::{Handler, ListenerId, Server, Zone};
pub use websocket::{CloseCode, Message, Violation};
#[cfg(feature = "deflate")]
#[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
pub use websocket::{DeflateConfig, DeflateMode};

/// The README's examples compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The protocols by themselves, as functions over bytes: no sockets, no clock. For programs that bring a loop and connections of
/// their own.
pub mod proto {
    pub mod http1 {
        //! HTTP/1.1 as functions over bytes.
        pub use crate::http1::*;
    }
    pub mod websocket {
        //! WebSocket as functions over bytes.
        pub use crate::websocket::*;
    }
}
