//! Counts the heap of a test executable, as its allocator. This file does not know what is
//! allocated.

use std::alloc::System;
use std::sync::{Mutex, MutexGuard, PoisonError};

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Held by one test at a time where several count the heap.
#[allow(dead_code, reason = "some executables have one test")]
pub fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes in use.
pub fn heap() -> isize {
    let stats = HEAP.stats();
    stats.bytes_allocated as isize - stats.bytes_deallocated as isize
}

/// The number of allocations so far.
#[allow(dead_code, reason = "not everybody counts calls")]
pub fn allocations() -> usize {
    let stats = HEAP.stats();
    stats.allocations + stats.reallocations
}
