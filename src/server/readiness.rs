//! The methods that a loop calls: for events, for the readiness of a transport, and for the longest
//! wait. This file does not know what the bytes of a connection mean.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use mio::Token;
use mio::event::Event;

use super::arriving::NO_LISTENER;
use super::clients::Placed;
use super::server::Server;
use crate::connection::{Flags, ListenerId, NEVER, Phase, TokenKind, UNCOUNTED};
use crate::context::catch;
use crate::net::{Acceptor, Readiness, Transport};

impl Server {
    /// Takes in a connection, and returns its token. A socket is registered with the `Poll`; the
    /// readiness of an in-memory transport comes through [`ready`](Server::ready).
    ///
    /// This is for sockets that the program has accepted by itself, and without mio for
    /// [transports in memory](Transport::memory). A program with another poller does not adopt
    /// sockets for it. It has that poller poll the one descriptor of a
    /// [`Reactor`](crate::Reactor), which holds them all: see
    /// [`other_loops`](crate::guide::other_loops).
    ///
    /// A socket keeps its own options. Without `TCP_NODELAY` small messages may wait, and without
    /// `TCP_USER_TIMEOUT` a peer that vanishes may be noticed after a quarter of an hour.
    ///
    /// # Errors
    /// When the socket cannot be registered, when the window of a [drain](crate::Drain) has begun,
    /// or when 16.7 million
    /// connections are open. Also when no path can have the prefix of a [zone](crate::Zone::new).
    pub fn adopt(&mut self, transport: impl Into<Transport>, now: Instant) -> io::Result<Token> {
        self.check_serves()?;
        self.context.table.books.clock.set(now);
        self.check_drain()?;
        let transport = transport.into();
        let phase = if transport.is_handshaking() { Phase::Arriving } else { Phase::Idle };
        let address = match self.place(&transport, None, None) {
            Placed::At(address) => address,
            Placed::Full | Placed::Left => UNCOUNTED,
        };
        let slot = self.take_in_placed(transport, address, phase)?;
        if phase == Phase::Arriving
            && let Some(connection) = self.context.table.slots.at_mut(slot)
        {
            connection.zone = NO_LISTENER;
        }
        self.context.table.books.stats.accepted += 1;
        self.context.note_opened(slot);
        Ok(TokenKind::Connection(slot).token(self.number))
    }

    /// Takes in a connection as if a listener had accepted it, and returns its token. What the
    /// listener asks of its connections holds: the limits, a PROXY header, TLS.
    ///
    /// A program that accepts by itself calls this, for example with sockets of another process.
    /// [`Listener::proxy_protocol`](crate::Listener::proxy_protocol) knows an in-memory transport
    /// as `unix`.
    ///
    /// ```
    /// use std::time::Instant;
    /// use switchboard::{Listener, Readiness, Server, Transport, mio};
    ///
    /// let mut server = Server::new(mio::Poll::new()?.registry())?;
    /// server.http("/", |_, _| "hello");
    /// let listener = Listener::from("127.0.0.1:0").proxy_protocol(["unix", "127.0.0.1"]);
    /// let listener = server.listen(listener)?;
    ///
    /// let (now, (transport, mut peer)) = (Instant::now(), Transport::memory());
    /// let token = server.adopt_at(listener, transport, now)?;
    /// peer.send(b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 80\r\n");
    /// peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    /// server.ready(token, Readiness::READABLE, now);
    /// server.flush(now);
    /// assert!(peer.receive().starts_with(b"HTTP/1.1 200 OK\r\n"));
    /// # std::io::Result::Ok(())
    /// ```
    ///
    /// # Errors
    /// As [`adopt`](Server::adopt). Also when the listener does not listen any more, since the
    /// server drains, and when a limit or the listener refuses the connection.
    pub fn adopt_at(
        &mut self,
        listener: ListenerId,
        transport: impl Into<Transport>,
        now: Instant,
    ) -> io::Result<Token> {
        self.check_serves()?;
        self.context.table.books.clock.set(now);
        self.check_drain()?;
        let acceptor = self.listeners.get(usize::from(listener.0)).and_then(Option::as_ref);
        let arrival = &acceptor.ok_or(ErrorKind::NotConnected)?.arrival;
        let (arrives, is_internal) = (!arrival.is_immediate(), arrival.is_internal);
        let slot = self.admit(transport.into(), arrives.then_some(listener.0), None, is_internal);
        let slot = slot.ok_or_else(|| {
            let reason = "a limit or the listener refuses the connection";
            io::Error::new(ErrorKind::ConnectionRefused, reason)
        })?;
        Ok(TokenKind::Connection(slot).token(self.number))
    }

    /// Whether a token belongs to this server.
    #[must_use]
    pub fn owns(&self, token: Token) -> bool {
        TokenKind::of(token, self.number).is_some()
    }

