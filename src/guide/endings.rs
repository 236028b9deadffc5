//! Endings: why a connection ended, where a program learns it, and what each cause asks for.
//!
//! # One cause for each end
//!
//! A close code of 1006 says that no Close frame came. It does not say why. A [`Cause`] does:
//! [`Close::cause`](crate::Close::cause) has it, [`cancelled`](crate::Handler::cancelled) gets it,
//! and [`Stats::ends`](crate::Stats::ends) counts by it.
//!
//! ```
//! use std::io::ErrorKind;
//! use switchboard::testing::World;
//! use switchboard::{Cause, Close, Conn, Handler};
//!
//! #[derive(Default)]
//! struct Seats {
//!     held: u32,
//! }
//!
//! impl Handler for Seats {
//!     fn close(&mut self, _conn: &mut Conn<'_>, close: Close<'_>) {
//!         match close.cause {
//!             // The player meant it.
//!             Cause::PeerClosed | Cause::Local => {}
//!             // The line broke: the seat is held for a while.
//!             _ => self.held += 1,
//!         }
//!     }
//! }
//!
//! let mut world = World::new();
//! let seats = world.server.zone("/game", Seats::default());
//! let (ada, bob) = (world.websocket("/game"), world.websocket("/game"));
//! world.close(ada, switchboard::CloseCode::NORMAL, "bye");
//! world.fail(bob, ErrorKind::ConnectionReset);
//! assert_eq!(world.with(seats, |seats, _cx| seats.held), 1);
//!
//! let ends = world.context().stats().ends;
//! assert_eq!((ends.get(Cause::PeerClosed), ends.get(Cause::Reset)), (1, 1));
//! ```
//!
//! In production, the causes are in three places:
//!
//! | question | where |
//! | --- | --- |
//! | which causes are frequent | `switchboard_connections_ended_total{cause=".."}` in [`metrics`] |
//! | why this WebSocket ended | the last word of its line in `--access-log` of the example `echo` |
//! | each end, of HTTP too | the event [`Ended`](crate::Ended) in [`observing`] |
//!
//! There, the label of a cause is in snake case, such as `peer_closed`:
//! [`Cause::as_str`](crate::Cause::as_str).
//!
//! **The first cause stays.** A connection may begin to close long before its socket is closed. It
//! keeps the cause of that beginning, whatever follows:
//!
//! - A handler closes a WebSocket, and the peer answers the Close frame, or never does: `Local`.
//! - A drain lets a deferred answer go on, and the client breaks off meanwhile: `Drain`.
//! - A body is late, and the client resets the connection on which the 408 leaves: `BodyTimeout`.
//!
//! A wish of the client is not yet an end. A request with `Connection: close` whose client breaks
//! off before the answer ends by `Reset`. One whose answer has left ends by `Local`.
//! What goes on has no cause: after [`Conn::release`](crate::Conn::release), `close` gets `Local`,
//! and the connection ends later by a cause of its own.
//!
//! # What each cause asks for
//!
//! | cause | what to do where it is frequent |
//! | --- | --- |
//! | [`PeerClosed`][PeerClosed], [`Eof`][Eof] | nothing: peers leave so |
//! | [`Reset`][Reset] | nothing; many at once: a proxy or a network ends connections |
//! | [`HandshakeTimeout`][HandshakeTimeout] | look for port scans, or a proxy without header |
//! | [`HeadTimeout`][HeadTimeout] | nothing: slow clients, or an attack by slow heads |
//! | [`BodyTimeout`][BodyTimeout] | lower `body_rate` if clients have slow uplinks |
//! | [`Silence`][Silence] | nothing: a kept connection was not used again |
//! | [`PongTimeout`][PongTimeout] | raise `pong_timeout` if peers sleep, such as phones |
//! | [`WriteTimeout`][WriteTimeout] | lower `write_rate` if clients have slow downlinks |
//! | [`TooSlow`][TooSlow] | choose a policy that drops: [`slow_readers`](super::slow_readers) |
//! | [`Rate`][Rate] | raise `message_rate` or `byte_rate`, or keep the peer out |
//! | [`TooBig`][TooBig] | raise `max_message`, or `Reply::Body`, if the peer may send so much |
//! | [`Violation`][Violation] | read the reason in `close`, or what the observer gets |
//! | [`TlsFault`][TlsFault] | look at the certificate: [`tls`](super::tls) |
//! | [`ProxyFault`][ProxyFault] | have the proxy send a PROXY header |
//! | [`Refused`][Refused] | read what the observer gets; in the client role, `Close::declined` |
//! | [`Lifetime`][Lifetime], [`Drain`][Drain] | nothing: the program asked for it |
//! | [`Local`][Local] | nothing: a handler closed it, or its last answer has left |
//! | [`Replaced`][Replaced] | nothing; many at once: some address of a name never answers |
//! | [`DialFailed`][DialFailed] | look at the name, the port and the firewall of the far server |
//! | [`AnswerTimeout`][AnswerTimeout] | answer earlier, or raise `answer_timeout` |
//! | [`Panic`][Panic] | mend the handler: the observer gets the callback and the message |
//!
//! # The sum
//!
//! After each turn, [`ends.total()`](crate::Ends::total) is
//! [`accepted`](crate::Stats::accepted) plus [`dialled`](crate::Stats::dialled), less
//! [`connections`](crate::Stats::connections). A debug build asserts it.
//!
//! | a connection | counts in |
//! | --- | --- |
//! | taken in from a listener, or adopted | `accepted`, at its end `ends` |
//! | beyond `max_connections` or a limit for each address (503, 429) | `turned_away` alone |
//! | of a peer that may not send a PROXY header | `rejected` alone |
//! | whose PROXY header names a full address (429) | `accepted`, `turned_away`, at once `ends` |
//! | whose header or handshake is at fault | `accepted`, `rejected`, `ends` |
//! | an attempt in the client role, whatever becomes of it | `dialled`, at its end `ends` |
//! | a socket of an attempt, given up for another | `dialled`, and at once `ends` by `Replaced` |
//! | a further socket that failed, or that ended with its attempt | nothing |
//!
//! A connection that is refused for its PROXY header ends by `Refused` while it lingers with its
//! 429. An attempt gives a socket up for another where another address was faster, or where a
//! redirection led elsewhere.
//!
//! [`Cause`]: crate::Cause
//! [`metrics`]: super::metrics
//! [`observing`]: super::observing
//! [PeerClosed]: crate::Cause::PeerClosed
//! [Eof]: crate::Cause::Eof
//! [Reset]: crate::Cause::Reset
//! [HandshakeTimeout]: crate::Cause::HandshakeTimeout
//! [HeadTimeout]: crate::Cause::HeadTimeout
//! [BodyTimeout]: crate::Cause::BodyTimeout
//! [Silence]: crate::Cause::Silence
//! [PongTimeout]: crate::Cause::PongTimeout
//! [WriteTimeout]: crate::Cause::WriteTimeout
//! [TooSlow]: crate::Cause::TooSlow
//! [Rate]: crate::Cause::Rate
//! [TooBig]: crate::Cause::TooBig
//! [Violation]: crate::Cause::Violation
//! [TlsFault]: crate::Cause::TlsFault
//! [ProxyFault]: crate::Cause::ProxyFault
//! [Refused]: crate::Cause::Refused
//! [Lifetime]: crate::Cause::Lifetime
//! [Drain]: crate::Cause::Drain
//! [Local]: crate::Cause::Local
//! [Replaced]: crate::Cause::Replaced
//! [DialFailed]: crate::Cause::DialFailed
//! [AnswerTimeout]: crate::Cause::AnswerTimeout
//! [Panic]: crate::Cause::Panic
