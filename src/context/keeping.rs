//! Publishing to topics that keep messages. Only this file asks the kept messages of a server. A
//! server that keeps none has nothing of it but one branch at a publish.

use std::sync::Arc;
use std::time::Instant;

use super::context::Context;
use crate::delivery::{AsOutgoing, Outgoing};
use crate::history::{Behind, CaughtUp, Histories, History, Keeper, Kept, MessageId, Part};

/// History.
impl Context {
    /// Publishes a message that contains its own id, and returns that id.
    ///
    /// The closure gets the id before the message is encoded, so that the message to a WebSocket
    /// can have it in its payload. An event stream gets the id of an event anyway. A topic without
    /// [history](crate::Server::history) gets an id of the same sequence, and keeps nothing.
    ///
    /// In a [`Cluster`](crate::Cluster) the closure for a topic with history runs under the lock of
    /// the history, since the order of ids is the order of messages: all reactors wait for it. So
    /// it should only make the message. It must not wait for another reactor. From within it,
    /// [`ClusterHandle::publish`](crate::ClusterHandle::publish) returns an error, and a method of
    /// another reactor's `Context` that uses topics panics.
    ///
    /// A topic of a [store](crate::Server::store) has no id yet. There the message is published
    /// with `0-0`, and a debug build panics: use [`publish_stored`](Context::publish_stored).
    ///
    /// ```
    /// use switchboard::History;
    /// use switchboard::testing::World;
    ///
    /// let mut world = World::new();
    /// world.server.history("room/", History::new());
    /// let cx = world.context();
    /// let first = cx.publish_with("room/1", |id| format!("{id}: hello"));
    /// let second = cx.publish_with("room/1", |_id| "hello again");
    /// assert!(second > first);
    /// assert_eq!(cx.latest_id(), second);
    /// ```
    pub fn publish_with<M: AsOutgoing>(
        &mut self,
        topic: &str,
        make: impl FnOnce(MessageId) -> M,
    ) -> MessageId {
        if self.has_store(topic) {
            debug_assert!(
                false,
                "the store of {topic:?} gives the id later: call Context::publish_stored, which \
                 hands it to a closure"
            );
            self.publish_except(topic, make(MessageId::default()).as_outgoing(), None);
            return MessageId::default();
        }
        let now = self.now();
        let histories = self.histories(now);
        if histories.keeps(topic) {
            return self.keep(topic, make, None);
        }
        let id = histories.next_id();
        self.publish_unkept(topic, make(id).as_outgoing(), None);
        id
    }

    /// Returns the latest id that a message has been given, of any topic; 0-0 if the server has
    /// never had history and no message an id.
    ///
    /// A page that is rendered with the state of this moment takes the id along, and subscribes
    /// from it.
    ///
    /// In a [`Cluster`](crate::Cluster), this is the id up to which the subscribers of this reactor
    /// have had all messages. Other reactors may have published later ones meanwhile: the id does
    /// not change within a turn but by what this reactor publishes.
    /// [`Conn::subscribe_from`](crate::Conn::subscribe_from) with the id misses none, at whichever
    /// reactor. [`Conn::subscribe`](crate::Conn::subscribe) may miss those.
    ///
    /// ```
    /// use switchboard::testing::World;
    /// use switchboard::{History, MessageId};
    ///
    /// let mut world = World::new();
    /// assert_eq!(world.context().latest_id(), MessageId::default());
    /// world.server.history("room/", History::new());
    /// let begin = world.context().latest_id();
    /// world.context().publish("room/1", "hello");
    /// assert!(world.context().latest_id() > begin);
    /// ```
    #[must_use]
    pub fn latest_id(&self) -> MessageId {
        self.histories.as_ref().map_or_else(MessageId::default, |histories| histories.latest())
    }

    /// Publishes a message and keeps it, if its topic keeps messages. Returns whether it does.
    #[inline(never)]
    pub(super) fn publish_kept(
        &mut self,
        topic: &str,
        message: &Outgoing<'_>,
        except: Option<u32>,
    ) -> bool {
        if self.stores.is_some() && self.publish_to_store(topic, message, except) {
            return true;
        }
        let keeps = self.histories.as_ref().is_some_and(|histories| histories.keeps(topic));
        if keeps {
            self.keep(topic, |_id| *message, except);
        }
        keeps
    }

    /// Keeps a message, and hands it to the subscribers.
    fn keep<M: AsOutgoing>(
        &mut self,
        topic: &str,
        make: impl FnOnce(MessageId) -> M,
        except: Option<u32>,
    ) -> MessageId {
        let now = self.now();
        let appended = self.histories(now).publish(topic, make, now);
        if let Some(elsewhere) = self.elsewhere.as_ref().filter(|_| !appended.woken.is_empty()) {
            elsewhere.wake(&appended.woken);
        }
        if let Some(begun) = appended.begun {
            self.follow_new_history(begun);
        }
        if let Some(behind) = appended.before {
            self.deliver_behind(behind);
        }
        self.deliver_kept(topic, appended.message.as_outgoing(), &appended.kept, except);
        appended.id
    }

