//! `broadcast`: one connection sends a message a round, and the server sends it to all others. The
//! mode measures how many connections the message reaches, and how long the last one takes. The
//! coordinator knows how many there are.

use switchboard::{ConnId, Context, Message};

use super::{Act, Mode};
use crate::clock::{Pace, SECOND};
use crate::crowd::Crowd;
use crate::stamp::Stamp;
use crate::talk::{Assignment, Tally};

/// The longest wait for the last round; the coordinator ends it when all connections have the
/// message.
const GRACE: u64 = 10 * SECOND;

pub struct Broadcast {
    per_second: f64,
    is_sender: bool,
    sender: Option<ConnId>,
    pace: Option<Pace>,
    until: u64,
    nonce: u32,
    message: Vec<u8>,
    tally: Tally,
}

impl Broadcast {
    pub fn new(assignment: &Assignment) -> Broadcast {
        Broadcast {
            per_second: assignment.messages_per_second,
            is_sender: assignment.is_sender,
            sender: None,
            pace: None,
            until: 0,
            nonce: assignment.nonce,
            message: vec![0; assignment.size],
            tally: Tally::default(),
        }
    }
}

impl Mode for Broadcast {
    fn begin(&mut self, _crowd: &mut Crowd, from: u64, until: u64) {
        self.until = until;
        self.pace = self.is_sender.then(|| Pace::new(from, self.per_second));
    }

    fn act(&mut self, crowd: &mut Crowd, cx: &mut Context, now: u64) -> Act {
        while let Some(pace) = &mut self.pace
            && pace.next() < self.until
            && let Some(due) = pace.take(now)
        {
            let Some(mut conn) = crowd.roster.next(cx, 1) else { return Act::Done };
            self.sender = Some(conn.id());
            self.tally.sent += 1;
            self.tally.lateness.record(now - due);
            Stamp { due, nonce: self.nonce, number: self.tally.sent as u32 }
                .write(&mut self.message);
            conn.send(Message::Binary(&self.message));
        }
        let end = self.until + GRACE;
        match &self.pace {
            Some(pace) if pace.next() < self.until => Act::At(pace.next()),
            _ if now < end => Act::At(end),
            _ => Act::Done,
        }
    }

    fn message(&mut self, id: ConnId, message: &[u8], now: u64) {
        if self.sender == Some(id) {
            return; // some servers send to all, others to all others
        }
        let Some(stamp) = Stamp::read(message, self.nonce) else {
            self.tally.unexpected += 1;
            return;
        };
        let took = now.saturating_sub(stamp.due);
        self.tally.answered += 1;
        self.tally.latency.record(took);
        let round = self.tally.rounds.entry(stamp.number).or_default();
        round.received += 1;
        round.slowest = round.slowest.max(took);
    }

    fn so_far(&self) -> (u64, u64) {
        (self.tally.sent, self.tally.answered)
    }

    fn tally(&mut self, _crowd: &mut Crowd) -> Tally {
        std::mem::take(&mut self.tally)
    }
}
