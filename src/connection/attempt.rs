//! An attempt to open a WebSocket in the client role, as data: the request to send, the addresses
//! to try, and the progress. This file opens no socket.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use super::declined::Declining;
use crate::websocket::{ClientHandshake, Key, Proxy};

/// One attempt under way.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) handshake: ClientHandshake,
    pub(crate) key: Key,
    /// Addresses not tried yet.
    pub(crate) addresses: VecDeque<SocketAddr>,
    pub(crate) source: Option<IpAddr>,
    pub(crate) state: AttemptState,
    /// The redirections that may still be followed; `None` if none is wanted.
    pub(crate) redirects: Option<u8>,
    pub(crate) proxy: Option<Box<Proxy>>,
    /// A response that does not open the WebSocket, while its body arrives.
    pub(crate) declining: Option<Box<Declining>>,
}

impl Attempt {
    /// The host and the port that the socket goes to: the proxy's, or the server's.
    pub(crate) fn dialled(&self) -> (&str, u16) {
        match &self.proxy {
            Some(proxy) => (proxy.host(), proxy.port()),
            None => (self.handshake.url().host(), self.handshake.url().port()),
        }
    }
}

/// How far an attempt has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AttemptState {
    /// The name is being looked up.
    Resolving,
    /// The socket is being connected.
    Dialing,
    /// The proxy has been asked for a tunnel.
    Tunnelling,
    /// The request has been sent.
    Requested,
}