    /// Delivers what other reactors of the cluster have published to topics that keep messages.
    pub(crate) fn catch_up(&mut self) {
        let Some(Keeper::Shared(part)) = self.histories.as_ref() else { return };
        let CaughtUp { begun, behind } = part.catch_up(self.topics.all());
        if let Some(begun) = begun {
            self.follow_new_history(begun);
        }
        if let Some(behind) = behind {
            self.deliver_behind(behind);
        }
    }

    #[cold]
    fn deliver_behind(&mut self, behind: Behind) {
        for topic in behind.gaps {
            self.follow_after_gap(&topic, behind.since);
        }
        for (topic, kept) in behind.messages {
            self.deliver_kept(&topic, kept.outgoing(), &kept, None);
        }
    }

    /// Hands a kept message to the subscribers of its topic. They share its frame.
    pub(super) fn deliver_kept(
        &mut self,
        topic: &str,
        message: Outgoing<'_>,
        kept: &Arc<Kept>,
        except: Option<u32>,
    ) {
        let id = kept.id.text();
        let key = self.delivery.number_of(message.key.unwrap_or(topic));
        let mut encoded = kept.encoded_of(message, &id, key);
        // Followers get the message by their cursors.
        self.deliver_to_members::<true>(topic, &mut encoded, except);
        if let Some(except) = except {
            self.skip_own(except, topic, kept.id);
        }
        kept.remember(&encoded);
    }

    /// Registers a prefix whose topics keep messages.
    pub(crate) fn keep_history(&mut self, prefix: &str, history: History) {
        let now = self.now();
        self.histories(now);
        let begun = match self.histories.as_mut() {
            Some(Keeper::Own(histories)) => {
                histories.register(prefix, history);
                histories.latest()
            }
            Some(Keeper::Shared(part)) => part.register(prefix, history, self.topics.all()),
            None => return,
        };
        self.follow_new_history(begun);
    }

    /// Sets the bytes that all kept messages may take.
    pub(crate) fn keep_within(&mut self, bytes: usize) {
        let now = self.now();
        self.histories(now).set_memory(bytes);
        if let Some(stores) = &mut self.stores {
            stores.rings.set_memory(bytes);
        }
    }

    /// Forgets messages that are too old.
    #[inline(never)]
    pub(crate) fn forget_old(&mut self) {
        let now = self.now();
        let Context { histories, stores, topics, .. } = self;
        let has_members = |topic: &str| topics.count(topic) > 0;
        match histories.as_mut() {
            Some(Keeper::Own(histories)) => histories.expire(now, has_members),
            Some(Keeper::Shared(part)) => part.expire(now),
            None => {}
        }
        if let Some(stores) = stores {
            stores.rings.expire(now, has_members);
        }
        self.end_history_turn();
    }

    /// Ends a turn: the next one sees what other reactors of a cluster have published meanwhile.
    #[inline]
    pub(crate) fn end_history_turn(&self) {
        if let Some(histories) = &self.histories {
            histories.end_turn();
        }
    }

    /// Returns the moment at which a message is to be forgotten.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        let rings = self.stores.as_ref().and_then(|stores| stores.rings.next_expiry());
        let own = self.histories.as_ref()?.next_expiry();
        own.into_iter().chain(rings).min()
    }

    /// Shares the history of a cluster from now on. Prefixes that are registered already count as
    /// registered there.
    pub(crate) fn share_history(&mut self, part: Part) {
        if let Some(Keeper::Own(histories)) = self.histories.as_ref() {
            for (prefix, history) in histories.registered() {
                part.register(prefix, history, self.topics.all());
            }
            if let Some(bytes) = histories.memory() {
                part.set_memory(bytes);
            }
        }
        self.topics.part = Some(part.clone());
        self.histories = Some(Keeper::Shared(part));
        self.has_extras = true;
    }

    /// Whether all reactors of a cluster share the history.
    #[inline]
    pub(crate) fn shares_history(&self) -> bool {
        matches!(self.histories.as_ref(), Some(Keeper::Shared(_)))
    }

    /// Whether two reactors of the cluster keep different histories for one prefix.
    #[inline]
    pub(crate) fn disagrees_on_history(&self) -> bool {
        let keeper = self.histories.as_ref();
        keeper.is_some_and(|keeper| matches!(keeper, Keeper::Shared(part) if part.disagrees()))
    }

    pub(super) fn histories(&mut self, now: Instant) -> &mut Keeper {
        self.has_extras = true;
        self.histories.get_or_insert_with(|| Keeper::Own(Box::new(Histories::new(now))))
    }
}
