//! What a turn does for history, followers, long polls and presence. A server that has used neither
//! history nor presence asks one flag: `Context::has_extras`. This file knows none of their rules.

use super::server::Server;
use crate::connection::NEVER;

impl Server {
    /// Whether a round has something to do for them.
    #[cold]
    pub(super) fn extras_have_more(&self, round: usize) -> bool {
        self.context.has_followers_due()
            || !self.context.table.books.work.polls.is_empty()
            || round == 0 && self.has_presence()
    }

    /// Does in a round what is due for presence, which is told in the first one, and followers.
    #[cold]
    pub(super) fn run_extras(&mut self, round: usize) {
        if round == 0 && self.context.presence.is_some() {
            self.tell_presence();
        }
        if self.context.has_followers_due() {
            self.visit_followers();
        }
    }

    /// Whether any of them has work left for another turn.
    #[cold]
    pub(super) fn has_busy_extras(&self) -> bool {
        self.context.following.is_busy()
            || self.context.table.books.work.has_extras()
            || self.context.presence.as_ref().is_some_and(|presence| presence.is_busy())
    }

    /// Returns the tick at which presence has something to do, or [`NEVER`].
    #[cold]
    pub(super) fn next_presence(&self) -> u32 {
        self.context.presence.as_ref().map_or(NEVER, |presence| presence.next())
    }

    /// Whether nothing is there that a turn leaves out without `has_extras`.
    pub(super) fn lacks_extras(&self) -> bool {
        self.context.histories.is_none()
            && self.context.presence.is_none()
            && !self.has_busy_extras()
    }
}
