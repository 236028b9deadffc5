//! What one zone found out about a request and hands to the zones after it: a map with one value per type.
//! Costs a null pointer while unused, and knows nothing of requests, zones or connections.

use std::any::{Any, TypeId};
use std::fmt;

/// Values of any type, at most one of each.
///
/// An authentication zone puts a user in; every later zone, and `open` of a WebSocket, finds it again. Values
/// stay on their reactor's thread, so they need not be `Send`.
///
/// ```
/// use switchboard::proto::http1::Extensions;
///
/// #[derive(Debug, PartialEq)]
/// struct User(&'static str);
///
/// let mut extensions = Extensions::new();
/// extensions.insert(User("ada"));
/// assert_eq!(extensions.get(), Some(&User("ada")));
/// ```
#[derive(Default)]
pub struct Extensions {
    // Boxed, so that the common case of none costs 8 bytes.
    entries: Option<Box<Entries>>,
}

/// A list: so few values travel with a request that comparing each type is quicker than hashing one.
#[derive(Default)]
struct Entries(Vec<(TypeId, Box<dyn Any>)>);

impl Extensions {
    /// An empty map; allocates nothing.
    pub const fn new() -> Extensions {
        Extensions { entries: None }
    }

    /// Puts a value in and gives back the one of the same type that it replaces.
    pub fn insert<T: Any>(&mut self, value: T) -> Option<T> {
        let entries = &mut self.entries.get_or_insert_default().0;
        let value: Box<dyn Any> = Box::new(value);
        match entries.iter_mut().find(|(id, _)| *id == TypeId::of::<T>()) {
            Some((_, present)) => unboxed(std::mem::replace(present, value)),
            None => {
                entries.push((TypeId::of::<T>(), value));
                None
            }
        }
    }

    /// The value of type `T`, if there is one.
    pub fn get<T: Any>(&self) -> Option<&T> {
        let entries = self.entries.as_deref()?;
        let (_, value) = entries.0.iter().find(|(id, _)| *id == TypeId::of::<T>())?;
        value.downcast_ref()
    }

    /// The value of type `T`, to be changed in place.
    pub fn get_mut<T: Any>(&mut self) -> Option<&mut T> {
        let entries = self.entries.as_deref_mut()?;
        let (_, value) = entries.0.iter_mut().find(|(id, _)| *id == TypeId::of::<T>())?;
        value.downcast_mut()
    }

    /// Takes the value of type `T` out.
    pub fn remove<T: Any>(&mut self) -> Option<T> {
        let entries = &mut self.entries.as_deref_mut()?.0;
        let place = entries.iter().position(|(id, _)| *id == TypeId::of::<T>())?;
        let (_, value) = entries.swap_remove(place);
        if entries.is_empty() {
            self.entries = None;
        }
        unboxed(value)
    }

    /// Whether nothing is in.
    pub fn is_empty(&self) -> bool {
        self.entries.is_none()
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = self.entries.as_deref().map_or(0, |entries| entries.0.len());
        f.debug_struct("Extensions").field("len", &len).finish()
    }
}

fn unboxed<T: Any>(value: Box<dyn Any>) -> Option<T> {
    value.downcast().ok().map(|value| *value)
}

const _: () = assert!(size_of::<Extensions>() == size_of::<usize>());
