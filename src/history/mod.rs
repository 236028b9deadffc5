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
//! | behind | of a reactor of a cluster, while messages of others wait for it |

mod expiry;
mod histories;
mod keeper;
mod kept;
mod message_id;
mod part;
mod prefixes;
mod queued;
mod readers;
mod resume;
mod ring;
mod rings;
mod settings;
mod shared;

pub(crate) use histories::Histories;
pub(crate) use keeper::Keeper;
pub(crate) use kept::Kept;
pub use message_id::{MalformedMessageId, MessageId};
pub(crate) use part::Part;
pub use resume::Resume;
pub use settings::History;
pub(crate) use shared::{Behind, CaughtUp, Forgotten, SharedHistories};
