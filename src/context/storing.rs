//! Publishing to topics of a store, and what other servers have put into it. This file calls no
//! store: it adds questions, which the server asks at the end of the turn.

use std::sync::Arc;

use super::context::{Context, StoreCall};
use super::stores::{Append, FROM_HERE, Incoming, Question, Stores};
use crate::connection::{ConnId, ZoneId};
use crate::delivery::Outgoing;
use crate::history::{
    Arrival, History, MessageId, Purpose, StoreBounds, StoreError, StoreReply, StoredMessage,
};

/// Stores.
impl Context {
    /// Publishes a message to a topic of a [store](crate::Server::store), and has a closure called
    /// with a zone's handler once the message has its id.
    ///
    /// The store keeps the message, then the subscribers get it, in the order of ids, and then the
    /// closure gets the id. So a program acknowledges what a crash does not lose.
    /// [`publish`](Context::publish) does the same without a closure, and
    /// [`Stats::store_failed`](crate::Stats::store_failed) counts what was not stored.
    ///
    /// The closure gets an error where no store keeps the topic, where 1,024 messages or 16 MiB of
    /// them wait for their ids, where the store fails, and where it does not answer within 10
    /// seconds. [`StoreError::may_be_stored`] tells whether the message may be stored nevertheless;
    /// if it is, the subscribers get it. The closure is called once, after the current callback;
    /// it is dropped without a call if the server ends first.
    ///
    /// ```
    /// use switchboard::testing::World;
    /// use switchboard::{Handler, MessageId, StoreError};
    ///
    /// #[derive(Default)]
    /// struct Room { failed: Option<StoreError> }
    /// impl Handler for Room {}
    ///
    /// let mut world = World::new();
    /// let room = world.server.zone("/", Room::default());
    /// let told = |room: &mut Room, _cx: &mut _, result: Result<MessageId, StoreError>| {
    ///     room.failed = result.err();
    /// };
    /// world.context().publish_stored("room/1", "hello", room, told);
    /// // No store was registered.
    /// assert_eq!(world.with(room, |room, _cx| room.failed.take()), Some(StoreError::NoStore));
    /// ```
    pub fn publish_stored<'m, H: 'static>(
        &mut self,
        topic: &str,
        message: impl Into<Outgoing<'m>>,
        zone: ZoneId<H>,
        told: impl FnOnce(&mut H, &mut Context, Result<MessageId, StoreError>) + 'static,
    ) {
        let call: StoreCall = Box::new(move |handler, cx, reply| {
            let StoreReply::Append(result) = reply else { return };
            if let Some(handler) = handler.downcast_mut() {
                told(handler, cx, result.map(|appended| appended.id));
            }
        });
        self.append(topic, &message.into(), None, Some((zone.index, call)));
    }

