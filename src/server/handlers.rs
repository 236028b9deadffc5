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
    /// Whether each handler is a [`Guarded`] one.
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
        self.all.push(if self.guarded { Box::new(Guarded(handler)) } else { handler });
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
        let handler: Option<&mut dyn Served> = match self.all.get_mut(usize::from(number)) {
            Some(handler) if self.guarded => inner(&mut **handler).map(|inner| &mut **inner as _),
            Some(handler) => Some(&mut **handler),
            None => None,
        };
        match handler {
            Some(handler) => Counted::inner(handler),
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
        for place in &mut self.all {
            let handler = match inner(&mut **place) {
                Some(inner) => mem::replace(inner, Box::new(NoHandler)),
                None => mem::replace(place, Box::new(NoHandler)),
            };
            *place = if yes { Box::new(Guarded(handler)) } else { handler };
        }
        self.guarded = yes;
    }

    /// Takes all handlers out.
    pub(super) fn take_all(&mut self) -> Vec<Box<dyn Served>> {
        mem::take(&mut self.all)
    }
}

/// Returns the handler in a guarded one.
fn inner(handler: &mut dyn Any) -> Option<&mut Box<dyn Served>> {
    handler.downcast_mut().map(|Guarded(inner)| inner)
}
