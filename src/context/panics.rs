//! Panics of a program's code: catches one, and keeps a record of each until the observer gets it.
//! This file knows no connection.

use std::any::Any;
use std::cell::Cell;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// The most records that wait for the observer.
const RECORDS: usize = 1 << 10;
/// Bytes of a message that are kept.
const MESSAGE: usize = 512;

/// What a panic carries.
pub(crate) type Payload = Box<dyn Any + Send>;

/// A panic that was caught.
#[derive(Debug)]
pub(crate) struct CaughtPanic {
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) client: Option<IpAddr>,
    /// The name of the callback.
    pub(crate) callback: &'static str,
    pub(crate) message: String,
}

/// Panics of this turn, until the observer gets them.
#[derive(Debug, Default)]
pub(crate) struct CaughtPanics {
    /// Whether an observer takes the records.
    pub(crate) observed: bool,
    records: Vec<CaughtPanic>,
    /// Panics beyond the most records.
    dropped: u64,
    /// Counts panics in the `Drop` of values that a request carried.
    pub(crate) in_drop: Rc<Cell<u64>>,
}

impl CaughtPanics {
    /// Keeps a record of one, unless too many wait.
    pub(crate) fn record(
        &mut self,
        (peer, client): (Option<SocketAddr>, Option<IpAddr>),
        callback: &'static str,
        payload: &(dyn Any + Send),
    ) {
        if self.records.len() == RECORDS {
            self.dropped += 1;
            return;
        }
        let message = message_of(payload);
        self.records.push(CaughtPanic { peer, client, callback, message });
    }

    /// Takes the records, and the number of those that were dropped.
    pub(crate) fn take(&mut self) -> (Vec<CaughtPanic>, u64) {
        (mem::take(&mut self.records), mem::take(&mut self.dropped))
    }
}

/// Runs a program's code, and returns what it panics with.
///
/// The code need not be unwind safe. What it leaves half changed is the program's own, since no
/// method of a context calls code of a program while the context is half changed.
pub(crate) fn catch<R>(call: impl FnOnce() -> R) -> Result<R, Payload> {
    catch_unwind(AssertUnwindSafe(call))
}

/// Drops a payload, whose own `Drop` may panic again.
pub(crate) fn dispose(payload: Payload) {
    if let Err(second) = catch(|| drop(payload)) {
        // A third one could follow, without an end.
        mem::forget(second);
    }
}

/// Returns the text of a panic, at most 512 bytes.
fn message_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("a payload that is no text");
    text[..text.floor_char_boundary(MESSAGE)].to_owned()
}
