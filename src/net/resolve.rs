//! Resolves names to addresses on a thread of its own, because the system's resolver may block for
//! seconds. This file knows no deadlines, and knows connections as numbers only.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender, TrySendError};
use std::sync::{Arc, Weak};
use std::thread;

use super::address::race_order;

/// Names that may wait for the thread. Any number of connections to one name count once.
const CAPACITY: usize = 256;

/// Addresses of one name that are read from the system.
const MAX_FOUND: usize = 256;

/// Why a name has no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Unresolved {
    /// The system found no address of this name, or its resolver failed.
    NotFound,
    /// 256 other names wait already.
    Overloaded,
    /// The system refused to start a thread.
    NoThread,
}

impl Unresolved {
    /// The reason, in lower case and without a full stop.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Unresolved::NotFound => "the name has no address",
            Unresolved::Overloaded => "too many names are being resolved",
            Unresolved::NoThread => "no thread to resolve names on",
        }
    }
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The outcome of a question to the resolver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// The host is an address or `localhost`: no thread is needed.
    Known(Vec<IpAddr>),
    /// The thread will wake the loop; then [`Resolver::answer`] returns the addresses.
    Pending,
}

/// The addresses of one name, at least one, in the order in which they are tried, and the ids that
/// wait for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) ids: BTreeSet<u64>,
    pub(crate) addresses: Found,
}

pub(super) type Found = Result<Vec<IpAddr>, Unresolved>;

/// Finds the addresses of a name, and may block.
type LookUp = Arc<dyn Fn(&str) -> Found + Send + Sync>;

/// Wakes the loop from any thread.
type Wake = Arc<dyn Fn() + Send + Sync>;

/// Resolves names without blocking the loop.
///
/// The thread starts with the first name that needs one, and ends when the resolver is dropped.
pub(crate) struct Resolver {
    queue: Option<Queue>,
    /// The ids that wait for each name.
    waiters: HashMap<Box<str>, Waiters>,
    wake: Wake,
    look_up: LookUp,
}

struct Queue {
    names: SyncSender<Query>,
    answers: Receiver<(Box<str>, Found)>,
}

struct Waiters {
    ids: BTreeSet<u64>,
    /// Dropped with the last of the ids: the thread then skips the name.
    _wanted: Arc<()>,
}

struct Query {
    name: Box<str>,
    wanted: Weak<()>,
}

impl Resolver {
    /// Makes a resolver that calls `wake`, on its own thread, for each answer.
    pub(crate) fn new(wake: impl Fn() + Send + Sync + 'static) -> Resolver {
        Resolver::with(Arc::new(wake), Arc::new(ask_the_system))
    }

    fn with(wake: Wake, look_up: LookUp) -> Resolver {
        Resolver { queue: None, waiters: HashMap::new(), wake, look_up }
    }

    /// Looks up the addresses of a host: an IP address without brackets, or a name in lower case.
    ///
    /// # Errors
    /// `Overloaded` or `NoThread`. [`Unresolved::NotFound`] comes as an answer only.
    pub(crate) fn resolve(&mut self, id: u64, host: &str) -> Result<Lookup, Unresolved> {
        if let Some(addresses) = known(host) {
            return Ok(Lookup::Known(addresses));
        }
        if let Some(waiters) = self.waiters.get_mut(host) {
            waiters.ids.insert(id);
            return Ok(Lookup::Pending);
        }
        let wanted = Arc::new(());
        self.enqueue(Query { name: host.into(), wanted: Arc::downgrade(&wanted) })?;
        self.waiters.insert(host.into(), Waiters { ids: BTreeSet::from([id]), _wanted: wanted });
        Ok(Lookup::Pending)
    }

    /// Removes an id from the waiters of a host. The thread skips names without waiters.
    pub(crate) fn forget(&mut self, id: u64, host: &str) {
        if let Some(waiters) = self.waiters.get_mut(host) {
            waiters.ids.remove(&id);
            if waiters.ids.is_empty() {
                self.waiters.remove(host);
            }
        }
    }

    /// Takes the next answer. After a wake, call this until it returns `None`.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        let queue = self.queue.as_ref()?;
        while let Ok((name, addresses)) = queue.answers.try_recv() {
            if let Some(waiters) = self.waiters.remove(&name) {
                return Some(Answer { ids: waiters.ids, addresses });
            }
        }
        None
    }

    fn enqueue(&mut self, query: Query) -> Result<(), Unresolved> {
        let queue = match &self.queue {
            Some(queue) => queue,
            None => self.queue.insert(start(self.look_up.clone(), self.wake.clone())?),
        };
        match queue.names.try_send(query) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => Err(Unresolved::Overloaded),
            Err(TrySendError::Disconnected(_)) => Err(Unresolved::NoThread),
        }
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("waiters", &self.waiters.len()).finish_non_exhaustive()
    }
}

