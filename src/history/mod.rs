//! The messages that topics keep, so that a subscriber can go on from where it was. This folder
//! knows no connection and no subscriber, and sends nothing.
//!
//! | word | meaning |
//! | --- | --- |
//! | id | the place of a message in the order of all messages of a server |
//! | ring | the kept messages of one topic |
//! | trimmed | forgotten by its ring, because of a bound of the topic |
//! | forgotten | gone with its whole topic |
//! | evicted | forgotten, since the memory for all topics is full |
//! | queued | kept no longer, and still waiting in an outbox |

mod expiry;
#[cfg(test)] // nothing asks yet
mod gate;
mod histories;
mod kept;
mod message_id;
mod prefixes;
#[cfg(test)]
mod questions;
mod queued;
mod resume;
mod ring;
mod rings;
mod settings;
#[cfg(test)]
mod store;
#[cfg(test)]
mod store_answer;
#[cfg(test)]
mod store_error;
#[cfg(test)]
mod stored_message;

pub(crate) use histories::Histories;
pub(crate) use kept::Kept;
pub(crate) use message_id::IdText;
pub use message_id::{MalformedMessageId, MessageId};
pub use resume::Resume;
pub use settings::History;
