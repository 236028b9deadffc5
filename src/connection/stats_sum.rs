//! The sum of the counters of several servers.

use std::iter::Sum;
use std::ops::AddAssign;

use super::stats::Stats;
use super::turn_stats::TurnStats;
use super::zone_stats::ZoneStats;

/// Adds each counter. Zones with the same prefix are added up, and of the longest turns the longest
/// stays.
///
/// ```
/// use switchboard::testing::World;
/// use switchboard::Stats;
///
/// let mut worlds = [World::new(), World::new()];
/// worlds.iter_mut().for_each(|world| drop(world.get("/")));
/// let sum: Stats = worlds.iter_mut().map(|world| world.context().stats()).sum();
/// assert_eq!(sum.requests, 2);
/// ```
impl Sum for Stats {
    fn sum<I: Iterator<Item = Stats>>(all: I) -> Stats {
        all.fold(Stats::default(), |mut sum, stats| {
            sum += stats;
            sum
        })
    }
}

/// Adds the counters of these names. A field that is named nowhere does not compile.
macro_rules! add {
    ($sum:ident, $other:ident, { $($counter:ident)* }, { $($rest:ident)* }) => {
        let Stats { $($counter,)* $($rest,)* } = $other;
        $($sum.$counter += $counter;)*
    };
}

impl AddAssign for Stats {
    fn add_assign(&mut self, other: Stats) {
        add!(self, other, {
            connections connecting arriving idle reading_head reading_body deferred responding
            websockets closing event_streams takeovers lingering
            accepted dialled ends exhausted turned_away handshakes rejected requests refused
            bytes_received bytes_sent messages messages_sent overflowed dropped replaced panics
            not_passed_on history_topics history_messages history_bytes history_queued_bytes
            history_evicted store_waiting store_failed
        }, { refusals zones turns });
        self.refusals.add(&refusals);
        zones.into_iter().for_each(|zone| self.add_zone(zone));
        self.add_turns(turns);
    }
}

impl Stats {
    /// Adds a zone's counters to those of the same prefix.
    fn add_zone(&mut self, other: ZoneStats) {
        match self.zones.iter_mut().find(|sum| sum.zone == other.zone) {
            Some(sum) => sum.add(&other),
            None => self.zones.push(other),
        }
    }

    fn add_turns(&mut self, other: Option<TurnStats>) {
        let Some(TurnStats { time, lag }) = other else { return };
        let sum = self.turns.get_or_insert_default();
        sum.time.add(&time);
        sum.lag.add(&lag);
    }
}
