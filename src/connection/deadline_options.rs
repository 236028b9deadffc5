//! The setters of all deadlines, and of the header that tells clients about one. This file does not
//! know what follows when a deadline has passed.

use std::time::Duration;

use super::clock::ticks;
use super::options::Options;
use crate::http1::KeepAliveHeader;

/// Makes one chained setter for each deadline.
macro_rules! deadlines {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $name(mut self, duration: Duration) -> Options {
                self.$name = ticks(duration);
                self
            }
        )*
    };
}

impl Options {
    deadlines! {
        /// Sets the wait for the first byte of a connection's first request (default 10 s). Then
        /// the connection is closed.
        first_byte_timeout
        /// Sets the wait for the first byte of a further request (default 75 s). Then the
        /// connection is closed. Clients are told five seconds less: see
        /// [`keep_alive_header`](Options::keep_alive_header).
        keep_alive_timeout
        /// Sets the time of a request head from its first byte to its last (default 10 s). A
        /// slower head is answered with 408.
        head_timeout
        /// Sets the time between two checks of a request body (default 30 s). A body slower than
        /// [`body_rate`](Options::body_rate) since the last check is answered with 408.
        body_timeout
        /// Sets the time that a deferred answer may be owed (default 60 s). Then the request is
        /// answered with 503 and [`Handler::cancelled`](crate::Handler::cancelled) is called.
        answer_timeout
        /// Sets the time between two checks of a waiting response (default 30 s). A reader slower
        /// than [`write_rate`](Options::write_rate) since the last check is closed. An event stream
        /// that took nothing at a check is closed this much later, or at the next check. See
        /// [`Listener`](crate::Listener) for peers that vanish.
        write_timeout
        /// Sets how long a WebSocket may be silent before the server pings it (default 50 s, below
        /// the 60 s after which most proxies cut a silent connection).
        ///
        /// The wait is shorter by up to a tenth, and differs between connections: pings of
        /// connections that fell silent together are spread. With a rate limit it is at most half
        /// an hour.
        idle_timeout
        /// Sets how long a pinged WebSocket may stay silent (default 20 s). Then the connection is
        /// closed, and `close` is called with 1006. With a rate limit it is at most half an hour.
        pong_timeout
        /// Sets the wait for the answer to a Close frame (default 5 s). Then the connection is
        /// closed.
        close_timeout
        /// Sets the wait for the peer's end of file, after the last response, refusal or Close
        /// frame (default 5 s). Each read starts it again: what arrives is discarded, and a peer
        /// that still sends can read the answer later (RFC 9112 9.6).
        linger_timeout
        /// Sets the most time that [`linger_timeout`](Options::linger_timeout) may last in all,
        /// however much the peer sends (default 30 s). Then the connection is closed.
        linger_limit
        /// Sets the time between two keep-alive comments to an event stream (default 15 s).
        event_stream_interval
        /// Sets how long a connection may live (default: no limit). Then a WebSocket is closed
        /// with 1001, and an HTTP exchange in progress is the connection's last.
        ///
        /// Steps are 16 s and the most is 12 days.
        lifetime
    }

    /// Tells HTTP clients how long the server keeps an idle connection (default: yes).
    ///
    /// An answer after which the connection stays open has `Connection: keep-alive` and
    /// `Keep-Alive: timeout=70`: five seconds less than
    /// [`keep_alive_timeout`](Options::keep_alive_timeout), so that no request crosses the end of
    /// the connection on its way. Neither line is sent where that is below 1 s, where there is no
    /// timeout, and where [`lifetime`](Options::lifetime) may end the connection first. HTTP/1.0
    /// clients get `Connection: keep-alive` in any case, since they close without it.
    ///
    /// ```
    /// use switchboard::Options;
    /// use switchboard::testing::World;
    ///
    /// let mut world = World::new();
    /// world.server.http("/", |_, _| "hello");
    /// assert_eq!(world.get("/").header("Keep-Alive"), Some("timeout=70"));
    /// world.server.options(Options::new().keep_alive_header(false));
    /// assert_eq!(world.get("/").header("Keep-Alive"), None);
    /// ```
    #[must_use]
    pub fn keep_alive_header(mut self, yes: bool) -> Options {
        self.keep_alive_header = yes.then_some(KeepAliveHeader::NONE);
        self
    }
}
