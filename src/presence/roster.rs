//! Which users are at each topic, with their values and the number of their connections, in all
//! reactors that share the roster. Per reactor it lists the topics that have changed. This file
//! knows no connection and no clock.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;

use super::present::Present;

/// Trees, since a hash table would move all its entries at once when it grows.
#[derive(Debug)]
pub(super) struct Roster {
    topics: BTreeMap<Arc<str>, Topic>,
    /// For each reactor the topics that have changed since it looked.
    changed: Box<[BTreeSet<Arc<str>>]>,
}

#[derive(Debug, Default)]
struct Topic {
    users: Users,
    /// The reactors that have a view of the topic.
    watchers: Vec<usize>,
}

/// The users of a topic, by their keys.
pub(super) type Users = BTreeMap<Arc<str>, User>;

#[derive(Debug)]
pub(super) struct User {
    pub(super) value: Arc<str>,
    /// The connections of the user that have joined.
    connections: u32,
    /// The grace that runs while there are none.
    absence: Option<Absence>,
}

/// Names the grace of a user, in the reactor that ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Absence {
    pub(super) reactor: usize,
    /// The tick of that reactor at which the grace ends, and a number of its own.
    pub(super) end: (u32, u64),
}

impl Roster {
    pub(super) fn new(reactors: usize) -> Roster {
        let changed = (0..reactors.max(1)).map(|_| BTreeSet::new()).collect();
        Roster { topics: BTreeMap::new(), changed }
    }

    /// Returns the users of a topic.
    pub(super) fn users(&self, topic: &str) -> Option<&Users> {
        self.topics.get(topic).map(|topic| &topic.users)
    }

    /// Begins a reactor's view of a topic.
    pub(super) fn watch(&mut self, topic: &Arc<str>, reactor: usize) {
        let watchers = &mut self.topics.entry(Arc::clone(topic)).or_default().watchers;
        if !watchers.contains(&reactor) {
            watchers.push(reactor);
        }
    }

    /// Ends a reactor's view of a topic. The last one ends the topic, if no user is there.
    pub(super) fn unwatch(&mut self, topic: &str, reactor: usize) {
        self.changed[reactor].remove(topic);
        let Some(found) = self.topics.get_mut(topic) else { return };
        found.watchers.retain(|&watcher| watcher != reactor);
        if found.watchers.is_empty() {
            self.topics.remove(topic);
        }
    }

    /// Counts a connection of a user. Returns the user's key, and the grace that this ends.
    pub(super) fn join(
        &mut self,
        topic: &str,
        key: &str,
        value: &str,
    ) -> (Arc<str>, Option<Absence>) {
        let users = self.topics.get_mut(topic).map(|topic| &mut topic.users);
        let Some(users) = users else { return (key.into(), None) };
        if let Some((known, _)) = users.get_key_value(key) {
            let known = Arc::clone(known);
            let user = users.get_mut(key);
            let absence = user.and_then(|user| {
                user.connections += 1;
                user.absence.take()
            });
            self.set(topic, key, value);
            return (known, absence);
        }
        let key: Arc<str> = key.into();
        let user = User { value: value.into(), connections: 1, absence: None };
        users.insert(Arc::clone(&key), user);
        self.mark(topic);
        (key, None)
    }

    /// Sets the value of a user.
    pub(super) fn set(&mut self, topic: &str, key: &str, value: &str) {
        let users = self.topics.get_mut(topic).map(|topic| &mut topic.users);
        let user = users.and_then(|users| users.get_mut(key));
        if let Some(user) = user.filter(|user| *user.value != *value) {
            user.value = value.into();
            self.mark(topic);
        }
    }

    /// Counts a connection less. With the last one the user leaves at once, or begins a grace.
    /// Returns whether a grace began.
    pub(super) fn part(&mut self, topic: &str, key: &str, grace: Option<Absence>) -> bool {
        let users = self.topics.get_mut(topic).map(|topic| &mut topic.users);
        let Some(users) = users else { return false };
        let Some(user) = users.get_mut(key) else { return false };
        user.connections = user.connections.saturating_sub(1);
        if user.connections > 0 {
            return false;
        }
        user.absence = grace;
        if grace.is_none() {
            users.remove(key);
            self.mark(topic);
        }
        grace.is_some()
    }

