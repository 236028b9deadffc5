//! Judges whether a run took place as asked, and whether its figures are the server's: rules over
//! an outcome, each with the line that it prints. This file measures nothing.

use crate::failure::Failure;
use crate::limits;
use crate::options::Options;
use crate::outcome::{Cpu, Outcome, Verdict};
use crate::talk::{Mode, Opened};

/// The share of a core above which a process counts as being at its limit.
const FULL: f64 = 0.9;

/// The share of all cores' time above which all processes have to wait.
const NO_CORE_FREE: f64 = 0.9;

/// The lateness at the 99th percentile above which the client measures itself, and the number of
/// values that make up a percentile.
const LATE_US: f64 = 100_000.0;
const MANY: u64 = 100;

/// Descriptors that a server needs for other things, generously.
const OTHERS: u64 = 256;

/// The number of connections from which on a slope of memory is to be believed. Below, the
/// temporary memory of attempts weighs in.
const FEW: u64 = 5000;

/// Explains in one line why fewer connections were opened than asked for, and what to do.
pub fn refusal(options: &Options, pids: &[u32], opened: &Opened) -> Option<String> {
    let (held, asked) = (opened.progress.held, options.connections);
    let most = opened.failures.first()?;
    if opened.progress.held + opened.progress.lost >= asked {
        return None;
    }
    let of = format!("{} of {}", grouped(held), grouped(asked));
    let limit: Option<u64> = pids.iter().map(|&pid| limits::descriptors_of(pid)).sum();
    if let Some(limit) = limit
        && limit > 0
        && !most.kind.is_our_own()
        && held + OTHERS * pids.len() as u64 >= limit
        && held <= limit
    {
        let (whose, each) =
            if pids.len() > 1 { ("their limit", " in all") } else { ("its limit", "") };
        let who = if pids.len() > 1 { "servers" } else { "server" };
        let limit = grouped(limit);
        return Some(format!(
            "{who} refused after {of} ({whose}: {limit} descriptors{each}); raise it or give \
             more targets"
        ));
    }
    let url = options.targets.get(most.target).map_or(&*options.url, |target| &*target.url);
    let (what, remedy, count) = (most.kind.as_str(), most.kind.remedy(), grouped(most.count));
    let reason = if most.reason.is_empty() {
        String::new()
    } else {
        format!(", the first with {:?}", most.reason)
    };
    Some(match most.kind {
        Failure::Descriptors | Failure::Ports => {
            format!("a worker here {what} after {of}; {remedy}")
        }
        _ => format!("server at {url} {what} after {of} ({count} attempts{reason}); {remedy}"),
    })
}

/// All rules.
pub fn judge(
    outcome: &Outcome,
    refusal: Option<String>,
    interrupted: bool,
    dead: usize,
) -> Verdict {
    let mut reasons = Vec::new();
    let connections = &outcome.connections;
    if dead > 0 {
        reasons.push(format!(
            "{dead} of {} workers ended early; what they said stands above",
            outcome.settings.workers
        ));
    }
    match refusal {
        Some(refusal) => reasons.push(refusal),
        None if connections.held + connections.lost < connections.asked && !interrupted => {
            reasons.push(format!(
                "only {} of {} connections were opened",
                grouped(connections.held),
                grouped(connections.asked)
            ));
        }
        None => {}
    }
    let silent = matches!(outcome.settings.mode, Mode::HalfOpen | Mode::Slow);
    if connections.lost > 0 && !silent {
        reasons.push(format!(
            "the server ended {} connections that were to stay open; see its log",
            grouped(connections.lost)
        ));
    }
    if connections.held > 0 && !interrupted {
        reasons.extend(unanswered(outcome));
    }
    if interrupted {
        reasons.push("interrupted".to_owned());
    }
    let complete = reasons.is_empty();
    let invalid = invalid(outcome);
    let valid = invalid.is_empty();
    reasons.extend(invalid);
    Verdict { complete, valid, interrupted, reasons, notes: notes(outcome) }
}

/// The answers of the mode that did not come.
fn unanswered(outcome: &Outcome) -> Option<String> {
    let measured = &outcome.measured;
    let (sent, answered) = (grouped(measured.sent), grouped(measured.answered));
    let few = measured.answered < measured.sent;
    match outcome.settings.mode {
        Mode::Ping if few => Some(format!(
            "{answered} of {sent} pings were answered; \
             the server is overloaded, or answers none"
        )),
        Mode::Echo if few => Some(format!(
            "{answered} of {sent} messages came back{}; the server is overloaded, or no echo \
             server",
            if measured.held_back > 0 { " (it stopped reading)" } else { "" }
        )),
        Mode::Churn if few || measured.failed > 0 => Some(format!(
            "{answered} of {sent} connections were replaced, {} attempts failed; the server is \
             overloaded: lower --rate",
            grouped(measured.failed)
        )),
        Mode::Broadcast => measured
            .broadcast
            .as_ref()
            .filter(|broadcast| broadcast.received < broadcast.expected)
            .map(|broadcast| {
                let (received, expected) =
                    (grouped(broadcast.received), grouped(broadcast.expected));
                format!(
                    "{received} of {expected} deliveries arrived; \
                     see whether the URL is one at which the server sends to all"
                )
            }),
        _ => None,
    }
}

