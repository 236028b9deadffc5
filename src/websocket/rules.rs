//! The rules of one connection for what [`decode`](super::decode()) accepts (RFC 6455 sections 5.1
//! and 7.4.1). This file judges nothing by itself.

/// The side of the connection that we are.
///
/// ```
/// use switchboard::proto::websocket::Role;
///
/// assert!(Role::Server.receives_masked() && !Role::Client.receives_masked());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Role {
    /// We accept connections: frames to us are masked, ours are not (section 5.1).
    Server,
    /// We open connections: our frames are masked, frames to us are not (section 5.1).
    Client,
}

impl Role {
    /// Whether frames to this role are masked (section 5.1).
    #[must_use]
    #[inline]
    pub const fn receives_masked(self) -> bool {
        matches!(self, Role::Server)
    }
}

/// The frames that [`decode`](super::decode()) accepts.
///
/// ```
/// use switchboard::proto::websocket::{Event, Role, Rules, Violation, decode};
///
/// let rules = Rules { role: Role::Client, max_message: 4, compression: false };
/// let mut input = *b"\x81\x05Hello";
/// assert_eq!(decode(&rules, &mut None, &mut input).1, Event::Fail(Violation::TooBig));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// The side that we are.
    pub role: Role,
    /// The longest message in bytes; `usize::MAX` is no limit.
    pub max_message: usize,
    /// Whether permessage-deflate was negotiated (RFC 7692), which gives RSV1 a meaning. Without
    /// the feature `deflate` a compressed message is a violation either way.
    pub compression: bool,
}
