//! A single-threaded reactor over [mio] that serves HTTP/1.1, WebSocket and event streams to
//! handlers registered by URI prefix.
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
//! An idle WebSocket takes 65 bytes of the server's memory, and an echo takes three system calls.
//! The limits and deadlines of a connection have safe defaults: [security] and [time](guide::time)
//! list them.
//!
//! The [manual](guide) begins with [a first server](guide::first_server). One section says [when
//! not to use this crate](guide::compared#when-not-to-use-this-crate).
//!
//! # I want to
//!
//! | I want to .. | use .. | chapter |
//! | --- | --- | --- |
//! | serve a page | [`Server::http`] | [first_server](guide::first_server) |
//! | serve a WebSocket | [`Server::websocket`] | [first_server](guide::first_server) |
//! | write a handler with state | [`Handler`], [`Server::zone`] | [state](guide::state) |
//! | keep a value for each connection | [`ConnMap`] | [state](guide::state) |
//! | check the user in one place | a first zone at `/`, [`Extensions`] | [state](guide::state) |
//! | reach another zone | [`Context::call`], [`ZoneId`] | [state](guide::state) |
//! | send to many | [`Conn::subscribe`], [`Context::publish`] | [topics](guide::topics) |
//! | keep messages for a client that returns | [`Server::history`] | [history](guide::history) |
//! | go on from what a client has | [`Conn::subscribe_from`] | [history](guide::history) |
//! | know which users are there | [`Conn::join`], [`Presence`] | [presence](guide::presence) |
//! | push events to browsers | [`EventStream`] | [topics](guide::topics) |
//! | keep messages in a database | [`Server::store`], [`Store`] | [stores](guide::stores) |
//! | have a stream go on where it broke | [`EventStream::topic`] | [history](guide::history) |
//! | serve pages that can only poll | [`LongPoll`] | [history](guide::history) |
//! | answer from a thread or a tokio task | [`Reply::Later`], [`Remote`] | [later] |
//! | do something every second | [`Context::every`] | [time](guide::time) |
//! | change a deadline or a limit | [`Options`] | [time](guide::time), [security] |
//! | say which pages and hosts are allowed | [`Server::origins`], [`Server::hosts`] | [security] |
//! | run behind a proxy | [`Server::trusted_proxies`] | [proxies](guide::behind_a_proxy) |
//! | get the client's address from a PROXY header | [`Listener::proxy_protocol`] | [security] |
//! | learn why a connection ended | [`Close::cause`], [`Stats::ends`] | [endings](guide::endings) |
//! | deal with slow readers | [`Backpressure`], [`Conn::buffered`] | [slow readers] |
//! | know what is refused, and how | a table of faults | [security] |
//! | test a handler | [`testing::World`] | [testing](guide::testing_handlers) |
//! | use a loop of my own | [`Server::new`], [`Server::flush`] | [your_loop](guide::your_loop) |
//! | run in tokio, calloop, glib or a game | [`Reactor::turn`] | [loops](guide::other_loops) |
//! | keep a turn within a frame | [`Server::turn_budget`] | [loops](guide::other_loops) |
//! | watch a socket or pipe of my own | [`Reactor::watch`] | [your_loop](guide::your_loop) |
//! | listen at a Unix socket | [`Listener::unix`] | [listeners](guide::your_loop#listeners) |
//! | take sockets of a supervisor | [`Listener`] | [listeners](guide::your_loop#listeners) |
//! | stop accepting for a while | [`Server::accepting`] | [listeners](guide::your_loop#listeners) |
//! | use several cores | [`Cluster`] | [many_cores](guide::many_cores) |
//! | collect an upload, stream a download | [`Reply::Body`], [`Stream`] | [big messages] |
//! | handle huge messages | [`Options::chunks`], [`Conn::send_fragment`] | [big messages] |
//! | speak a protocol of my own | [`Reply::Takeover`], [`Handler::input`] | [`Handler`] |
//! | open a WebSocket to another server | [`Context::connect`], [`Connect`] | [`Connect`] |
//! | open a `wss` URL | feature `tls`, [`Connect::to`] | [`Connect`] |
//! | serve `https` and `wss` | feature `tls`, `Tls`, `TlsConfig` | [tls](guide::tls) |
//! | compress messages | feature `deflate` | [compression](guide::compression) |
//! | end in order | [`Drain`], [`Server::drain`], [`Remote::drain`] | [ending] |
//! | see what is going on | [`Context::stats`], [`Metrics`] | [metrics](guide::metrics) |
//! | write an access log | [`Server::observe`], [`Answered`] | [observing](guide::observing) |
//! | log what is refused | [`Server::observe`], feature `log` | [observing](guide::observing) |
//! | parse the protocols alone | [`proto`] | [`proto`] |
//!
//! # Six words
//!
//! | word | what it is |
//! | --- | --- |
//! | [`Reactor`] | a `Poll` and a server |
//! | [`Server`] | zones and a context |
//! | [`Context`] | connections, topics and timers: all that a handler may touch |
//! | [`Conn`] | the context and one connection |
//! | [`Zone`] | a URI prefix and its handler |
//! | [`Handler`] | your code |
//!
//! # Four rules
//!
//! The rules hold for every callback. An exchange is one request with its answer, or the WebSocket,
//! event stream or takeover that began with it.
//! 1. A handler runs to completion, and no handler is called from inside another.
//! 2. No method of [`Conn`] or [`Context`] blocks or calls a handler, and but for
//!    [`Context::watch`] and [`Conn::join`] none fails. Bytes may leave at once or later. A broken
//!    socket shows in [`Handler::close`] or [`Handler::cancelled`] only.
//! 3. You may keep a [`ConnId`], the name of one exchange, for ever. Once the exchange has ended,
//!    the name has no effect.
//! 4. A callback borrows its request, body, message or bytes until it returns.
//!
//! # The walk of a request
//!
//! A request is offered to the zones whose prefix matches its path, in the order of their
//! registration. The first [reply](Reply) other than [`Reply::Pass`] is the answer. What a zone
//! puts into the request's [`Extensions`] reaches the later zones and [`Handler::open`]. So a
//! handler at `/` that is registered first guards pages and WebSockets alike. A closure of
//! [`Server::http`] is not asked about handshakes, unless its zone has [`Zone::upgrades`].
//!
//! # Features
//!
//! - `deflate`: permessage-deflate (RFC 7692). [`Options`] turn it on; by default it is off.
//! - `idn`: hosts outside ASCII in the URL of a [`Connect`], looked up in their `xn--` form.
//! - `log`: `Observed::log` hands what an [observer](guide::observing) gets to the crate `log`.
//! - `tls`: TLS 1.3 and 1.2 by rustls, for [listeners](guide::tls) and for the `wss` URLs of a
//!   [`Connect`]. It is the only feature that builds C code.
//!
//! # Where it runs
//!
//! The crate is tested on Linux x86-64. Other Unix systems should work and are untested. Windows is
//! not supported.
//!
//! [ending]: guide::time#ending-in-order
//! [later]: guide::answering_later
//! [slow readers]: guide::slow_readers
//! [security]: guide::security
//! [big messages]: guide::big_messages

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(not(unix))]
compile_error!(
    "switchboard runs on Unix systems only: it needs edge-triggered readiness of file descriptors"
);