    /// Ends the grace of a user, who leaves. An earlier grace has no effect.
    pub(super) fn end_grace(&mut self, topic: &str, key: &str, absence: Absence, silent: bool) {
        let users = self.topics.get_mut(topic).map(|topic| &mut topic.users);
        let Some(users) = users else { return };
        if users.get(key).is_some_and(|user| user.absence == Some(absence)) {
            users.remove(key);
            if !silent {
                self.mark(topic);
            }
        }
    }

    /// Notes for all reactors with a view of a topic that it has changed.
    fn mark(&mut self, topic: &str) {
        let Some((name, topic)) = self.topics.get_key_value(topic) else { return };
        for &watcher in &topic.watchers {
            if !self.changed[watcher].contains(name) {
                self.changed[watcher].insert(Arc::clone(name));
            }
        }
    }

    /// Whether a topic has changed for a reactor.
    pub(super) fn has_changed(&self, reactor: usize) -> bool {
        !self.changed[reactor].is_empty()
    }

    /// Takes the topics that have changed for a reactor.
    pub(super) fn take_changed(&mut self, reactor: usize) -> BTreeSet<Arc<str>> {
        mem::take(&mut self.changed[reactor])
    }
}

/// Returns users as a zone gets them.
pub(super) fn list(users: &Users) -> impl Iterator<Item = Present> {
    let shown =
        |(user, at): (&Arc<str>, &User)| Present { user: user.clone(), value: at.value.clone() };
    users.iter().map(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(roster: &mut Roster, reactor: usize) -> usize {
        roster.take_changed(reactor).len()
    }

    #[test]
    fn roster_tells_each_reactor_with_a_view() {
        let (mut roster, topic) = (Roster::new(3), Arc::from("topic"));
        roster.watch(&topic, 0);
        roster.watch(&topic, 2);
        roster.watch(&topic, 2);
        roster.join("topic", "ada", "1");
        assert!(roster.has_changed(0) && !roster.has_changed(1) && roster.has_changed(2));
        assert_eq!([0, 1, 2].map(|at| changed(&mut roster, at)), [1, 0, 1]);
        roster.join("topic", "ada", "1");
        roster.set("topic", "ada", "1");
        roster.part("topic", "ada", None);
        assert_eq!([0, 1, 2].map(|at| changed(&mut roster, at)), [0; 3], "nothing has changed");
        roster.set("topic", "ada", "2");
        roster.unwatch("topic", 0);
        assert_eq!([0, 1, 2].map(|at| changed(&mut roster, at)), [0, 0, 1]);
        roster.unwatch("topic", 2);
        assert!(roster.topics.is_empty());
        roster.join("topic", "ada", "1");
        assert!(roster.topics.is_empty(), "no reactor has a view");
    }

    #[test]
    fn later_grace_outlives_an_earlier_one() {
        let (mut roster, topic) = (Roster::new(1), Arc::from("topic"));
        roster.watch(&topic, 0);
        let grace = |number| Absence { reactor: 0, end: (9, number) };
        roster.join("topic", "ada", "1");
        assert!(roster.part("topic", "ada", Some(grace(1))));
        let (_, ended) = roster.join("topic", "ada", "1");
        assert_eq!(ended, Some(grace(1)));
        assert!(roster.part("topic", "ada", Some(grace(2))));
        roster.end_grace("topic", "ada", grace(1), false);
        assert_eq!(roster.users("topic").unwrap().len(), 1);
        changed(&mut roster, 0);
        roster.end_grace("topic", "ada", grace(2), true);
        assert_eq!(roster.users("topic").unwrap().len(), 0);
        assert_eq!(changed(&mut roster, 0), 0, "in silence");
    }
}
