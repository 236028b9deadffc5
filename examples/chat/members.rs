//! The members of all rooms, found by connection, by nickname and by session. This file knows a
//! room by its name only, and admits nobody.

use std::collections::HashMap;

use switchboard::{ConnId, ConnMap};

use super::names::likenesses;
use super::protocol::Person;

/// Somebody in a room.
pub struct Member {
    /// What the others know this member by.
    pub who: u64,
    pub nick: String,
    /// The scripts of a nickname that mixes them; empty for others.
    pub scripts: String,
    pub room: String,
    /// What the page calls itself, over all its connections; empty if it does not.
    pub session: String,
    /// What the browser keeps to itself: it owns the nickname. Empty if it has none.
    pub secret: String,
    pub typing: bool,
}

impl Member {
    /// What the others see of this member.
    pub fn seen(&self) -> Person<'_> {
        Person { who: self.who, nick: &self.nick, scripts: &self.scripts, typing: self.typing }
    }
}

/// The members. Nicknames that look the same are the same.
pub struct Members {
    by_id: ConnMap<Member>,
    nicks: HashMap<String, ConnId>,
    sessions: HashMap<String, ConnId>,
}

impl Members {
    pub fn new() -> Members {
        Members { by_id: ConnMap::new(), nicks: HashMap::new(), sessions: HashMap::new() }
    }

    /// Adds a member whose nickname and session nobody else has.
    pub fn insert(&mut self, id: ConnId, member: Member) {
        self.nicks.extend(likenesses(&member.nick).map(|likeness| (likeness, id)));
        if !member.session.is_empty() {
            self.sessions.insert(member.session.clone(), id);
        }
        self.by_id.insert(id, member);
    }

    pub fn remove(&mut self, id: ConnId) -> Option<Member> {
        let member = self.by_id.remove(id)?;
        for likeness in likenesses(&member.nick) {
            self.nicks.remove(&likeness);
        }
        self.sessions.remove(&member.session);
        Some(member)
    }

    pub fn get(&self, id: ConnId) -> Option<&Member> {
        self.by_id.get(id)
    }

    pub fn get_mut(&mut self, id: ConnId) -> Option<&mut Member> {
        self.by_id.get_mut(id)
    }

    /// Returns the members whose nicknames look like this one: at most two.
    pub fn with_nick(&self, nick: &str) -> impl Iterator<Item = ConnId> {
        likenesses(nick).into_iter().filter_map(|likeness| self.nicks.get(&likeness).copied())
    }

    pub fn with_session(&self, session: &str) -> Option<ConnId> {
        self.sessions.get(session).copied()
    }
}
