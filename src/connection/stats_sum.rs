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

impl AddAssign for Stats {
    fn add_assign(&mut self, other: Stats) {
        // A counter that is not named here does not compile.
        let Stats {
            connections,
            connecting,
            arriving,
            idle,
            reading_head,
            reading_body,
            deferred,
            responding,
            websockets,
            closing,
            event_streams,
            takeovers,
            lingering,
            accepted,
            dialled,
            ends,
            exhausted,
            turned_away,
            handshakes,
            rejected,
            requests,
            refused,
            refusals,
            bytes_received,
            bytes_sent,
            messages,
            messages_sent,
            overflowed,
            dropped,
            panics,
            not_passed_on,
            zones,
            turns,
        } = other;
        self.connections += connections;
        self.connecting += connecting;
        self.arriving += arriving;
        self.idle += idle;
        self.reading_head += reading_head;
        self.reading_body += reading_body;
        self.deferred += deferred;
        self.responding += responding;
        self.websockets += websockets;
        self.closing += closing;
        self.event_streams += event_streams;
        self.takeovers += takeovers;
        self.lingering += lingering;
        self.accepted += accepted;
        self.dialled += dialled;
        self.ends += ends;
        self.exhausted += exhausted;
        self.turned_away += turned_away;
        self.handshakes += handshakes;
        self.rejected += rejected;
        self.requests += requests;
        self.refused += refused;
        self.refusals.add(&refusals);
        self.bytes_received += bytes_received;
        self.bytes_sent += bytes_sent;
        self.messages += messages;
        self.messages_sent += messages_sent;
        self.overflowed += overflowed;
        self.dropped += dropped;
        self.panics += panics;
        self.not_passed_on += not_passed_on;
        zones.into_iter().for_each(|zone| self.add_zone(zone));
        self.add_turns(turns);
    }
}

impl Stats {
    /// Adds a zone's counters to those of the same prefix.
    fn add_zone(&mut self, other: ZoneStats) {
        let ZoneStats { zone, open, requests, messages, messages_sent } = other;
        let Some(sum) = self.zones.iter_mut().find(|sum| sum.zone == zone) else {
            return self.zones.push(ZoneStats { zone, open, requests, messages, messages_sent });
        };
        sum.open += open;
        sum.requests += requests;
        sum.messages += messages;
        sum.messages_sent += messages_sent;
    }

    fn add_turns(&mut self, other: Option<TurnStats>) {
        let Some(TurnStats { time, lag }) = other else { return };
        let sum = self.turns.get_or_insert_default();
        sum.time.add(&time);
        sum.lag.add(&lag);
    }
}
