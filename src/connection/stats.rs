//! Counters of what a server has and had. Plain numbers; nobody here decides anything by them.

use super::phase::Phase;

/// A server's counters. Those of what is open are exact at every moment; the others only grow.
///
/// ```
/// use std::time::Instant;
/// use switchboard::Server;
///
/// let mut server = Server::detached();
/// assert_eq!(server.context(Instant::now()).stats().websockets, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections open now, whatever they speak.
    pub connections: usize,
    /// WebSockets open now, those in their close handshake included.
    pub websockets: usize,
    /// Event streams open now.
    pub event_streams: usize,
    /// Connections taken over by a handler now.
    pub takeovers: usize,
    /// Connections accepted or adopted so far.
    pub accepted: u64,
    /// Times that accepting stopped because descriptors or memory ran out.
    pub exhausted: u64,
    /// Connections turned away so far because as many were open as may be, in all or from their
    /// address.
    pub turned_away: u64,
    /// Requests whose head was complete and sound so far.
    pub requests: u64,
    /// Requests refused before any handler saw them so far.
    pub refused: u64,
    /// Messages delivered to handlers so far.
    pub messages: u64,
    /// Connections closed with 1013 because their peer did not take what was sent.
    pub overflowed: u64,
    /// Messages dropped because their receiver did not take what was sent before, each receiver of
    /// a publish counted.
    pub dropped: u64,
}

impl Stats {
    pub(crate) fn moved(&mut self, from: Phase, to: Phase) {
        if let Some(count) = self.open(from) {
            *count -= 1;
        }
        if let Some(count) = self.open(to) {
            *count += 1;
        }
    }

    /// The counter of a phase that is counted.
    pub(crate) fn open(&mut self, phase: Phase) -> Option<&mut usize> {
        match phase {
            Phase::WebSocket(_) => Some(&mut self.websockets),
            Phase::Streaming => Some(&mut self.event_streams),
            Phase::Taken => Some(&mut self.takeovers),
            _ => None,
        }
    }
}
