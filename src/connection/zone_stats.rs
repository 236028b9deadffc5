//! Counters of one zone. Only a zone with `Zone::counted` has some.

/// Counters of the handler at one or several zones, one of which is
/// [counted](crate::Zone::counted).
///
/// [`Context::stats`](crate::Context::stats) returns those of all zones, in
/// [`Stats::zones`](crate::Stats::zones).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ZoneStats {
    /// Holds the prefix of the handler's first counted zone.
    pub zone: Box<str>,
    /// Counts WebSockets, event streams and takeovers of the handler that are open now.
    pub open: usize,
    /// Counts requests that the handler replied to, without those that it passed on.
    pub requests: u64,
    /// Counts WebSocket messages delivered to the handler.
    pub messages: u64,
    /// Counts messages that the handler's callbacks, timers and calls sent, once for each receiver.
    /// The receivers may belong to other zones.
    pub messages_sent: u64,
}

impl ZoneStats {
    /// Adds the counters of another handler.
    pub(super) fn add(&mut self, other: &ZoneStats) {
        self.open += other.open;
        self.requests += other.requests;
        self.messages += other.messages;
        self.messages_sent += other.messages_sent;
    }
}
