//! Panics of a program's code: catches one, and returns its text. This file knows no connection.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Bytes of a message that are kept.
const MESSAGE: usize = 512;

/// What a panic carries.
pub(crate) type Payload = Box<dyn Any + Send>;

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
pub(crate) fn message_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("a payload that is no text");
    text[..text.floor_char_boundary(MESSAGE)].to_owned()
}