    /// Asks the store of a topic for its bounds, and has a closure called with a zone's handler.
    ///
    /// A page that is rendered with messages of a store takes the latest id along, and subscribes
    /// from it. The errors are those of [`publish_stored`](Context::publish_stored).
    ///
    /// ```
    /// use switchboard::testing::World;
    /// use switchboard::{Handler, StoreBounds, StoreError};
    ///
    /// #[derive(Default)]
    /// struct Room { bounds: Option<Result<StoreBounds, StoreError>> }
    /// impl Handler for Room {}
    ///
    /// let mut world = World::new();
    /// let room = world.server.zone("/", Room::default());
    /// world.context().stored_bounds("room/1", room, |room, _cx, bounds| {
    ///     room.bounds = Some(bounds);
    /// });
    /// let bounds = world.with(room, |room, _cx| room.bounds.take());
    /// assert_eq!(bounds, Some(Err(StoreError::NoStore)));
    /// ```
    pub fn stored_bounds<H: 'static>(
        &mut self,
        topic: &str,
        zone: ZoneId<H>,
        told: impl FnOnce(&mut H, &mut Context, Result<StoreBounds, StoreError>) + 'static,
    ) {
        let call: StoreCall = Box::new(move |handler, cx, reply| {
            let StoreReply::Bounds(result) = reply else { return };
            if let Some(handler) = handler.downcast_mut() {
                told(handler, cx, result);
            }
        });
        let done = (zone.index, call);
        let (due, mut error) = (self.store_deadline(), StoreError::NoStore);
        let stores = self.stores.as_mut().filter(|stores| stores.of(topic).is_some());
        let refused = match stores {
            Some(stores) => {
                let (name, question) = (stores.name_of(topic), Question::Bounds(Some(done)));
                error = StoreError::QueueFull;
                stores.questions.add(Purpose::Read, &name, question, due).err()
            }
            None => Some(Question::Bounds(Some(done))),
        };
        if let Some(Question::Bounds(Some((zone, call)))) = refused {
            self.tell(zone, call, StoreReply::Bounds(Err(error)));
        }
    }

    /// Takes in a message that another server has put into the store of a topic. `before` is the id
    /// before it in its topic.
    ///
    /// The call is a bell. If `before` is the id that this server has delivered last, the message
    /// is delivered at once; else the server asks the store for what lies between. A message that
    /// was delivered already does nothing, so a server may also report its own. Where a message is
    /// not at hand, [`ask_store`](Context::ask_store) does.
    ///
    /// ```
    /// use switchboard::testing::World;
    /// use switchboard::{MessageId, StoredMessage};
    ///
    /// let mut world = World::new();
    /// let (before, id) = (MessageId::new(7, 0), MessageId::new(8, 0));
    /// // From a thread that hears of messages: remote.call(zone, move |_, cx| cx.stored(..))
    /// world.context().stored("room/1", id, before, StoredMessage::new("hello"));
    /// ```
    pub fn stored(
        &mut self,
        topic: &str,
        id: MessageId,
        before: MessageId,
        message: StoredMessage,
    ) {
        let len = message.len();
        let message = Some(Incoming { message, except: None });
        self.arrive(topic, Arrival { id, before, message, len, is_own: false });
    }

    /// Has the server ask the stores whether it has missed messages, in all topics that begin with
    /// `prefix` and have subscribers. What it has missed is delivered.
    ///
    /// Call it after a time in which the program could not hear of messages of other servers, such
    /// as after a connection to Redis was made anew.
    ///
    /// ```
    /// # let mut world = switchboard::testing::World::new();
    /// world.context().ask_store("room/");
    /// ```
    pub fn ask_store(&mut self, prefix: &str) {
        let Some(stores) = &self.stores else { return };
        let topics = stores.topics.keys().filter(|topic| topic.starts_with(prefix));
        for topic in topics.cloned().collect::<Vec<_>>() {
            let stores = self.stores.as_deref_mut();
            let Some(stored) = stores.and_then(|stores| stores.topics.get_mut(&topic)) else {
                continue;
            };
            let mut steps = Vec::new();
            stored.gate.look(&mut steps);
            self.take_steps(&topic, steps);
        }
    }

    /// Publishes a message to the store of a topic. Returns whether there is one.
    #[cold]
    pub(super) fn publish_to_store(
        &mut self,
        topic: &str,
        message: &Outgoing<'_>,
        except: Option<u32>,
    ) -> bool {
        let has_store = self.has_store(topic);
        if has_store {
            let except = except.and_then(|slot| Some(self.table.slots.at(slot)?.id));
            self.append(topic, message, except, None);
        }
        has_store
    }

    /// Whether a store keeps the messages of a topic.
    pub(crate) fn has_store(&self, topic: &str) -> bool {
        self.stores.as_ref().is_some_and(|stores| stores.of(topic).is_some())
    }

    /// Has a store keep a message.
    fn append(
        &mut self,
        topic: &str,
        message: &Outgoing<'_>,
        except: Option<ConnId>,
        done: Option<(u16, StoreCall)>,
    ) {
        let due = self.store_deadline();
        let stores = self.stores.as_mut().filter(|stores| stores.of(topic).is_some());
        let Some(stores) = stores else {
            return self.told_append(done, Err(StoreError::NoStore));
        };
        let (name, message) = (stores.name_of(topic), StoredMessage::new(*message));
        let purpose = Purpose::Append(message.len());
        let question = Question::Append(Append { message, except, done });
        let refused = stores.questions.add(purpose, &name, question, due);
        if let Err(Question::Append(Append { done, .. })) = refused {
            self.told_append(done, Err(StoreError::QueueFull));
        }
    }

    /// Registers a prefix whose topics have a store, and returns the number of the store.
    pub(crate) fn keep_in_store(&mut self, prefix: &str, history: History) -> usize {
        let now = self.now();
        // A publish looks for stores only where messages are kept.
        let memory = self.histories(now).memory();
        self.has_extras = true;
        let stores = self.stores.get_or_insert_with(|| Box::new(Stores::new(now)));
        if let Some(memory) = memory {
            stores.rings.set_memory(memory);
        }
        let number = stores.register(prefix, history);
        let latest = self.latest_id();
        self.follow_new_history(latest);
        number
    }
}

impl<C> Stores<C> {
    /// Returns the name of a topic, shared where it is known.
    fn name_of(&self, topic: &str) -> Arc<str> {
        self.name(topic).map_or_else(|| topic.into(), Arc::clone)
    }
}

/// A reader that begins with the next message is at no id that a store can give.
const _: () = assert!(FROM_HERE.a() == u64::MAX);
