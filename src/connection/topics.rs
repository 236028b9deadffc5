//! Who hears what: topics, their members, and each connection's own list of them. A membership takes some 20 bytes;
//! leaving and dying are exact and cheap, publishing walks a dense array. It sends nothing itself.

use std::collections::HashMap;

use slab::Slab;

/// No membership.
pub(crate) const NONE: u32 = u32::MAX;

#[derive(Debug, Default)]
pub(crate) struct Topics {
    by_name: HashMap<Box<str>, usize>,
    topics: Slab<Topic>,
    memberships: Vec<Membership>,
    /// Head of the list of unused memberships.
    unused: Option<u32>,
}

#[derive(Debug)]
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
    /// Where the topic's array names it.
    place: u32,
    /// The next of the same connection, or of the unused.
    next: u32,
}

impl Topics {
    /// How many connections hear a topic.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.by_name.get(name).map_or(0, |&topic| self.topics[topic].members.len())
    }

    /// Joins; `head` is the head of the connection's own list. Joining twice is joining once.
    pub(crate) fn join(&mut self, name: &str, slot: u32, head: &mut u32) {
        let topic = match self.by_name.get(name) {
            Some(&topic) => topic,
            None => {
                let topic = self.topics.insert(Topic { name: name.into(), members: Vec::new() });
                self.by_name.insert(name.into(), topic);
                topic
            }
        };
        if self.find(topic, *head).is_some() {
            return;
        }
        let members = &mut self.topics[topic].members;
        let entry = Membership { topic: topic as u32, place: members.len() as u32, next: *head };
        let membership = match self.unused {
            Some(index) => {
                let next = self.memberships[index as usize].next;
                self.unused = (next != NONE).then_some(next);
                self.memberships[index as usize] = entry;
                index
            }
            None => {
                self.memberships.push(entry);
                (self.memberships.len() - 1) as u32
            }
        };
        members.push(Member { slot, membership });
        *head = membership;
    }

    /// Leaves one topic.
    pub(crate) fn leave(&mut self, name: &str, head: &mut u32) {
        let Some(&topic) = self.by_name.get(name) else { return };
        let Some((membership, before)) = self.find(topic, *head) else { return };
        let next = self.memberships[membership as usize].next;
        match before {
            None => *head = next,
            Some(before) => self.memberships[before as usize].next = next,
        }
        self.remove(membership);
    }

    /// Leaves all of them.
    pub(crate) fn leave_all(&mut self, head: &mut u32) {
        while *head != NONE {
            let membership = *head;
            *head = self.memberships[membership as usize].next;
            self.remove(membership);
        }
    }

    /// The names of a connection's topics, the latest first.
    pub(crate) fn names(&self, head: u32) -> impl Iterator<Item = &str> {
        let mut at = head;
        std::iter::from_fn(move || {
            let membership = self.memberships.get(at as usize)?;
            at = membership.next;
            Some(&*self.topics[membership.topic as usize].name)
        })
    }

    /// Lends a topic's members for a while in which nobody joins or leaves; [`give_back`](Topics::give_back) ends it.
    pub(crate) fn lend(&mut self, name: &str) -> Option<(usize, Vec<Member>)> {
        let topic = *self.by_name.get(name)?;
        Some((topic, std::mem::take(&mut self.topics[topic].members)))
    }

    pub(crate) fn give_back(&mut self, (topic, members): (usize, Vec<Member>)) {
        self.topics[topic].members = members;
    }

    /// The membership of a connection in a topic, and the one before it in the connection's list.
    fn find(&self, topic: usize, head: u32) -> Option<(u32, Option<u32>)> {
        let (mut at, mut before) = (head, None);
        while at != NONE {
            let membership = &self.memberships[at as usize];
            if membership.topic as usize == topic {
                return Some((at, before));
            }
            (before, at) = (Some(at), membership.next);
        }
        None
    }

    /// Takes a membership out of its topic; the topic goes with its last member.
    fn remove(&mut self, membership: u32) {
        let Membership { topic, place, .. } = self.memberships[membership as usize];
        let members = &mut self.topics[topic as usize].members;
        members.swap_remove(place as usize);
        if let Some(moved) = members.get(place as usize) {
            self.memberships[moved.membership as usize].place = place;
        }
        if members.is_empty() {
            let topic = self.topics.remove(topic as usize);
            self.by_name.remove(&topic.name);
        } else if members.capacity() > 64 && members.len() < members.capacity() / 4 {
            members.shrink_to(members.len() * 2);
        }
        self.memberships[membership as usize].next = self.unused.unwrap_or(NONE);
        self.unused = Some(membership);
    }
}
