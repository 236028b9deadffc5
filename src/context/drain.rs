//! What a program asks for when it ends a server in order: code, reason, and three durations. This
//! file knows no connection and no clock.

use std::fmt;
use std::time::Duration;

use crate::websocket::CloseCode;

/// How a server ends: a notice, a window in which connections close, a deadline.
///
/// [`Server::drain`](crate::Server::drain), [`Context::drain`](crate::Context::drain) and
/// [`Remote::drain`](crate::Remote::drain) begin it. All three durations count from the call, and
/// those of `Server::drain` from the next turn. The window begins after `notice`, and `deadline`
/// includes both.
///
/// ```
/// use std::time::Duration;
/// use switchboard::testing::World;
/// use switchboard::{CloseCode, Drain};
///
/// let (seconds, mut world) = (Duration::from_secs, World::new());
/// world.server.http("/page", |_, _| "hello");
/// world.server.websocket("/ws", |conn, message| conn.send(message));
/// let (ada, bob) = (world.websocket("/ws"), world.connect());
/// world.request(bob, "/page");
/// assert_eq!(world.answer(bob).header("connection"), Some("keep-alive"));
///
/// let drain = Drain {
///     reason: "a new version".into(),
///     notice: seconds(5),
///     window: seconds(30),
///     deadline: seconds(60),
///     ..Drain::default()
/// };
/// world.context().drain(drain)?;
/// assert!(!world.context().is_ready());
/// world.request(bob, "/page"); // the notice: clients move away with their next answer
/// assert_eq!(world.answer(bob).header("connection"), Some("close"));
/// world.say(ada, "still here");
/// assert_eq!(world.hear(ada), ["still here"]);
///
/// world.advance(seconds(35)); // the end of the window
/// assert_eq!(world.closed(ada), Some((CloseCode::GOING_AWAY, "a new version".into())));
/// assert!(world.server.is_drained());
/// # Ok::<(), switchboard::DrainError>(())
/// ```
///
/// # The three stages
///
/// - **Notice**: [`Context::is_ready`](crate::Context::is_ready) is false, so that a load balancer
///   sends no more clients. All is accepted and served. Each answer says `Connection: close`, and
///   its connection ends behind it.
/// - **Window**: the listeners close, after they have accepted what waited. Idle HTTP connections
///   end at once, but a client that has just connected may send its request. Each WebSocket, event
///   stream and takeover ends at a random moment of the window, evenly spread, so that their
///   clients do not all come back at once. Without a window, all end at its beginning.
/// - **Deadline**: connections that are left are dropped. Then
///   [`Reactor::run`](crate::Reactor::run) returns. It returns earlier if none is left.
///
/// | a connection with | notice | window | deadline |
/// | --- | --- | --- | --- |
/// | no PROXY header or TLS handshake yet | goes on | as the next row | - |
/// | no request yet | served | served once, if it begins within 1 s of the accept | - |
/// | nothing between two requests | served | ends; read once more before | - |
/// | a part of a request head or body | served | served, as the last | dropped |
/// | an owed answer ([`Reply::Later`]) | goes on | answered, as the last | `cancelled` |
/// | a [long poll](crate::LongPoll) | goes on | answered at once, as the last | - |
/// | a streamed answer | goes on | goes on, as the last | `cancelled` |
/// | an answer that its client is reading | goes on | goes on, as the last | dropped |
/// | requests pipelined behind an answer | not handled | not handled | - |
/// | a WebSocket of either role | served | Close frame, some time | `close`, 1006 |
/// | an event stream | served | ends, some time | `close` |
/// | a takeover | served | ends, some time | `close` |
/// | a takeover that is released | last answer | ends | - |
/// | an exchange that opens only now | served | `open`, then ends at once | - |
/// | a closing handshake, or last bytes | goes on | goes on | dropped |
/// | an attempt of [`Context::connect`] | goes on | ends: `close`, 1006 | - |
/// | a new attempt, or a new connection | served | refused | refused |
///
/// An answer whose head left before the call cannot say `Connection: close`. In the notice its
/// connection stays open for one more request; in the window it ends behind the answer.
///
/// [`Reply::Later`]: crate::Reply::Later
/// [`Context::connect`]: crate::Context::connect
///
/// # A second call
///
/// It can only shorten. For the beginning and the end of the window and for the deadline, the
/// earlier moment of both calls stands. Code and reason stay those of the first call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drain {
    /// The code of Close frames (default 1001, RFC 6455 section 7.4.1), also the one that
    /// [`Handler::close`](crate::Handler::close) gets for event streams and takeovers.
    pub code: CloseCode,
    /// The reason in Close frames (default none). Beyond 123 bytes it is cut at a character.
    pub reason: String,
    /// How long the server accepts and serves all after the call (default 0). Give it some more
    /// than a load balancer takes to learn that the server is not ready.
    pub notice: Duration,
    /// How long WebSockets, event streams and takeovers take to end, after the notice (default 0).
    /// Their ends have steps of 10 ms, or up to 250 ms in a window of more than ten seconds.
    pub window: Duration,
    /// The time after the call at which connections that are left are dropped (default 10 s), at
    /// least `notice` and `window` together.
    pub deadline: Duration,
}

