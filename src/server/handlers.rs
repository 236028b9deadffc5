//! The handlers of a server by their numbers, each as it is or guarded. This file knows no prefix
//! and no connection.

use std::any::Any;
use std::mem;

use super::counted::Counted;
use super::guarded::Guarded;
use super::handler::Handler;
use super::served::Served;

#[derive(Default)]
pub(super) struct Handlers {
    all: Vec<Box<dyn Served>>,
    /// Whether each handler is a [`Guarded`] one. A counted handler is guarded within its
    /// [`Counted`], which counts what a callback did before it panicked.
    guarded: bool,
    /// The handler for a `ZoneId` of another server.
    none: NoHandler,
}

#[derive(Default)]
struct NoHandler;

impl Handler for NoHandler {}

impl Handlers {
    /// Adds a handler, and returns its number.
    pub(super) fn add(&mut self, handler: Box<dyn Served>) -> u16 {
        // More handlers would need a wider number in every connection.
        let number = u16::try_from(self.all.len()).expect("at most 65,536 handlers");
        self.all.push(handler);
        if self.guarded {
            set_guard(self.all.last_mut(), true);
        }
        number
    }

    #[inline]
    pub(super) fn at(&mut self, number: u16) -> &mut dyn Served {
        match self.all.get_mut(usize::from(number)) {
            Some(handler) => &mut **handler,
            None => &mut self.none,
        }
    }

    /// Returns a handler under its own type, also where it is counted and its panics are caught.
    pub(super) fn as_any(&mut self, number: u16) -> &mut dyn Any {
        let Some(handler) = self.all.get_mut(usize::from(number)) else { return &mut self.none };
        let handler = place(handler);
        if !self.guarded {
            return &mut **handler;
        }
        match inner(&mut **handler) {
            Some(inner) => &mut **inner,
            None => &mut self.none,
        }
    }

    /// Whether panics of the handlers are caught.
    #[inline]
    pub(super) fn catches(&self) -> bool {
        self.guarded
    }

    /// Sets whether panics of the handlers are caught.
    pub(super) fn guard(&mut self, yes: bool) {
        if self.guarded == yes {
            return;
        }
        set_guard(&mut self.all, yes);
        self.guarded = yes;
    }

    /// Takes all handlers out.
    pub(super) fn take_all(&mut self) -> Vec<Box<dyn Served>> {
        mem::take(&mut self.all)
    }
}

/// Guards handlers, or ends that.
fn set_guard<'h>(handlers: impl IntoIterator<Item = &'h mut Box<dyn Served>>, yes: bool) {
    for handler in handlers {
        let place = place(handler);
        let handler = match inner(&mut **place) {
            Some(inner) => mem::replace(inner, Box::new(NoHandler)),
            None => mem::replace(place, Box::new(NoHandler)),
        };
        *place = if yes { Box::new(Guarded(handler)) } else { handler };
    }
}

/// Returns where a handler lies, guarded or not: in the list, or in a counted one.
fn place(handler: &mut Box<dyn Served>) -> &mut Box<dyn Served> {
    if (&**handler as &dyn Any).is::<Counted>() {
        let counted: &mut dyn Any = &mut **handler;
        return match counted.downcast_mut::<Counted>() {
            Some(counted) => &mut counted.inner,
            None => unreachable!("it was asked for its type"),
        };
    }
    handler
}

/// Returns the handler in a guarded one.
fn inner(handler: &mut dyn Any) -> Option<&mut Box<dyn Served>> {
    handler.downcast_mut().map(|Guarded(inner)| inner)
}
