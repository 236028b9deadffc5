//! Publishing to topics that keep messages. Only this file asks the kept messages of a server. A
//! server that keeps none has nothing of it but one branch at a publish.

use std::sync::Arc;
use std::time::Instant;

use super::context::Context;
use crate::delivery::{AsOutgoing, Outgoing};
use crate::history::{Histories, History, Kept, MessageId};

/// History.
impl Context {
    /// Publishes a message that contains its own id, and returns that id.
    ///
    /// The closure gets the id before the message is encoded, so that the message to a WebSocket
    /// can have it in its payload. An event stream gets the id of an event anyway. A topic without
    /// [history](crate::Server::history) gets an id of the same sequence, and keeps nothing.
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
        let id = self.histories(now).next_id();
        let message = make(id);
        let message = message.as_outgoing();
        if self.histories(now).keeps(topic) {
            self.keep(topic, &message, id, None);
        } else {
            self.publish_except(topic, message, None);
        }
        id
    }

    /// Returns the latest id that a message has been given, of any topic; 0-0 if the server has
    /// never had history and no message an id.
    ///
    /// A page that is rendered with the state of this moment takes the id along, and subscribes
    /// from it.
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
        let histories = self.histories.as_mut().filter(|histories| histories.keeps(topic));
        let Some(id) = histories.map(|histories| histories.next_id()) else { return false };
        self.keep(topic, message, id, except);
        true
    }

    /// Keeps a message, and hands it to the subscribers.
    fn keep(&mut self, topic: &str, message: &Outgoing<'_>, id: MessageId, except: Option<u32>) {
        if self.elsewhere.is_some() {
            self.publish_elsewhere(topic, message);
        }
        let now = self.now();
        let kept = self.histories(now).append(topic, message, id, now);
        self.deliver_kept(topic, *message, &kept, except);
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
        self.histories(now).register(prefix, history);
        self.follow_new_history();
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
        let rings = stores.as_mut().map(|stores| &mut stores.rings);
        for histories in histories.as_deref_mut().into_iter().chain(rings) {
            histories.expire(now, |topic| topics.count(topic) > 0);
        }
    }

    /// Returns the moment at which a message is to be forgotten.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        let rings = self.stores.as_ref().and_then(|stores| stores.rings.next_expiry());
        let own = self.histories.as_ref()?.next_expiry();
        own.into_iter().chain(rings).min()
    }

    pub(super) fn histories(&mut self, now: Instant) -> &mut Histories {
        self.histories.get_or_insert_with(|| Box::new(Histories::new(now)))
    }
}
