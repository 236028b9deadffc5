//! Wakes long polls. A poll that waits has an exchange that says so, and memberships of its topics.
//! This file does not know what there is to answer.

use super::table::Lease;

impl Lease<'_> {
    /// Has `flush` look at the connection, if it is a long poll that waits: a topic has a message.
    #[cold]
    pub(crate) fn wake_poll(&mut self) {
        let slot = self.slot();
        if let Some(polling) = self.connection.polling()
            && !polling.is_woken
        {
            polling.is_woken = true;
            self.books.work.polls.push_back(slot);
        }
    }

    /// Has `flush` answer the connection, if it is a long poll that waits, whatever there is.
    pub(crate) fn end_poll(&mut self) {
        if let Some(polling) = self.connection.polling() {
            polling.is_due = true;
            self.wake_poll();
        }
    }
}
