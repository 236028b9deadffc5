//! Why a connection ended: a name for each cause, a label and a text. This file does not know how a
//! connection ends, and counts nothing.

use std::fmt;

use crate::http1::{RequestError, ResponseError};
use crate::websocket::Violation;

/// One row for each cause: its name, its label, its text. A new cause goes to the end.
macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident $label:literal $text:literal)*) => {
        /// Why a connection ended, or an answer was cancelled.
        ///
        /// The first cause stays. A connection that begins to close keeps the cause of that
        /// moment, whatever happens until the socket is closed. For example, [`Conn::close`] makes
        /// the cause [`Local`], also where the peer answers the Close frame, or never does.
        ///
        /// [`Close::cause`], [`Handler::cancelled`] and [`Stats::ends`] have it. Later versions may
        /// add causes.
        ///
        /// [`Conn::close`]: crate::Conn::close
        /// [`Local`]: Cause::Local
        /// [`Close::cause`]: crate::Close::cause
        /// [`Handler::cancelled`]: crate::Handler::cancelled
        /// [`Stats::ends`]: crate::Stats::ends
        ///
        /// ```
        /// use std::io::ErrorKind;
        /// use switchboard::testing::World;
        /// use switchboard::{Cause, Close, Conn, Handler};
        ///
        /// #[derive(Default)]
        /// struct Door { last: Option<Cause> }
        ///
        /// impl Handler for Door {
        ///     fn close(&mut self, _conn: &mut Conn<'_>, close: Close<'_>) {
        ///         self.last = Some(close.cause);
        ///     }
        /// }
        ///
        /// let mut world = World::new();
        /// let door = world.server.zone("/", Door::default());
        /// let ada = world.websocket("/");
        /// world.fail(ada, ErrorKind::ConnectionReset);
        /// assert_eq!(world.with(door, |door, _cx| door.last), Some(Cause::Reset));
        /// assert_eq!(world.context().stats().ends.get(Cause::Reset), 1);
        /// assert_eq!(Cause::Reset.as_str(), "reset");
        /// assert_eq!(Cause::Reset.to_string(), "the transport broke");
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Cause {
            $($(#[$doc])* $name,)*
        }

        impl Cause {
            /// Every cause, for tables and metrics.
            pub const ALL: &[Cause] = &[$(Cause::$name),*];

            /// The number of causes.
            pub(super) const COUNT: usize = Cause::ALL.len();

            /// Returns the label of a metric: a word in snake case, such as `peer_closed`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Cause::$name => $label,)*
                }
            }

            const fn text(self) -> &'static str {
                match self {
                    $(Cause::$name => $text,)*
                }
            }
        }
    };
}

