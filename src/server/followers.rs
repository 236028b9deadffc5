//! Visits followers in turn: tells their handlers from where each topic goes on, and has history
//! replayed to them. This file reads no history and does not know how much one turn replays.

use super::server::Server;

impl Server {
    /// Visits the followers that can go on, as far as the share of the turn goes.
    #[cold]
    pub(super) fn visit_followers(&mut self) {
        self.context.wake_followers();
        while let Some(slot) = self.context.following.next() {
            self.visit(slot);
            if self.is_time_spent() {
                self.context.following.end_share();
            }
        }
    }

    /// Tells the handler what it does not know, and then goes on with the replay.
    fn visit(&mut self, slot: u32) {
        let Some(mut untold) = self.context.untold(slot) else { return };
        if let Some((id, mcp)) = self.context.first_block(slot) {
            self.send_first_block(slot, id, mcp);
        }
        for _ in 0..untold {
            // All topics with the first one, then what a callback has changed.
            if let Some((gap, oldest)) = self.context.news(slot) {
                self.announce(slot, gap, oldest);
            }
            let Some((topic, resume)) = self.context.next_resume(slot) else { break };
            self.call_back(slot, |server| {
                server.tell(slot, |handler, conn| handler.resumed(conn, &topic, resume))
            });
        }
        if untold > 0 {
            // A callback may have ended the exchange, and what it published may have pushed out
            // what was to follow.
            let Some(left) = self.context.untold(slot) else { return };
            untold = left;
        }
        match untold {
            0 => self.context.replay(slot),
            _ => self.context.go_on_later(slot),
        }
    }
}
