//! A reactor's place at a roster: alone, or with the other reactors of a cluster behind one lock.
//! This file wakes no reactor: it tells which ones are to be woken.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::present::Present;
use super::roster::{Roster, list};

/// A reactor's place at a roster.
#[derive(Clone, Debug)]
pub(crate) struct RosterSeat {
    shared: Arc<Shared>,
    pub(super) reactor: usize,
}

#[derive(Debug)]
struct Shared {
    roster: Mutex<Roster>,
    /// Whether topics have changed for each reactor: read without the lock.
    has_changed: Box<[AtomicBool]>,
}

impl RosterSeat {
    /// Makes a roster, and the place of each of its reactors.
    pub(crate) fn all(reactors: usize) -> Vec<RosterSeat> {
        let roster = Mutex::new(Roster::new(reactors));
        let has_changed = (0..reactors).map(|_| AtomicBool::new(false)).collect();
        let shared = Arc::new(Shared { roster, has_changed });
        (0..reactors).map(|reactor| RosterSeat { shared: Arc::clone(&shared), reactor }).collect()
    }

    /// Makes a roster of a server that is alone.
    pub(crate) fn alone() -> RosterSeat {
        let has_changed = Box::new([AtomicBool::new(false)]);
        let shared = Shared { roster: Mutex::new(Roster::new(1)), has_changed };
        RosterSeat { shared: Arc::new(shared), reactor: 0 }
    }

    /// Reads or changes the roster. Adds the reactors that have a change now, and had none, to the
    /// list of those to wake.
    pub(super) fn with<R>(&self, wake: &mut Vec<usize>, act: impl FnOnce(&mut Roster) -> R) -> R {
        // No panic leaves the roster half changed.
        let mut roster = self.shared.roster.lock().unwrap_or_else(PoisonError::into_inner);
        let result = act(&mut roster);
        for (reactor, has_changed) in self.shared.has_changed.iter().enumerate() {
            if roster.has_changed(reactor)
                && !has_changed.swap(true, Ordering::AcqRel)
                && reactor != self.reactor
            {
                wake.push(reactor);
            }
        }
        result
    }

    /// Reads the roster.
    pub(super) fn read<R>(&self, read: impl FnOnce(&Roster) -> R) -> R {
        read(&self.shared.roster.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether topics have changed for this reactor. This takes no lock.
    pub(super) fn has_changed(&self) -> bool {
        self.shared.has_changed[self.reactor].load(Ordering::Acquire)
    }

    /// Has the next change set [`has_changed`](RosterSeat::has_changed) again. What has changed is
    /// taken after that.
    pub(super) fn look(&self) -> bool {
        self.has_changed() && self.shared.has_changed[self.reactor].swap(false, Ordering::AcqRel)
    }

    /// Returns the users of a topic.
    pub(crate) fn present(&self, topic: &str) -> Vec<Present> {
        self.read(|roster| roster.users(topic).map_or_else(Vec::new, |users| list(users).collect()))
    }

    /// Returns the number of users of a topic.
    pub(crate) fn count(&self, topic: &str) -> usize {
        self.read(|roster| roster.users(topic).map_or(0, |users| users.len()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::connection::ConnId;
    use crate::presence::{Change, Joining, Presence, Presences};

    type Shown = BTreeMap<ConnId, BTreeMap<Arc<str>, Arc<str>>>;

    /// Has the connections of a reactor show what they get in a turn.
    fn turn(presences: &mut Presences, now: u32, shown: &mut Shown) {
        for _ in 0..presences.begin_turn(now) {
            let Some(report) = presences.report(now) else { continue };
            for news in &report.news {
                match news.lend() {
                    Presence::Snapshot { users, to } => {
                        let users = users.iter().map(|at| (at.user.clone(), at.value.clone()));
                        let users: BTreeMap<_, _> = users.collect();
                        to.iter().for_each(|id| drop(shown.insert(*id, users.clone())));
                    }
                    Presence::Changes { changes, to } => {
                        for (id, change) in
                            to.iter().flat_map(|id| changes.iter().map(move |at| (id, at)))
                        {
                            let users = shown.get_mut(id).expect("a snapshot first");
                            let before = match change {
                                Change::Left(at) => users.remove(&at.user),
                                Change::Joined(at) | Change::Changed(at) => {
                                    users.insert(at.user.clone(), at.value.clone())
                                }
                            };
                            assert_eq!(before.is_none(), matches!(change, Change::Joined(_)));
                        }
                    }
                    Presence::Count { .. } => panic!("few users"),
                }
            }
        }
    }

    #[test]
    fn connections_of_all_reactors_show_who_is_there() {
        let seats = RosterSeat::all(3);
        let mut reactors = [0, 1, 2].map(|at| (Presences::new(seats[at].clone()), Shown::new()));
        let (mut dice, mut now) = (15_u64, 0);
        let mut roll = |end: u64| {
            dice = dice.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            (dice >> 33) % end
        };
        for _ in 0..10_000 {
            let id = ConnId::from_bits(1 + roll(6));
            let (presences, shown) = &mut reactors[roll(3) as usize];
            let (user, value) = (roll(5).to_string(), roll(2).to_string());
            match roll(8) {
                0..=3 => {
                    let grace = roll(3) as u32 * 4;
                    let topic = "topic";
                    let joining = Joining { zone: 0, topic, user: &user, value: &value, grace };
                    presences.join(id, joining).unwrap();
                }
                4 => {
                    presences.leave(id, "topic");
                    shown.remove(&id);
                }
                5 => {
                    presences.end(id, |grace| now + grace);
                    shown.remove(&id);
                }
                6 => now += roll(4) as u32,
                // Some reactors are slow.
                _ => reactors.iter_mut().take(2).for_each(|(at, shown)| turn(at, now, shown)),
            }
            if roll(4) > 0 {
                continue;
            }
            (0..2).for_each(|_| reactors.iter_mut().for_each(|(at, shown)| turn(at, now, shown)));
            let present = seats[0].present("topic");
            let present: BTreeMap<_, _> =
                present.into_iter().map(|at| (at.user, at.value)).collect();
            for shown in reactors.iter().flat_map(|(_, shown)| shown.values()) {
                assert_eq!(*shown, present);
            }
            assert!(reactors.iter().all(|(at, _)| !seats[0].has_changed() && at.next() > now));
        }
    }
}
