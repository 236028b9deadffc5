//! One scripted client: its end of a connection, and its reader of the bytes that arrive. This file
//! knows no server: the world reports to the server what a client did.

use std::collections::VecDeque;
use std::io::ErrorKind;

use http::{Method, StatusCode};
use mio::Token;

use super::answer::{self, Answer};
use super::events::Events;
use super::socket::Socket;
use crate::net::{MemoryPeer, Readiness};
use crate::websocket::{AcceptKey, Role};

/// Names a client of a [`World`](super::World). It is `Copy` and means nothing in another world.
///
/// ```
/// use switchboard::testing::{Client, World};
///
/// let mut world = World::new();
/// world.server.websocket("/", |conn, message| conn.send(message));
/// let clients: [Client; 2] = std::array::from_fn(|_| world.websocket("/"));
/// assert_ne!(clients[0], clients[1]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client(pub(super) usize);

/// What a client speaks.
pub(super) enum Speech {
    /// HTTP: the methods of the requests whose answers were not read yet.
    Http(VecDeque<Method>),
    /// HTTP, until the answer to a WebSocket handshake arrives, which must hold this.
    Handshake(AcceptKey),
    WebSocket(Box<Socket>),
    Events(Box<Events>),
}

/// The state of one client.
pub(super) struct Link {
    pub(super) token: Token,
    pub(super) peer: MemoryPeer,
    pub(super) speech: Speech,
    /// The head by which a WebSocket or an event stream began.
    pub(super) head: Option<Answer>,
    /// What became possible for the server since it was told last.
    news: Readiness,
    /// Bytes that were received and not used yet.
    pub(super) inbox: Vec<u8>,
    is_manual: bool,
    has_ended: bool,
}

impl Link {
    pub(super) fn new(token: Token, peer: MemoryPeer) -> Link {
        Link {
            token,
            peer,
            speech: Speech::Http(VecDeque::new()),
            head: None,
            news: Readiness::default(),
            inbox: Vec::new(),
            is_manual: false,
            has_ended: false,
        }
    }

    pub(super) fn push(&mut self, bytes: impl AsRef<[u8]>) {
        self.peer.send(bytes);
        self.news.readable = true;
    }

    /// Ends the client's side. The kernel tells of a FIN in this way.
    pub(super) fn end(&mut self) {
        self.has_ended = true;
        self.peer.end();
        self.news.readable = true;
        self.news.read_closed = true;
    }

    /// Breaks the connection. The kernel tells of a RST in this way.
    pub(super) fn fail(&mut self, kind: ErrorKind) {
        self.has_ended = true;
        self.peer.fail(kind);
        self.news = Readiness { readable: true, writable: true, read_closed: true };
    }

    pub(super) fn window(&mut self, bytes: usize) {
        self.peer.window(bytes);
        self.news.writable |= bytes > 0;
    }

    /// Ends the handshake of a connection that the server has begun.
    pub(super) fn establish(&mut self) {
        self.peer.establish();
        self.news.writable = true;
    }

    pub(super) fn set_manual(&mut self) {
        self.is_manual = true;
    }

    /// What the server is to be told, once.
    pub(super) fn news(&mut self) -> Option<Readiness> {
        // A connection that moves to another slot is reported again, as the kernel does.
        if let Some(token) = self.peer.token().filter(|&token| token != self.token) {
            self.token = token;
            self.news.writable = true;
            self.news.readable = true;
        }
        let news = std::mem::take(&mut self.news);
        (news != Readiness::default() && !self.peer.is_gone()).then_some(news)
    }

    /// Does what a browser does by itself, and says whether the server has to be told of anything.
    pub(super) fn act(&mut self) -> bool {
        if self.is_manual || matches!(self.speech, Speech::Http(_)) {
            return false;
        }
        let answers = self.take_in();
        let mut acts = !answers.is_empty() && !self.has_ended;
        if acts {
            self.push(answers);
        }
        if self.peer.is_ended() && !self.has_ended {
            self.end();
            acts = true;
        }
        acts
    }

    /// Decodes what was received, and returns what a client answers by itself.
    pub(super) fn take_in(&mut self) -> Vec<u8> {
        self.receive();
        if let Speech::Handshake(accept) = &self.speech {
            let Some((head, len)) = answer::head(&self.inbox) else { return Vec::new() };
            self.speech = match head.status {
                StatusCode::SWITCHING_PROTOCOLS => {
                    check_accept(&head, accept);
                    self.inbox.drain(..len);
                    self.head = Some(head);
                    Speech::WebSocket(Box::new(Socket::new(Role::Client)))
                }
                // Refused: the whole answer is read as that to a GET.
                _ => Speech::Http([Method::GET].into()),
            };
        }
        match &mut self.speech {
            Speech::WebSocket(socket) => socket.take_in(&mut self.inbox),
            Speech::Events(events) => {
                events.take_in(&mut self.inbox);
                Vec::new()
            }
            Speech::Http(_) | Speech::Handshake(_) => Vec::new(),
        }
    }

    /// Moves what the server wrote into the inbox.
    pub(super) fn receive(&mut self) {
        let bytes = self.peer.receive();
        self.inbox.extend_from_slice(&bytes);
    }

    /// Takes the next answer out of the inbox, if it is whole.
    #[track_caller]
    pub(super) fn answer(&mut self) -> Option<Answer> {
        self.receive();
        let Speech::Http(methods) = &mut self.speech else { return None };
        let method = methods.front().unwrap_or(&Method::GET);
        let (answer, len) = answer::read(&self.inbox, method, self.peer.is_ended())?;
        methods.pop_front();
        self.inbox.drain(..len);
        Some(answer)
    }

    /// What the client speaks, and how far its connection has come, for messages of panics.
    pub(super) fn describe(&self) -> String {
        let speech = match &self.speech {
            Speech::Http(_) => "speaks HTTP",
            Speech::Handshake(_) => "waits for the answer to its WebSocket handshake",
            Speech::WebSocket(socket) if socket.closed().is_some() => "has a closed WebSocket",
            Speech::WebSocket(_) => "has a WebSocket",
            Speech::Events(_) => "has an event stream",
        };
        match self.peer.is_ended() {
            true => format!("{speech}, and the server has ended the connection"),
            false => speech.to_owned(),
        }
    }
}

/// RFC 6455 section 4.1: the answer proves that the server has read this handshake.
fn check_accept(head: &Answer, accept: &AcceptKey) {
    let answered = head.headers.get("sec-websocket-accept").map(|value| value.as_bytes());
    assert!(
        answered == Some(&accept.as_bytes()[..]),
        "the server answered 101 without the Sec-WebSocket-Accept of the handshake:\n{head}"
    );
}
