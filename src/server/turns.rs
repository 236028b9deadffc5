//! Measures the turns of the loop: how long they take, and how late they begin.

use std::time::{Duration, Instant};

use super::server::Server;
use crate::connection::TurnStats;

impl Server {
    /// Sets whether turns are measured, in [`Stats::turns`](crate::Stats::turns) (default: they are
    /// not). A measured turn reads the clock once more, at its end.
    ///
    /// The `now` that a loop of its own passes to [`flush`](Server::flush) must then be the time at
    /// which its turn began. A second call with `true` does nothing; `false` forgets the times.
    ///
    /// ```
    /// use std::time::Duration;
    /// use switchboard::Reactor;
    ///
    /// let mut reactor = Reactor::new()?;
    /// reactor.server.measure_turns(true);
    /// reactor.turn(Some(Duration::ZERO))?;
    /// let stats = reactor.server.context(std::time::Instant::now()).stats();
    /// assert_eq!(stats.turns.map(|turns| turns.time.count()), Some(1));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn measure_turns(&mut self, measures: bool) {
        let turns = &mut self.context.table.books.stats.turns;
        match measures {
            true => _ = turns.get_or_insert_with(TurnStats::default),
            false => *turns = None,
        }
        self.due = None;
    }

    /// Whether turns are measured.
    #[inline]
    pub(super) fn measures_turns(&self) -> bool {
        self.context.table.books.stats.turns.is_some()
    }

    /// Notes that a turn is due at a moment. Until the turn, the earliest counts.
    pub(super) fn note_due(&mut self, at: Instant) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// Notes when the wait that the loop may take from `now` on ends.
    #[cold]
    pub(super) fn note_wait(&mut self, now: Instant, wait: Option<Duration>) {
        if let Some(end) = wait.and_then(|wait| now.checked_add(wait)) {
            self.note_due(end);
        }
    }

    /// Records a turn that began at `now` and ends at this moment.
    #[cold]
    pub(super) fn record_turn(&mut self, now: Instant) {
        let due = self.due.take();
        let Some(turns) = &mut self.context.table.books.stats.turns else { return };
        turns.time.record(Instant::now().saturating_duration_since(now), now);
        if let Some(due) = due.filter(|due| *due <= now) {
            turns.lag.record(now - due, now);
        }
    }
}