mod cluster;
mod connection;
mod context;
mod delivery;
pub mod guide;
mod history;
mod http1;
mod net;
mod outbox;
mod presence;
mod reactor;
mod server;
pub mod testing;
mod websocket;

pub use http;
pub use mio;
#[cfg(feature = "tls")]
#[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
pub use rustls;

pub use cluster::{Cluster, ClusterHandle, Member};
pub use connection::{
    Backpressure, Cause, ConnId, Declined, Ends, ListenerId, Options, OptionsId, Protocol, Rate,
    Refusals, Stats, Times, TurnStats, ZoneId, ZoneStats,
};
pub use context::{
    Accepted, AdoptError, CallError, Chunk, Close, Conn, ConnMap, Connect, Context, Drain,
    DrainError, EventStream, KeptMessage, LongPoll, Remote, Reply, Stream, TimerId, Upgrade,
    WatchId,
};
pub use delivery::{AsOutgoing, Outgoing};
pub use history::{
    Appended, History, MalformedMessageId, MalformedStoredMessage, MessageId, Resume, Store,
    StoreAnswer, StoreBounds, StoreError, StorePage, StoredMessage,
};
pub use http1::{Extensions, Request, RequestError, Response, TrustedHeader, Version};
#[cfg(feature = "tls")]
#[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
pub use net::{ClientTls, Tls, TlsConfig, TlsStream};
pub use net::{Descriptor, ListenAddr, Listener, Memory, MemoryPeer, Readiness, Socket, Transport};
pub use presence::{Change, JoinError, Presence, Present};
pub use reactor::{Reactor, Turn};
pub use server::{
    Answered, Ended, Handler, Health, Metrics, Observed, Opened, Panicked, Ready, Refused,
    Rejected, Server, Violated, Zone,
};
pub use websocket::{CloseCode, InvalidCloseCode, Message, Violation};
#[cfg(feature = "deflate")]
#[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
pub use websocket::{DeflateConfig, DeflateMode};