    /// Handles one of mio's events.
    pub fn handle_event(&mut self, event: &Event, now: Instant) {
        self.poison_if_unwinding(|server| server.take_event(event, now));
    }

    /// Handles an event, for a caller that poisons the server if a panic unwinds.
    #[inline]
    pub(crate) fn take_event(&mut self, event: &Event, now: Instant) {
        self.take_readiness(event.token(), readiness_of(event), now);
    }

    /// Handles the readiness of a transport or a listener. Tokens of other servers are ignored.
    /// A [poisoned](Server::is_poisoned) server ignores all tokens.
    ///
    /// This is for readiness that does not come as an event of mio: of transports in memory, or of
    /// a poller of the program's own that is edge-triggered, as `epoll` with `EPOLLET` is. The
    /// server never says when it stops reading a socket, so a level-triggered poller would report
    /// it again and again: poll the descriptor of a [`Reactor`](crate::Reactor) instead.
    pub fn ready(&mut self, token: Token, readiness: Readiness, now: Instant) {
        self.poison_if_unwinding(|server| server.take_readiness(token, readiness, now));
    }

    #[inline(never)]
    pub(super) fn take_readiness(&mut self, token: Token, readiness: Readiness, now: Instant) {
        self.context.table.books.clock.set(now);
        match TokenKind::of(token, self.heeded) {
            Some(TokenKind::Connection(slot)) => self.connection_ready(slot, readiness),
            Some(TokenKind::Listener(index)) => self.accept_later(index),
            Some(TokenKind::Watched(index)) => self.watched_ready(index, readiness),
            None => {}
        }
    }

    /// Calls the closure of a source of the program's own.
    #[cold]
    fn watched_ready(&mut self, index: u16, readiness: Readiness) {
        if let Some(mut lent) = self.context.watches.lend(index) {
            let zone = lent.zone;
            let outcome = catch(|| {
                self.call_zone("watch", zone, |handler, cx| {
                    lent.watched.call(handler, cx, readiness);
                });
            });
            let left = self.context.watches.give_back(lent);
            self.let_go("watch", outcome, || {
                if let Some((registry, watched)) = left {
                    drop(watched.leave(&registry));
                }
            });
        }
    }

    // A part of `take_readiness`, which is the beginning of all input.
    #[inline(always)]
    fn connection_ready(&mut self, slot: u32, readiness: Readiness) {
        // Nearly always, input is the only news.
        if readiness.readable && !readiness.read_closed && self.read_fast(slot) {
            return;
        }
        let Some((mut at, delivery)) = self.context.lease(slot) else { return };
        if readiness.read_closed {
            at.connection.flags.insert(Flags::READ_CLOSED);
        }
        let phase = at.connection.phase;
        if readiness.writable && at.is_blocked() {
            delivery.offer(&mut at);
        }
        if phase.is_opening() {
            return match phase {
                Phase::Arriving => self.arrive_later(slot),
                _ => self.attempt_ready(slot, readiness),
            };
        }
        if readiness.readable || readiness.read_closed {
            self.read(slot);
        }
    }

    /// Returns how long the loop may wait for events: until the next deadline or timer, and zero
    /// while work is left. `None` means without limit.
    ///
    /// A loop calls it before each wait, with the time at which the wait begins. Deadlines count
    /// that wait in full. Of every other delay they count one second, such as of a callback that
    /// blocks: a stall of the program ends no connection. A [poisoned](Server::is_poisoned) server
    /// waits for nothing: `None`.
    #[must_use]
    pub fn poll_timeout(&mut self, now: Instant) -> Option<Duration> {
        if self.is_poisoned() { None } else { self.next_wait(now) }
    }

    /// Returns how long a loop may wait around a server that is not poisoned.
    #[inline]
    pub(crate) fn next_wait(&mut self, now: Instant) -> Option<Duration> {
        self.context.table.books.clock.set(now);
        let wait = self.wait(now);
        self.context.table.books.clock.expect_wait(wait);
        if self.measures_turns() {
            self.note_wait(now, wait);
        }
        wait
    }

    /// Notes a wait that is shorter than `poll_timeout` allows.
    pub(crate) fn expect_wait(&mut self, wait: Option<Duration>) {
        self.context.table.books.clock.expect_wait(wait);
    }

    /// Notes that a signal ended the wait of the loop.
    pub(crate) fn note_signal(&mut self, now: Instant) {
        self.context.table.books.clock.set_after_signal(now);
    }

