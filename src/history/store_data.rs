//! The values that a store answers with. This file asks no store.

use super::message_id::MessageId;
use super::stored_message::StoredMessage;

/// The answer to [`Store::append`](crate::Store::append).
///
/// ```
/// use switchboard::{Appended, MessageId};
///
/// let first = Appended { id: MessageId::new(7, 1), before: MessageId::default() };
/// assert!(first.before < first.id);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The id of the message.
    pub id: MessageId,
    /// The id of the message before it in its topic, also if that one is trimmed; `0-0` if it is
    /// the first one. The server delivers at once where it has delivered that id last, and asks the
    /// store for what lies between where it has not.
    pub before: MessageId,
}

/// What a store has of a topic.
///
/// ```
/// use switchboard::{MessageId, StoreBounds};
///
/// let empty = StoreBounds::default();
/// assert_eq!(empty.latest, MessageId::default());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreBounds {
    /// The greatest id that the store no longer has; `0-0` if it has all. A resume from a smaller
    /// id is a gap. A store that lost its data answers with an id that is at least as great as
    /// those that it lost.
    pub trimmed: MessageId,
    /// The latest id of the topic, also if its message is trimmed; `0-0` if there is none.
    pub latest: MessageId,
}

/// The answer to [`Store::after`](crate::Store::after).
///
/// ```
/// use switchboard::{MessageId, StoreBounds, StoredMessage, StorePage};
///
/// let id = MessageId::new(7, 1);
/// let messages = vec![(id, StoredMessage::new("hello"))];
/// let page = StorePage { messages, bounds: StoreBounds { latest: id, ..Default::default() } };
/// assert_eq!(page.messages[0].1.message().as_bytes(), b"hello");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StorePage {
    /// The messages in the order of their ids, without a hole. More may follow.
    pub messages: Vec<(MessageId, StoredMessage)>,
    /// What the store had when it read the messages. The server asks for more while the latest id
    /// is greater than that of the last message.
    pub bounds: StoreBounds,
}
