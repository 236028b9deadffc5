//! `hold`: connections stay open and send nothing. Measured from outside: their cost, and losses.

use switchboard::Context;

use super::{Act, Mode};
use crate::crowd::Crowd;
use crate::talk::Tally;

#[derive(Default)]
pub struct Hold {
    until: u64,
}

impl Mode for Hold {
    fn begin(&mut self, _crowd: &mut Crowd, _from: u64, until: u64) {
        self.until = until;
    }

    fn act(&mut self, _crowd: &mut Crowd, _cx: &mut Context, now: u64) -> Act {
        if now < self.until { Act::At(self.until) } else { Act::Done }
    }

    fn tally(&mut self, _crowd: &mut Crowd) -> Tally {
        Tally::default()
    }
}
