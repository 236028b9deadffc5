//! `half-open`: the peers fall silent for good, without a word of farewell. What a server sees of one that lost its network it sees here, but that
//! the kernel still acknowledges: no pong, no answer, no end. How many the server still holds is for the kernel's table to say, not for us.

use switchboard::Context;

use super::{Act, Mode};
use crate::crowd::Crowd;
use crate::talk::Tally;

#[derive(Default)]
pub struct HalfOpen {
    from: u64,
    until: u64,
}

impl Mode for HalfOpen {
    fn begin(&mut self, _crowd: &mut Crowd, from: u64, until: u64) {
        (self.from, self.until) = (from, until);
    }

    fn act(&mut self, _crowd: &mut Crowd, _cx: &mut Context, now: u64) -> Act {
        if now < self.until { Act::At(self.until) } else { Act::Done }
    }

    fn is_deaf(&self, now: u64) -> bool {
        (self.from..self.until).contains(&now)
    }

    fn tally(&mut self, _crowd: &mut Crowd) -> Tally {
        Tally::default()
    }
}
