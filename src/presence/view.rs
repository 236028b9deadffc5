//! What the connections of one reactor know of a topic, and what they lack: a snapshot, changes or
//! a count. This file takes no lock and does not know when a connection ends.

use std::cmp::Ordering;
use std::mem;
use std::rc::Rc;
use std::sync::Arc;

use super::present::{Change, Presence, Present};
use super::roster::{Users, list};
use crate::connection::ConnId;

/// The most users that are named one by one.
pub(super) const MOST_NAMED: usize = 100;
/// With fewer users, a topic that was counted names its users again.
pub(super) const LEAST_COUNTED: usize = 80;
/// Ticks between two counts: at least a second, since the first tick is partly over.
pub(super) const COUNT_TICKS: u32 = 5;

#[derive(Debug)]
pub(super) struct View {
    pub(super) name: Arc<str>,
    /// The zone of the connections.
    pub(super) zone: u16,
    /// All connections that have joined. A report that is being handled may share it.
    pub(super) receivers: Rc<Vec<ConnId>>,
    /// Connections that know nothing yet; some may have left again.
    pub(super) newcomers: Vec<ConnId>,
    /// The number of the topic in the list of those with a report to come.
    pub(super) listed: Option<u64>,
    known: Known,
    /// The tick from which on a count may be reported.
    next_count: u32,
}

/// What the receivers know.
#[derive(Debug)]
enum Known {
    /// The users, by their keys.
    Users(Vec<Present>),
    /// The number of users, if all know the same one.
    Count(Option<usize>),
}

/// What a zone is to learn of one topic.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) zone: u16,
    pub(crate) topic: Arc<str>,
    pub(crate) news: Vec<News>,
}

/// One [`Presence`], with its own memory.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    Snapshot(Vec<Present>, Rc<Vec<ConnId>>),
    Changes(Vec<Change>, Rc<Vec<ConnId>>),
    Count(usize, Rc<Vec<ConnId>>),
}

impl News {
    pub(crate) fn lend(&self) -> Presence<'_> {
        match self {
            News::Snapshot(users, to) => Presence::Snapshot { users, to },
            News::Changes(changes, to) => Presence::Changes { changes, to },
            News::Count(count, to) => Presence::Count { count: *count, to },
        }
    }
}

impl View {
    /// Begins a view with the state before the first connection of the reactor joins.
    pub(super) fn new(name: Arc<str>, zone: u16, users: &Users) -> View {
        let known = match users.len() > MOST_NAMED {
            true => Known::Count(None),
            false => Known::Users(list(users).collect()),
        };
        View {
            name,
            zone,
            receivers: Rc::default(),
            newcomers: Vec::new(),
            listed: None,
            known,
            next_count: 0,
        }
    }

    /// Whether there is no receiver, and the zone knows of no user.
    pub(super) fn is_blank(&self) -> bool {
        self.receivers.is_empty() && matches!(&self.known, Known::Users(users) if users.is_empty())
    }

    /// Returns what the receivers lack. `newcomers` are those receivers that know nothing.
    pub(super) fn news(&mut self, users: &Users, newcomers: Vec<ConnId>, now: u32) -> Vec<News> {
        let count = users.len();
        let to = Rc::clone(&self.receivers);
        match &mut self.known {
            Known::Users(known) if count <= MOST_NAMED => {
                let current: Vec<Present> = list(users).collect();
                let before = mem::replace(known, current);
                let changes = changes(&before, known);
                let snapshot =
                    (!newcomers.is_empty()).then(|| News::Snapshot(before, Rc::new(newcomers)));
                let has_changes = !changes.is_empty();
                let changes = has_changes.then_some(News::Changes(changes, to));
                snapshot.into_iter().chain(changes).collect()
            }
            Known::Count(_) if count < LEAST_COUNTED => {
                let current: Vec<Present> = list(users).collect();
                self.known = Known::Users(current.clone());
                vec![News::Snapshot(current, to)]
            }
            Known::Users(_) => {
                self.known = Known::Count(None);
                self.count(count, newcomers, now)
            }
            Known::Count(_) => self.count(count, newcomers, now),
        }
    }

    fn count(&mut self, count: usize, newcomers: Vec<ConnId>, now: u32) -> Vec<News> {
        if self.count_due(count).is_some_and(|due| due <= now) {
            self.known = Known::Count(Some(count));
            self.next_count = now.saturating_add(COUNT_TICKS);
            return vec![News::Count(count, Rc::clone(&self.receivers))];
        }
        if newcomers.is_empty() {
            return Vec::new();
        }
        if self.count_due(count).is_some() {
            // The newcomers know another number than the others: a count for all follows, also if
            // the number is then what the others know.
            self.known = Known::Count(None);
        }
        vec![News::Count(count, Rc::new(newcomers))]
    }

    /// Returns the tick at which a count is to be reported, if one is.
    pub(super) fn count_due(&self, count: usize) -> Option<u32> {
        match self.known {
            Known::Count(known) if known != Some(count) => Some(self.next_count),
            _ => None,
        }
    }
}

