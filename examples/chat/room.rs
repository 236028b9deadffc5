//! One room: its members and its last messages. This file knows connections by their ids only, and
//! sends nothing.

use std::collections::VecDeque;

use switchboard::ConnId;

use super::protocol::Said;

/// How many messages a room remembers.
const HISTORY: usize = 50;

/// A room, and the two topics that its listeners subscribe to.
pub struct Room {
    /// What is said: for everybody in the room and for its event streams.
    pub topic: String,
    /// Who comes, goes and types: for those in the room.
    pub presence: String,
    members: Vec<ConnId>,
    history: VecDeque<Said>,
}

/// The topic of what is said in a room, whether or not it is open.
pub fn topic(name: &str) -> String {
    format!("room/{name}")
}

impl Room {
    pub fn new(name: &str) -> Room {
        Room {
            topic: topic(name),
            presence: format!("presence/{name}"),
            members: Vec::new(),
            history: VecDeque::new(),
        }
    }

    pub fn enter(&mut self, id: ConnId) {
        self.members.push(id);
    }

    pub fn leave(&mut self, id: ConnId) {
        self.members.retain(|&member| member != id);
    }

    pub fn members(&self) -> &[ConnId] {
        &self.members
    }

    pub fn remember(&mut self, said: Said) {
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(said);
    }

    /// What was said after the message with this id, oldest first.
    pub fn said_after(&self, id: u64) -> impl Iterator<Item = &Said> {
        self.history.iter().filter(move |said| said.id > id)
    }

    /// The id of the newest message, 0 if there is none.
    pub fn newest(&self) -> u64 {
        self.history.back().map_or(0, |said| said.id)
    }
}
