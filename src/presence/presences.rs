//! Presence in one reactor: which connection has joined what, whose grace ends when, and which
//! topics have something to report. Time is a tick that the caller passes.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use super::join_error::{JoinError, MOST_TOPICS};
use super::joining::{Joined, Joining};
use super::roster::Absence;
use super::roster_seat::RosterSeat;
use super::view::{Report, View};
use crate::connection::{ConnId, NEVER};

/// The most users of this reactor that wait for the end of their grace. One more ends the earliest.
const MOST_ABSENT: usize = 1 << 16;
/// The graces that one turn ends.
const ENDS: usize = 1 << 10;

#[derive(Debug)]
pub(crate) struct Presences {
    seat: RosterSeat,
    views: BTreeMap<Arc<str>, View>,
    connections: BTreeMap<ConnId, Vec<Joined>>,
    /// Users without a connection, by the tick at which their grace ends and a number.
    absent: BTreeMap<(u32, u64), (Arc<str>, Arc<str>)>,
    absences: u64,
    /// Topics with something to report, each once, by numbers in the order in which they came.
    listed: BTreeMap<u64, Arc<str>>,
    lists: u64,
    /// The last number in the list that this turn reports.
    last: u64,
    /// Topics whose count waits for this tick.
    counts: BTreeSet<(u32, Arc<str>)>,
    /// The other reactors that have a change to look for.
    wake: Vec<usize>,
    /// The server drains: no user leaves.
    drains: bool,
}

impl Presences {
    pub(crate) fn new(seat: RosterSeat) -> Presences {
        Presences {
            seat,
            views: BTreeMap::new(),
            connections: BTreeMap::new(),
            absent: BTreeMap::new(),
            absences: 0,
            listed: BTreeMap::new(),
            lists: 0,
            last: 0,
            counts: BTreeSet::new(),
            wake: Vec::new(),
            drains: false,
        }
    }

    /// Returns the place of this reactor at its roster.
    pub(crate) fn seat(&self) -> &RosterSeat {
        &self.seat
    }

    /// Ties a user to a connection at a topic.
    pub(crate) fn join(&mut self, id: ConnId, joining: Joining<'_>) -> Result<(), JoinError> {
        let Joining { zone, topic, user, value, grace } = joining;
        JoinError::check(topic, user, value)?;
        if self.views.get(topic).is_some_and(|view| view.zone != zone) {
            return Err(JoinError::OtherZone);
        }
        let joined = self.connections.get(&id);
        let known = joined.and_then(|all| all.iter().find(|joined| *joined.topic == *topic));
        match known {
            None if joined.is_some_and(|all| all.len() >= MOST_TOPICS) => {
                return Err(JoinError::TooManyTopics);
            }
            None => self.add(id, joining),
            Some(known) if *known.user == *user => {
                self.seat.with(&mut self.wake, |roster| roster.set(topic, user, value));
            }
            Some(known) => {
                let before = Arc::clone(&known.user);
                let user = self.enter(topic, user, value);
                self.part(topic, &before, None);
                if let Some(joined) = self.joined(id, topic) {
                    joined.user = user;
                }
            }
        }
        if let Some(joined) = self.joined(id, topic) {
            joined.grace = grace;
        }
        Ok(())
    }

    /// Adds a connection to a topic.
    fn add(&mut self, id: ConnId, Joining { zone, topic, user, value, grace }: Joining<'_>) {
        if !self.views.contains_key(topic) {
            let topic: Arc<str> = topic.into();
            let reactor = self.seat.reactor;
            let view = self.seat.with(&mut self.wake, |roster| {
                roster.watch(&topic, reactor);
                View::new(
                    Arc::clone(&topic),
                    zone,
                    roster.users(&topic).unwrap_or(&BTreeMap::new()),
                )
            });
            self.views.insert(topic, view);
        }
        let user = self.enter(topic, user, value);
        let Some(view) = self.views.get_mut(topic) else { return };
        let (topic, place) = (Arc::clone(&view.name), view.receivers.len());
        Rc::make_mut(&mut view.receivers).push(id);
        view.newcomers.push(id);
        let joined = Joined { topic: Arc::clone(&topic), user, grace, place, is_new: true };
        self.connections.entry(id).or_default().push(joined);
        self.list(&topic);
    }

