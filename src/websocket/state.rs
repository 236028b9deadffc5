//! The state of a WebSocket after its handshake, with every transition (RFC 6455 section 7). This
//! file knows the reaction to each event. It knows neither bytes, nor deadlines, nor the end of the
//! transport.

/// The state of a WebSocket.
///
/// ```text
///               Close: EchoClose        Violation: Fail
/// Open ------------------------------------------------------> Closed
///   |                                                             ^
///   '-- SendClose: SendClose --> Closing -- Close, Violation: ----'
///                                           Finish
/// ```
///
/// The end of the transport makes no transition: in any state, nothing more can be sent.
///
/// ```
/// use switchboard::proto::websocket::{Input, State};
///
/// let (state, _) = State::Open.on(Input::SendClose);
/// assert_eq!(state, State::Closing);
/// assert_eq!(state.on(Input::Close).0, State::Closed);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum State {
    /// Messages go both ways.
    Open,
    /// We sent a Close frame and wait for the peer's.
    Closing,
    /// Both sent a Close frame, or the connection failed. Nothing is sent or read any more.
    Closed,
}

/// An event that may change the state: [`SendClose`](Input::SendClose) is ours, all others come
/// from the peer, by an [`Event`](super::Event) of [`decode`](super::decode()).
///
/// ```
/// use switchboard::proto::websocket::{Event, Input, Role, Rules, decode};
///
/// let rules = Rules { role: Role::Client, max_message: 16 << 20, compression: false };
/// let input = match decode(&rules, &mut None, &mut [0x89, 0x00]).1 {
///     Event::Ping(_) => Some(Input::Ping),
///     Event::Fail(_) => Some(Input::Violation),
///     _ => None,
/// };
/// assert_eq!(input, Some(Input::Ping));
/// ```
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
    /// The application closes the WebSocket.
    SendClose,
}

/// The reaction to an [`Input`].
///
/// ```
/// use switchboard::proto::websocket::{Action, Input, State};
///
/// assert_eq!(State::Open.on(Input::Ping).1, Action::AnswerPong);
/// assert_eq!(State::Closing.on(Input::Violation).1, Action::Finish);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Action {
    /// Hand the message or the pong to the application.
    Deliver,
    /// Send a pong with the payload of the ping (section 5.5.2).
    AnswerPong,
    /// Send a Close frame with the received code, then end the transport (section 5.5.1).
    EchoClose,
    /// Send a Close frame and wait for the peer's (section 7.1.2).
    SendClose,
    /// Send a Close frame with the violation's code, then end the transport (section 7.1.7).
    Fail,
    /// End the transport without sending anything more (section 7.1.1).
    Finish,
    /// Do nothing.
    Ignore,
}

impl State {
    /// Makes the transition: returns the next state and what is to be done.
    ///
    /// ```
    /// use switchboard::proto::websocket::{Action, Input, State};
    ///
    /// assert_eq!(State::Open.on(Input::Close), (State::Closed, Action::EchoClose));
    /// assert_eq!(State::Open.on(Input::SendClose), (State::Closing, Action::SendClose));
    /// assert_eq!(State::Closing.on(Input::Ping), (State::Closing, Action::Ignore));
    /// ```
    #[must_use]
    #[inline]
    pub const fn on(self, input: Input) -> (State, Action) {
        use State::{Closed, Closing, Open};
        match (self, input) {
            (Open, Input::Message | Input::Pong) => (Open, Action::Deliver),
            (Open, Input::Ping) => (Open, Action::AnswerPong),
            (Open, Input::Close) => (Closed, Action::EchoClose),
            (Open, Input::Violation) => (Closed, Action::Fail),
            (Open, Input::SendClose) => (Closing, Action::SendClose),
            // 5.5.1: an endpoint sends nothing after its Close frame, neither a pong nor another
            // Close, and need not process data.
            (Closing, Input::Message | Input::Ping | Input::Pong | Input::SendClose) => {
                (Closing, Action::Ignore)
            }
            (Closing, Input::Close | Input::Violation) => (Closed, Action::Finish),
            (Closed, _) => (Closed, Action::Ignore),
        }
    }
}