/// The addresses of hosts that need no resolver: addresses, and `localhost`, which is always this
/// machine (RFC 6761 section 6.3).
pub(super) fn known(host: &str) -> Option<Vec<IpAddr>> {
    if let Ok(address) = host.parse() {
        return Some(vec![address]);
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let local = name == "localhost" || name.ends_with(".localhost");
    // RFC 6724 section 2.1 gives the order.
    local.then(|| vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()])
}

fn start(look_up: LookUp, wake: Wake) -> Result<Queue, Unresolved> {
    let (names, queries) = mpsc::sync_channel(CAPACITY);
    let (sender, answers) = mpsc::channel();
    let run = move || serve(&queries, &sender, &*look_up, &*wake);
    match thread::Builder::new().name("resolver".into()).spawn(run) {
        Ok(_) => Ok(Queue { names, answers }),
        Err(_) => Err(Unresolved::NoThread),
    }
}

/// Runs on the thread until the resolver is dropped.
fn serve(
    queries: &Receiver<Query>,
    answers: &Sender<(Box<str>, Found)>,
    look_up: &dyn Fn(&str) -> Found,
    wake: &dyn Fn(),
) {
    for Query { name, wanted } in queries {
        if wanted.strong_count() == 0 {
            continue;
        }
        let addresses = look_up(&name).map(race_order);
        if answers.send((name, addresses)).is_err() {
            return;
        }
        wake();
    }
}

