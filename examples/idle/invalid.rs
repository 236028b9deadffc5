//! The rules by which figures are not the server's, or cannot be true. Each has the line that it
//! prints. This file measures nothing.

use crate::growth::{Finding, MEASURABLE};
use crate::outcome::{Cpu, Memory, Outcome};
use crate::talk::Mode;
use crate::words::{bytes, grouped};

/// The share of a core above which a process counts as being at its limit.
const FULL: f64 = 0.9;

/// The share of all cores' time above which all processes have to wait.
pub const NO_CORE_FREE: f64 = 0.9;

/// The lateness above which the client measures itself. It is that of the 99th percentile, or of
/// the half where too few values make up a percentile.
const LATE_US: f64 = 100_000.0;
const MANY: u64 = 100;

/// All rules.
pub fn invalid(outcome: &Outcome) -> Vec<String> {
    let mut rules = Vec::new();
    rules.extend(foreign(outcome));
    rules.extend(memory(outcome).or_else(|| used(outcome)));
    rules.extend(too_many_answers(outcome));
    rules.extend(client_was_slow(outcome));
    rules.into_iter().map(|rule| format!("invalid: {rule}")).collect()
}

/// Whether other clients were connected: their cost is in the server's figures.
fn foreign(outcome: &Outcome) -> Option<String> {
    let count = outcome.connections.foreign;
    let are = match count {
        0 => return None,
        1 => "1 connection at the server's port is".to_owned(),
        count => format!("{} connections at the server's ports are", grouped(count)),
    };
    Some(format!(
        "{are} not of this harness, and the server's figures are those of all; end the other \
         clients, which \"ss -tnp\" names, or measure a server of your own"
    ))
}

/// Whether a slope of the server's memory that cannot be true makes the run invalid. With a
/// handful of connections only `hold` asks for memory, and other modes show no figure.
pub fn is_judged(memory: &Memory, outcome: &Outcome) -> bool {
    let processes = outcome.settings.server_pids.len().max(1) as u64;
    let few = memory.ramp.1.saturating_sub(memory.ramp.0) / processes < MEASURABLE;
    let asked = outcome.settings.mode == Mode::Hold || !few;
    memory.owner == "server" && memory.finding.cannot_be_true() && asked
}

/// Whether the server's memory did not grow with its connections.
fn memory(outcome: &Outcome) -> Option<String> {
    let memory = outcome.memory.iter().find(|memory| is_judged(memory, outcome))?;
    let (slope, mut before, after) = (memory.slope?, memory.before?, memory.total?);
    let (mut from, to) = memory.ramp;
    if before <= after && memory.finding == Finding::Fell {
        // It grew at last, and not to what it was before the first connection.
        (from, before) = (0, memory.baseline?);
    }
    let grown = match memory.finding {
        Finding::Fell => format!("fell by {}", bytes(before.saturating_sub(after) as f64)),
        _ => "did not grow".to_owned(),
    };
    Some(format!(
        "the server's memory {grown} from {} to {} connections ({slope:.1} B each): it had memory \
         left of earlier ones, or gave some back; start a fresh server process and measure it \
         once, or name its process with --pid",
        grouped(from),
        grouped(to)
    ))
}

/// Whether memory is the question, and the server has kept some of earlier connections.
fn used(outcome: &Outcome) -> Option<String> {
    let is_asked = outcome.settings.mode == Mode::Hold && outcome.connections.held > 0;
    (is_asked && outcome.server_was_used).then(|| {
        "the server's process had many more connections before: new ones use memory that it \
         kept, which no slope shows; start a fresh server process and measure it once"
            .to_owned()
    })
}

/// Whether more came back than was sent.
fn too_many_answers(outcome: &Outcome) -> Option<String> {
    let measured = &outcome.measured;
    let (answered, asked) = match outcome.settings.mode {
        Mode::Ping | Mode::Echo | Mode::Churn => (measured.answered, measured.sent),
        Mode::Broadcast => measured.broadcast.as_ref().map(|all| (all.received, all.expected))?,
        Mode::Hold | Mode::HalfOpen | Mode::Slow => return None,
    };
    (answered > asked).then(|| {
        format!(
            "more answers than messages: {} for {}; the server repeats messages or sends them to \
             others too, so give a URL at which it does not",
            grouped(answered),
            grouped(asked)
        )
    })
}

