//! `churn`: at an even rate, closes the connection that has been open for longest, and opens
//! another. The mode measures how long handshakes and close handshakes take, and how many fail.

use std::collections::HashMap;

use switchboard::{CloseCode, ConnId, Context};

use super::{Act, Mode};
use crate::clock::{Pace, SECOND};
use crate::crowd::Crowd;
use crate::talk::{Assignment, Tally};

/// The longest wait for the last connections.
const GRACE: u64 = 5 * SECOND;

pub struct Churn {
    per_second: f64,
    in_flight: usize,
    pace: Option<Pace>,
    until: u64,
    /// The time at which each Close frame was sent.
    closing: HashMap<ConnId, u64>,
    failed_before: u64,
    opened_before: u64,
    tally: Tally,
}

impl Churn {
    pub fn new(assignment: &Assignment) -> Churn {
        Churn {
            per_second: assignment.rate,
            in_flight: assignment.in_flight,
            pace: None,
            until: 0,
            closing: HashMap::new(),
            failed_before: 0,
            opened_before: 0,
            tally: Tally::default(),
        }
    }

    fn replace_one(&mut self, crowd: &mut Crowd, cx: &mut Context, now: u64) {
        self.tally.sent += 1;
        if self.closing.len() >= self.in_flight {
            self.tally.held_back += 1;
            return;
        }
        if let Some(mut conn) = crowd.roster.take_oldest(cx) {
            conn.close(CloseCode::NORMAL, "");
            self.closing.insert(conn.id(), now);
            crowd.dialling.make_room();
        }
        crowd.dialling.dial_one(cx, now);
    }
}

impl Mode for Churn {
    fn begin(&mut self, crowd: &mut Crowd, from: u64, until: u64) {
        self.pace = Some(Pace::new(from, self.per_second));
        self.until = until;
        // The failures of the opening have been reported already.
        crowd.dialling.handshakes = Default::default();
        self.failed_before = crowd.dialling.failed;
        self.opened_before = crowd.dialling.opened;
    }

    fn act(&mut self, crowd: &mut Crowd, cx: &mut Context, now: u64) -> Act {
        let Some(mut pace) = self.pace else { return Act::Done };
        while pace.next() < self.until
            && let Some(due) = pace.take(now)
        {
            self.tally.lateness.record(now - due);
            self.replace_one(crowd, cx, now);
        }
        self.pace = Some(pace);
        self.tally.answered = crowd.dialling.opened - self.opened_before;
        let under_way = crowd.dialling.is_dialling() || !self.closing.is_empty();
        match pace.next() {
            next if next < self.until => Act::At(next),
            _ if now < self.until => Act::At(self.until),
            _ if under_way && now < self.until + GRACE => Act::At(self.until + GRACE),
            _ => Act::Done,
        }
    }

    fn closed(&mut self, id: ConnId, now: u64) -> bool {
        let Some(begun) = self.closing.remove(&id) else { return false };
        self.tally.closing.record(now - begun);
        true
    }

    fn so_far(&self) -> (u64, u64) {
        (self.tally.sent, self.tally.answered)
    }

    fn tally(&mut self, crowd: &mut Crowd) -> Tally {
        let mut tally = std::mem::take(&mut self.tally);
        tally.latency = std::mem::take(&mut crowd.dialling.handshakes);
        tally.failed = crowd.dialling.failed - self.failed_before;
        tally
    }
}