/// Returns the changes between two lists, which are ordered by key.
fn changes(before: &[Present], now: &[Present]) -> Vec<Change> {
    let (mut before, mut now) = (before.iter().peekable(), now.iter().peekable());
    let mut changes = Vec::new();
    loop {
        let order = match (before.peek(), now.peek()) {
            (None, None) => return changes,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => old.user.cmp(&new.user),
        };
        let old = if order.is_le() { before.next() } else { None };
        let new = if order.is_ge() { now.next() } else { None };
        changes.extend(match (old, new) {
            (Some(old), Some(new)) => (old != new).then(|| Change::Changed(new.clone())),
            (Some(old), None) => Some(Change::Left(old.clone())),
            (None, new) => new.cloned().map(Change::Joined),
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::presence::roster::Roster;

    /// A topic with this many users.
    fn crowd(roster: &mut Roster, count: usize) {
        let topic = Arc::from("topic");
        roster.unwatch(&topic, 0);
        roster.watch(&topic, 0);
        (0..count).for_each(|n| drop(roster.join("topic", &n.to_string(), "")));
    }

    #[test]
    fn view_counts_above_100_and_names_below_80() {
        let (mut roster, one) = (Roster::new(1), ConnId::from_bits(1));
        let mut view = View::new("topic".into(), 0, &Users::new());
        view.receivers = Rc::new(vec![one]);
        let all = Rc::clone(&view.receivers);
        for (count, is_counted) in
            [(100, false), (101, true), (80, true), (79, false), (100, false), (101, true)]
        {
            crowd(&mut roster, count);
            let users = roster.users("topic").unwrap();
            let news = view.news(users, Vec::new(), NOW);
            assert_eq!(matches!(view.known, Known::Count(_)), is_counted, "{count}: {news:?}");
        }
        assert_eq!(view.count_due(101), Some(NOW + COUNT_TICKS), "the first count was then");
        crowd(&mut roster, 101);
        let users = roster.users("topic").unwrap();
        assert_eq!(view.news(users, vec![one], NOW), [News::Count(101, all.clone())]);
        assert_eq!(view.news(users, Vec::new(), NOW + COUNT_TICKS), [News::Count(101, all)]);
        assert_eq!(view.count_due(101), None);
    }

    const NOW: u32 = 1_000;

    /// A newcomer may get another number than the others know, who then get theirs in any case.
    #[test]
    fn view_counts_again_after_a_newcomer_got_another_count() {
        let (mut roster, one) = (Roster::new(1), ConnId::from_bits(1));
        let mut view = View::new("topic".into(), 0, &Users::new());
        crowd(&mut roster, 105);
        assert_eq!(view.news(roster.users("topic").unwrap(), Vec::new(), NOW).len(), 1);
        crowd(&mut roster, 106);
        let newcomer = vec![News::Count(106, Rc::new(vec![one]))];
        assert_eq!(view.news(roster.users("topic").unwrap(), vec![one], NOW), newcomer);
        crowd(&mut roster, 105);
        let users = roster.users("topic").unwrap();
        assert_eq!(view.news(users, Vec::new(), NOW), []);
        assert_eq!(view.count_due(105), Some(NOW + COUNT_TICKS));
        assert_eq!(view.news(users, Vec::new(), NOW + COUNT_TICKS).len(), 1);
    }

    fn presents(users: &std::collections::BTreeMap<u8, u8>) -> Vec<Present> {
        let present = |(user, value): (&u8, &u8)| Present {
            user: format!("{user:03}").into(),
            value: value.to_string().into(),
        };
        users.iter().map(present).collect()
    }

    proptest! {
        #[test]
        fn changes_lead_from_one_list_to_the_other(
            before in proptest::collection::btree_map(0u8..20, 0u8..3, 0..20),
            now in proptest::collection::btree_map(0u8..20, 0u8..3, 0..20),
        ) {
            let (before, now) = (presents(&before), presents(&now));
            let changes = changes(&before, &now);
            let mut page: std::collections::BTreeMap<_, _> =
                before.iter().map(|at| (at.user.clone(), at.value.clone())).collect();
            let mut last = None;
            for change in changes {
                let (Change::Joined(at) | Change::Changed(at) | Change::Left(at)) = &change;
                prop_assert!(last < Some(at.user.clone()), "ordered, and each user once");
                last = Some(at.user.clone());
                match &change {
                    Change::Joined(at) => {
                        prop_assert_eq!(page.insert(at.user.clone(), at.value.clone()), None);
                    }
                    Change::Changed(at) => {
                        let old = page.insert(at.user.clone(), at.value.clone());
                        prop_assert!(old.is_some_and(|old| old != at.value));
                    }
                    Change::Left(at) => {
                        prop_assert_eq!(page.remove(&at.user), Some(at.value.clone()));
                    }
                }
            }
            let page = page.into_iter().map(|(user, value)| Present { user, value });
            let page: Vec<_> = page.collect();
            prop_assert_eq!(page, now);
        }
    }
}
