//! The length of a bounded turn, and how far behind it left the server. This file reads no clock
//! and knows no connection.

use std::time::{Duration, Instant};

/// The longest budget. A longer one is no bound.
const LONGEST: Duration = Duration::from_secs(3_600);
/// How long a turn may take, and what earlier turns left.
#[derive(Debug)]
pub(super) struct TurnBudget {
    pub(super) length: Duration,
    /// The time of the turn that is under way, and when its budget is spent.
    pub(super) turn: Option<(Instant, Instant)>,
    pub(super) behind: Option<Behind>,
}

/// How far behind the server is: connections that wait for their turn, in the order of the list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Behind {
    /// The tick since which the first ones wait.
    since: u32,
    /// How many of them are left.
    left: usize,
    /// The tick since which all further ones wait.
    others: u32,
}

impl TurnBudget {
    /// Makes a budget for a server that may be behind already.
    pub(super) fn new(length: Duration, behind: Option<Behind>) -> TurnBudget {
        TurnBudget { length: length.min(LONGEST), turn: None, behind }
    }

    /// Notes that these connections on the list are left at a tick.
    pub(super) fn leave(&mut self, left: usize, tick: u32) {
        let behind = self.behind.get_or_insert(Behind { since: tick, left, others: tick });
        if behind.left == 0 {
            *behind = Behind { since: behind.others, left, others: tick };
        }
    }

    /// Notes that some of the connections that were left have been read.
    pub(super) fn read(&mut self, read: usize, is_all: bool) {
        self.behind = self
            .behind
            .filter(|_| !is_all)
            .map(|behind| Behind { left: behind.left.saturating_sub(read), ..behind });
    }

    /// Returns for how many ticks the first connection that was left waits.
    pub(super) fn waited(&self, tick: u32) -> u32 {
        self.behind.map_or(0, |behind| tick.saturating_sub(behind.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Connections queue in order, and each excuse covers how long the first one waits.
    #[test]
    fn budget_knows_since_when_the_first_connection_waits() {
        let mut budget = TurnBudget::new(Duration::MAX, None);
        assert_eq!(budget.length, LONGEST);
        assert_eq!(budget.waited(7), 0, "none is left");
        budget.leave(20, 10);
        assert_eq!(budget.waited(14), 4);
        budget.read(16, false);
        budget.leave(24, 14);
        assert_eq!(budget.waited(15), 5, "four of the first are left");
        budget.read(16, false);
        budget.leave(8, 15);
        // All that is left came after tick 10, for all that the numbers tell.
        assert_eq!(budget.waited(16), 6);
        budget.read(8, true);
        assert_eq!(budget.waited(20), 0);
        budget.leave(3, 100);
        assert_eq!(budget.waited(101), 1, "earlier waits are forgotten");
    }
}
