//! Limits and deadlines of a connection, with safe defaults. A server numbers its sets of options,
//! and a connection holds the number of its set. This file enforces nothing.

use std::time::Duration;

use super::backpressure::Backpressure;
use super::clock::{NEVER, TICK, ticks};
use super::rates::{RATE_CHECK, Rate, RateLimit};
use crate::http1::{HeadLimits, KeepAliveHeader};
use crate::net::SendLimits;
#[cfg(feature = "deflate")]
use crate::websocket::DeflateConfig;
use crate::websocket::{Role, Rules};

/// Limits and deadlines of connections.
///
/// Limits are in bytes, or in what their setter names. Every deadline is a [`Duration`], rounded up
/// to steps of 250 ms: where its setter says nothing else, a deadline never strikes early, and at
/// most one step late. [`Duration::MAX`] turns a deadline off; zero is one step.
///
/// | group | setters |
/// | --- | --- |
/// | HTTP | [`max_head`], [`max_headers`], [`max_target`], [`body_rate`] |
/// | WebSocket | [`max_message`], [`chunks`], [`legacy_versions`] |
/// | WebSocket, rates | [`message_rate`], [`byte_rate`] |
/// | output | [`max_buffered`], [`backpressure`], [`write_rate`] |
/// | output in the kernel | [`send_buffer`], [`not_sent_lowat`] |
/// | HTTP, idle | [`first_byte_timeout`], [`keep_alive_timeout`], [`keep_alive_header`] |
/// | HTTP, within a request | [`head_timeout`], [`body_timeout`] |
/// | HTTP, response | [`answer_timeout`], [`write_timeout`], [`half_close`] |
/// | WebSocket, deadlines | [`idle_timeout`], [`pong_timeout`], [`close_timeout`] |
/// | event streams | [`event_stream_interval`] |
/// | every connection | [`linger_timeout`], [`linger_limit`], [`lifetime`] |
///
/// The feature `deflate` adds `Options::deflate`.
///
/// ```
/// use std::time::Duration;
/// use switchboard::testing::World;
/// use switchboard::{CloseCode, Options};
///
/// let mut world = World::new();
/// world.server.options(Options::new().max_message(4).idle_timeout(Duration::from_secs(30)));
/// world.server.websocket("/", |conn, message| conn.send(message));
/// let client = world.websocket("/");
/// world.say(client, "hello");
/// let closed = world.closed(client);
/// assert_eq!(closed.map(|(code, _)| code), Some(CloseCode::TOO_BIG));
/// ```
///
/// [`max_head`]: Options::max_head
/// [`max_headers`]: Options::max_headers
/// [`max_target`]: Options::max_target
/// [`body_rate`]: Options::body_rate
/// [`max_message`]: Options::max_message
/// [`chunks`]: Options::chunks
/// [`legacy_versions`]: Options::legacy_versions
/// [`message_rate`]: Options::message_rate
/// [`byte_rate`]: Options::byte_rate
/// [`max_buffered`]: Options::max_buffered
/// [`backpressure`]: Options::backpressure
/// [`write_rate`]: Options::write_rate
/// [`send_buffer`]: Options::send_buffer
/// [`not_sent_lowat`]: Options::not_sent_lowat
/// [`first_byte_timeout`]: Options::first_byte_timeout
/// [`keep_alive_timeout`]: Options::keep_alive_timeout
/// [`keep_alive_header`]: Options::keep_alive_header
/// [`head_timeout`]: Options::head_timeout
/// [`body_timeout`]: Options::body_timeout
/// [`answer_timeout`]: Options::answer_timeout
/// [`write_timeout`]: Options::write_timeout
/// [`half_close`]: Options::half_close
/// [`idle_timeout`]: Options::idle_timeout
/// [`pong_timeout`]: Options::pong_timeout
/// [`close_timeout`]: Options::close_timeout
/// [`event_stream_interval`]: Options::event_stream_interval
/// [`linger_timeout`]: Options::linger_timeout
/// [`linger_limit`]: Options::linger_limit
/// [`lifetime`]: Options::lifetime
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) head: HeadLimits,
    pub(crate) rules: Rules,
    pub(crate) legacy_versions: bool,
    pub(crate) chunks: bool,
    pub(crate) half_close: bool,
    #[cfg(feature = "deflate")]
    pub(crate) deflate: DeflateConfig,
    pub(crate) max_buffered: usize,
    pub(crate) backpressure: Backpressure,
    pub(crate) sending: SendLimits,
    pub(crate) message_rate: Option<RateLimit>,
    pub(crate) byte_rate: Option<RateLimit>,
    /// Whether no option acts on every message. `settled` sets this.
    pub(crate) allows_fast_path: bool,
    pub(crate) body_rate: u64,
    pub(crate) write_rate: u64,
    pub(crate) first_byte_timeout: u32,
    pub(crate) keep_alive_timeout: u32,
    /// `settled` makes it; `None` if it is turned off.
    pub(crate) keep_alive_header: Option<KeepAliveHeader>,
    pub(crate) head_timeout: u32,
    pub(crate) body_timeout: u32,
    pub(crate) answer_timeout: u32,
    pub(crate) write_timeout: u32,
    pub(crate) idle_timeout: u32,
    pub(crate) pong_timeout: u32,
    pub(crate) close_timeout: u32,
    pub(crate) linger_timeout: u32,
    pub(crate) linger_limit: u32,
    pub(crate) event_stream_interval: u32,
    pub(crate) lifetime: u32,
}

