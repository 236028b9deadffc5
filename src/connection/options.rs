//! What a connection may cost and how long it may take: limits and deadlines, each with a safe default. A server
//! numbers its sets of options; a connection holds a number.

use std::time::Duration;

use super::clock::{NEVER, ticks};
use super::limits::{LOOK, Rate};
use crate::http1::HeadLimits;
#[cfg(feature = "deflate")]
use crate::websocket::DeflateConfig;
use crate::websocket::{Role, Rules};

/// What happens to a connection whose peer does not take what is sent to it, once more than
/// [`Options::max_buffered`] bytes wait.
///
/// Only whole messages that have not begun to leave are dropped, never control frames, fragments or HTTP, and
/// [`Stats::dropped`](crate::Stats::dropped) counts them exactly. Where that does not suffice the connection is closed, as by
/// [`Close`](Backpressure::Close); only the rest of a message that has begun may be more than the limit.
///
/// ```
/// use switchboard::{Backpressure, Options, Server};
///
/// let mut server = Server::detached();
/// server.options(Options::new().max_buffered(64 << 10).backpressure(Backpressure::KeepLatest));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backpressure {
    /// The connection is closed with 1013 (try again later); what waited is dropped.
    #[default]
    Close,
    /// The message that is too much is dropped.
    DropNewest,
    /// The oldest messages are dropped until there is room.
    DropOldest,
    /// Messages with the same key as the one that is too much ([`Outgoing::key`](crate::Outgoing::key); for a publish without one, the
    /// topic) are obsolete and dropped, then the oldest.
    KeepLatest,
}

impl Backpressure {
    pub(crate) fn drops(self) -> bool {
        self != Backpressure::Close
    }
}

/// Names a set of [`Options`] registered with a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OptionsId(pub(crate) u16);

/// Limits and deadlines of connections.
///
/// Every limit is in bytes and every deadline a [`Duration`], kept in steps of 250 ms, rounded up: a deadline never
/// strikes early, and at most one step late.
///
/// ```
/// use std::time::Duration;
/// use switchboard::{Options, Server};
///
/// let mut server = Server::detached();
/// server.options(Options::new().max_message(64 << 10).idle_timeout(Duration::from_secs(30)));
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) head: HeadLimits,
    pub(crate) rules: Rules,
    pub(crate) legacy_versions: bool,
    pub(crate) chunks: bool,
    #[cfg(feature = "deflate")]
    pub(crate) deflate: DeflateConfig,
    pub(crate) max_buffered: usize,
    pub(crate) backpressure: Backpressure,
    pub(crate) message_rate: Option<Rate>,
    pub(crate) byte_rate: Option<Rate>,
    /// None of these asks for anything at each message.
    pub(crate) plain: bool,
    pub(crate) body_rate: u64,
    pub(crate) write_rate: u64,
    pub(crate) first_byte_timeout: u32,
    pub(crate) keep_alive_timeout: u32,
    pub(crate) head_timeout: u32,
    pub(crate) body_timeout: u32,
    pub(crate) answer_timeout: u32,
    pub(crate) write_timeout: u32,
    pub(crate) idle_timeout: u32,
    pub(crate) pong_timeout: u32,
    pub(crate) close_timeout: u32,
    pub(crate) linger_timeout: u32,
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
            #[cfg(feature = "deflate")]
            deflate: DeflateConfig::off(),
            max_buffered: 17 << 20,
            backpressure: Backpressure::Close,
            message_rate: None,
            byte_rate: None,
            plain: true,
            body_rate: 512,
            write_rate: 512,
            first_byte_timeout: seconds(10),
            keep_alive_timeout: seconds(60),
            head_timeout: seconds(10),
            body_timeout: seconds(30),
            answer_timeout: seconds(60),
            write_timeout: seconds(30),
            idle_timeout: seconds(120),
            pong_timeout: seconds(20),
            close_timeout: seconds(5),
            linger_timeout: seconds(2),
            event_stream_interval: seconds(15),
            lifetime: NEVER,
        }
    }
}

/// One chained setter per deadline; they differ in nothing but what they are about.
macro_rules! deadlines {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $(
            $(#[$doc])*
            pub fn $name(mut self, duration: Duration) -> Options {
                self.$name = ticks(duration);
                self
            }
        )*
    };
}

impl Options {
    /// The defaults.
    pub fn new() -> Options {
        Options::default()
    }

    /// What holds whatever the order of the setters was.
    pub(crate) fn settled(mut self) -> Options {
        let rated = self.message_rate.is_some() || self.byte_rate.is_some();
        if rated {
            self.idle_timeout = self.idle_timeout.min(ticks(LOOK));
            self.pong_timeout = self.pong_timeout.min(ticks(LOOK));
        }
        self.plain = !rated && !self.chunks && !self.backpressure.drops();
        // A compressed message is decompressed whole.
        #[cfg(feature = "deflate")]
        if self.chunks {
            self.deflate = DeflateConfig::off();
        }
        self
    }

    /// The longest request head, request line included (default 16 KiB). A longer one is answered 431.
    pub fn max_head(mut self, bytes: usize) -> Options {
        self.head.head = bytes;
        self
    }

