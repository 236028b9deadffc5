//! What the simulations share beside `switchboard::testing`: requests, frames and answers as
//! bytes, and a handler that records its callbacks. Each test binary uses a part.
#![allow(dead_code, unused_imports, reason = "no test binary uses all of it")]

mod bytes;
pub mod dialling;
pub mod example;
pub mod frames;
pub mod http;
mod pair;
pub mod process;
mod recorder;
pub mod serving;
pub mod slow;
pub mod wire;
mod words;

use std::time::Duration;

use proptest::prelude::ProptestConfig;

pub use switchboard::testing::{Client, World};

pub use bytes::Bytes;
pub use pair::Pair;
pub use recorder::{Log, Recorder};
pub use words::{after_handshake, is_announcement, raw, words};

/// Runs a property this many times, and writes no file when it fails.
pub fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

pub fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