causes! {
    /// The peer's Close frame began the closing handshake (RFC 6455 section 7.1.2).
    PeerClosed "peer_closed" "the peer sent a Close frame"
    /// The peer ended its side (FIN) without a Close frame. Also at the end of an HTTP connection
    /// whose client ended its side before the last answer had left.
    Eof "eof" "the peer ended its side"
    /// The transport broke: a reset, or bytes that stayed unacknowledged.
    Reset "reset" "the transport broke"
    /// A PROXY header or a TLS handshake was not over within
    /// [`head_timeout`](crate::Options::head_timeout). Or an attempt in the client role was not
    /// open within [`Connect::timeout`](crate::Connect::timeout).
    HandshakeTimeout "handshake_timeout" "the handshake was not over in time"
    /// A request head was not whole within [`head_timeout`](crate::Options::head_timeout) (408).
    HeadTimeout "head_timeout" "the request head did not arrive in time"
    /// A request body was slower than [`body_rate`](crate::Options::body_rate) (408).
    BodyTimeout "body_timeout" "the request body did not arrive in time"
    /// No request came within [`keep_alive_timeout`](crate::Options::keep_alive_timeout), or within
    /// [`first_byte_timeout`](crate::Options::first_byte_timeout) of the accept.
    Silence "silence" "no request came in time"
    /// A WebSocket's peer did not answer a ping within
    /// [`pong_timeout`](crate::Options::pong_timeout).
    PongTimeout "pong_timeout" "the peer did not answer a ping in time"
    /// The reader of a response was slower than [`write_rate`](crate::Options::write_rate) over one
    /// [`write_timeout`](crate::Options::write_timeout), or that of a takeover whose peer has ended
    /// its side. Or that of an event stream took nothing between two comments.
    WriteTimeout "write_timeout" "the peer did not read in time"
    /// More than [`max_buffered`](crate::Options::max_buffered) bytes waited for a slow reader
    /// (1013).
    TooSlow "too_slow" "more bytes waited for the peer than the limit"
    /// Input exceeded [`message_rate`](crate::Options::message_rate) or
    /// [`byte_rate`](crate::Options::byte_rate) (1008).
    Rate "rate" "the peer sent more than the rate limit"
    /// A message, a head or a body exceeded its limit (1009, 413, 414, 431).
    TooBig "too_big" "the peer sent something longer than the limit"
    /// The peer broke HTTP or the WebSocket protocol (400, 1002, 1007), or asked for what this
    /// server does not do (426, 501, 505).
    Violation "violation" "the peer broke the protocol"
    /// TLS failed: its handshake, a certificate, a record. Also TLS at a port for plain HTTP, and
    /// plain HTTP at a port for TLS.
    TlsFault "tls_fault" "TLS failed"
    /// A PROXY header was malformed or missing.
    ProxyFault "proxy_fault" "the PROXY header was malformed or missing"
    /// A limit or a rule refused the peer: the address in a PROXY header has too many connections
    /// (429), an `Origin` (403), a `Host` (421). In the client role: the server or a proxy answered
    /// in HTTP, without a WebSocket.
    Refused "refused" "a limit or a rule refused the connection"
    /// The connection reached its [`lifetime`](crate::Options::lifetime).
    Lifetime "lifetime" "the connection reached its lifetime"
    /// A drain ended it; see [`Context::drain`](crate::Context::drain).
    Drain "drain" "the server drained"
    /// The handler ended it, or the server's last answer did. That includes an answer which the
    /// client asked to be the last, with `Connection: close` or HTTP/1.0.
    Local "local" "this side ended it"
    /// A socket of an attempt in the client role was given up for another one: another address was
    /// faster, or a redirection led elsewhere. Only [`Stats`](crate::Stats) shows it.
    Replaced "replaced" "another socket took its place"
    /// An attempt in the client role reached no server: its name, its addresses, or a request that
    /// may not be sent.
    DialFailed "dial_failed" "no server could be reached"
    /// No answer came within [`answer_timeout`](crate::Options::answer_timeout), so the server
    /// answered 503.
    AnswerTimeout "answer_timeout" "the handler did not answer in time"
    /// A callback panicked, and [`Server::catch_panics`](crate::Server::catch_panics) is on (1011).
    /// A request that is answered with 500 after a panic does not end its connection, unless a part
    /// of its body is still to arrive.
    Panic "panic" "a callback panicked"
}

impl Cause {
    /// The byte that stands for the cause; 0 stands for none.
    #[inline]
    pub(super) const fn byte(self) -> u8 {
        self as u8 + 1
    }

    /// Returns the cause of a byte; `None` for 0.
    pub(super) fn of_byte(byte: u8) -> Option<Cause> {
        Cause::ALL.get(usize::from(byte).checked_sub(1)?).copied()
    }

    /// Returns why a connection ends whose request is refused with an error.
    #[cold]
    pub(crate) fn of_request(error: RequestError) -> Cause {
        match error {
            RequestError::HeadTimeout => Cause::HeadTimeout,
            RequestError::BodyTimeout => Cause::BodyTimeout,
            RequestError::PlainHttp | RequestError::TlsHandshake => Cause::TlsFault,
            RequestError::OriginRefused
            | RequestError::HostRefused
            | RequestError::TooManyOfClient => Cause::Refused,
            RequestError::ChunkExtensionTooLong => Cause::TooBig,
            _ => match error.status().as_u16() {
                413 | 414 | 431 => Cause::TooBig,
                _ => Cause::Violation,
            },
        }
    }

    /// Returns why an attempt ends whose response is at fault.
    #[cold]
    pub(crate) fn of_response(error: ResponseError) -> Cause {
        match error {
            ResponseError::HeadTooLarge | ResponseError::TooManyHeaders => Cause::TooBig,
            _ => Cause::Violation,
        }
    }

    /// Returns why a WebSocket ends whose peer is at fault.
    #[cold]
    pub(crate) fn of_violation(violation: Violation) -> Cause {
        match violation {
            Violation::TooBig => Cause::TooBig,
            _ => Cause::Violation,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::Cause;

    #[test]
    fn each_cause_has_a_byte_and_a_label_of_its_own() {
        let mut labels: Vec<&str> = Cause::ALL.iter().map(|cause| cause.as_str()).collect();
        for (at, &cause) in Cause::ALL.iter().enumerate() {
            assert_eq!(usize::from(cause.byte()), at + 1);
            assert_eq!(Cause::of_byte(cause.byte()), Some(cause));
            assert!(cause.as_str().bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_')));
            assert!(!cause.to_string().ends_with('.'));
        }
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), Cause::ALL.len());
        assert_eq!(Cause::of_byte(0), None);
        assert_eq!(Cause::of_byte(u8::MAX), None);
    }
}
