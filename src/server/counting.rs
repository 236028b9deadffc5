//! Puts handlers at their zones, and counts what a counted zone sends outside of its callbacks:
//! from timers, calls, and closures between turns.

use std::any::Any;

use super::counted::count_sent;
use super::served::Served;
use super::server::Server;
use super::zone::Zone;
use crate::connection::ZoneStats;
use crate::context::Context;

impl Server {
    /// Puts a handler at its zones, and returns its number.
    pub(super) fn add_handler(&mut self, zones: Vec<Zone>, handler: Box<dyn Served>) -> u16 {
        let counted = zones.iter().find(|zone| zone.is_counted);
        let prefix = counted.and_then(|zone| zone.prefix.as_ref().ok()).cloned();
        let number = self.zones.add(zones, handler);
        if let Some(prefix) = prefix {
            let zone = if prefix.is_empty() { "/".into() } else { prefix };
            let stats = &mut self.context.table.books.stats;
            self.zones.count(number, stats.zones.len());
            stats.zones.push(ZoneStats { zone, ..ZoneStats::default() });
        }
        number
    }

    /// Runs a closure with a zone's handler, outside of the handler's callbacks.
    pub(super) fn run_for<R>(
        &mut self,
        zone: u16,
        call: impl FnOnce(&mut dyn Any, &mut Context) -> R,
    ) -> R {
        let before = self.context.table.books.stats.messages_sent;
        let result = call(self.zones.handler_as_any(zone), &mut self.context);
        if let Some(index) = self.zones.counted(zone) {
            count_sent(&mut self.context.table.books.stats, index, before);
        }
        result
    }
}