impl Default for Options {
    fn default() -> Options {
        let seconds = |seconds| ticks(Duration::from_secs(seconds));
        Options {
            head: HeadLimits::default(),
            rules: Rules { role: Role::Server, max_message: 16 << 20, compression: false },
            legacy_versions: false,
            chunks: false,
            half_close: true,
            #[cfg(feature = "deflate")]
            deflate: DeflateConfig::off(),
            max_buffered: 17 << 20,
            backpressure: Backpressure::Close,
            sending: SendLimits::default(),
            message_rate: None,
            byte_rate: None,
            allows_fast_path: true,
            body_rate: 512,
            write_rate: 512,
            first_byte_timeout: seconds(10),
            keep_alive_timeout: seconds(75),
            keep_alive_header: Some(KeepAliveHeader::NONE),
            head_timeout: seconds(10),
            body_timeout: seconds(30),
            answer_timeout: seconds(60),
            write_timeout: seconds(30),
            idle_timeout: seconds(50),
            pong_timeout: seconds(20),
            close_timeout: seconds(5),
            linger_timeout: seconds(5),
            linger_limit: seconds(30),
            event_stream_interval: seconds(15),
            lifetime: NEVER,
        }
    }
}

impl Options {
    /// Makes the default set.
    #[must_use]
    pub fn new() -> Options {
        Options::default()
    }

    /// Derives what depends on several options, after all setters.
    pub(crate) fn settled(mut self) -> Options {
        // Names all fields, so that a new option which concerns every message does not compile
        // until it has a place here.
        let Options {
            head: _,
            rules: _,
            legacy_versions: _,
            chunks,
            half_close: _,
            #[cfg(feature = "deflate")]
            deflate,
            max_buffered: _,
            backpressure,
            sending: _,
            message_rate,
            byte_rate,
            allows_fast_path,
            body_rate: _,
            write_rate: _,
            first_byte_timeout: _,
            keep_alive_timeout,
            keep_alive_header,
            head_timeout: _,
            body_timeout: _,
            answer_timeout: _,
            write_timeout: _,
            idle_timeout,
            pong_timeout,
            close_timeout: _,
            linger_timeout: _,
            linger_limit: _,
            event_stream_interval: _,
            lifetime: _,
        } = &mut self;
        let rated = message_rate.is_some() || byte_rate.is_some();
        if rated {
            *idle_timeout = (*idle_timeout).min(ticks(RATE_CHECK));
            *pong_timeout = (*pong_timeout).min(ticks(RATE_CHECK));
        }
        *allows_fast_path = !rated && !*chunks && !backpressure.drops();
        *keep_alive_header = keep_alive_header
            .map(|_| KeepAliveHeader::new(TICK.saturating_mul(*keep_alive_timeout)));
        // A compressed message is decompressed whole, so it cannot be handed over in chunks.
        #[cfg(feature = "deflate")]
        if *chunks {
            *deflate = DeflateConfig::off();
        }
        self
    }

    /// Sets the longest request head in bytes, request line included (default 16 KiB). A longer
    /// one is answered with 431 (RFC 6585 section 5).
    #[must_use]
    pub fn max_head(mut self, bytes: usize) -> Options {
        self.head.head = bytes;
        self
    }

    /// Sets the most header fields of a request (default 100, at most 128). More are answered with
    /// 431.
    #[must_use]
    pub fn max_headers(mut self, fields: usize) -> Options {
        self.head.headers = fields.min(crate::http1::MAX_HEADERS);
        self
    }

