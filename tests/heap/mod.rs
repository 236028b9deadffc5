//! The heap of a test executable, counted. Who uses this has it for an allocator; it does not know what is allocated.

use std::alloc::System;
use std::sync::{Mutex, MutexGuard, PoisonError};

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// One test at a time, where several count the same heap.
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

/// How often memory was asked for so far.
#[allow(dead_code, reason = "not everybody counts calls")]
pub fn allocations() -> usize {
    let stats = HEAP.stats();
    stats.allocations + stats.reallocations
}