/// The README's examples compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The protocols alone, as functions over bytes: no sockets, no clock. For programs that bring a
/// loop and connections of their own.
///
/// This module is unstable until 1.0: a minor version may change it.
///
/// ```
/// use switchboard::proto::websocket::{Event, Message, Role, Rules, decode, encode_message};
///
/// let rules = Rules { role: Role::Client, max_message: 1 << 20, compression: false };
/// let mut frame = Vec::new();
/// encode_message(&mut frame, Message::Text("Hello"));
/// let (read, event) = decode(&rules, &mut None, &mut frame);
/// assert_eq!((read, event), (7, Event::Message(Message::Text("Hello"))));
/// ```
pub mod proto {
    /// HTTP/1.1 (RFC 9110, RFC 9112): heads, bodies, responses, event streams.
    pub mod http1 {
        pub use crate::http1::event_stream;
        pub use crate::http1::{
            BodyLength, Chunked, Date, Encoding, Extensions, Framing, HeadLimits, HeaderSlots,
            KeepAliveHeader, LAST_CHUNK, MAX_HEADERS, Progress, QueryPairs, Request, RequestError,
            Response, ResponseError, ResponseHead, Scan, Version, encode_chunk, scan,
            scan_response,
        };
    }

    /// The PROXY protocol, versions 1 and 2: the header with which a proxy names its client.
    pub mod proxy_header {
        pub use crate::net::{ProxyHeader, ProxyHeaderFault};
    }

    /// WebSocket (RFC 6455, RFC 7692): the opening handshake, frames, messages, the closing
    /// handshake, compression.
    pub mod websocket {
        pub use crate::websocket::{
            AcceptKey, Action, Assembled, Assembly, ClientHandshake, CloseCode, Decoded, Event,
            Header, Input, Invalid, InvalidCloseCode, Key, MalformedUrl, MaskingKeys, Message,
            Opcode, Origins, Role, Rules, State, Unsendable, Url, Utf8, Valid, Violation, apply,
            check, check_origin, close_payload, decode, encode, encode_frame, encode_masked,
            encode_message, encode_response, parse_close, rotate, subprotocols,
        };
        #[cfg(feature = "deflate")]
        #[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
        pub use crate::websocket::{
            Agreed, Compressed, DeflateConfig, DeflateMode, Deflater, Disagreement, Inflater,
            Negotiated, check_answer, encode_compressed, encode_offer, negotiate,
        };
    }
}
