//! A shared value that is replaced as a whole. A reader takes a counted pointer and is never kept
//! waiting for longer than a pointer's copy.

use std::mem;
use std::sync::{Arc, PoisonError, RwLock};

/// A value that many threads read and few replace.
///
/// No code of a caller runs under the lock, so the lock cannot be poisoned; if it were, the value
/// would still be whole.
#[derive(Debug)]
pub(super) struct Swap<T>(RwLock<Arc<T>>);

impl<T> Swap<T> {
    pub(super) fn new(value: T) -> Swap<T> {
        Swap(RwLock::new(Arc::new(value)))
    }

    pub(super) fn load(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the value. Readers that hold the former one keep it.
    pub(super) fn store(&self, value: T) {
        let value = Arc::new(value);
        let former = {
            let mut place = self.0.write().unwrap_or_else(PoisonError::into_inner);
            mem::replace(&mut *place, value)
        };
        drop(former); // perhaps the last pointer, so its value is freed without the lock
    }
}
