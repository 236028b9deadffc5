//! What connections do once they are open: a file for each mode. A mode neither opens the first
//! connections nor knows other workers.

mod broadcast;
mod churn;
mod echo;
mod half_open;
mod hold;
mod ping;
mod sending;
mod slow;

use switchboard::{ConnId, Context};

use crate::crowd::Crowd;
use crate::talk::{self, Assignment, Tally};

/// The next time that a mode has work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// At this time of the monotonic clock, or when a message arrives.
    At(u64),
    /// Never: the mode is done and can report.
    Done,
}

pub trait Mode {
    /// Begins to measure at `from`, until `until`.
    fn begin(&mut self, crowd: &mut Crowd, from: u64, until: u64);

    /// Does what is due.
    fn act(&mut self, crowd: &mut Crowd, cx: &mut Context, now: u64) -> Act;

    fn message(&mut self, id: ConnId, message: &[u8], now: u64) {
        let _ = (id, message, now);
    }

    fn pong(&mut self, payload: &[u8], now: u64) {
        let _ = (payload, now);
    }

    /// Handles the end of a connection, and returns whether this mode asked for the end.
    fn closed(&mut self, id: ConnId, now: u64) -> bool {
        let _ = (id, now);
        false
    }

    /// Whether nothing may be read, also once the mode is done.
    fn is_deaf(&self, now: u64) -> bool {
        let _ = now;
        false
    }

    /// The messages sent, and the messages answered.
    fn so_far(&self) -> (u64, u64) {
        (0, 0)
    }

    /// The counts to report.
    fn tally(&mut self, crowd: &mut Crowd) -> Tally;
}

/// Makes the mode that an assignment names.
pub fn mode(assignment: &Assignment) -> Box<dyn Mode> {
    match assignment.mode {
        talk::Mode::Hold => Box::new(hold::Hold::default()),
        talk::Mode::Ping => Box::new(ping::Ping::new(assignment)),
        talk::Mode::Echo => Box::new(echo::Echo::new(assignment)),
        talk::Mode::Broadcast => Box::new(broadcast::Broadcast::new(assignment)),
        talk::Mode::Churn => Box::new(churn::Churn::new(assignment)),
        talk::Mode::HalfOpen => Box::new(half_open::HalfOpen::default()),
        talk::Mode::Slow => Box::new(slow::Slow::new(assignment)),
    }
}
