//! A handle to all reactors of a cluster, for other threads. This file starts no thread.

use std::io::{self, Error, ErrorKind};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::collecting::ask_all;
use crate::connection::{ListenerId, Stats};
use crate::context::{
    AdoptError, CallError, Context, Drain, DrainError, Published, Reason, Remote, Stations, Wake,
};
use crate::delivery::Outgoing;
use crate::net::Socket;

/// A handle to all reactors of a [`Cluster`](crate::Cluster), for other threads and for handlers.
/// It is `Send`, `Sync` and cheap to clone. No method blocks.
///
/// ```
/// use std::sync::mpsc;
/// use std::time::Duration;
/// use switchboard::{Cluster, Drain};
///
/// let cluster = Cluster::new(2);
/// let handle = cluster.handle();
/// let (tell, told) = mpsc::channel();
/// let thread = std::thread::spawn(move || {
///     handle.publish("news", "rain")?;
///     let asked = handle.stats(move |stats| tell.send(stats).unwrap());
///     assert!(asked.is_ok());
///     assert_eq!(told.recv().unwrap().connections, 0);
///     assert!(handle.drain(Drain::within(Duration::from_secs(1))).is_ok());
///     std::io::Result::Ok(())
/// });
/// cluster.run(|reactor, _member| {
///     reactor.server.http("/", |_conn, _request| "hello");
///     Ok(())
/// })?;
/// thread.join().unwrap()?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Debug)]
pub struct ClusterHandle {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    stations: Arc<Stations>,
    /// The counters of the reactors that have ended.
    ended: Vec<Mutex<Option<Stats>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ClusterHandle {
    pub(super) fn new(stations: Arc<Stations>) -> ClusterHandle {
        let ended = stations.all().iter().map(|_| Mutex::default()).collect();
        ClusterHandle { inner: Arc::new(Inner { stations, ended }) }
    }

    pub(super) fn stations(&self) -> &Arc<Stations> {
        &self.inner.stations
    }

    /// Keeps the counters of a reactor that ends.
    pub(super) fn keep_stats(&self, index: usize, stats: Stats) {
        if let Some(place) = self.inner.ended.get(index) {
            *lock(place) = Some(stats);
        }
    }

    /// Returns the number of reactors.
    #[must_use]
    pub fn reactors(&self) -> usize {
        self.inner.stations.all().len()
    }

    /// Returns a handle to one reactor, by its number.
    ///
    /// A [`ZoneId`](crate::ZoneId) belongs to the server that gave it, even if all servers have
    /// the same zones.
    #[must_use]
    pub fn remote(&self, reactor: usize) -> Option<Remote> {
        Some(self.inner.stations.all().get(reactor)?.remote.clone())
    }

    /// Returns the number of the reactor that is the home of a name, such as a topic's. All
    /// reactors agree on it, until the cluster ends. Names spread evenly over the reactors.
    ///
    /// A program that keeps one state for each name, such as the board of a game, keeps it there.
    ///
    /// ```
    /// use switchboard::Cluster;
    ///
    /// let handle = Cluster::new(4).handle();
    /// let home = handle.home("room/7");
    /// assert!(home < 4 && handle.home("room/7") == home);
    /// ```
    #[must_use]
    pub fn home(&self, name: &str) -> usize {
        self.inner.stations.home(name)
    }

    /// Publishes to the subscribers of all reactors. The messages of one thread keep their order. A
    /// topic with [history](crate::Server::history) also keeps the message. For a topic of a
    /// [store](crate::Server::store), the [home](ClusterHandle::home) of the topic has the message
    /// stored, and delivers it; the program has the other reactors hear of it.
    ///
    /// # Errors
    /// `WouldBlock` when the queues of some reactors are full: their subscribers do not get this
    /// message. A queue has 65,536 messages and 16 MiB. A topic with history has no such queue.
    ///
    /// `Deadlock` in the closure of [`publish_with`](crate::Context::publish_with) of a member: all
    /// reactors wait for that closure.
    pub fn publish<'m>(&self, topic: &str, message: impl Into<Outgoing<'m>>) -> io::Result<()> {
        let (stations, message) = (&self.inner.stations, message.into());
        let history = stations.history();
        if history.is_making() {
            return Err(Error::new(
                ErrorKind::Deadlock,
                "the closure of publish_with publishes to its own cluster: publish once \
                 publish_with has returned",
            ));
        }
        if history.keeps(topic) {
            let appended = history.publish(None, topic, |_id| message, Instant::now());
            stations.wake(&appended.woken);
            return Ok(());
        }
        let message = [Arc::new(Published::new(topic, &message))];
        let stations = stations.all();
        let full: u64 = stations.iter().map(|station| station.post(&message)).sum();
        if full == 0 {
            return Ok(());
        }
        let text = format!(
            "the queues of {full} of {} reactors are full, whose subscribers do not get this \
             message: publish less often",
            stations.len()
        );
        Err(Error::new(ErrorKind::WouldBlock, text))
    }

