//! `ping`: pings one connection after the other, and measures how many answer, and how soon.

use switchboard::Context;

use super::sending::Sending;
use super::{Act, Mode};
use crate::crowd::Crowd;
use crate::stamp::{self, Stamp};
use crate::talk::{Assignment, Tally};

pub struct Ping(Sending);

impl Ping {
    pub fn new(assignment: &Assignment) -> Ping {
        Ping(Sending::new(assignment.messages_per_second, 1.0, assignment.nonce))
    }
}

impl Mode for Ping {
    fn begin(&mut self, _crowd: &mut Crowd, from: u64, until: u64) {
        self.0.begin(from, until);
    }

    fn act(&mut self, crowd: &mut Crowd, cx: &mut Context, now: u64) -> Act {
        self.0.act(crowd, cx, now, |conn, stamp: Stamp| {
            let mut payload = [0; stamp::LEN];
            stamp.write(&mut payload);
            conn.ping(&payload);
        })
    }

    fn pong(&mut self, payload: &[u8], now: u64) {
        self.0.answer(payload, now);
    }

    fn so_far(&self) -> (u64, u64) {
        self.0.so_far()
    }

    fn tally(&mut self, _crowd: &mut Crowd) -> Tally {
        self.0.tally()
    }
}