    /// Tells the server that the last wait may have left events behind, since it filled the loop's
    /// list. Timers then run in a later turn, once the input that came before them is read, or
    /// 50 ms after they were due. The next [`flush`](Server::flush) ends this.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use switchboard::{Handler, Server};
    ///
    /// struct Alarm { rang: bool }
    /// impl Handler for Alarm {}
    ///
    /// let (now, millis) = (Instant::now(), Duration::from_millis);
    /// let mut server = Server::detached();
    /// let alarm = server.zone("/", Alarm { rang: false });
    /// server.context(now).after(alarm, millis(10), |alarm: &mut Alarm, _cx| alarm.rang = true);
    /// server.leave_events();
    /// server.flush(now + millis(11));
    /// assert!(!server.with(alarm, now, |alarm, _cx| alarm.rang));
    /// server.flush(now + millis(12));
    /// assert!(server.with(alarm, now, |alarm, _cx| alarm.rang));
    /// ```
    pub fn leave_events(&mut self) {
        self.leaves_events = true;
    }

    fn wait(&self, now: Instant) -> Option<Duration> {
        if self.is_busy() {
            return Some(Duration::ZERO);
        }
        let (cx, table) = (&self.context, &self.context.table);
        let earliest = table.slots.earliest().min(cx.timeouts.next());
        let earliest = earliest.min(self.buffer_pool.next_check());
        let earliest = match cx.has_extras {
            true => earliest.min(self.next_of_extras()),
            false => earliest,
        };
        let deadline = (earliest != NEVER).then(|| table.books.clock.instant(earliest));
        let retry = self.listeners.iter().flatten().filter_map(Acceptor::retry_at).min();
        let drain = cx.draining.as_ref().and_then(|it| it.next_step(now, table.slots.len()));
        let expiry = if cx.has_extras { cx.next_expiry() } else { None };
        let next =
            [deadline, cx.timers.next(), retry, drain, expiry].into_iter().flatten().min()?;
        Some(next.saturating_duration_since(now))
    }

    /// Whether any level has work left.
    fn is_busy(&self) -> bool {
        !(self.work.is_empty()
            && self.context.work.is_empty()
            && self.context.delivery.fan_out.is_empty()
            && self.context.table.books.work.is_empty())
            || self.drains_on()
            || self.context.has_extras && self.has_busy_extras()
            || self.context.elsewhere.as_ref().is_some_and(|elsewhere| !elsewhere.is_empty())
    }
}

/// Returns what an event of mio reports.
#[inline]
pub(super) fn readiness_of(event: &Event) -> Readiness {
    Readiness {
        // A read returns the error.
        readable: event.is_readable() || event.is_error(),
        writable: event.is_writable(),
        read_closed: event.is_read_closed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::HTTPARSE_CALLS;

    const HEAD: &str = "POST /a?b HTTP/1.1\r\nHost: example.com\r\nUser-Agent: test\r\n\
        Content-Length: 0\r\nAccept: */*\r\n\r\n";

    /// Serves bytes that arrive in pieces; returns the calls of httparse and the answer.
    fn calls<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> (u32, String) {
        let now = Instant::now();
        let mut server = Server::detached();
        server.http("/", |_, _| "answered");
        let (transport, mut peer) = Transport::memory();
        let token = server.adopt(transport, now).unwrap();
        HTTPARSE_CALLS.set(0);
        for piece in pieces {
            peer.send(piece);
            server.ready(token, Readiness { readable: true, ..Readiness::default() }, now);
            server.flush(now);
        }
        (HTTPARSE_CALLS.get(), String::from_utf8(peer.receive()).unwrap())
    }

    #[test]
    fn head_that_is_whole_costs_one_call() {
        let (calls, answer) = calls([HEAD.as_bytes()]);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(calls, 1);
    }

    #[test]
    fn head_that_arrives_byte_by_byte_costs_at_most_two_calls() {
        for head in [HEAD.to_owned(), format!("\r\n{HEAD}"), HEAD.replace("/a?b", "/\u{e9}")] {
            let (calls, answer) = calls(head.as_bytes().chunks(1));
            assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
            assert!((1..=2).contains(&calls), "{calls} calls");
        }
    }

    #[test]
    fn head_that_arrives_in_pieces_costs_at_most_two_calls() {
        let head = format!("\r\n{HEAD}");
        for first in 0..head.len() {
            for second in [1, 2, 3, 20] {
                let (first, rest) = head.as_bytes().split_at(first);
                let (second, third) = rest.split_at(second.min(rest.len()));
                let (calls, answer) = calls([first, second, third]);
                assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
                assert!((1..=2).contains(&calls), "{calls} calls, cut at {}", first.len());
            }
        }
    }

    #[test]
    fn head_with_a_fault_costs_at_most_two_calls() {
        for (right, wrong) in [("Host: ", "Host : "), ("HTTP/1.1", "HTTP/1.2"), ("test\r", "test")]
        {
            let head = HEAD.replacen(right, wrong, 1);
            for size in [1, 7, head.len()] {
                let (calls, answer) = calls(head.as_bytes().chunks(size));
                assert!(!answer.starts_with("HTTP/1.1 200 "), "{answer}");
                assert!(calls <= 2, "{calls} calls for {wrong:?} in pieces of {size}");
            }
        }
    }
}