    /// Counts a connection of a user, and ends the user's grace. Returns the key.
    fn enter(&mut self, topic: &str, user: &str, value: &str) -> Arc<str> {
        let (user, absence) =
            self.seat.with(&mut self.wake, |roster| roster.join(topic, user, value));
        if let Some(Absence { reactor, end }) = absence
            && reactor == self.seat.reactor
        {
            self.absent.remove(&end);
        }
        user
    }

    /// Counts a connection of a user less; `grace` is in ticks.
    fn part(&mut self, topic: &str, user: &Arc<str>, end: Option<u32>) {
        // While the server drains, no grace ends.
        let end = end.or(self.drains.then_some(0)).map(|end| (end, self.absences + 1));
        let reactor = self.seat.reactor;
        let absence = end.map(|end| Absence { reactor, end });
        let begins = self.seat.with(&mut self.wake, |roster| roster.part(topic, user, absence));
        let (Some(end), true) = (end, begins) else { return };
        let Some(view) = self.views.get(topic) else { return };
        self.absences += 1;
        self.absent.insert(end, (Arc::clone(&view.name), Arc::clone(user)));
        if self.absent.len() > MOST_ABSENT {
            self.end_first_grace();
        }
    }

    /// Ends the grace that is due first.
    fn end_first_grace(&mut self) {
        let Some((end, (topic, user))) = self.absent.pop_first() else { return };
        let absence = Absence { reactor: self.seat.reactor, end };
        let silent = self.drains;
        self.seat.with(&mut self.wake, |roster| roster.end_grace(&topic, &user, absence, silent));
        self.forget_blank(&topic);
    }

    /// Takes a connection out of a topic. Its user leaves at once, if this was the last one.
    pub(crate) fn leave(&mut self, id: ConnId, topic: &str) {
        let Some(all) = self.connections.get_mut(&id) else { return };
        let Some(at) = all.iter().position(|joined| *joined.topic == *topic) else { return };
        let joined = all.swap_remove(at);
        if all.is_empty() {
            self.connections.remove(&id);
        }
        self.remove(joined, None);
    }

    /// Takes a connection that has ended out of all its topics. The grace of its user begins, if
    /// this was the last one. `deadline` returns the tick by which a number of ticks has passed.
    pub(crate) fn end(&mut self, id: ConnId, deadline: impl Fn(u32) -> u32) {
        for joined in self.connections.remove(&id).unwrap_or_default() {
            let end = (joined.grace > 0).then(|| deadline(joined.grace));
            self.remove(joined, end);
        }
    }

    fn remove(&mut self, joined: Joined, end: Option<u32>) {
        let Joined { topic, user, place, .. } = joined;
        let moved = self.views.get_mut(&topic).and_then(|view| {
            let receivers = Rc::make_mut(&mut view.receivers);
            receivers.swap_remove(place);
            receivers.get(place).copied()
        });
        if let Some(moved) = moved.and_then(|moved| self.joined(moved, &topic)) {
            moved.place = place;
        }
        self.part(&topic, &user, end);
        self.forget_blank(&topic);
    }

    /// Ends the view of a topic that has come and gone without a report. Otherwise such topics
    /// would wait for their turn to report nothing, and a client that invents names owned memory.
    fn forget_blank(&mut self, topic: &str) {
        let Some(listed) = self.views.get(topic).filter(|view| view.is_blank()).map(|at| at.listed)
        else {
            return;
        };
        let reactor = self.seat.reactor;
        let is_over = self.seat.with(&mut self.wake, |roster| {
            let is_over = roster.users(topic).is_none_or(BTreeMap::is_empty);
            if is_over {
                roster.unwatch(topic, reactor);
            }
            is_over
        });
        if is_over {
            self.views.remove(topic);
            listed.and_then(|number| self.listed.remove(&number));
        }
    }

