//! The outcome of a run: the one structure behind the table, the JSON file, the comparison and the
//! HTML report. This file measures nothing.

use serde::{Deserialize, Serialize};

use crate::latency::Summary;
use crate::talk::{Failures, Mode};

/// The number of this schema; a change of meaning changes the number.
pub const SCHEMA: u32 = 1;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    pub schema: u32,
    /// Seconds since 1970.
    pub started: u64,
    pub settings: Settings,
    pub verdict: Verdict,
    pub connections: Connections,
    pub handshake: Option<Summary>,
    pub memory: Vec<Memory>,
    pub cpu: Vec<Cpu>,
    pub measured: Measured,
    pub timeline: Vec<Point>,
}

/// The settings of the run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    pub url: String,
    pub targets: usize,
    pub mode: Mode,
    pub connections: u64,
    pub workers: usize,
    /// Source addresses named; 0 leaves the choice to the kernel.
    pub sources: usize,
    pub rate: f64,
    pub in_flight: usize,
    pub duration: f64,
    pub messages_per_second: f64,
    pub size: usize,
    pub active: f64,
    pub serve: usize,
    pub server_pids: Vec<u32>,
    pub cores: usize,
}

/// Whether the figures may be believed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Everything that was asked for took place.
    pub complete: bool,
    /// The figures are the server's and not the client's own.
    pub valid: bool,
    pub interrupted: bool,
    /// The reasons why the run is not complete or not valid, a line each.
    pub reasons: Vec<String>,
    /// Remarks, a line each.
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Connections {
    pub asked: u64,
    pub held: u64,
    pub held_at_end: u64,
    pub lost: u64,
    pub failed: u64,
    pub failures: Vec<Failures>,
    pub opening_seconds: f64,
}

/// Bytes for each connection, of one owner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// `server`, `kernel` or `client`.
    pub owner: String,
    pub source: String,
    /// `None` if unknown.
    pub per_connection: Option<f64>,
    /// Bytes in all, once all connections were open.
    pub total: Option<u64>,
    /// Whether the row is part of another row, and not to be added.
    pub is_part: bool,
}

/// CPU time in one phase, as shares of one core.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cpu {
    /// `opening` or `measuring`.
    pub phase: String,
    pub seconds: f64,
    pub client: f64,
    pub busiest_client: f64,
    /// `None` if the server's process is not known.
    pub server: Option<f64>,
    pub busiest_server: Option<f64>,
    /// The share of all cores' time that any process used.
    pub machine: f64,
}

/// Figures of the mode.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    pub seconds: f64,
    pub sent: u64,
    pub answered: u64,
    pub unexpected: u64,
    pub held_back: u64,
    pub failed: u64,
    pub latency: Option<Summary>,
    pub lateness: Option<Summary>,
    pub closing: Option<Summary>,
    pub broadcast: Option<Broadcast>,
    pub silence: Option<Silence>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Broadcast {
    pub rounds: u64,
    pub expected: u64,
    pub received: u64,
    pub reach: f64,
    pub to_last_median_us: f64,
    pub to_last_max_us: f64,
}

/// What a server did with peers that were silent, or did not read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Silence {
    pub method: String,
    /// The way in which the server's connections were counted.
    pub source: String,
    pub held_at_first: u64,
    pub held_at_end: u64,
    /// The longest time, in seconds, between two counts.
    pub looked_every: f64,
    /// Seconds until the count showed that the first peer was dropped, half of them, and the last.
    pub first_dropped: Option<f64>,
    pub half_dropped: Option<f64>,
    pub all_dropped: Option<f64>,
    /// Growth of the server's resident memory meanwhile, for each connection.
    pub server_bytes: Option<f64>,
}

/// One moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    pub seconds: f64,
    pub held: u64,
    pub server_bytes: Option<u64>,
    pub client_bytes: u64,
    pub kernel_bytes: u64,
    /// Connections that the server still has, if they are counted.
    pub server_held: Option<u64>,
}
