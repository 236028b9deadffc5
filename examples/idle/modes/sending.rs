//! Sends at an even rate to one connection after the other, whether or not earlier messages have
//! been answered (open loop). Latencies count from the time at which a message was due. The mode
//! knows what is sent.

use switchboard::{Conn, Context};

use super::Act;
use crate::clock::{Pace, SECOND};
use crate::crowd::Crowd;
use crate::stamp::Stamp;
use crate::talk::Tally;

/// The longest wait for answers after the last message.
const GRACE: u64 = 5 * SECOND;

/// Bytes that may wait for one peer: a peer that takes nothing is sent nothing more.
const WAITING: usize = 1 << 20;

pub struct Sending {
    per_second: f64,
    pace: Option<Pace>,
    until: u64,
    nonce: u32,
    /// The share of the connections that are sent to.
    active: f64,
    tally: Tally,
}

impl Sending {
    pub fn new(per_second: f64, active: f64, nonce: u32) -> Sending {
        Sending { per_second, pace: None, until: 0, nonce, active, tally: Tally::default() }
    }

    pub fn begin(&mut self, from: u64, until: u64) {
        self.pace = Some(Pace::new(from, self.per_second));
        self.until = until;
    }

    /// Sends what is due.
    pub fn act(
        &mut self,
        crowd: &mut Crowd,
        cx: &mut Context,
        now: u64,
        mut send: impl FnMut(&mut Conn<'_>, Stamp),
    ) -> Act {
        let Some(pace) = &mut self.pace else { return Act::Done };
        let share = (crowd.roster.len() as f64 * self.active).ceil() as usize;
        while pace.next() < self.until
            && let Some(due) = pace.take(now)
        {
            let Some(mut conn) = crowd.roster.next(cx, share) else { return Act::Done };
            self.tally.sent += 1;
            if conn.buffered() > WAITING {
                self.tally.held_back += 1;
                continue;
            }
            self.tally.lateness.record(now - due);
            send(&mut conn, Stamp { due, nonce: self.nonce, number: self.tally.sent as u32 });
        }
        match pace.next() {
            next if next < self.until => Act::At(next),
            _ if now < self.until => Act::At(self.until),
            _ if self.tally.answered + self.tally.held_back < self.tally.sent
                && now < self.until + GRACE =>
            {
                Act::At(self.until + GRACE)
            }
            _ => Act::Done,
        }
    }

    /// Records an answer.
    pub fn answer(&mut self, message: &[u8], now: u64) {
        match Stamp::read(message, self.nonce) {
            Some(stamp) => {
                self.tally.answered += 1;
                self.tally.latency.record(now.saturating_sub(stamp.due));
            }
            None => self.tally.unexpected += 1,
        }
    }

    pub fn so_far(&self) -> (u64, u64) {
        (self.tally.sent, self.tally.answered)
    }

    pub fn tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }
}