/// The rule by which the client was the bottleneck.
fn invalid(outcome: &Outcome) -> Vec<String> {
    let talks =
        matches!(outcome.settings.mode, Mode::Ping | Mode::Echo | Mode::Broadcast | Mode::Churn);
    let Some(cpu) = outcome.cpu.iter().find(|cpu| cpu.phase == "measuring").filter(|_| talks)
    else {
        return Vec::new();
    };
    let mut rules = Vec::new();
    rules.extend(bottleneck(cpu, outcome.settings.cores).map(|rule| format!("invalid: {rule}")));
    if let Some(lateness) = &outcome.measured.lateness
        && lateness.p99_us > LATE_US
        && lateness.count >= MANY
    {
        let late = crate::measured::duration(lateness.p99_us);
        rules.push(format!(
            "invalid: the client itself was late by {late} (p99, more than 100 ms); send less, \
             or give it more cores"
        ));
    }
    rules
}

/// Whether the client was at its limit while the server was not.
fn bottleneck(cpu: &Cpu, cores: usize) -> Option<String> {
    let used = (cpu.client + cpu.server.unwrap_or(0.0)) / cores as f64;
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let client = percent(cpu.busiest_client);
    match cpu.busiest_server {
        Some(server) if cpu.busiest_client > FULL && server < cpu.busiest_client => Some(format!(
            "a client worker was at {client} of a core (more than 90 %) while the server was at \
             {}; give more --workers, or send less",
            percent(server)
        )),
        None if cpu.busiest_client > FULL => Some(format!(
            "a client worker was at {client} of a core (more than 90 %), and the server's \
             process is not known; give more --workers, or name it with --pid"
        )),
        Some(_) if used > NO_CORE_FREE && cpu.client > cpu.server.unwrap_or(0.0) => Some(format!(
            "client and server used all cores (more than 90 %), the client more of them ({} \
             against {} of a core); send less, or run the client elsewhere",
            percent(cpu.client),
            percent(cpu.server.unwrap_or(0.0))
        )),
        _ => None,
    }
}

fn notes(outcome: &Outcome) -> Vec<String> {
    let mut notes = Vec::new();
    if outcome.settings.server_pids.is_empty() {
        notes.push(
            "the server's process is not known: its memory and CPU are missing; name it with --pid"
                .to_owned(),
        );
    }
    let processes = outcome.settings.workers.max(outcome.settings.server_pids.len()) as u64;
    if outcome.connections.held / processes.max(1) < FEW && outcome.connections.held > 0 {
        let few = grouped(FEW);
        notes.push(format!(
            "memory per connection is coarse with fewer than {few} connections in a process"
        ));
    }
    let opening = outcome.cpu.iter().find(|cpu| cpu.phase == "opening");
    if opening.and_then(|cpu| bottleneck(cpu, outcome.settings.cores)).is_some() {
        notes.push(
            "while opening, the client had no core to spare: handshake latencies are partly its \
             own; lower --rate"
                .to_owned(),
        );
    }
    let hogged = |cpu: &&Cpu| {
        let used = (cpu.client + cpu.server.unwrap_or(0.0)) / outcome.settings.cores as f64;
        cpu.machine > NO_CORE_FREE && used < cpu.machine / 2.0
    };
    if let Some(cpu) = outcome.cpu.iter().find(hogged) {
        notes.push(format!(
            "while {}, others on this machine took most of its cores: latencies are partly theirs",
            cpu.phase
        ));
    }
    if outcome.connections.failed > 0 && outcome.connections.held >= outcome.connections.asked {
        notes.push(format!(
            "{} attempts failed and were repeated",
            grouped(outcome.connections.failed)
        ));
    }
    notes
}

/// A number with its thousands apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpu(client: f64, server: Option<f64>, machine: f64) -> Cpu {
        Cpu {
            phase: "measuring".into(),
            seconds: 1.0,
            client,
            busiest_client: client,
            server,
            busiest_server: server,
            machine,
        }
    }

    #[test]
    fn client_is_the_bottleneck_when_it_is_full_and_the_server_is_not() {
        assert!(bottleneck(&cpu(0.95, Some(0.4), 0.7), 2).unwrap().contains("95 % of a core"));
        assert!(bottleneck(&cpu(0.95, None, 0.7), 2).unwrap().contains("not known"));
        assert!(bottleneck(&cpu(0.88, Some(0.6), 0.99), 1).unwrap().contains("used all cores"));
        for fine in [
            cpu(0.5, Some(0.2), 1.0),
            cpu(0.95, Some(0.99), 1.0),
            cpu(0.5, None, 1.0),
            cpu(0.6, Some(0.9), 1.0),
        ] {
            assert_eq!(bottleneck(&fine, 2), None, "{fine:?}");
        }
    }

    #[test]
    fn numbers_have_their_thousands_apart() {
        assert_eq!(
            [0, 999, 1_000, 19_987, 1_000_000].map(grouped),
            ["0", "999", "1,000", "19,987", "1,000,000"]
        );
    }
}
