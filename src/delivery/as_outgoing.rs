//! What a program may return where a message is asked for: borrowed messages, owned text and bytes,
//! and types of its own. This file sends nothing.

use std::borrow::Cow;

use super::outgoing::Outgoing;
use crate::websocket::Message;

/// A value that can be sent as a message: what the closure of
/// [`Context::publish_with`](crate::Context::publish_with) returns.
///
/// `String`, `&str` and [`Cow<str>`](Cow) are text. `Vec<u8>`, `&[u8]` and arrays of bytes are
/// binary. [`Message`] and [`Outgoing`] are what they say. A type of the program's own that holds
/// its text names an event or a key as well:
///
/// ```
/// use switchboard::testing::World;
/// use switchboard::{AsOutgoing, Outgoing};
///
/// struct Price(String);
///
/// impl AsOutgoing for Price {
///     fn as_outgoing(&self) -> Outgoing<'_> {
///         Outgoing::text(&self.0).event("price").key("gold")
///     }
/// }
///
/// let mut world = World::new();
/// let make = |id| Price(format!(r#"{{"id":"{id}","ounce":2650}}"#));
/// let id = world.context().publish_with("prices", make);
/// assert_eq!(world.context().latest_id(), id);
/// ```
pub trait AsOutgoing {
    /// Returns the message, which borrows from the value.
    fn as_outgoing(&self) -> Outgoing<'_>;
}

impl AsOutgoing for Outgoing<'_> {
    fn as_outgoing(&self) -> Outgoing<'_> {
        *self
    }
}

impl AsOutgoing for Message<'_> {
    fn as_outgoing(&self) -> Outgoing<'_> {
        (*self).into()
    }
}

impl AsOutgoing for str {
    fn as_outgoing(&self) -> Outgoing<'_> {
        self.into()
    }
}

impl AsOutgoing for String {
    fn as_outgoing(&self) -> Outgoing<'_> {
        self.into()
    }
}

impl AsOutgoing for Cow<'_, str> {
    fn as_outgoing(&self) -> Outgoing<'_> {
        Outgoing::text(self)
    }
}

impl AsOutgoing for [u8] {
    fn as_outgoing(&self) -> Outgoing<'_> {
        self.into()
    }
}

impl AsOutgoing for Vec<u8> {
    fn as_outgoing(&self) -> Outgoing<'_> {
        self.into()
    }
}

impl<const N: usize> AsOutgoing for [u8; N] {
    fn as_outgoing(&self) -> Outgoing<'_> {
        self.into()
    }
}

impl<T: AsOutgoing + ?Sized> AsOutgoing for &T {
    fn as_outgoing(&self) -> Outgoing<'_> {
        (**self).as_outgoing()
    }
}

impl<T: AsOutgoing + ?Sized> AsOutgoing for Box<T> {
    fn as_outgoing(&self) -> Outgoing<'_> {
        (**self).as_outgoing()
    }
}
