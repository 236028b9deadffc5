//! `half-open`: the peers fall silent for good, without a Close frame or a FIN. To a server they
//! look like peers that lost their network, except that the kernel still acknowledges. The kernel's
//! table of sockets shows how many the server still holds.

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
        // To the end of the process: what the kernel keeps is counted after `until`.
        self.from > 0 && now >= self.from
    }

    fn tally(&mut self, _crowd: &mut Crowd) -> Tally {
        Tally::default()
    }
}