    /// Hands an accepted connection over to the reactor with the fewest connections. All else is as
    /// with [`Remote::adopt`].
    ///
    /// # Errors
    /// Gives the socket back when the queues of all reactors are full: stop accepting, and try
    /// again later. Also when all drain or have ended, and when a descriptor is no stream socket.
    pub fn adopt(
        &self,
        socket: impl Into<Socket>,
        peer: Option<SocketAddr>,
        listener: ListenerId,
    ) -> Result<(), AdoptError> {
        let stations = &self.inner.stations;
        let transport = socket
            .into()
            .into_transport()
            .map_err(|(socket, error)| AdoptError::new(socket, Reason::Unusable(error)))?;
        let hand_over = |at, transport| stations.hand_over(at, transport, peer, listener);
        stations.offer(transport, hand_over).map_err(|transport| {
            let all = stations.all();
            let reason = match all.iter().any(|station| station.remote.takes_sockets()) {
                true => Reason::Full,
                false if all.iter().all(|station| station.remote.is_closed()) => Reason::Closed,
                false => Reason::Draining,
            };
            AdoptError::new(transport, reason)
        })
    }

    /// Ends all reactors in order, as [`Context::drain`](crate::Context::drain) ends one. One that
    /// has ended already stays so.
    ///
    /// # Errors
    /// When the deadline is too short, and nothing drains. When 65,536 calls are waiting for a
    /// reactor: the others drain, and another call reaches it.
    pub fn drain(&self, drain: Drain) -> Result<(), DrainError> {
        let stations = self.inner.stations.all().iter();
        let sent = stations.map(|station| station.remote.drain(drain.clone()));
        let failed = sent.filter_map(Result::err).filter(|error| !error.is_closed());
        failed.last().map_or(Ok(()), Err)
    }

    /// Closes the queues of the reactors from a number on: none of them will ever serve.
    pub(super) fn close_from(&self, first: usize) {
        for station in &self.inner.stations.all()[first..] {
            drop(station.remote.close());
        }
    }

    /// Collects the counters of all reactors, and calls `then` with their sum: on the thread of one
    /// of them, or within this call if all have answered or ended by then. So hold no lock that
    /// `then` takes. Reactors of [`Cluster::run`](crate::Cluster::run) that have ended still count.
    ///
    /// # Errors
    /// Gives `then` back when 65,536 calls are waiting for a reactor.
    pub fn stats<F>(&self, then: F) -> Result<(), CallError<F>>
    where
        F: FnOnce(Stats) + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let sum = move |answers: Vec<Option<Stats>>| {
            let ended = inner.ended.iter().map(|stats| lock(stats).clone().unwrap_or_default());
            answers.into_iter().zip(ended).map(|(answer, ended)| answer.unwrap_or(ended)).sum()
        };
        ask_all(&self.inner.stations, |cx| cx.stats(), sum, then)
    }

    /// Counts the subscribers of a topic at all reactors, and calls `then` with the number, as
    /// [`stats`](ClusterHandle::stats) does. Each reactor counts at a moment of its own.
    ///
    /// # Errors
    /// Gives `then` back when 65,536 calls are waiting for a reactor.
    pub fn subscribers<F>(&self, topic: &str, then: F) -> Result<(), CallError<F>>
    where
        F: FnOnce(usize) + Send + 'static,
    {
        let topic = Arc::<str>::from(topic);
        let count = move |cx: &mut Context| cx.subscribers(&topic);
        let sum = |answers: Vec<Option<usize>>| answers.into_iter().flatten().sum();
        ask_all(&self.inner.stations, count, sum, then)
    }
}
