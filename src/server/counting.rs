//! Puts handlers at their zones, and counts what a counted zone sends outside of its callbacks:
//! from timers, calls, and closures between turns.

use super::counted::{Counted, count_sent};
use super::served::Served;
use super::server::Server;
use super::zone::Zone;
use crate::connection::ZoneStats;

impl Server {
    /// Puts a handler at its zones, and returns its number.
    pub(super) fn add_handler(&mut self, zones: Vec<Zone>, handler: Box<dyn Served>) -> u16 {
        let counted = zones.iter().find(|zone| zone.is_counted);
        let prefix = counted.and_then(|zone| zone.prefix.as_ref().ok()).cloned();
        let Some(prefix) = prefix else { return self.zones.add(zones, handler) };
        let stats = &mut self.context.table.books.stats;
        let index = stats.zones.len();
        let zone = if prefix.is_empty() { "/".into() } else { prefix };
        stats.zones.push(ZoneStats { zone, ..ZoneStats::default() });
        let number = self.zones.add(zones, Box::new(Counted { inner: handler, index }));
        self.zones.count(number, index);
        number
    }

    /// Counts what a zone has sent outside of its handler's callbacks, since `before` messages of
    /// all zones.
    pub(super) fn count_sent(&mut self, zone: u16, before: u64) {
        if let Some(index) = self.zones.counted(zone) {
            count_sent(&mut self.context.table.books.stats, index, before);
        }
    }
}
