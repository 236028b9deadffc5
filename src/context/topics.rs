//! Topics, their members, and each connection's list of its topics. This file sends nothing.
//!
//! A membership takes some 20 bytes. Leaving takes the same time for any number of members.
//! Publishing walks a dense array.

use std::hash::{BuildHasher, RandomState};

use crate::connection::{Chunks, Index, NO_MEMBERSHIP};
use crate::history::Part;

#[derive(Debug, Default)]
pub(crate) struct Topics {
    /// Topics by the hash of their name.
    by_name: Index,
    hasher: RandomState,
    topics: Chunks<Topic>,
    memberships: Chunks<Membership>,
    /// The place at the history of a cluster, which is told of each topic's first and last member.
    pub(super) part: Option<Part>,
}

#[derive(Debug, Default)]
struct Topic {
    name: Box<str>,
    members: Vec<Member>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) slot: u32,
    membership: u32,
}

#[derive(Debug)]
struct Membership {
    topic: u32,
    /// The index of the membership in the topic's array of members.
    place: u32,
    /// The next membership of the connection.
    next: u32,
}

const UNUSED: Membership =
    Membership { topic: NO_MEMBERSHIP, place: NO_MEMBERSHIP, next: NO_MEMBERSHIP };

impl Topics {
    /// Returns the number of connections subscribed to a topic.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.named(name).map_or(0, |topic| self.topics[topic].members.len())
    }

    fn named(&self, name: &str) -> Option<u32> {
        self.by_name.find(self.hasher.hash_one(name), |topic| &*self.topics[topic].name == name)
    }

    fn add(&mut self, name: &str) -> u32 {
        let topic = self.topics.insert(Topic { name: name.into(), members: Vec::new() });
        let (topics, hasher) = (&self.topics, &self.hasher);
        let hash_of = |topic: u32| hasher.hash_one(&*topics[topic].name);
        self.by_name.insert(hasher.hash_one(name), topic, hash_of);
        if let Some(part) = &self.part {
            part.begin(name);
        }
        topic
    }

    /// Returns the connections that are subscribed to a topic.
    pub(crate) fn members(&self, name: &str) -> Vec<u32> {
        let members = self.named(name).map(|topic| &self.topics[topic].members);
        members.into_iter().flatten().map(|member| member.slot).collect()
    }

    /// Returns the names of all topics.
    pub(crate) fn all(&self) -> impl Iterator<Item = &str> {
        self.topics.iter().filter(|topic| !topic.members.is_empty()).map(|topic| &*topic.name)
    }

    /// Subscribes a connection to a topic. `head` is the head of the connection's own list. A
    /// second call does nothing.
    pub(crate) fn join(&mut self, name: &str, slot: u32, head: &mut u32) {
        let topic = self.named(name).unwrap_or_else(|| self.add(name));
        if self.find(topic, *head).is_some() {
            return;
        }
        let members = &mut self.topics[topic].members;
        let membership = Membership { topic, place: members.len() as u32, next: *head };
        let membership = self.memberships.insert(membership);
        members.push(Member { slot, membership });
        *head = membership;
    }

    /// Unsubscribes a connection from one topic.
    pub(crate) fn leave(&mut self, name: &str, head: &mut u32) {
        let Some(topic) = self.named(name) else { return };
        let Some((membership, before)) = self.find(topic, *head) else { return };
        let next = self.memberships[membership].next;
        match before {
            None => *head = next,
            Some(before) => self.memberships[before].next = next,
        }
        self.remove(membership);
    }

    /// Unsubscribes a connection from all its topics.
    pub(crate) fn leave_all(&mut self, head: &mut u32) {
        while *head != NO_MEMBERSHIP {
            let membership = *head;
            *head = self.memberships[membership].next;
            self.remove(membership);
        }
    }

    /// Returns the names of a connection's topics, the latest first.
    pub(crate) fn names(&self, head: u32) -> impl Iterator<Item = &str> {
        let mut at = head;
        std::iter::from_fn(move || {
            let membership = self.memberships.get(at)?;
            at = membership.next;
            Some(&*self.topics[membership.topic].name)
        })
    }

    /// Lends a topic's members, until [`give_back`](Topics::give_back). No connection may join or
    /// leave meanwhile.
    pub(crate) fn lend(&mut self, name: &str) -> Option<(u32, Vec<Member>)> {
        let topic = self.named(name)?;
        Some((topic, std::mem::take(&mut self.topics[topic].members)))
    }

    pub(crate) fn give_back(&mut self, (topic, members): (u32, Vec<Member>)) {
        self.topics[topic].members = members;
    }

    /// Returns the membership of a connection in a topic, and the one before it in the connection's
    /// list.
    fn find(&self, topic: u32, head: u32) -> Option<(u32, Option<u32>)> {
        let (mut at, mut before) = (head, None);
        while at != NO_MEMBERSHIP {
            let membership = &self.memberships[at];
            if membership.topic == topic {
                return Some((at, before));
            }
            (before, at) = (Some(at), membership.next);
        }
        None
    }

    /// Removes a membership from its topic. The last member's removal also removes the topic.
    fn remove(&mut self, membership: u32) {
        let Membership { topic, place, .. } = self.memberships.remove(membership, UNUSED);
        let members = &mut self.topics[topic].members;
        members.swap_remove(place as usize);
        if let Some(moved) = members.get(place as usize) {
            self.memberships[moved.membership].place = place;
        }
        if members.is_empty() {
            let name = self.topics.remove(topic, Topic::default()).name;
            self.by_name.remove(self.hasher.hash_one(&*name), topic);
            if let Some(part) = &self.part {
                part.end(&name);
            }
        } else if members.capacity() > 64 && members.len() < members.capacity() / 4 {
            members.shrink_to(members.len() * 2);
        }
    }
}
