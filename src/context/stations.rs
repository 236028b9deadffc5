//! What the reactors of a cluster know of each other: a station for each, with its queues and its
//! load. A message reaches the other reactors by their mail, or by the history that all share, and
//! a connection by their calls.
//! This file calls no handler and knows no connection that is admitted.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::bounded_queue::{BoundedQueue, MAIL};
use super::elsewhere::Wake;
use super::published::Published;
use super::remote::Remote;
use crate::connection::ListenerId;
use crate::history::SharedHistories;
use crate::net::Transport;
use crate::presence::RosterSeat;

/// A reactor, as the others see it.
#[derive(Debug)]
pub(crate) struct Station {
    pub(crate) remote: Remote,
    /// Connections that are open, and those handed over that wait to be admitted.
    pub(crate) load: Arc<AtomicUsize>,
    mail: Mutex<BoundedQueue<Arc<Published>>>,
    /// Whether mail or history waits. The reactor reads this alone while none does.
    has_news: AtomicBool,
}

impl Station {
    fn new() -> Station {
        Station {
            remote: Remote::new(),
            load: Arc::default(),
            mail: Mutex::new(BoundedQueue::new(MAIL)),
            has_news: AtomicBool::new(false),
        }
    }

    fn mail(&self) -> MutexGuard<'_, BoundedQueue<Arc<Published>>> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Posts messages, and returns how many the queue did not take. The first message of a burst
    /// alone wakes the reactor.
    pub(crate) fn post(&self, messages: &[Arc<Published>]) -> u64 {
        if self.remote.is_closed() {
            return 0; // It has no subscribers any more.
        }
        let mut mail = self.mail();
        let posted = messages.iter().map(|message| mail.push(Arc::clone(message), message.bytes()));
        let dropped = posted.filter(|is_queued| !is_queued).count();
        drop(mail);
        self.wake();
        dropped as u64
    }

    /// Wakes the reactor, unless it has been woken for news that it has not taken yet.
    fn wake(&self) {
        if !self.has_news.swap(true, Ordering::AcqRel) {
            self.remote.wake();
        }
    }

    /// Takes the mail, if there are news: mail, or history that waits. Without news, this is one
    /// relaxed load.
    pub(crate) fn take_mail(&self) -> Option<VecDeque<Arc<Published>>> {
        let has_news =
            self.has_news.load(Ordering::Relaxed) && self.has_news.swap(false, Ordering::AcqRel);
        has_news.then(|| self.mail().take())
    }
}

/// All reactors of a cluster.
#[derive(Debug)]
pub(crate) struct Stations {
    all: Box<[Station]>,
    /// Names the home of a name, the same one for all reactors.
    homes: RandomState,
    history: Arc<SharedHistories>,
    /// The place of each reactor at the roster of all.
    pub(crate) roster: Vec<RosterSeat>,
}

impl Stations {
    pub(crate) fn new(count: usize) -> Stations {
        let all: Box<[Station]> = (0..count.max(1)).map(|_| Station::new()).collect();
        let history = Arc::new(SharedHistories::new(all.len(), Instant::now()));
        let roster = RosterSeat::all(all.len());
        Stations { all, homes: RandomState::new(), history, roster }
    }

    /// Returns the history of all reactors.
    pub(crate) fn history(&self) -> &Arc<SharedHistories> {
        &self.history
    }

    pub(crate) fn all(&self) -> &[Station] {
        &self.all
    }

    /// Returns the index of the reactor that is the home of a name.
    pub(crate) fn home(&self, name: &str) -> usize {
        // The high bits of the product: each reactor gets an equal part of all hashes.
        let part = u128::from(self.homes.hash_one(name)) * self.all.len() as u128;
        (part >> 64) as usize
    }

    /// Offers a connection to the reactors, from the least loaded one on, until one takes it. Those
    /// that drain come last: they would attract all, since their connections end.
    pub(crate) fn offer<T>(
        &self,
        connection: T,
        mut take: impl FnMut(usize, T) -> Result<(), T>,
    ) -> Result<(), T> {
        let load = |index: &usize| {
            let Station { remote, load, .. } = &self.all[*index];
            (!remote.takes_sockets(), load.load(Ordering::Relaxed))
        };
        let Some(first) = (0..self.all.len()).min_by_key(load) else { return Err(connection) };
        let Err(mut connection) = take(first, connection) else { return Ok(()) };
        let mut others: Vec<usize> = (0..self.all.len()).filter(|at| *at != first).collect();
        others.sort_by_key(load);
        for at in others {
            match take(at, connection) {
                Ok(()) => return Ok(()),
                Err(back) => connection = back,
            }
        }
        Err(connection)
    }

