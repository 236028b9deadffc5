//! Tells zones which users have come, changed and left, once a turn, and wakes the reactors of a
//! cluster that have a change to look for. The model is in `presence`.

use super::server::Server;

/// The topics that one turn reports. The others wait for the next turn.
const TOPICS: usize = 1 << 10;

impl Server {
    /// Whether presence has something to do in this turn.
    #[inline]
    pub(super) fn has_presence(&self) -> bool {
        self.context.presence.as_ref().is_some_and(|presence| {
            presence.is_busy() || presence.next() <= self.context.table.books.clock.tick()
        })
    }

    /// Reports what has changed since the last turn. What callbacks change meanwhile waits for the
    /// next turn.
    #[cold]
    pub(super) fn tell_presence(&mut self) {
        let tick = self.context.table.books.clock.tick();
        let Some(presence) = &mut self.context.presence else { return };
        for _ in 0..presence.begin_turn(tick).min(TOPICS) {
            let presence = self.context.presence.as_mut();
            let Some(report) = presence.and_then(|presence| presence.report(tick)) else {
                continue;
            };
            let handler = self.zones.handlers.at(report.zone);
            for news in &report.news {
                handler.presence(&mut self.context, &report.topic, news.lend());
            }
        }
        self.wake_others();
    }

    /// Wakes the reactors that have a change to look for.
    fn wake_others(&mut self) {
        let Some(presence) = &mut self.context.presence else { return };
        let Some(link) = &self.link else { return };
        for reactor in presence.take_wake() {
            if let Some(station) = link.stations.all().get(reactor) {
                station.remote.wake();
            }
        }
    }

    /// Ends the presence of a server that is dropped: the other reactors of its cluster go on.
    pub(super) fn close_presence(&mut self) {
        if self.link.is_some()
            && let Some(presence) = &mut self.context.presence
        {
            presence.close();
            self.wake_others();
        }
        self.context.presence = None;
    }
}