fn ask_the_system(name: &str) -> Found {
    let found = (name, 0).to_socket_addrs().map_err(|_| Unresolved::NotFound)?;
    let addresses: Vec<IpAddr> = found.map(|address| address.ip()).take(MAX_FOUND).collect();
    if addresses.is_empty() { Err(Unresolved::NotFound) } else { Ok(addresses) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    use std::sync::mpsc::{self, Receiver, Sender};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::{
        Answer, CAPACITY, Found, Lookup, Resolver, Unresolved, ask_the_system, race_order,
    };

    /// A resolver whose thread asks the test: `queries` receives a name, `answers` sends its
    /// addresses.
    struct Bench {
        resolver: Resolver,
        queries: Receiver<String>,
        answers: Sender<Found>,
        woken: Receiver<()>,
    }

    /// A bound for threads on a busy machine.
    const PATIENCE: Duration = Duration::from_secs(30);

    fn bench() -> Bench {
        let (ask, queries) = mpsc::channel();
        let (answers, answer) = mpsc::channel();
        let (wake, woken) = mpsc::channel();
        let (wake, link) = (Mutex::new(wake), Mutex::new((ask, answer)));
        let look_up = move |name: &str| {
            let (ask, answer) = &*link.lock().unwrap();
            ask.send(name.to_owned()).unwrap();
            answer.recv().unwrap_or(Err(Unresolved::NotFound))
        };
        let wake = move || wake.lock().unwrap().send(()).unwrap_or_default();
        Bench {
            resolver: Resolver::with(Arc::new(wake), Arc::new(look_up)),
            queries,
            answers,
            woken,
        }
    }

    fn answer(ids: &[u64], addresses: Found) -> Option<Answer> {
        Some(Answer { ids: BTreeSet::from_iter(ids.iter().copied()), addresses })
    }

    const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn resolver_needs_no_thread_for_addresses_and_localhost() {
        let mut resolver = Resolver::new(|| unreachable!("nothing to wake for"));
        let local = vec![Ipv6Addr::LOCALHOST.into(), ADDRESS];
        for name in ["localhost", "localhost.", "api.localhost"] {
            assert_eq!(resolver.resolve(1, name), Ok(Lookup::Known(local.clone())), "{name}");
        }
        assert_eq!(resolver.resolve(1, "127.0.0.1"), Ok(Lookup::Known(vec![ADDRESS])));
        assert_eq!(resolver.resolve(1, "::1"), Ok(Lookup::Known(vec![Ipv6Addr::LOCALHOST.into()])));
        assert_eq!(resolver.answer(), None);
        assert!(resolver.queue.is_none());
    }

    #[test]
    fn resolver_answers_all_waiters_of_a_name_at_once() {
        let Bench { mut resolver, queries, answers, woken } = bench();
        for id in [7, 8, 9] {
            assert_eq!(resolver.resolve(id, "a.example"), Ok(Lookup::Pending));
        }
        assert_eq!(resolver.resolve(10, "notlocalhost"), Ok(Lookup::Pending));
        assert_eq!(queries.recv_timeout(PATIENCE).as_deref(), Ok("a.example"));
        resolver.forget(8, "a.example");
        assert_eq!(resolver.answer(), None);
        answers.send(Ok(vec![ADDRESS])).unwrap();
        woken.recv_timeout(PATIENCE).unwrap();
        assert_eq!(resolver.answer(), answer(&[7, 9], Ok(vec![ADDRESS])));
        assert_eq!(queries.recv_timeout(PATIENCE).as_deref(), Ok("notlocalhost"));
        answers.send(Err(Unresolved::NotFound)).unwrap();
        woken.recv_timeout(PATIENCE).unwrap();
        assert_eq!(resolver.answer(), answer(&[10], Err(Unresolved::NotFound)));
        assert_eq!(resolver.answer(), None);
        assert!(resolver.waiters.is_empty());
    }

    #[test]
    fn resolver_skips_names_without_waiters() {
        let Bench { mut resolver, queries, answers, woken } = bench();
        for (id, name) in [(1, "a.example"), (2, "b.example"), (3, "c.example")] {
            assert_eq!(resolver.resolve(id, name), Ok(Lookup::Pending));
        }
        assert_eq!(queries.recv_timeout(PATIENCE).as_deref(), Ok("a.example"));
        resolver.forget(1, "a.example");
        resolver.forget(2, "b.example");
        resolver.forget(4, "c.example");
        resolver.forget(1, "d.example");
        answers.send(Ok(vec![ADDRESS])).unwrap();
        woken.recv_timeout(PATIENCE).unwrap();
        assert_eq!(resolver.answer(), None, "the query had begun, and its waiter is gone");
        assert_eq!(queries.recv_timeout(PATIENCE).as_deref(), Ok("c.example"));
        answers.send(Ok(vec![ADDRESS])).unwrap();
        woken.recv_timeout(PATIENCE).unwrap();
        assert_eq!(resolver.answer(), answer(&[3], Ok(vec![ADDRESS])));
    }

    #[test]
    fn resolver_refuses_more_names_than_its_capacity() {
        let Bench { mut resolver, queries, answers, woken: _woken } = bench();
        assert_eq!(resolver.resolve(0, "first"), Ok(Lookup::Pending));
        assert_eq!(queries.recv_timeout(PATIENCE).as_deref(), Ok("first"));
        for id in 0..CAPACITY as u64 {
            assert_eq!(resolver.resolve(id, &format!("name{id}")), Ok(Lookup::Pending));
        }
        assert_eq!(resolver.resolve(1, "last"), Err(Unresolved::Overloaded));
        assert_eq!(resolver.resolve(1, "name0"), Ok(Lookup::Pending), "the name waits already");
        assert_eq!(resolver.waiters.len(), CAPACITY + 1, "the refused name has no waiters");
        answers.send(Ok(vec![ADDRESS])).unwrap();
        assert_eq!(queries.recv_timeout(PATIENCE).as_deref(), Ok("name0"));
        assert_eq!(resolver.resolve(1, "last"), Ok(Lookup::Pending));
    }

    #[test]
    fn resolver_ends_its_thread_when_dropped() {
        let Bench { mut resolver, queries, answers, woken } = bench();
        assert_eq!(resolver.resolve(1, "a.example"), Ok(Lookup::Pending));
        assert_eq!(queries.recv_timeout(PATIENCE).as_deref(), Ok("a.example"));
        drop(resolver);
        answers.send(Ok(vec![ADDRESS])).unwrap();
        // The thread owns the closures and drops them at its end.
        assert_eq!(woken.recv_timeout(PATIENCE), Err(mpsc::RecvTimeoutError::Disconnected));
    }

    #[test]
    fn resolver_asks_the_system() {
        let found = ask_the_system("localhost").unwrap();
        assert!(!found.is_empty() && found.iter().all(IpAddr::is_loopback), "{found:?}");
        assert_eq!(ask_the_system("127.0.0.1").map(race_order), Ok(vec![ADDRESS]));
        for name in ["", "a\0b"] {
            assert_eq!(ask_the_system(name), Err(Unresolved::NotFound), "{name:?}");
        }
        assert_eq!(Unresolved::NotFound.to_string(), "the name has no address");
    }
}
