//! The answer to a subscriber that goes on from an id.

use super::message_id::MessageId;

/// Whether a topic still has every message after the id that a subscriber goes on from.
///
/// ```
/// use switchboard::{MessageId, Resume};
///
/// let gap = Resume::Gap { oldest: MessageId::new(7, 3) };
/// assert_ne!(gap, Resume::Resumed);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resume {
    /// Every later message of the topic follows.
    Resumed,
    /// Messages may be missing: the id is not of this server, or a later message is forgotten. The
    /// subscriber renders anew.
    Gap {
        /// The oldest message that the topic keeps, which follows; the latest id of the server if
        /// it keeps none. To subscribe from here would leave this message out.
        oldest: MessageId,
    },
}
