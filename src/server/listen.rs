//! Listening, accepting, and taking in what was accepted.

use std::io::{self, Error, ErrorKind};
use std::net::SocketAddr;

use mio::Token;

use super::server::{ListenerId, Server};
use crate::connection::{MAX_LISTENERS, Source};
use crate::net::{Accepted, Acceptor, Listener, Transport};

/// Connections that one listener is given in one turn; the rest wait for the next.
const ACCEPTS: usize = 256;

/// Said to those who are turned away because descriptors have run out.
const NO_ROOM: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

impl Server {
    /// Listens at an address, such as `"127.0.0.1:9001"`; port 0 lets the kernel choose one, which
    /// [`local_addr`](Server::local_addr) tells.
    ///
    /// # Errors
    /// When the address is malformed, cannot be resolved or is taken, when the server is [detached](Server::detached), or
    /// when it has 4,096 listeners already.
    pub fn listen(&mut self, listener: impl Into<Listener>) -> io::Result<ListenerId> {
        let Some(registry) = &self.registry else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a detached server has no Poll to listen with: use Server::new",
            ));
        };
        let index = u16::try_from(self.listeners.len()).ok().filter(|&index| usize::from(index) < MAX_LISTENERS);
        let Some(index) = index else { return Err(Error::other("a server has at most 4,096 listeners")) };
        let token = Source::Listener(index).token(self.number);
        self.listeners.push(Some(Acceptor::bind(listener.into(), registry, token)?));
        Ok(ListenerId(index))
    }

    /// The address that a listener listens at.
    ///
    /// # Errors
    /// When it does not listen any more.
    pub fn local_addr(&self, listener: ListenerId) -> io::Result<SocketAddr> {
        let listener = self.listeners.get(usize::from(listener.0)).and_then(Option::as_ref);
        listener.ok_or(ErrorKind::NotConnected)?.local_addr()
    }

    /// Accepts what waits, within the turn's budget.
    pub(super) fn accept(&mut self, index: u16) {
        for _ in 0..ACCEPTS {
            let Some(Some(listener)) = self.listeners.get_mut(usize::from(index)) else { return };
            match listener.accept(self.context.clock.now(), NO_ROOM) {
                // A connection that cannot be taken in is closed; there is nobody else to tell.
                Accepted::Connection(socket) => drop(self.take_in(socket.into())),
                Accepted::Drained => return,
                Accepted::Exhausted => {
                    self.context.stats.exhausted += 1;
                    return;
                }
            }
        }
        if !self.accepting.contains(&index) {
            self.accepting.push_back(index);
        }
    }

    /// Goes on where the last turn's budget, or a back-off, ended.
    pub(super) fn accept_again(&mut self) {
        for _ in 0..self.accepting.len() {
            if let Some(index) = self.accepting.pop_front() {
                self.accept(index);
            }
        }
        let now = self.context.clock.now();
        for index in 0..self.listeners.len() {
            let retry_at = self.listeners[index].as_ref().and_then(Acceptor::retry_at);
            if retry_at.is_some_and(|at| at <= now) {
                self.accept(index as u16);
            }
        }
    }

    pub(super) fn take_in(&mut self, mut transport: Transport) -> io::Result<Token> {
        if self.context.draining.is_some() {
            return Err(Error::new(ErrorKind::NotConnected, "the server is draining"));
        }
        let Some(slot) = self.context.slots.vacant() else {
            return Err(Error::other("16.7 million connections are open already"));
        };
        let token = Source::Connection(slot).token(self.number);
        if let Some(registry) = &self.registry {
            transport.register(registry, token)?;
        }
        self.context.insert(slot, transport);
        Ok(token)
    }

    /// Stops listening for good.
    pub(super) fn stop_listening(&mut self) {
        self.listeners.clear();
        self.accepting.clear();
    }
}
