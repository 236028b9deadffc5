//! A map with one value for each type, by which a zone hands its findings about a request to later
//! zones. An unused map is a null pointer. This file knows no requests, zones and connections.
//!
//! `http::Extensions` requires values that are `Send`, `Sync` and `Clone`. The values of a
//! single-threaded handler often are not.

use std::any::{Any, TypeId};
use std::cell::Cell;
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// A map that holds at most one value of each type.
///
/// An authentication zone inserts a user; every later zone gets that user, and so does `open` of a
/// WebSocket. Values stay on the thread of their reactor, so they need not be `Send`.
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
    // Boxed, so that an empty map costs 8 bytes.
    entries: Option<Box<Entries>>,
}

/// A list, because few values travel with a request: comparing their types is quicker than hashing.
#[derive(Default)]
struct Entries {
    values: Vec<(TypeId, Box<dyn Any>)>,
    /// Where panics of the values' `Drop` are counted, if they are caught.
    panics: Option<Rc<Cell<u64>>>,
}

impl Drop for Entries {
    fn drop(&mut self) {
        let Some(panics) = self.panics.take() else { return };
        for (_, value) in self.values.drain(..) {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
                panics.set(panics.get() + 1);
                // The payload may panic as well, and what it panics with is not dropped.
                let _ = catch_unwind(AssertUnwindSafe(|| drop(payload))).map_err(mem::forget);
            }
        }
    }
}

impl Extensions {
    /// Creates an empty map; allocates nothing.
    #[must_use]
    pub const fn new() -> Extensions {
        Extensions { entries: None }
    }

    /// Inserts a value and returns the value of this type that it replaces.
    pub fn insert<T: Any>(&mut self, value: T) -> Option<T> {
        let entries = &mut self.entries.get_or_insert_default().values;
        let value: Box<dyn Any> = Box::new(value);
        match entries.iter_mut().find(|(id, _)| *id == TypeId::of::<T>()) {
            Some((_, present)) => unboxed(mem::replace(present, value)),
            None => {
                entries.push((TypeId::of::<T>(), value));
                None
            }
        }
    }

    /// Returns the value of type `T`.
    #[must_use]
    pub fn get<T: Any>(&self) -> Option<&T> {
        let entries = self.entries.as_deref()?;
        let (_, value) = entries.values.iter().find(|(id, _)| *id == TypeId::of::<T>())?;
        value.downcast_ref()
    }

    /// Returns the value of type `T`, to be changed in place.
    pub fn get_mut<T: Any>(&mut self) -> Option<&mut T> {
        let entries = self.entries.as_deref_mut()?;
        let (_, value) = entries.values.iter_mut().find(|(id, _)| *id == TypeId::of::<T>())?;
        value.downcast_mut()
    }

    /// Removes and returns the value of type `T`.
    pub fn remove<T: Any>(&mut self) -> Option<T> {
        let entries = &mut self.entries.as_deref_mut()?.values;
        let place = entries.iter().position(|(id, _)| *id == TypeId::of::<T>())?;
        let (_, value) = entries.swap_remove(place);
        if entries.is_empty() {
            self.entries = None;
        }
        unboxed(value)
    }

    /// Has panics of the values' `Drop` caught, and counted here.
    pub(crate) fn contain(&mut self, panics: &Rc<Cell<u64>>) {
        if let Some(entries) = &mut self.entries {
            entries.panics = Some(Rc::clone(panics));
        }
    }

    /// Whether the map holds no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_none()
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = self.entries.as_deref().map_or(0, |entries| entries.values.len());
        f.debug_struct("Extensions").field("len", &len).finish()
    }
}

fn unboxed<T: Any>(value: Box<dyn Any>) -> Option<T> {
    value.downcast().ok().map(|value| *value)
}

const _: () = assert!(size_of::<Extensions>() == size_of::<usize>());
