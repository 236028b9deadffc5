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
//! | store | what keeps messages elsewhere, and gives them their ids |
//! | gate | what puts the messages of a store into their order before they are delivered |
//! | page | messages that were read from a store for those that are behind the ring |

mod expiry;
mod gate;
#[cfg(test)]
mod gate_tests;
mod histories;
mod keeper;
mod kept;
mod message_id;
mod pages;
mod part;
mod prefixes;
mod questions;
mod queued;
mod readers;
mod resume;
mod ring;
mod rings;
mod settings;
mod shared;
mod store;
mod store_answer;
mod store_data;
mod store_error;
mod stored_message;
mod stored_rings;

pub(crate) use gate::{AheadBounds, Arrival, Gate, Step};
pub(crate) use histories::Histories;
pub(crate) use keeper::Keeper;
pub(crate) use kept::Kept;
pub use message_id::{MalformedMessageId, MessageId};
pub(crate) use pages::Pages;
pub(crate) use part::Part;
pub(crate) use questions::{Ended, PATIENCE, Purpose, Questions};
pub use resume::Resume;
pub use settings::History;
pub(crate) use shared::{Behind, CaughtUp, Forgotten, SharedHistories};
pub use store::Store;
pub use store_answer::StoreAnswer;
pub(crate) use store_answer::{Inbox, StoreReply};
pub use store_data::{Appended, StoreBounds, StorePage};
pub use store_error::StoreError;
pub use stored_message::{MalformedStoredMessage, StoredMessage};