    /// Hands a connection over to one reactor, which counts it from now on.
    ///
    /// # Errors
    /// With the connection, when the queue of this reactor is full, and when the reactor drains or
    /// is gone.
    pub(crate) fn hand_over(
        &self,
        to: usize,
        transport: Transport,
        peer: Option<SocketAddr>,
        listener: ListenerId,
    ) -> Result<(), Transport> {
        let Station { remote, load, .. } = &self.all[to];
        load.fetch_add(1, Ordering::Relaxed);
        remote.hand_over(transport, peer, listener, true).map_err(|(transport, _)| {
            load.fetch_sub(1, Ordering::Relaxed);
            transport
        })
    }
}

impl Wake for Stations {
    fn wake(&self, reactors: &[usize]) {
        reactors.iter().for_each(|index| self.all[*index].wake());
    }
}

/// The place of a server in its cluster.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) index: usize,
    pub(crate) stations: Arc<Stations>,
}

impl Link {
    /// Returns the station of this server.
    pub(crate) fn own(&self) -> &Station {
        &self.stations.all[self.index]
    }

    /// Whether this reactor is the home of a name.
    pub(crate) fn is_home(&self, name: &str) -> bool {
        self.stations.home(name) == self.index
    }

    /// Sends messages to the other reactors. Returns how many messages the queues did not take,
    /// once for each reactor.
    pub(crate) fn send(&self, messages: &[Arc<Published>]) -> u64 {
        let stations = self.stations.all.iter().enumerate();
        let others = stations.filter(|(index, _)| *index != self.index);
        others.map(|(_, station)| station.post(messages)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Outgoing;

    #[test]
    fn topic_has_one_home_and_homes_have_equal_parts() {
        for count in [1, 2, 3, 7] {
            let stations = Stations::new(count);
            let mut topics = vec![0_usize; count];
            for topic in 0..10_000 {
                let topic = format!("room/{topic}");
                let home = stations.home(&topic);
                assert_eq!(stations.home(&topic), home);
                topics[home] += 1;
            }
            let part = 10_000 / count;
            assert!(topics.iter().all(|at| at.abs_diff(part) < part / 5 + 1), "{topics:?}");
        }
    }

    #[test]
    fn homes_differ_between_clusters() {
        let topics: Vec<String> = (0..64).map(|topic| topic.to_string()).collect();
        let homes = || {
            let stations = Stations::new(2);
            topics.iter().map(|topic| stations.home(topic)).collect::<Vec<_>>()
        };
        assert_ne!(homes(), homes(), "a client could choose topics of one home");
    }

    #[test]
    fn connection_is_offered_to_the_least_loaded_first() {
        let stations = Stations::new(4);
        for (station, load) in stations.all().iter().zip([3, 1, 2, 1]) {
            station.load.store(load, Ordering::Relaxed);
        }
        let mut asked = Vec::new();
        let full = stations.offer("socket", |index, socket| {
            asked.push(index);
            Err(socket)
        });
        assert_eq!((full, &asked[..]), (Err("socket"), &[1, 3, 2, 0][..]));
        asked.clear();
        let taken = stations.offer("socket", |index, socket| {
            asked.push(index);
            if index == 2 { Ok(()) } else { Err(socket) }
        });
        assert_eq!((taken, &asked[..]), (Ok(()), &[1, 3, 2][..]));
    }

    #[test]
    fn full_mail_counts_what_it_does_not_take() {
        let stations = Arc::new(Stations::new(3));
        let link = Link { index: 0, stations: Arc::clone(&stations) };
        let message = Arc::new(Published::new("t", &Outgoing::text("x")));
        let messages = vec![message; MAIL.messages];
        assert_eq!(link.send(&messages), 0);
        assert_eq!(link.send(&messages[..10]), 2 * 10);
        assert!(stations.all()[0].take_mail().is_none());
        let taken = stations.all()[2].take_mail().unwrap();
        assert_eq!(taken.len(), MAIL.messages);
        assert!(stations.all()[2].take_mail().is_none());
        assert_eq!(link.send(&messages[..1]), 1);
        stations.all()[1].remote.close();
        assert_eq!(link.send(&messages[..1]), 0, "a reactor that has ended misses nothing");
    }
}