    /// The most header fields in a request (default 100; at most 128). More are answered 431.
    pub fn max_headers(mut self, fields: usize) -> Options {
        self.head.headers = fields.min(crate::http1::MAX_HEADERS);
        self
    }

    /// The longest request target (default 8 KiB). A longer one is answered 414.
    pub fn max_target(mut self, bytes: usize) -> Options {
        self.head.target = bytes;
        self
    }

    /// The longest WebSocket message, all its fragments together (default 16 MiB). A longer one is refused with 1009
    /// as soon as its declared length is known; a declared length allocates nothing.
    pub fn max_message(mut self, bytes: usize) -> Options {
        self.rules.max_message = bytes;
        self
    }

    /// Whether messages are handed over in chunks as they arrive, to [`Handler::chunk`](crate::Handler::chunk) instead of
    /// [`message`](crate::Handler::message) (default: no). A chunk is what one read brought, at most 128 KiB and three bytes, so a message of any length
    /// flows through that much memory; [`max_message`](Options::max_message) still holds for all of it. Compression is not agreed on.
    pub fn chunks(mut self, yes: bool) -> Options {
        self.chunks = yes;
        self
    }

    /// Whether WebSocket versions 7 and 8, the last drafts (same frames), are accepted beside 13 (default: no).
    pub fn legacy_versions(mut self, yes: bool) -> Options {
        self.legacy_versions = yes;
        self
    }

    /// Whether and how messages are compressed (RFC 7692; default: they are not). In shared mode a connection costs nothing more; in dedicated
    /// mode some 360 KiB at 15 bits once it has compressed both ways. Only with the feature `deflate`.
    ///
    /// ```
    /// use switchboard::{DeflateConfig, Options};
    ///
    /// let options = Options::new().deflate(DeflateConfig::shared().threshold(512));
    /// # let _ = options;
    /// ```
    #[cfg(feature = "deflate")]
    pub fn deflate(mut self, config: DeflateConfig) -> Options {
        self.deflate = config;
        self
    }

    /// The most bytes that may wait for one peer (default 17 MiB, which holds one message of the default size).
    /// What the kernel takes at once does not count.
    pub fn max_buffered(mut self, bytes: usize) -> Options {
        self.max_buffered = bytes;
        self
    }

    /// What happens beyond [`max_buffered`](Options::max_buffered) (default [`Backpressure::Close`]).
    pub fn backpressure(mut self, policy: Backpressure) -> Options {
        self.backpressure = policy;
        self
    }

    /// The most WebSocket messages and control frames a second (default: no limit), of which `burst` may come at once. One more is refused
    /// with 1008. Kept to a microsecond for each.
    pub fn message_rate(mut self, per_second: u32, burst: u32) -> Options {
        self.message_rate = Some(Rate::of_messages(per_second, burst));
        self
    }

    /// The most bytes a second on a WebSocket (default: no limit), of which `burst` may come at once; a burst should be no less than the
    /// 128 KiB that are read at once. More is refused with 1008.
    pub fn byte_rate(mut self, per_second: u64, burst: u64) -> Options {
        self.byte_rate = Some(Rate::of_bytes(per_second, burst));
        self
    }

    /// How many bytes a second a request body must bring, on average over each [`body_timeout`](Options::body_timeout) (default
    /// 512); a slower one is answered 408.
    pub fn body_rate(mut self, bytes_per_second: u32) -> Options {
        self.body_rate = bytes_per_second.into();
        self
    }

    /// How many bytes a second a waiting response must lose to its reader, on average over each
    /// [`write_timeout`](Options::write_timeout) (default 512); a slower reader is closed.
    pub fn write_rate(mut self, bytes_per_second: u32) -> Options {
        self.write_rate = bytes_per_second.into();
        self
    }

    deadlines! {
        /// How long a new connection may wait for the first byte of its first request (default 10 s); then it is closed.
        first_byte_timeout
        /// How long a connection may wait for the first byte of a further request (default 60 s); then it is closed.
        keep_alive_timeout
        /// How long a request head may take from its first byte to its last (default 10 s); then it is answered 408.
        head_timeout
        /// How often a request body is looked at (default 30 s): one that came slower than [`body_rate`](Options::body_rate) since is
        /// answered 408.
        body_timeout
        /// How long a deferred answer may be owed (default 60 s); then it is answered 503 and `cancelled` is called.
        answer_timeout
        /// How often a waiting response is looked at (default 30 s): a reader slower than [`write_rate`](Options::write_rate) since is closed.
        write_timeout
        /// How long a WebSocket may be silent before it is pinged (default 120 s, at most half an hour with a rate limit), less up to an eighth,
        /// so that many that fell silent together are not pinged together.
        idle_timeout
        /// How long a pinged WebSocket may stay silent (default 20 s, at most half an hour with a rate limit); then it is closed, which is heard of as 1006.
        pong_timeout
        /// How long a Close frame may stay unanswered (default 5 s); then the connection is closed.
        close_timeout
        /// How long, after the last response or Close frame, the peer's own end is waited for (default 2 s).
        linger_timeout
        /// How often an event stream is sent a comment to keep it alive (default 15 s).
        event_stream_interval
        /// How long a connection may live (default: no limit; kept in steps of 16 s, at most 12 days). Then a WebSocket is closed with 1001, and an
        /// HTTP exchange in progress is the connection's last.
        lifetime
    }
}
