//! Reads the messages that topics keep: for pages that a program renders, and for answers that the
//! server makes. This file changes nothing.

use std::fmt;
use std::sync::Arc;

use super::context::Context;
use super::stores::{FROM_HERE, Standing};
use crate::delivery::Outgoing;
use crate::history::{Forgotten, Kept, MessageId, Resume};
use crate::websocket::Message;

/// A message that a topic keeps, from [`Context::kept`]. It shares the memory of the history, which
/// may forget the message meanwhile.
///
/// ```
/// use switchboard::testing::World;
/// use switchboard::{History, Message, MessageId, Outgoing};
///
/// let mut world = World::new();
/// world.server.history("room/", History::new());
/// let cx = world.context();
/// cx.publish("room/7", Outgoing::text("21.5").event("celsius"));
/// let kept = cx.kept("room/7", MessageId::default()).next().unwrap();
/// assert_eq!(kept.message(), Message::Text("21.5"));
/// assert_eq!((kept.event(), kept.id()), (Some("celsius"), cx.latest_id()));
/// ```
#[derive(Clone)]
pub struct KeptMessage(Arc<Kept>);

impl KeptMessage {
    /// Returns the id of the message.
    #[must_use]
    pub fn id(&self) -> MessageId {
        self.0.id
    }

    /// Returns the message as it was published.
    #[must_use]
    pub fn message(&self) -> Message<'_> {
        self.outgoing().message
    }

    /// Returns the name of the event, if the message was published with one.
    #[must_use]
    pub fn event(&self) -> Option<&str> {
        self.outgoing().event
    }

    pub(super) fn outgoing(&self) -> Outgoing<'_> {
        self.0.outgoing()
    }
}

impl fmt::Debug for KeptMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, message) = (self.id(), self.message());
        f.debug_struct("KeptMessage").field("id", &id).field("message", &message).finish()
    }
}

impl Context {
    /// Returns the messages of a topic that are kept and newer than an id, in their order. After
    /// [`MessageId::default()`] these are all that the topic keeps; without
    /// [history](crate::Server::history) there are none.
    ///
    /// A page is rendered with the messages and with [`latest_id`](Context::latest_id), and
    /// subscribes from this id: nothing is lost between the two, and nothing comes twice. Take both
    /// in one callback: they show one moment, in a [`Cluster`](crate::Cluster) too.
    ///
    /// ```
    /// use switchboard::testing::World;
    /// use switchboard::{EventStream, History, Message, MessageId, Reply};
    ///
    /// let mut world = World::new();
    /// world.server.history("room/", History::new());
    /// world.server.http("/", |conn, request| match request.path() {
    ///     "/events" => Reply::from(EventStream::new().topic("room/7")),
    ///     _ => {
    ///         let cx = conn.context();
    ///         let mut page = String::new();
    ///         for kept in cx.kept("room/7", MessageId::default()) {
    ///             if let Message::Text(text) = kept.message() {
    ///                 page += &format!("{text}\n"); // a page in HTML escapes the text
    ///             }
    ///         }
    ///         page += &format!("/events?last_event_id={}", cx.latest_id());
    ///         page.into()
    ///     }
    /// });
    /// world.context().publish("room/7", "one");
    /// world.context().publish("room/7", "two");
    /// let page = world.get("/").text().to_owned();
    /// let lines: Vec<&str> = page.lines().collect();
    /// assert_eq!(lines[..2], ["one", "two"]);
    ///
    /// world.context().publish("room/7", "three, while the page loads");
    /// let ada = world.events(lines[2]);
    /// assert_eq!(world.hear(ada)[1..], ["three, while the page loads"]);
    /// ```
    pub fn kept(&self, topic: &str, after: MessageId) -> impl Iterator<Item = KeptMessage> {
        let all = self.histories.as_ref().map(|histories| histories.all_after(topic, after));
        all.into_iter().flatten().map(KeptMessage)
    }

    /// Whether a topic still has all messages after an id.
    pub(crate) fn resume(&self, topic: &str, from: MessageId) -> Resume {
        let gap = Resume::Gap { oldest: MessageId::default() };
        match (self.has_store(topic), &self.histories) {
            // What is not here is read from the store before this is asked.
            (true, _) if self.is_here(topic, from) => Resume::Resumed,
            (false, Some(histories)) => histories.resume(topic, from),
            _ => gap,
        }
    }

    /// Returns the id after which a topic has all messages.
    pub(crate) fn start_of(&self, topic: &str) -> MessageId {
        self.sources().start(topic)
    }

    /// Whether what follows an id in a topic is here, and need not be read from a store.
    pub(crate) fn is_here(&self, topic: &str, after: MessageId) -> bool {
        self.sources().standing(topic, after) == Standing::Here
    }

    /// Returns the id after which a subscriber of some topics gets what is published from here on;
    /// `None` while only a store knows it.
    pub(crate) fn latest_of<'t>(
        &self,
        topics: impl IntoIterator<Item = &'t str>,
    ) -> Option<MessageId> {
        let mut latest = MessageId::default();
        for topic in topics {
            let own = self.sources().latest(topic);
            if own == FROM_HERE {
                return None;
            }
            latest = latest.max(own);
        }
        Some(latest)
    }

    /// Returns the next message of a topic after an id; `None` also where another reactor of a
    /// cluster has had it forgotten meanwhile.
    pub(crate) fn kept_after(&self, topic: &str, after: MessageId) -> Option<KeptMessage> {
        self.next_kept(topic, after).ok().flatten()
    }

    /// Returns the next message of a topic after an id.
    ///
    /// # Errors
    /// When the topic has forgotten messages after the id since the caller asked: another reactor
    /// of the cluster has published meanwhile.
    pub(super) fn next_kept(
        &self,
        topic: &str,
        after: MessageId,
    ) -> Result<Option<KeptMessage>, Forgotten> {
        Ok(self.sources().next_after(topic, after)?.map(KeptMessage))
    }
}
