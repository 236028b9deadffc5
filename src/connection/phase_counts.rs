//! Counts connections by their phase. This file sets no phase.

use super::phase::Phase;
use super::stats::Stats;
use crate::websocket::State;

/// Connections in each phase.
#[derive(Debug, Default)]
pub(crate) struct Phases {
    counts: [usize; 16],
}

impl Phases {
    /// Counts a change of phase.
    #[inline]
    pub(crate) fn moved(&mut self, from: Phase, to: Phase) {
        self.leave(from);
        self.enter(to);
    }

    /// Counts a connection in its first phase.
    #[inline]
    pub(crate) fn enter(&mut self, phase: Phase) {
        self.counts[index(phase)] += 1;
    }

    /// Counts the end of a connection in its last phase.
    #[inline]
    pub(crate) fn leave(&mut self, phase: Phase) {
        let count = &mut self.counts[index(phase)];
        debug_assert!(*count > 0, "a connection left {phase:?} that had not entered it");
        *count = count.wrapping_sub(1);
    }

    /// Counts the connections in all phases.
    pub(crate) fn total(&self) -> usize {
        self.counts.iter().sum()
    }

    /// Writes the counts into a copy of the counters. Neither `rivals`, further sockets of an
    /// attempt, nor connections `turned_away` count.
    pub(crate) fn write_to(&self, stats: &mut Stats, rivals: usize, turned_away: usize) {
        let count = |phase| self.counts[index(phase)];
        stats.connecting = count(Phase::Connecting).saturating_sub(rivals);
        stats.arriving = count(Phase::Arriving);
        stats.idle = count(Phase::Idle);
        stats.reading_head = count(Phase::Head);
        stats.reading_body = count(Phase::Body);
        stats.deferred = count(Phase::Deferred);
        stats.closing = count(Phase::WebSocket(State::Closing));
        stats.websockets = count(Phase::WebSocket(State::Open))
            + stats.closing
            + count(Phase::WebSocket(State::Closed));
        stats.event_streams = count(Phase::Streaming);
        stats.takeovers = count(Phase::Taken);
        // A connection beyond a limit responds with its refusal, and then lingers.
        let (responding, lingering) = (count(Phase::Responding), count(Phase::Lingering));
        let left = turned_away.saturating_sub(lingering);
        stats.lingering = lingering.saturating_sub(turned_away);
        stats.responding = responding.saturating_sub(left);
    }
}

/// The place of a phase. A table and a sum take few instructions: of one match for both, the
/// compiler made a table of jumps, which added 50 instructions to a handshake and a close.
#[inline]
fn index(phase: Phase) -> usize {
    let state = if let Phase::WebSocket(state) = phase { state as usize } else { 0 };
    let first = match phase {
        Phase::Connecting => 3,
        Phase::Arriving => 4,
        Phase::Idle => 5,
        Phase::Head => 6,
        Phase::Body => 7,
        Phase::Deferred => 8,
        Phase::Responding => 9,
        Phase::WebSocket(_) => 10,
        Phase::Streaming => 13,
        Phase::Taken => 14,
        Phase::Lingering => 15,
    };
    // With the mask the compiler knows that the sum is within the array.
    (first + state) & 15
}
