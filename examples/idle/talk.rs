//! The messages between coordinator and workers, one line of JSON each. This file does not know how
//! a line gets across.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::latency::Latencies;
use crate::plan::Route;

/// What connections do once they are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    Hold,
    Ping,
    Echo,
    Broadcast,
    Churn,
    HalfOpen,
    Slow,
}

impl Mode {
    pub const ALL: [Mode; 7] = [
        Mode::Hold,
        Mode::Ping,
        Mode::Echo,
        Mode::Broadcast,
        Mode::Churn,
        Mode::HalfOpen,
        Mode::Slow,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Hold => "hold",
            Mode::Ping => "ping",
            Mode::Echo => "echo",
            Mode::Broadcast => "broadcast",
            Mode::Churn => "churn",
            Mode::HalfOpen => "half-open",
            Mode::Slow => "slow",
        }
    }
}

/// The first message to a worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Assignment {
    pub mode: Mode,
    pub urls: Vec<String>,
    pub routes: Vec<Route>,
    /// Whether another address of 127.0.0.0/8 may take the place of a route's own.
    pub may_move: bool,
    /// Connections that this worker opens a second.
    pub rate: f64,
    pub in_flight: usize,
    /// Seconds for a handshake.
    pub timeout: f64,
    /// Messages, pings or rounds a second of this worker.
    pub messages_per_second: f64,
    /// Bytes of a message.
    pub size: usize,
    /// The share of the connections that send.
    pub active: f64,
    /// Whether this worker sends the message that all others wait for.
    pub is_sender: bool,
    /// Marks the messages of this run.
    pub nonce: u32,
}

impl Assignment {
    pub fn connections(&self) -> u64 {
        self.routes.iter().map(|route| route.connections).sum()
    }
}

/// A later message to a worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Order {
    /// Open connections until this many have been opened.
    Open { until: u64 },
    /// Do what the mode is about, from this time of the monotonic clock on, for this many
    /// nanoseconds.
    Measure { from: u64, nanoseconds: u64 },
    /// Stop at once, and report.
    Stop,
}

/// A report of a worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Report {
    /// Sent several times a second.
    Progress(Progress),
    /// All ordered connections are open, or as many as possible.
    Opened(Box<Opened>),
    /// The mode is done.
    Measured(Box<Tally>),
}

/// The progress of a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub held: u64,
    pub failed: u64,
    pub lost: u64,
    pub sent: u64,
    pub answered: u64,
}

impl Progress {
    pub fn add(&mut self, other: Progress) {
        self.held += other.held;
        self.failed += other.failed;
        self.lost += other.lost;
        self.sent += other.sent;
        self.answered += other.answered;
    }
}

/// The progress of opening.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Opened {
    pub progress: Progress,
    pub handshakes: Latencies,
    pub failures: Vec<Failures>,
}

/// Attempts that failed in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    pub kind: Failure,
    pub count: u64,
    /// The reason of the first of them, as the client role reported it.
    pub reason: String,
    /// The target of the first of them, by its place in the list.
    pub target: usize,
}

/// The counts of a mode; each mode uses a part of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Tally {
    pub progress: Progress,
    /// Messages, pings, or connections to be replaced.
    pub sent: u64,
    pub answered: u64,
    /// Messages that nothing asked for.
    pub unexpected: u64,
    /// Messages not sent, because earlier ones had not left.
    pub held_back: u64,
    pub latency: Latencies,
    /// Lateness of this worker itself.
    pub lateness: Latencies,
    /// Time from a Close frame to the end.
    pub closing: Latencies,
    /// Attempts that failed meanwhile.
    pub failed: u64,
    pub rounds: BTreeMap<u32, Round>,
}

/// One message to all connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    pub received: u64,
    /// Nanoseconds until the last connection had the message.
    pub slowest: u64,
}

impl Tally {
    pub fn add(&mut self, other: Tally) {
        self.progress.add(other.progress);
        self.sent += other.sent;
        self.answered += other.answered;
        self.unexpected += other.unexpected;
        self.held_back += other.held_back;
        self.failed += other.failed;
        self.latency.add(&other.latency);
        self.lateness.add(&other.lateness);
        self.closing.add(&other.closing);
        for (number, round) in other.rounds {
            let sum = self.rounds.entry(number).or_default();
            sum.received += round.received;
            sum.slowest = sum.slowest.max(round.slowest);
        }
    }
}
