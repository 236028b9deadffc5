//! The life of a WebSocket after its handshake: Open, Closing, Closed, and every transition (RFC 6455 section 7).
//! Knows what may be said when; not how it looks on the wire, and not how long anybody waits.

/// Which side of the connection we are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// We accept connections: frames to us are masked, ours are not (section 5.1).
    Server,
    /// We open connections: our frames are masked, those to us are not.
    Client,
}

impl Role {
    /// Whether frames to this role are masked (section 5.1).
    #[inline]
    pub const fn receives_masked(self) -> bool {
        matches!(self, Role::Server)
    }
}

/// What [`decode`](super::decode) accepts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// Which side we are.
    pub role: Role,
    /// The longest message in bytes; `usize::MAX` is no limit.
    pub max_message: usize,
    /// Whether permessage-deflate was negotiated (RFC 7692), which gives RSV1 a meaning. Without the feature `deflate` a compressed
    /// message is a violation either way.
    pub compression: bool,
}

/// How far a WebSocket has come.
///
/// ```text
///            Violation: Fail      Close: EchoClose      Lost: Finish
/// Open -----------------------------------------------------------------> Closed
///   |                                                                        ^
///   '-- SendClose: SendClose --> Closing -- Close, Violation, Lost: Finish --'
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum State {
    /// Messages go both ways.
    Open,
    /// We have sent a Close frame and wait for the peer's.
    Closing,
    /// Both have, or the connection failed: nothing is sent or heard any more.
    Closed,
}

/// What happens to a WebSocket: the first five come from the peer, the others from ourselves or the transport.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Input {
    /// A whole message arrived.
    Message,
    /// A ping arrived.
    Ping,
    /// A pong arrived.
    Pong,
    /// A Close frame arrived.
    Close,
    /// The peer violated the protocol.
    Violation,
    /// We have a message, a fragment or a ping to send.
    Send,
    /// We want to close.
    SendClose,
    /// The transport ended.
    Lost,
}

/// What is to be done about an [`Input`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Action {
    /// Hand it to the application.
    Deliver,
    /// Send a pong with the payload of the ping (section 5.5.2).
    AnswerPong,
    /// Send a Close frame with the code of the one received, then end the transport (section 5.5.1).
    EchoClose,
    /// Send the frame.
    Send,
    /// Send the Close frame and wait for the peer's.
    SendClose,
    /// Send a Close frame with the violation's code, then end the transport (section 7.1.7).
    Fail,
    /// End the transport; nothing more is sent.
    Finish,
    /// Do nothing.
    Ignore,
}

impl State {
    /// The transition: the next state, and what is to be done.
    ///
    /// ```
    /// use switchboard::proto::websocket::{Action, Input, State};
    ///
    /// assert_eq!(State::Open.on(Input::Close), (State::Closed, Action::EchoClose));
    /// assert_eq!(State::Open.on(Input::SendClose), (State::Closing, Action::SendClose));
    /// assert_eq!(State::Closing.on(Input::Ping), (State::Closing, Action::Ignore));
    /// ```
    #[inline]
    pub const fn on(self, input: Input) -> (State, Action) {
        use State::{Closed, Closing, Open};
        match (self, input) {
            (Open, Input::Message | Input::Pong) => (Open, Action::Deliver),
            (Open, Input::Ping) => (Open, Action::AnswerPong),
            (Open, Input::Close) => (Closed, Action::EchoClose),
            (Open, Input::Violation) => (Closed, Action::Fail),
            (Open, Input::Send) => (Open, Action::Send),
            (Open, Input::SendClose) => (Closing, Action::SendClose),
            (Open, Input::Lost) => (Closed, Action::Finish),
            // 5.5.1: after its Close frame an endpoint sends nothing, neither pong nor another Close, and need not
            // look at data.
            (Closing, Input::Message | Input::Ping | Input::Pong) => (Closing, Action::Ignore),
            (Closing, Input::Send | Input::SendClose) => (Closing, Action::Ignore),
            (Closing, Input::Close | Input::Violation | Input::Lost) => (Closed, Action::Finish),
            (Closed, _) => (Closed, Action::Ignore),
        }
    }
}
