//! A server as a part of a cluster: it joins, hands accepted connections over, admits those of
//! others, and exchanges published messages. This file starts no thread. A server without a cluster
//! runs nothing of it.

use std::io::{self, Error, ErrorKind};
use std::sync::Arc;

use super::internal::RESERVE;
use super::server::Server;
use crate::connection::{ListenerId, Share, SharedCounts};
use crate::context::{Elsewhere, HandedOver, Link};
use crate::history::{Keeper, Part};
use crate::net::{Bindings, Transport};

/// A place in a cluster, for a server to take.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) link: Link,
    pub(crate) share: Share,
    /// The limit for one address, and where all reactors count.
    pub(crate) per_address: Option<(u32, SharedCounts)>,
    pub(crate) listeners: Vec<Bindings>,
}

impl Server {
    /// Checks that the server may join a cluster.
    pub(crate) fn check_joins(&self) -> io::Result<()> {
        match self.context.table.slots.len() > 0 || !self.listeners.is_empty() {
            true => Err(Error::new(
                ErrorKind::InvalidInput,
                "a server joins a cluster before it listens and before its first connection",
            )),
            false => Ok(()),
        }
    }

    /// Joins a cluster, and returns the listeners. Handles from before are closed.
    pub(crate) fn join(&mut self, seat: Seat) -> io::Result<Vec<ListenerId>> {
        self.check_joins()?;
        let Seat { link, share, per_address, listeners } = seat;
        let remote = link.stations.all()[link.index].remote.clone();
        self.remote.move_waker(&remote);
        drop(self.remote.close());
        self.remote = remote;
        self.wake_by_remote();
        let (stations, others) = (Arc::clone(&link.stations), link.stations.all().len() - 1);
        self.context.share_history(Part::join(Arc::clone(stations.history()), link.index));
        self.context.elsewhere = (others > 0).then(|| Box::new(Elsewhere::new(others, stations)));
        self.context.roster_seat = link.stations.roster.get(link.index).cloned();
        // A look-up on its way would wake the loop through the handle from before.
        self.resolver = None;
        self.link = Some(Box::new(link));
        self.context.table.books.share = Some(Box::new(share));
        if let Some((limit, counts)) = per_address {
            self.limits.per_address = Some(limit);
            self.context.addresses.counts.share(counts);
        }
        listeners.into_iter().map(|bindings| self.listen_at(bindings)).collect()
    }

    /// Has the reactor with the fewest connections take one that was accepted here.
    #[cold]
    pub(super) fn place_in_cluster(&mut self, index: u16, transport: Transport) {
        let Some(link) = &self.link else { return };
        let (own, stations) = (link.index, Arc::clone(&link.stations));
        // This reactor always takes what the full queues of the others do not.
        let _taken = stations.offer(transport, |at, transport| match at == own {
            true => {
                self.take_accepted(index, transport, None);
                Ok(())
            }
            false => stations.hand_over(at, transport, None, ListenerId(index)),
        });
    }

    /// Admits a connection that another thread has accepted.
    pub(super) fn take_handed_over(&mut self, handed: HandedOver) {
        let HandedOver { transport, peer, listener: ListenerId(index), is_counted } = handed;
        if let Some(share) = &mut self.context.table.books.share
            && is_counted
        {
            share.begin_hand_over();
        }
        self.take_accepted(index, transport, peer.as_ref());
        if let Some(share) = &mut self.context.table.books.share {
            share.end_hand_over();
        }
    }

    /// Delivers what the other reactors and other threads have published. What is for a store was
    /// published by a thread, for all reactors: the home of its topic has it stored.
    #[cold]
    pub(super) fn take_mail(&mut self) {
        let mail = self.link.as_ref().and_then(|link| link.own().take_mail());
        let Some(messages) = mail else { return };
        for message in messages {
            let (topic, outgoing) = (&*message.topic, message.outgoing());
            if !self.context.has_store(topic) {
                self.context.publish_here(topic, outgoing, None);
            } else if self.link.as_ref().is_some_and(|link| link.is_home(topic)) {
                self.context.publish(topic, outgoing);
            }
        }
        self.context.catch_up();
    }

    /// Leaves the history of the cluster: nothing waits for this reactor any more.
    #[cold]
    pub(crate) fn leave_history(&mut self) {
        if let Some(Keeper::Shared(part)) = self.context.histories.as_ref() {
            part.leave();
        }
    }

    /// Checks that all reactors of a cluster keep the same history.
    #[cold]
    pub(super) fn check_history(&self) -> io::Result<()> {
        let Some(Keeper::Shared(part)) = self.context.histories.as_ref() else { return Ok(()) };
        let Some(found) = part.disagreement() else { return Ok(()) };
        let [one, other] = found.reactors;
        let text = match found.prefix {
            Some(prefix) => format!(
                "the reactors {one} and {other} of this cluster keep different histories for the \
                 prefix {prefix:?}: call Server::history with the same settings in each"
            ),
            None => format!(
                "the reactors {one} and {other} of this cluster bound the memory for history \
                 differently: call Server::history_memory with the same number in each"
            ),
        };
        Err(Error::new(ErrorKind::InvalidInput, text))
    }

    /// Sends what was published in this turn to the other reactors.
    #[cold]
    pub(super) fn send_mail(&mut self) {
        let elsewhere = self.context.elsewhere.as_mut().filter(|elsewhere| !elsewhere.is_empty());
        if let (Some(link), Some(elsewhere)) = (&self.link, elsewhere) {
            self.context.table.books.stats.not_passed_on += link.send(&elsewhere.take());
        }
    }

    /// Reserves a place under the limit for all reactors; false at the limit.
    #[inline]
    pub(super) fn has_place_in_cluster(&mut self, is_internal: bool) -> bool {
        let beyond = if is_internal { RESERVE } else { 0 };
        self.context.table.books.share.as_mut().is_none_or(|share| share.reserve(beyond))
    }

    /// Gives that place back, since the connection does not take it.
    #[cold]
    pub(super) fn leave_place_in_cluster(&mut self) {
        if let Some(share) = &mut self.context.table.books.share {
            share.end_reservation();
        }
    }
}