impl Drain {
    /// Makes the default with another deadline.
    ///
    /// ```
    /// use std::time::Duration;
    /// use switchboard::Drain;
    ///
    /// let drain = Drain::within(Duration::from_secs(3));
    /// assert_eq!(drain, Drain { deadline: Duration::from_secs(3), ..Drain::default() });
    /// ```
    #[must_use]
    pub const fn within(deadline: Duration) -> Drain {
        Drain {
            code: CloseCode::GOING_AWAY,
            reason: String::new(),
            notice: Duration::ZERO,
            window: Duration::ZERO,
            deadline,
        }
    }

    /// Checks that the deadline leaves room for notice and window. A program that reads them from
    /// its configuration learns of a fault when it starts, not when it is to end.
    ///
    /// ```
    /// use std::time::Duration;
    /// use switchboard::Drain;
    ///
    /// let window = Duration::from_secs(10);
    /// assert!(Drain { window, ..Drain::within(window) }.check().is_ok());
    /// assert!(Drain { window, ..Drain::within(window / 2) }.check().is_err());
    /// ```
    ///
    /// # Errors
    /// [`DrainError::DeadlineTooShort`], as the methods that begin a drain return it.
    pub fn check(&self) -> Result<(), DrainError> {
        let at_least = self.notice.saturating_add(self.window);
        match self.deadline < at_least {
            true => Err(DrainError::DeadlineTooShort { deadline: self.deadline, at_least }),
            false => Ok(()),
        }
    }
}

impl Default for Drain {
    fn default() -> Drain {
        Drain::within(Duration::from_secs(10))
    }
}

/// Why a drain did not begin. Its text says what to do.
///
/// ```
/// use std::time::{Duration, Instant};
/// use switchboard::{Drain, DrainError, Server};
///
/// let mut server = Server::detached();
/// let seconds = Duration::from_secs;
/// let error = server.drain(Drain { window: seconds(30), ..Drain::default() }).unwrap_err();
/// let (deadline, at_least) = (seconds(10), seconds(30));
/// assert_eq!(error, DrainError::DeadlineTooShort { deadline, at_least });
/// assert_eq!(
///     error.to_string(),
///     "the deadline of a drain counts from the call, and 10s is shorter than notice and window \
///      together: give a deadline of 30s or more"
/// );
/// assert!(server.context(Instant::now()).is_ready());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DrainError {
    /// The deadline is shorter than notice and window together.
    DeadlineTooShort {
        /// The deadline that was given.
        deadline: Duration,
        /// Notice and window together.
        at_least: Duration,
    },
    /// A [`Remote`](crate::Remote) has 65,536 calls waiting; another try may succeed.
    QueueFull,
    /// The server of a [`Remote`](crate::Remote) is gone, or a panic has
    /// [poisoned](crate::Server::is_poisoned) the server.
    ServerGone,
}

impl DrainError {
    /// Whether the server is gone, so that there is nothing left to drain.
    #[must_use]
    pub fn is_closed(self) -> bool {
        self == DrainError::ServerGone
    }
}

impl fmt::Display for DrainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DrainError::DeadlineTooShort { deadline, at_least } => write!(
                f,
                "the deadline of a drain counts from the call, and {deadline:?} is shorter than \
                 notice and window together: give a deadline of {at_least:?} or more"
            ),
            DrainError::QueueFull => {
                f.write_str("65,536 calls are waiting already; try again later")
            }
            DrainError::ServerGone => f.write_str("the server is gone"),
        }
    }
}

impl std::error::Error for DrainError {}
