//! The ids of the connections that are held, eight bytes each. The roster notices ended connections
//! only while it is traversed.

use std::collections::VecDeque;

use switchboard::{Conn, ConnId, Context};

#[derive(Debug, Default)]
pub struct Roster {
    names: VecDeque<ConnId>,
    next: usize,
}

impl Roster {
    pub fn with_room(connections: u64) -> Roster {
        Roster { names: VecDeque::with_capacity(connections as usize), next: 0 }
    }

    pub fn push(&mut self, id: ConnId) {
        self.names.push_back(id);
    }

    /// Removes the ids of ended connections.
    pub fn tidy(&mut self, cx: &mut Context) {
        self.names.retain(|&id| cx.conn(id).is_some());
        self.next = 0;
    }

    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Returns the next of the first `share` of the connections, round and round, without ended
    /// ones.
    pub fn next<'c>(&mut self, cx: &'c mut Context, share: usize) -> Option<Conn<'c>> {
        for _ in 0..share.min(self.names.len()) {
            let at = self.next % share.min(self.names.len());
            self.next = at + 1;
            let id = self.names[at];
            if cx.conn(id).is_some() {
                return cx.conn(id);
            }
        }
        None
    }

    /// Removes the id of the connection that has been open for longest.
    pub fn take_oldest<'c>(&mut self, cx: &'c mut Context) -> Option<Conn<'c>> {
        while let Some(id) = self.names.pop_front() {
            if cx.conn(id).is_some() {
                return cx.conn(id);
            }
        }
        None
    }
}
