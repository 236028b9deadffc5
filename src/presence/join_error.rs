//! What may join a topic: the bounds of names and values, and the error beyond them.

use std::error::Error;
use std::fmt;

/// The most bytes of a topic, of a user key and of a value.
pub(crate) const MOST_BYTES: usize = 256;

/// The most topics that one connection joins.
pub(crate) const MOST_TOPICS: usize = 16;

/// Why [`Conn::join`](crate::Conn::join) has changed nothing. Its text says what to do.
///
/// ```
/// use switchboard::testing::World;
/// use switchboard::{Conn, JoinError, Message, Presence};
///
/// let mut world = World::new();
/// world.server.websocket("/", |conn: &mut Conn<'_>, value: Message<'_>| {
///     let Message::Text(value) = value else { return };
///     if let Err(error) = conn.join("room", "ada", value, Presence::GRACE) {
///         assert_eq!(error, JoinError::ValueTooLong);
///         conn.send(&*error.to_string());
///     }
/// });
/// let ada = world.websocket("/");
/// world.say(ada, &*"x".repeat(256));
/// assert!(world.hear(ada).is_empty());
/// world.say(ada, &*"x".repeat(257));
/// let text = "a value of presence has more than 256 bytes: keep the rest in the handler, \
///             or publish it to a topic";
/// assert_eq!(world.hear(ada), [text]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JoinError {
    /// The name of the topic has more than 256 bytes.
    TopicTooLong,
    /// The user key is empty: the connection has no user yet.
    NoUser,
    /// The user key has more than 256 bytes.
    UserTooLong,
    /// The value has more than 256 bytes.
    ValueTooLong,
    /// The connection has joined 16 other topics.
    TooManyTopics,
    /// A connection of another zone has joined the topic, and users are still there.
    OtherZone,
}

impl JoinError {
    /// Checks the lengths of what a connection joins with.
    pub(crate) fn check(topic: &str, user: &str, value: &str) -> Result<(), JoinError> {
        match () {
            () if topic.len() > MOST_BYTES => Err(JoinError::TopicTooLong),
            () if user.is_empty() => Err(JoinError::NoUser),
            () if user.len() > MOST_BYTES => Err(JoinError::UserTooLong),
            () if value.len() > MOST_BYTES => Err(JoinError::ValueTooLong),
            () => Ok(()),
        }
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            JoinError::TopicTooLong => {
                "the name of a topic of presence has more than 256 bytes: take a shorter one, such \
                 as the number of the room"
            }
            JoinError::NoUser => {
                "the user key is empty: join once the program knows the user, such as after a login"
            }
            JoinError::UserTooLong => {
                "the user key has more than 256 bytes: take a shorter one, such as the number of \
                 the user"
            }
            JoinError::ValueTooLong => {
                "a value of presence has more than 256 bytes: keep the rest in the handler, or \
                 publish it to a topic"
            }
            JoinError::TooManyTopics => {
                "a connection joins at most 16 topics: leave one by Conn::leave, or take one topic \
                 for several rooms"
            }
            JoinError::OtherZone => {
                "users of another zone are present at this topic: put one handler at both prefixes \
                 by Server::zones, or take another topic"
            }
        })
    }
}

impl Error for JoinError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_bounded_to_the_byte() {
        let (most, more) = ("x".repeat(MOST_BYTES), "x".repeat(MOST_BYTES + 1));
        assert_eq!(JoinError::check(&most, &most, &most), Ok(()));
        assert_eq!(JoinError::check("", "u", ""), Ok(()));
        assert_eq!(JoinError::check(&more, "u", ""), Err(JoinError::TopicTooLong));
        assert_eq!(JoinError::check("", &more, ""), Err(JoinError::UserTooLong));
        assert_eq!(JoinError::check("", "", ""), Err(JoinError::NoUser));
        assert_eq!(JoinError::check("", "u", &more), Err(JoinError::ValueTooLong));
    }
}
