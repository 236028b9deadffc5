//! A connection on its way from the thread that accepted it. This file does not know the way.

use std::io;
use std::net::SocketAddr;

use crate::connection::ListenerId;
use crate::net::Transport;

/// A connection that was handed over.
#[derive(Debug)]
pub(crate) struct HandedOver {
    pub(crate) transport: Transport,
    /// The peer's address, as accepting returned it.
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) listener: ListenerId,
    /// Whether the load of the reactor counts the connection already.
    pub(crate) is_counted: bool,
}

/// Why a connection was not taken.
#[derive(Debug)]
pub(crate) enum Reason {
    Full,
    Closed,
    Draining,
    Unusable(io::Error),
}
