//! What a turn does for history, stores, followers, long polls and presence. A server that has used
//! none of them asks one flag: `Context::has_extras`. This file knows none of their rules.

use super::server::Server;
use crate::connection::NEVER;

impl Server {
    /// Whether a round has something to do for them.
    #[cold]
    pub(super) fn extras_have_more(&self, round: usize) -> bool {
        self.context.has_followers_due()
            || self.context.has_store_questions()
            || !self.context.table.books.work.polls.is_empty()
            || round == 0 && self.has_presence()
    }

    /// Does in a round what is due for presence, which is told in the first one, for followers, and
    /// for stores, which are asked what followers and publishers wait for.
    #[cold]
    pub(super) fn run_extras(&mut self, round: usize) {
        if round == 0 && self.context.presence.is_some() {
            self.tell_presence();
        }
        if self.context.has_followers_due() {
            self.visit_followers();
        }
        if self.context.stores.is_some() {
            self.ask_stores();
        }
    }

    /// Whether any of them has work left for another turn.
    #[cold]
    pub(super) fn has_busy_extras(&self) -> bool {
        self.context.following.is_busy()
            || self.context.table.books.work.has_extras()
            || self.context.presence.as_ref().is_some_and(|presence| presence.is_busy())
            || self.context.is_busy_with_stores()
    }

    /// Returns the tick at which presence or a store has something to do, or [`NEVER`].
    #[cold]
    pub(super) fn next_of_extras(&self) -> u32 {
        let presence = self.context.presence.as_ref().map_or(NEVER, |presence| presence.next());
        presence.min(self.context.next_store_deadline())
    }

    /// Whether nothing is there that a turn leaves out without `has_extras`.
    pub(super) fn lacks_extras(&self) -> bool {
        self.context.histories.is_none()
            && self.context.stores.is_none()
            && self.context.presence.is_none()
            && !self.has_busy_extras()
    }
}
