//! An attempt to open a WebSocket in the client role, as data: what is sent, which addresses are
//! left, how far it has come. This file opens no socket.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use super::declined::Declining;
use crate::websocket::{ClientHandshake, Key};

/// One attempt under way.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) handshake: ClientHandshake,
    pub(crate) key: Key,
    /// Addresses not tried yet.
    pub(crate) addresses: VecDeque<SocketAddr>,
    pub(crate) source: Option<IpAddr>,
    pub(crate) state: AttemptState,
    /// A response that does not open the WebSocket, while its body arrives.
    pub(crate) declining: Option<Box<Declining>>,
}

/// How far an attempt has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AttemptState {
    /// The name is being looked up.
    Resolving,
    /// The socket is being connected.
    Dialing,
    /// The request has been sent.
    Requested,
}
