//! Remarks on an outcome: figures that are missing or coarse, and why. They change no verdict.

use crate::growth::{Finding, MEASURABLE};
use crate::invalid::{NO_CORE_FREE, bottleneck, is_judged};
use crate::outcome::{Cpu, Memory, Outcome};
use crate::sampler::BUFFERS;
use crate::talk::Mode;
use crate::words::{bytes, grouped};

/// The number of connections from which on a slope of memory is to be believed. Below, the
/// temporary memory of attempts weighs in.
const FEW: u64 = 5000;

/// The slope of one owner's memory that is not shown, although it was measured.
fn unknown_memory(memory: &Memory, outcome: &Outcome) -> Option<String> {
    let (owner, source) = (&memory.owner, &memory.source);
    match memory.finding {
        _ if is_judged(memory, outcome) => None,
        Finding::TooFew | Finding::Flat | Finding::Fell if owner == "server" => Some(format!(
            "the server's memory did not grow, and no figure is shown: open at least {MEASURABLE} \
             connections in each of its processes to measure it"
        )),
        // Buffers come and go with handshakes. The server's own memory is a rule of the verdict.
        Finding::Flat | Finding::Fell
            if owner != "server"
                && !source.starts_with(BUFFERS)
                && memory.ramp.1.saturating_sub(memory.ramp.0) >= MEASURABLE =>
        {
            let fall = |(before, after): (u64, u64)| before.saturating_sub(after);
            let by = memory.before.zip(memory.total).map_or(0, fall);
            Some(format!(
                "{source} of the {owner} did not grow with the connections (it fell by {}): \
                 something else gave memory back, and no figure is shown",
                bytes(by as f64)
            ))
        }
        _ => None,
    }
}

/// All remarks, a line each.
pub fn notes(outcome: &Outcome) -> Vec<String> {
    let mut notes = of_figures(outcome);
    notes.extend(of_load(outcome));
    notes
}

fn of_figures(outcome: &Outcome) -> Vec<String> {
    let mut notes = Vec::new();
    if outcome.settings.server_pids.is_empty() {
        notes.push(
            "the server's process is not known: its memory and CPU are missing; name it with --pid"
                .to_owned(),
        );
    }
    notes.extend(outcome.memory.iter().filter_map(|memory| unknown_memory(memory, outcome)));
    if outcome.server_was_used && outcome.settings.mode != Mode::Hold {
        notes.push(
            "the server's process had many connections before: memory that it kept is not counted; \
             start a fresh server process to measure memory"
                .to_owned(),
        );
    }
    let connections = &outcome.connections;
    if connections.unselected > 0 {
        notes.push(format!(
            "the server selected none of --subprotocol for {} of {} connections",
            grouped(connections.unselected),
            grouped(connections.held)
        ));
    }
    let processes = outcome.settings.workers.max(outcome.settings.server_pids.len()) as u64;
    if outcome.connections.held / processes.max(1) < FEW && outcome.connections.held > 0 {
        let few = grouped(FEW);
        notes.push(format!(
            "memory per connection is coarse with fewer than {few} connections in a process"
        ));
    }
    notes
}

fn of_load(outcome: &Outcome) -> Vec<String> {
    let mut notes = Vec::new();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_not_shown_is_explained() {
        for (owner, source, finding, says) in [
            ("server", "RSS", Finding::TooFew, "at least 256 connections"),
            // The verdict says so.
            ("server", "RSS", Finding::Fell, ""),
            ("server", "RSS", Finding::Measured, ""),
            ("kernel", "Slab, both ends", Finding::Fell, "Slab, both ends of the kernel"),
            ("kernel", "Slab, both ends", Finding::TooFew, ""),
            ("kernel", BUFFERS, Finding::Fell, ""),
            ("client", "Private_Dirty", Finding::Flat, "it fell by 0 B"),
        ] {
            let (owner, source) = (owner.to_owned(), source.to_owned());
            let (before, total) = (Some(9), Some(9));
            let ramp = (100, 1000);
            let memory =
                Memory { owner, source, finding, before, total, ramp, ..Memory::default() };
            match unknown_memory(&memory, &Outcome::sample(Mode::Hold)) {
                Some(note) => assert!(!says.is_empty() && note.contains(says), "{note}"),
                None => assert_eq!(says, "", "{memory:?}"),
            }
        }
    }

    #[test]
    fn used_process_is_noted_where_memory_is_not_the_question() {
        for (mode, was_used, noted) in
            [(Mode::Echo, true, true), (Mode::Echo, false, false), (Mode::Hold, true, false)]
        {
            let mut outcome = Outcome::sample(mode);
            outcome.server_was_used = was_used;
            let is_noted = notes(&outcome).iter().any(|note| note.contains("fresh server process"));
            assert_eq!(is_noted, noted, "{mode:?}");
        }
    }
}
