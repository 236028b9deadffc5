//! Publishing to the subscribers of a topic, here and at the other reactors of a cluster.

use super::context::Context;
use super::published::Published;
use crate::connection::Flags;
use crate::delivery::{EncodedOnce, Outgoing};

/// Topics.
impl Context {
    /// Publishes a message to every WebSocket and event stream that subscribed to a topic. A topic
    /// with [history](crate::Server::history) also keeps it.
    ///
    /// The message is encoded once for each of the two kinds. A slow receiver keeps a pointer to
    /// the encoded message, no copy. See [`Conn::subscribe`](crate::Conn::subscribe).
    ///
    /// In a [`Cluster`](crate::Cluster) the message also reaches the subscribers of the other
    /// reactors. It is copied once for all of them, and leaves at the end of the turn. The messages
    /// of one publisher keep their order. Those of two reactors may reach two subscribers in
    /// different orders. A full queue of another reactor drops the message there, and
    /// [`Stats::not_passed_on`](crate::Stats::not_passed_on) counts it.
    // A published message is encoded in delivery/broadcast.rs. delivery/publish.rs writes it to
    // connections at rest; to all others it leaves by the outbox, in outbox/writing.rs.
    pub fn publish<'m>(&mut self, topic: &str, message: impl Into<Outgoing<'m>>) {
        self.publish_except(topic, message.into(), None);
    }

    pub(super) fn publish_except(
        &mut self,
        topic: &str,
        message: Outgoing<'_>,
        except: Option<u32>,
    ) {
        if self.histories.is_some() && self.publish_kept(topic, &message, except) {
            return;
        }
        if self.elsewhere.is_some() {
            self.publish_elsewhere(topic, &message);
        }
        self.publish_here(topic, message, except);
    }

    /// Publishes to the subscribers of the other reactors of a cluster.
    #[cold]
    pub(super) fn publish_elsewhere(&mut self, topic: &str, message: &Outgoing<'_>) {
        if let Some(elsewhere) = &mut self.elsewhere {
            let lost = elsewhere.add(Published::new(topic, message));
            self.table.books.stats.not_passed_on += lost;
        }
    }

    /// Publishes to the subscribers of this reactor.
    pub(crate) fn publish_here(&mut self, topic: &str, message: Outgoing<'_>, except: Option<u32>) {
        let key = self.delivery.number_of(message.key.unwrap_or(topic));
        let mut encoded = EncodedOnce::new(message, key);
        self.deliver_to_members::<false>(topic, &mut encoded, except);
    }

    /// Delivers a message to the subscribers of this reactor; one that is kept not to followers.
    #[inline]
    pub(super) fn deliver_to_members<const IS_KEPT: bool>(
        &mut self,
        topic: &str,
        encoded: &mut EncodedOnce<'_>,
        except: Option<u32>,
    ) {
        let Some((topic, members)) = self.topics.lend(topic) else { return };
        let waiting = self.delivery.fan_out.receivers();
        for member in members.iter().filter(|member| Some(member.slot) != except) {
            if let Some(mut at) = self.table.lease(member.slot) {
                if IS_KEPT && at.connection.flags.has(Flags::FOLLOWING) {
                    continue;
                }
                self.delivery.publish_to(&mut at, encoded);
            }
        }
        // `deliver` has counted the others.
        let posted = self.delivery.fan_out.receivers() - waiting;
        self.table.books.stats.messages_sent += posted as u64;
        self.topics.give_back((topic, members));
    }

    /// Returns the number of connections subscribed to a topic. It is exact at every moment.
    ///
    /// In a [`Cluster`](crate::Cluster) it counts those of this reactor.
    /// [`ClusterHandle::subscribers`](crate::ClusterHandle::subscribers) asks all.
    #[must_use]
    pub fn subscribers(&self, topic: &str) -> usize {
        self.topics.count(topic)
    }
}
