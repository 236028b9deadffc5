//! Why a store has not kept a message, or has not answered.

use std::error::Error;
use std::fmt;

/// Why a message is not stored, or why a question has no answer. The text says what to do.
///
/// ```
/// use switchboard::StoreError;
///
/// let text = StoreError::QueueFull.to_string();
/// assert!(text.ends_with("publish again once some are answered"));
/// assert!(StoreError::TimedOut.may_be_stored() && !StoreError::QueueFull.may_be_stored());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// As many questions wait for the stores as may: 1,024 appends, or appends of 16 MiB, or 1,024
    /// other questions. The message is not stored.
    QueueFull,
    /// No prefix of [`Server::store`](crate::Server::store) covers the topic. The message is not
    /// stored, and not published.
    NoStore,
    /// The store has not answered within 10 seconds. The message may be stored, and then it is
    /// delivered later.
    TimedOut,
    /// The store said that it failed, with a text of its own.
    Failed(Box<str>),
    /// The store dropped the question without an answer. The message may be stored.
    Unanswered,
}

impl StoreError {
    /// Whether the message may be stored nevertheless. A program that sends it again puts a mark
    /// into it by which receivers know the two as one.
    #[must_use]
    pub fn may_be_stored(&self) -> bool {
        match self {
            StoreError::QueueFull | StoreError::NoStore => false,
            StoreError::TimedOut | StoreError::Failed(_) | StoreError::Unanswered => true,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::QueueFull => f.write_str(
                "1,024 questions or 16 MiB of messages wait for the store already; publish again \
                 once some are answered",
            ),
            StoreError::NoStore => f.write_str(
                "no store keeps this topic; register a prefix of the topic with Server::store",
            ),
            StoreError::TimedOut => f.write_str(
                "the store has not answered within 10 seconds; a message may be stored \
                 nevertheless, so publish it again with the same mark",
            ),
            StoreError::Failed(why) => write!(f, "the store failed: {why}"),
            StoreError::Unanswered => f.write_str(
                "the store dropped a question without an answer; use every StoreAnswer that it \
                 is given",
            ),
        }
    }
}

impl Error for StoreError {}
