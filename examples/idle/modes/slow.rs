//! `slow`: peers that ask for more and more, and never read. Each sends a message a turn, which the
//! server answers or sends to all, depending on the URL. Measured from outside: what the server
//! then holds for each peer, and when it drops them.

use switchboard::{Context, Message};

use super::{Act, Mode};
use crate::clock::Pace;
use crate::crowd::Crowd;
use crate::talk::{Assignment, Tally};

pub struct Slow {
    per_second: f64,
    pace: Option<Pace>,
    from: u64,
    until: u64,
    message: Vec<u8>,
    tally: Tally,
}

impl Slow {
    pub fn new(assignment: &Assignment) -> Slow {
        Slow {
            per_second: assignment.messages_per_second,
            pace: None,
            from: 0,
            until: 0,
            message: vec![0; assignment.size],
            tally: Tally::default(),
        }
    }
}

impl Mode for Slow {
    fn begin(&mut self, _crowd: &mut Crowd, from: u64, until: u64) {
        self.pace = Some(Pace::new(from, self.per_second));
        (self.from, self.until) = (from, until);
    }

    fn act(&mut self, crowd: &mut Crowd, cx: &mut Context, now: u64) -> Act {
        let Some(pace) = &mut self.pace else { return Act::Done };
        while pace.next() < self.until && pace.take(now).is_some() {
            let all = crowd.roster.len();
            let Some(mut conn) = crowd.roster.next(cx, all) else { return Act::Done };
            self.tally.sent += 1;
            // Bytes that the kernel refused would wait for an event that is never polled: the
            // server has stopped reading, too.
            match conn.buffered() {
                0 => conn.send(Message::Binary(&self.message)),
                _ => self.tally.held_back += 1,
            }
        }
        if now < self.until { Act::At(pace.next().min(self.until)) } else { Act::Done }
    }

    fn is_deaf(&self, now: u64) -> bool {
        // To the end of the process: what the kernel keeps is counted after `until`.
        self.from > 0 && now >= self.from
    }

    fn so_far(&self) -> (u64, u64) {
        (self.tally.sent, 0)
    }

    fn tally(&mut self, _crowd: &mut Crowd) -> Tally {
        std::mem::take(&mut self.tally)
    }
}