/// Whether the client was the bottleneck.
fn client_was_slow(outcome: &Outcome) -> Vec<String> {
    let talks =
        matches!(outcome.settings.mode, Mode::Ping | Mode::Echo | Mode::Broadcast | Mode::Churn);
    let Some(cpu) = outcome.cpu.iter().find(|cpu| cpu.phase == "measuring").filter(|_| talks)
    else {
        return Vec::new();
    };
    let mut rules = Vec::new();
    rules.extend(bottleneck(cpu, outcome.settings.cores));
    if let Some(lateness) = &outcome.measured.lateness {
        let (late, at) = match lateness.count {
            MANY.. => (lateness.p99_us, "p99"),
            _ => (lateness.p50_us, "p50"),
        };
        if late > LATE_US {
            let late = crate::measured::duration(late);
            rules.push(format!(
                "the client itself was late by {late} ({at}, more than 100 ms); send less, or \
                 give it more cores"
            ));
        }
    }
    rules
}

/// Whether the client was at its limit while the server was not.
pub fn bottleneck(cpu: &Cpu, cores: usize) -> Option<String> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Broadcast;

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

    /// What makes each outcome invalid, and words of the rule; no words where it stays valid.
    type Row = (Mode, fn(&mut Outcome), &'static str);

    fn assert_rules(rows: &[Row]) {
        for (mode, change, says) in rows {
            let mut outcome = Outcome::sample(*mode);
            assert_eq!(invalid(&outcome), [""; 0], "{mode:?}");
            change(&mut outcome);
            let rules = invalid(&outcome);
            assert_eq!(rules.len(), usize::from(!says.is_empty()), "{mode:?} {says}: {rules:?}");
            assert!(rules.iter().all(|rule| rule.contains(says)), "{mode:?} {says}: {rules:?}");
        }
    }

    #[test]
    fn figures_that_cannot_be_true_are_invalid() {
        let rows: [Row; 14] = [
            (Mode::Hold, |outcome| outcome.connections.foreign = 1, "1 connection at"),
            (Mode::Ping, |outcome| outcome.connections.foreign = 9000, "9,000 connections at"),
            (Mode::Hold, |outcome| fell(outcome, Finding::Fell), "-5665.0 B each"),
            (Mode::Echo, |outcome| fell(outcome, Finding::Fell), "start a fresh server process"),
            (Mode::Hold, |outcome| fell(outcome, Finding::Flat), "did not grow"),
            (Mode::Hold, |outcome| fell_with_few(outcome), "-5665.0 B each"),
            (Mode::Echo, |outcome| fell_with_few(outcome), ""),
            (Mode::Hold, |outcome| fell(outcome, Finding::TooFew), ""),
            (Mode::Hold, |outcome| outcome.server_was_used = true, "start a fresh server process"),
            (Mode::Echo, |outcome| outcome.server_was_used = true, ""),
            (Mode::Echo, |outcome| outcome.measured.answered += 1, "101 for 100"),
            (Mode::Ping, |outcome| outcome.measured.answered += 900, "1,000 for 100"),
            (Mode::Churn, |outcome| outcome.measured.answered += 1, "101 for 100"),
            (
                Mode::Broadcast,
                |outcome| {
                    let (received, expected) = (991, 990);
                    let broadcast = Broadcast { received, expected, ..Broadcast::default() };
                    outcome.measured.broadcast = Some(broadcast);
                },
                "991 for 990",
            ),
        ];
        assert_rules(&rows);
    }

    fn fell_with_few(outcome: &mut Outcome) {
        fell(outcome, Finding::Fell);
        outcome.memory[0].ramp = (2, 20);
    }

    fn fell(outcome: &mut Outcome, finding: Finding) {
        let memory = &mut outcome.memory[0];
        (memory.finding, memory.per_connection, memory.slope) = (finding, None, Some(-5665.0));
    }

    #[test]
    fn client_that_was_late_measured_itself() {
        let rows: [Row; 5] = [
            (Mode::Echo, |outcome| late(outcome, 1000, 0.0, 150_000.0), "150.00 ms (p99"),
            (Mode::Echo, |outcome| late(outcome, 1000, 0.0, 90_000.0), ""),
            // One of five rounds is no rule.
            (Mode::Broadcast, |outcome| late(outcome, 5, 0.0, 900_000.0), ""),
            (Mode::Broadcast, |outcome| late(outcome, 5, 900_000.0, 900_000.0), "900.00 ms (p50"),
            (Mode::Hold, |outcome| late(outcome, 1000, 150_000.0, 150_000.0), ""),
        ];
        assert_rules(&rows);
    }

    fn late(outcome: &mut Outcome, count: u64, half: f64, p99: f64) {
        let mut latencies = crate::latency::Latencies::default();
        latencies.record(1_000);
        let summary = latencies.summary().unwrap();
        let lateness = crate::latency::Summary { count, p50_us: half, p99_us: p99, ..summary };
        outcome.measured.lateness = Some(lateness);
    }
}
