//! The outcome of a run: the one structure behind the table, the JSON file, the comparison and the
//! HTML report. This file measures nothing.

use serde::{Deserialize, Serialize};

use crate::ends::Ends;
use crate::growth::Finding;
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
    /// Whether a server process had many descriptors open before this run.
    #[serde(default)]
    pub server_was_used: bool,
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
    /// The ends of connections that were open.
    #[serde(default)]
    pub ends: Ends,
    /// Connections of other clients at the server's ports, the most that were counted at a time.
    #[serde(default)]
    pub foreign: u64,
    /// Connections whose server selected none of the subprotocols that were asked for.
    #[serde(default)]
    pub unselected: u64,
    pub opening_seconds: f64,
}

/// Bytes for each connection, of one owner.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// `server`, `kernel` or `client`.
    pub owner: String,
    pub source: String,
    /// `None` if unknown, or if the slope cannot be true.
    pub per_connection: Option<f64>,
    /// The increase between the two numbers of connections for each new one, true or not.
    #[serde(default)]
    pub slope: Option<f64>,
    #[serde(default)]
    pub finding: Finding,
    /// The numbers of connections that the slope lies between.
    #[serde(default)]
    pub ramp: (u64, u64),
    /// Bytes in all before the first connection.
    #[serde(default)]
    pub baseline: Option<u64>,
    /// Bytes in all at the beginning of the ramp.
    #[serde(default)]
    pub before: Option<u64>,
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
    #[serde(default)]
    pub idle_cpu: Option<IdleCpu>,
}

/// CPU time for each idle connection and second, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IdleCpu {
    /// `None` if the server's process is not known.
    pub server_us: Option<f64>,
    pub client_us: f64,
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
    /// Growth of the kernel's TCP buffers meanwhile, of all its sockets, for each connection.
    #[serde(default)]
    pub kernel_bytes: Option<f64>,
    /// Bytes that waited at the end in the sockets of each connection, on both sides.
    #[serde(default)]
    pub unread_bytes: Option<f64>,
    /// Some moments of that growth, evenly spaced.
    #[serde(default)]
    pub kernel_growth: Vec<KernelGrowth>,
}

/// The kernel's memory for each connection at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KernelGrowth {
    pub seconds: f64,
    pub kernel_bytes: f64,
    pub unread_bytes: f64,
}

/// One moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    pub seconds: f64,
    pub held: u64,
    pub server_bytes: Option<u64>,
    pub client_bytes: u64,
    pub kernel_bytes: u64,
    /// TCP buffers of all the kernel's sockets.
    #[serde(default)]
    pub buffer_bytes: u64,
    /// Connections that the server still has, if they are counted.
    pub server_held: Option<u64>,
    /// Bytes that wait in the sockets of the server's ports, if they are counted.
    #[serde(default)]
    pub queued_bytes: Option<u64>,
}

#[cfg(test)]
impl Outcome {
    /// An outcome of a thousand connections that is valid and complete.
    pub fn sample(mode: Mode) -> Outcome {
        let connections =
            Connections { asked: 1000, held: 1000, held_at_end: 1000, ..Connections::default() };
        let memory = Memory {
            owner: "server".into(),
            source: "RSS, smaps_rollup".into(),
            per_connection: Some(64.0),
            slope: Some(64.0),
            finding: Finding::Measured,
            ramp: (100, 1000),
            baseline: Some(1 << 20),
            before: Some(2 << 20),
            total: Some((2 << 20) + 57_600),
            is_part: false,
        };
        let cpu = Cpu {
            phase: "measuring".into(),
            seconds: 10.0,
            client: 0.1,
            busiest_client: 0.1,
            server: Some(0.1),
            busiest_server: Some(0.1),
            machine: 0.2,
        };
        Outcome {
            schema: SCHEMA,
            started: 0,
            settings: Settings::sample(mode),
            verdict: Verdict { complete: true, valid: true, ..Verdict::default() },
            connections,
            handshake: None,
            memory: vec![memory],
            server_was_used: false,
            cpu: vec![cpu],
            measured: Measured { sent: 100, answered: 100, seconds: 10.0, ..Measured::default() },
            timeline: Vec::new(),
        }
    }
}

#[cfg(test)]
impl Settings {
    fn sample(mode: Mode) -> Settings {
        Settings {
            url: "ws://127.0.0.1:9001/".into(),
            targets: 1,
            mode,
            connections: 1000,
            workers: 1,
            sources: 0,
            rate: 5000.0,
            in_flight: 256,
            duration: 10.0,
            messages_per_second: 10.0,
            size: 20,
            active: 1.0,
            serve: 0,
            server_pids: vec![1],
            cores: 2,
        }
    }
}
