//! The outcome of a turn, for a loop around the reactor. This file knows no loop.

use std::time::Duration;

/// What a [`Reactor::turn`](crate::Reactor::turn) says about the next one.
///
/// A loop around the reactor waits until the descriptor of the reactor is readable, or until `wait`
/// has passed, whichever comes first. Then it calls `turn` with a timeout of zero. Deadlines count
/// that wait in full.
///
/// ```
/// use std::time::Duration;
/// use switchboard::{Handler, Reactor};
///
/// struct Clock;
/// impl Handler for Clock {}
///
/// let mut reactor = Reactor::new()?;
/// let clock = reactor.server.zone("/", Clock);
/// let turn = reactor.turn(Some(Duration::ZERO))?;
/// assert_eq!(turn.wait, None); // until the descriptor is readable
///
/// let cx = reactor.server.context(std::time::Instant::now());
/// cx.after(clock, Duration::from_secs(5), |_clock, _cx| {});
/// let turn = reactor.turn(Some(Duration::ZERO))?;
/// assert!(turn.wait.is_some_and(|wait| wait > Duration::ZERO && wait <= Duration::from_secs(5)));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Turn {
    /// How long the loop may wait before the next turn, while the descriptor is not readable.
    /// `None` is without limit. Calls on the server between turns shorten it, so they precede a
    /// turn.
    ///
    /// It is zero while work is left, or while events may be: a turn takes 1,024 at once, and a
    /// [budget](crate::Server::turn_budget) fewer. **The descriptor may then be readable without a
    /// new edge.** A loop with edge-triggered readiness, such as tokio's `AsyncFd`, clears it only
    /// after a turn whose `wait` is not zero.
    pub wait: Option<Duration>,
}
