//! `echo`: a share of the connections sends messages at an even rate, and the server sends each
//! back. The mode measures how many come back, and how long after they were due, which shows a
//! server that stalls.

use switchboard::{ConnId, Context, Message};

use super::sending::Sending;
use super::{Act, Mode};
use crate::crowd::Crowd;
use crate::talk::{Assignment, Tally};

pub struct Echo {
    sending: Sending,
    message: Vec<u8>,
}

impl Echo {
    pub fn new(assignment: &Assignment) -> Echo {
        Echo {
            sending: Sending::new(
                assignment.messages_per_second,
                assignment.active,
                assignment.nonce,
            ),
            message: vec![0; assignment.size],
        }
    }
}

impl Mode for Echo {
    fn begin(&mut self, _crowd: &mut Crowd, from: u64, until: u64) {
        self.sending.begin(from, until);
    }

    fn act(&mut self, crowd: &mut Crowd, cx: &mut Context, now: u64) -> Act {
        let message = &mut self.message;
        self.sending.act(crowd, cx, now, |conn, stamp| {
            stamp.write(message);
            conn.send(Message::Binary(message));
        })
    }

    fn message(&mut self, _id: ConnId, message: &[u8], now: u64) {
        // A message that is cut short is no echo.
        let whole = if message.len() == self.message.len() { message } else { &[] };
        self.sending.answer(whole, now);
    }

    fn so_far(&self) -> (u64, u64) {
        self.sending.so_far()
    }

    fn tally(&mut self, _crowd: &mut Crowd) -> Tally {
        self.sending.tally()
    }
}