    /// Sets the longest request target in bytes (default 8 KiB). A longer one is answered with 414.
    #[must_use]
    pub fn max_target(mut self, bytes: usize) -> Options {
        self.head.target = bytes;
        self
    }

    /// Sets the longest WebSocket message in bytes, all its fragments together (default 16 MiB).
    /// A longer one is refused with Close 1009 as soon as its declared length is known. A declared
    /// length allocates nothing.
    #[must_use]
    pub fn max_message(mut self, bytes: usize) -> Options {
        self.rules.max_message = bytes;
        self
    }

    /// Hands messages over in chunks as they arrive (default: no), to
    /// [`Handler::chunk`](crate::Handler::chunk) instead of
    /// [`message`](crate::Handler::message).
    ///
    /// A chunk is what one read returned: at most 128 KiB and three bytes. A message of any length
    /// flows through that much memory. [`max_message`](Options::max_message) still limits the
    /// whole message. Compression is not agreed on.
    #[must_use]
    pub fn chunks(mut self, yes: bool) -> Options {
        self.chunks = yes;
        self
    }

    /// Accepts WebSocket versions 7 and 8 beside 13 (default: no). They are the last drafts, with
    /// the frames of RFC 6455.
    #[must_use]
    pub fn legacy_versions(mut self, yes: bool) -> Options {
        self.legacy_versions = yes;
        self
    }

    /// Sets whether and how messages are compressed (RFC 7692; default: not at all).
    ///
    /// In shared mode an idle connection costs no further memory. In dedicated mode a connection
    /// costs some 360 KiB at 15 bits once it has compressed both ways.
    ///
    /// ```
    /// use switchboard::{DeflateConfig, Options, Server};
    ///
    /// let mut server = Server::detached();
    /// server.options(Options::new().deflate(DeflateConfig::shared().threshold(512)));
    /// ```
    #[cfg(feature = "deflate")]
    #[cfg_attr(docsrs, doc(cfg(feature = "deflate")))]
    #[must_use]
    pub fn deflate(mut self, config: DeflateConfig) -> Options {
        self.deflate = config;
        self
    }

    /// Sets the most bytes that may wait for one peer (default 17 MiB: one message of the default
    /// limit fits). Bytes that the kernel takes at once do not count.
    #[must_use]
    pub fn max_buffered(mut self, bytes: usize) -> Options {
        self.max_buffered = bytes;
        self
    }

    /// Sets what happens beyond [`max_buffered`](Options::max_buffered) (default
    /// [`Backpressure::Close`]).
    #[must_use]
    pub fn backpressure(mut self, policy: Backpressure) -> Options {
        self.backpressure = policy;
        self
    }

    /// Limits the WebSocket messages of a peer (default: no limit). Control frames count too. A
    /// message beyond the rate is refused with Close 1008. Time is measured in microseconds.
    ///
    /// ```
    /// use switchboard::{Options, Rate, Server};
    ///
    /// let mut server = Server::detached();
    /// server.options(Options::new().message_rate(Rate::per_second(10).burst(20)));
    /// ```
    #[must_use]
    pub fn message_rate(mut self, messages: Rate) -> Options {
        self.message_rate = Some(RateLimit::of_messages(messages));
        self
    }

    /// Limits the bytes that a WebSocket's peer sends (default: no limit). More are refused with
    /// Close 1008. One read takes up to 128 KiB: set the burst to that much or more.
    #[must_use]
    pub fn byte_rate(mut self, bytes: Rate) -> Options {
        self.byte_rate = Some(RateLimit::of_bytes(bytes));
        self
    }

    /// Sets the bytes per second that a request body must bring (default 512), on average over
    /// each [`body_timeout`](Options::body_timeout). A slower body is answered with 408.
    #[must_use]
    pub fn body_rate(mut self, bytes_per_second: u32) -> Options {
        self.body_rate = bytes_per_second.into();
        self
    }

    /// Sets the bytes per second that the reader of a waiting response must take (default 512), on
    /// average over each [`write_timeout`](Options::write_timeout). A slower reader is closed.
    #[must_use]
    pub fn write_rate(mut self, bytes_per_second: u32) -> Options {
        self.write_rate = bytes_per_second.into();
        self
    }

    /// Sets whether a client that has ended its side (FIN) still gets the answers that a handler
    /// owes or streams (default: yes; they are its last).
    ///
    /// With `false` a FIN cancels them, as a reset always does, and
    /// [`cancelled`](crate::Handler::cancelled) is called. An answer that is whole still leaves.
    #[must_use]
    pub fn half_close(mut self, yes: bool) -> Options {
        self.half_close = yes;
        self
    }
}
