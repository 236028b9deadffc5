//! What coordinator and workers say to each other, one line of JSON each. Knows neither who speaks nor how it gets across.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::latency::Latencies;
use crate::plan::Route;

/// What the connections are for, once they are open.
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

/// The first thing that a worker is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Assignment {
    pub mode: Mode,
    pub urls: Vec<String>,
    pub routes: Vec<Route>,
    /// Whether another address of 127.0.0.0/8 may take the place of a route's own.
    pub may_move: bool,
    /// Connections to be opened a second, by this worker.
    pub rate: f64,
    pub in_flight: usize,
    /// Seconds that a handshake may take.
    pub timeout: f64,
    /// Messages, pings or rounds a second, of this worker.
    pub messages_per_second: f64,
    /// Bytes of a message.
    pub size: usize,
    /// The share of the connections that talk.
    pub active: f64,
    /// Whether it is the one that sends what all others wait for.
    pub is_sender: bool,
    /// Tells what this run sent from what others do.
    pub nonce: u32,
}

impl Assignment {
    pub fn connections(&self) -> u64 {
        self.routes.iter().map(|route| route.connections).sum()
    }
}

/// What a worker is told later on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Order {
    /// Open connections until so many have been opened.
    Open { until: u64 },
    /// Do what the mode is about, from this time of the monotonic clock on, for so many nanoseconds.
    Measure { from: u64, nanoseconds: u64 },
    /// Stop at once, and tell what there is to tell.
    Stop,
}

/// What a worker tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Report {
    /// Every now and then.
    Progress(Progress),
    /// As many are open as were ordered, or can be.
    Opened(Box<Opened>),
    /// The mode has done what it is about.
    Measured(Box<Tally>),
}

/// How far a worker is.
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

/// How opening went so far.
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
    /// The first of their reasons, as it was heard.
    pub reason: String,
    /// The first of the targets, by its place in the list.
    pub target: usize,
}

/// What a mode counted; each one uses a part of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Tally {
    pub progress: Progress,
    /// Messages, pings, or connections that were to be replaced.
    pub sent: u64,
    pub answered: u64,
    /// What arrived without having been asked for.
    pub unexpected: u64,
    /// What could not be sent, because what was sent before had not left.
    pub held_back: u64,
    pub latency: Latencies,
    /// How late this worker itself was.
    pub lateness: Latencies,
    /// From a Close frame to the end.
    pub closing: Latencies,
    /// Attempts that failed meanwhile.
    pub failed: u64,
    pub rounds: BTreeMap<u32, Round>,
}

/// One message to everybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    pub received: u64,
    /// Nanoseconds until the last of them had it.
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