    fn joined(&mut self, id: ConnId, topic: &str) -> Option<&mut Joined> {
        self.connections.get_mut(&id)?.iter_mut().find(|joined| *joined.topic == *topic)
    }

    /// Lists a topic as one with something to report.
    fn list(&mut self, topic: &str) {
        if let Some(view) = self.views.get_mut(topic)
            && view.listed.is_none()
        {
            self.lists += 1;
            view.listed = Some(self.lists);
            self.listed.insert(self.lists, Arc::clone(&view.name));
        }
    }

    /// From now on no user leaves: the server drains.
    pub(crate) fn drain(&mut self) {
        self.drains = true;
    }

    /// Begins the reports of a turn: ends what is due, and returns how many topics have something
    /// to report.
    pub(crate) fn begin_turn(&mut self, now: u32) -> usize {
        for _ in 0..ENDS {
            let next = self.absent.first_key_value().map(|(&(end, _), _)| end);
            if self.drains || next.is_none_or(|end| end > now) {
                break;
            }
            self.end_first_grace();
        }
        while let Some(first) = self.counts.first().filter(|(due, _)| *due <= now).cloned() {
            self.counts.remove(&first);
            self.list(&first.1);
        }
        if self.seat.look() {
            let reactor = self.seat.reactor;
            let changed = self.seat.with(&mut self.wake, |roster| roster.take_changed(reactor));
            changed.iter().for_each(|topic| self.list(topic));
        }
        self.last = self.lists;
        self.listed.len()
    }

    /// Takes the report of the next topic that was listed when the turn began.
    pub(crate) fn report(&mut self, now: u32) -> Option<Report> {
        let first = self.listed.first_entry().filter(|entry| *entry.key() <= self.last)?;
        let topic = first.remove();
        let view = self.views.get_mut(&topic)?;
        view.listed = None;
        let mut newcomers = std::mem::take(&mut view.newcomers);
        newcomers.retain(|&id| {
            self.joined(id, &topic).is_some_and(|joined| std::mem::take(&mut joined.is_new))
        });
        let (view, reactor) = (self.views.get_mut(&topic)?, self.seat.reactor);
        let (news, due, is_over) = self.seat.with(&mut self.wake, |roster| {
            let none = BTreeMap::new();
            let users = roster.users(&topic).unwrap_or(&none);
            let news = view.news(users, newcomers, now);
            let (due, is_over) = (view.count_due(users.len()), users.is_empty());
            if is_over {
                roster.unwatch(&topic, reactor);
            }
            (news, due, is_over)
        });
        let zone = view.zone;
        if let Some(due) = due {
            self.counts.insert((due, Arc::clone(&topic)));
        }
        if is_over {
            self.views.remove(&topic);
        }
        Some(Report { zone, topic, news })
    }

    /// Takes the other reactors that have a change to look for.
    pub(crate) fn take_wake(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.wake)
    }

    /// Whether the next turn has something to do.
    pub(crate) fn is_busy(&self) -> bool {
        !self.listed.is_empty() || !self.wake.is_empty() || self.seat.has_changed()
    }

    /// Returns the tick at which the next grace ends or the next count is due, or [`NEVER`].
    pub(crate) fn next(&self) -> u32 {
        let end = self.absent.first_key_value().map(|(&(end, _), _)| end);
        let end = end.filter(|_| !self.drains).unwrap_or(NEVER);
        self.counts.first().map_or(NEVER, |(due, _)| *due).min(end)
    }

    /// Ends the presence of this reactor: all its connections and graces are over.
    pub(crate) fn close(&mut self) {
        self.drains = false;
        for (_, all) in std::mem::take(&mut self.connections) {
            all.into_iter().for_each(|joined| self.part(&joined.topic, &joined.user, None));
        }
        while !self.absent.is_empty() {
            self.end_first_grace();
        }
        let reactor = self.seat.reactor;
        self.seat.with(&mut self.wake, |roster| {
            self.views.keys().for_each(|topic| roster.unwatch(topic, reactor));
        });
        self.views.clear();
    }
}

#[cfg(test)]
#[path = "presences_tests.rs"]
mod tests;
