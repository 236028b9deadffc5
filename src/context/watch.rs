//! Sources of the program's own in the loop's `Poll`: a UDP socket, a pipe, a timerfd. This file
//! keeps each with its closure, and does not know when it is called.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::io::{self, Error, ErrorKind};
use std::marker::PhantomData;
use std::rc::Rc;

use mio::{Registry, Token};

use crate::connection::{MAX_WATCHED, TokenKind};

/// Names a watched source of type `S`, for [`Reactor::unwatch`](crate::Reactor::unwatch) and
/// [`Context::unwatch`](crate::Context::unwatch). A name may be kept for ever: once the source is
/// no longer watched, the name has no effect. A name of another server may be that of a source
/// here.
///
/// ```
/// use switchboard::mio::{Interest, net::UdpSocket};
/// use switchboard::{Handler, Reactor, WatchId};
///
/// struct Feed;
/// impl Handler for Feed {}
///
/// let mut reactor = Reactor::new()?;
/// let feed = reactor.server.zone("/feed", Feed);
/// let udp = UdpSocket::bind(([127, 0, 0, 1], 0).into())?;
/// let id: WatchId<UdpSocket> =
///     reactor.watch(udp, Interest::READABLE, feed, |_feed, _cx, _udp, _readiness| {})?;
/// let udp: UdpSocket = reactor.unwatch(id).expect("it was watched");
/// assert!(reactor.unwatch(id).is_none());
/// # drop(udp);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct WatchId<S> {
    pub(super) index: u16,
    pub(super) count: u64,
    pub(super) source: PhantomData<fn() -> S>,
}

impl<S> Clone for WatchId<S> {
    fn clone(&self) -> WatchId<S> {
        *self
    }
}

impl<S> Copy for WatchId<S> {}

impl<S> PartialEq for WatchId<S> {
    fn eq(&self, other: &WatchId<S>) -> bool {
        self.count == other.count
    }
}

impl<S> Eq for WatchId<S> {}

impl<S> Hash for WatchId<S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.count.hash(state);
    }
}

impl<S> fmt::Debug for WatchId<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WatchId({}.{})", self.index, self.count)
    }
}

/// All watched sources of a server.
pub(crate) struct Watches<W: ?Sized> {
    /// The registry of the loop, and the number of the server.
    poll: Option<(Rc<Registry>, usize)>,
    watched: BTreeMap<u16, Entry<W>>,
    /// The index at which the search for a free one begins. It goes round, so that no event of a
    /// source that has left reaches another in the same turn.
    next: u16,
    count: u64,
}

struct Entry<W: ?Sized> {
    count: u64,
    zone: u16,
    /// `None` while the closure runs.
    watched: Option<Box<W>>,
}

/// A source that is out of the books while its closure runs.
pub(crate) struct LentWatch<W: ?Sized> {
    index: u16,
    count: u64,
    pub(crate) zone: u16,
    pub(crate) watched: Box<W>,
}

/// What can leave the registry, and gives its source back.
pub(crate) trait Leave {
    fn leave(self: Box<Self>, registry: &Registry) -> Box<dyn Any>;
}

impl<W: ?Sized> Default for Watches<W> {
    fn default() -> Watches<W> {
        Watches { poll: None, watched: BTreeMap::new(), next: 0, count: 0 }
    }
}

impl<W: Leave + ?Sized> Watches<W> {
    /// Sets where sources are registered.
    pub(crate) fn attach(&mut self, registry: Rc<Registry>, server: usize) {
        self.poll = Some((registry, server));
    }

    /// Finds a free place for a source, with the registry and the token to register it with.
    pub(crate) fn place(&mut self) -> io::Result<(Rc<Registry>, Token, u16)> {
        let Some((registry, server)) = &self.poll else {
            let text = "a detached server has no Poll to watch with: use Server::new";
            return Err(Error::new(ErrorKind::Unsupported, text));
        };
        let after = self.next..MAX_WATCHED as u16;
        let free = after.chain(0..self.next).find(|index| !self.watched.contains_key(index));
        let Some(index) = free else {
            return Err(Error::other("a server watches at most 4,096 sources: unwatch one"));
        };
        Ok((Rc::clone(registry), TokenKind::Watched(index).token(*server), index))
    }

    /// Keeps a registered source at its place, and returns the count that names it.
    pub(crate) fn insert(&mut self, index: u16, zone: u16, watched: Box<W>) -> u64 {
        self.next = (index + 1) % MAX_WATCHED as u16;
        self.count += 1;
        let count = self.count;
        self.watched.insert(index, Entry { count, zone, watched: Some(watched) });
        count
    }

    /// Removes a source. One whose closure runs is dropped when the closure returns.
    pub(crate) fn remove(&mut self, index: u16, count: u64) -> Option<Box<dyn Any>> {
        self.watched.get(&index).filter(|entry| entry.count == count)?;
        let watched = self.watched.remove(&index)?.watched?;
        let (registry, _) = self.poll.as_ref()?;
        Some(watched.leave(registry))
    }

    /// Removes a source whose closure does not run, if there is one. A registry forgets a socket
    /// that is closed.
    pub(crate) fn pop(&mut self) -> Option<Box<W>> {
        std::iter::from_fn(|| self.watched.pop_first()).find_map(|(_, entry)| entry.watched)
    }

    /// Lends the source with this index.
    pub(crate) fn lend(&mut self, index: u16) -> Option<LentWatch<W>> {
        let Entry { count, zone, watched } = self.watched.get_mut(&index)?;
        Some(LentWatch { index, count: *count, zone: *zone, watched: watched.take()? })
    }

    /// Takes a source back. One that its closure has had leave is returned, with the registry that
    /// it leaves.
    pub(crate) fn give_back(&mut self, lent: LentWatch<W>) -> Option<(Rc<Registry>, Box<W>)> {
        let LentWatch { index, count, watched, .. } = lent;
        match self.watched.get_mut(&index).filter(|entry| entry.count == count) {
            Some(entry) => {
                entry.watched = Some(watched);
                None
            }
            None => Some((Rc::clone(&self.poll.as_ref()?.0), watched)),
        }
    }
}
