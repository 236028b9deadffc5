//! The messages between coordinator and workers, one line of JSON each. This file does not know how
//! a line gets across.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::asked::Asked;
use crate::ends::Ends;
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
    /// The addresses of the URLs' name; none if it needs no look-up.
    pub addresses: Vec<IpAddr>,
    pub asked: Asked,
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
    /// Open connections that have ended so far.
    pub ends: Ends,
    /// Connections whose server selected none of the subprotocols that were asked for.
    pub unselected: u64,
}

/// Attempts that failed in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    pub kind: Failure,
    pub count: u64,
    /// The reason, as the client role reported it.
    pub reason: String,
    /// The HTTP status of the answer, if there was one.
    #[serde(default)]
    pub status: Option<u16>,
    /// Headers of the answer that say what to do; none if too many attempts had others.
    #[serde(default)]
    pub headers: Vec<String>,
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
    /// All attempts that have failed, those of the opening included.
    pub failures: Vec<Failures>,
    /// Open connections that have ended, those of the opening included.
    pub ends: Ends,
    pub rounds: BTreeMap<u32, Round>,
}

/// One message to all connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    pub received: u64,
    /// Nanoseconds until the last connection had the message.
    pub slowest: u64,
}

/// Kinds of failures that are kept apart; the reasons of further ones are dropped.
const KINDS: usize = 32;

/// Answers of one status that are kept apart by their headers; those of further ones are dropped.
/// Some servers send a header of its own to each attempt, such as a nonce.
const ANSWERS: usize = 4;

impl Failures {
    fn is_of_status_and_reason(&self, other: &Failures) -> bool {
        (self.kind, self.status, &self.reason) == (other.kind, other.status, &other.reason)
    }

    fn is_like(&self, other: &Failures) -> bool {
        self.is_of_status_and_reason(other) && self.headers == other.headers
    }
}

/// Adds up failures of one kind, status, reason and headers. The most frequent come first.
pub fn add_failures(sum: &mut Vec<Failures>, further: Vec<Failures>) {
    for mut failures in further {
        let is_known = |sum: &[Failures], one: &Failures| sum.iter().any(|it| it.is_like(one));
        if !is_known(sum, &failures)
            && sum.iter().filter(|known| known.is_of_status_and_reason(&failures)).count()
                >= ANSWERS
        {
            failures.headers.clear();
        }
        if sum.len() >= KINDS && !is_known(sum, &failures) {
            (failures.status, failures.headers) = (None, Vec::new());
            failures.reason = "other reasons".to_owned();
        }
        match sum.iter_mut().find(|known| known.is_like(&failures)) {
            Some(known) => known.count += failures.count,
            None => sum.push(failures),
        }
    }
    sum.sort_by_key(|failures| std::cmp::Reverse(failures.count));
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
        self.ends.add(&other.ends);
        add_failures(&mut self.failures, other.failures);
        for (number, round) in other.rounds {
            let sum = self.rounds.entry(number).or_default();
            sum.received += round.received;
            sum.slowest = sum.slowest.max(round.slowest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_added_up_by_kind_status_and_reason_in_bounded_room() {
        let failures = |count, status, reason: &str| Failures {
            kind: Failure::Status,
            count,
            reason: reason.to_owned(),
            status,
            headers: Vec::new(),
            target: 0,
        };
        let mut sum = vec![failures(1, Some(401), "a")];
        add_failures(&mut sum, vec![failures(2, Some(403), "b"), failures(4, Some(401), "a")]);
        assert_eq!(sum, [failures(5, Some(401), "a"), failures(2, Some(403), "b")]);
        let many = (0..1000).map(|number| failures(1, None, &number.to_string())).collect();
        add_failures(&mut sum, many);
        assert!(sum.len() <= KINDS + 1, "{}", sum.len());
        assert_eq!(sum.iter().map(|failures| failures.count).sum::<u64>(), 1007);
    }

    #[test]
    fn failures_with_headers_of_their_own_are_kept_apart_in_bounded_room() {
        let failures = |count, header: &str| Failures {
            kind: Failure::Status,
            count,
            reason: "a demand for credentials".to_owned(),
            status: Some(401),
            headers: if header.is_empty() { Vec::new() } else { vec![header.to_owned()] },
            target: 0,
        };
        let mut sum = Vec::new();
        add_failures(&mut sum, vec![failures(1, "a"), failures(2, "b"), failures(4, "a")]);
        assert_eq!(sum, [failures(5, "a"), failures(2, "b")]);
        let nonces = (0..100).map(|number| failures(1, &number.to_string())).collect();
        add_failures(&mut sum, nonces);
        // All further ones together still have their status.
        assert_eq!(sum[0], failures(98, ""));
        assert_eq!(sum.len(), ANSWERS + 1);
        assert_eq!(sum.iter().map(|failures| failures.count).sum::<u64>(), 107);
    }
}
