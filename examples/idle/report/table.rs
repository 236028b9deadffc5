//! Shows an outcome as a table for a terminal. This file names and rounds figures; it judges none.

use std::fmt::Write;

use crate::invalid::is_judged;
use crate::latency::Summary;
use crate::measured::duration;
use crate::outcome::{Cpu, IdleCpu, KernelGrowth, Measured, Memory, Outcome, Silence};
use crate::talk::Mode;
use crate::verdict::failed;
use crate::words::{bytes, grouped};

/// One line: a name and a value.
pub type Row = (String, String);

/// Writes the table.
pub fn text(outcome: &Outcome) -> String {
    let mut text = String::new();
    for (title, rows) in sections(outcome) {
        let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(26);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{title}");
        for (name, value) in rows {
            let _ = writeln!(text, "  {name:width$}  {value}");
        }
    }
    let verdict = &outcome.verdict;
    let word = match (verdict.complete, verdict.valid) {
        (true, true) => "valid and complete",
        (false, true) => "incomplete",
        (true, false) => "INVALID",
        (false, false) => "incomplete and INVALID",
    };
    let _ = writeln!(text, "verdict: {word}");
    for reason in &verdict.reasons {
        let _ = writeln!(text, "  {reason}");
    }
    for note in &verdict.notes {
        let _ = writeln!(text, "  note: {note}");
    }
    text
}

/// All lines, with a title for each part.
pub fn sections(outcome: &Outcome) -> Vec<(String, Vec<Row>)> {
    let settings = &outcome.settings;
    let mut sections = vec![
        (format!("{} {}", settings.mode.as_str(), settings.url), connections(outcome)),
        (memory_title(outcome), outcome.memory.iter().map(|of| memory(of, outcome)).collect()),
        ("CPU, of one core".to_owned(), cpus(outcome)),
    ];
    if let Some(handshake) = &outcome.handshake {
        sections.push(("handshake latency".to_owned(), latencies(handshake)));
    }
    let mode = mode(settings.mode, &outcome.measured);
    if !mode.is_empty() {
        sections.push((
            format!("{} for {:.1} s", settings.mode.as_str(), outcome.measured.seconds),
            mode,
        ));
    }
    if let Some(latency) = &outcome.measured.latency {
        let of = if settings.mode == Mode::Churn {
            "handshakes while churning"
        } else {
            "latency from when it was due"
        };
        sections.push((of.to_owned(), latencies(latency)));
    }
    if let Some(closing) = &outcome.measured.closing {
        sections.push(("close latency".to_owned(), latencies(closing)));
    }
    sections
}

fn row(name: &str, value: impl Into<String>) -> Row {
    (name.to_owned(), value.into())
}

fn connections(outcome: &Outcome) -> Vec<Row> {
    let (settings, connections) = (&outcome.settings, &outcome.connections);
    let from = match settings.sources {
        0 => "the kernel's choice of address".to_owned(),
        1 => "1 address".to_owned(),
        count => format!("{count} addresses"),
    };
    let mut rows = vec![
        row("held", format!("{} of {}", grouped(connections.held), grouped(connections.asked))),
        row("held at the end", grouped(connections.held_at_end)),
        row(
            "lost, failed attempts",
            format!("{}, {}", grouped(connections.lost), grouped(connections.failed)),
        ),
    ];
    for failures in &connections.failures {
        rows.push(row(
            "  failed",
            format!("{} {} {:?}", grouped(failures.count), failed(failures), failures.reason),
        ));
    }
    // A close that the mode asked for, and that went as it should, says nothing.
    for end in connections.ends.iter().filter(|end| !(end.asked && end.code == 1000)) {
        rows.push(row("  ended", format!("{} with {}", grouped(end.count), end.describe())));
    }
    if connections.foreign > 0 {
        rows.push(row("of other clients", grouped(connections.foreign)));
    }
    let rate = (connections.held as f64 / connections.opening_seconds.max(1e-9)).round() as u64;
    rows.push(row(
        "opened in",
        format!("{:.2} s, {} a second", connections.opening_seconds, grouped(rate)),
    ));
    rows.push(row("targets, workers", format!("{}, {}", settings.targets, settings.workers)));
    rows.push(row("from", from));
    rows
}

fn memory_title(outcome: &Outcome) -> String {
    let ramp = outcome.memory.first().map(|memory| memory.ramp).filter(|ramp| ramp.0 < ramp.1);
    ramp.map_or("memory per connection".to_owned(), |(from, to)| {
        format!(
            "memory per connection, slope from {} to {} connections",
            grouped(from),
            grouped(to)
        )
    })
}

fn memory(memory: &Memory, outcome: &Outcome) -> Row {
    let value = match memory.per_connection {
        Some(bytes) => format!("{bytes:.1} B"),
        None if is_judged(memory, outcome) => "invalid".to_owned(),
        None => "unknown".to_owned(),
    };
    let (from, to) = memory.ramp;
    let readings = [
        (memory.baseline, "before the first".to_owned()),
        (memory.before.filter(|_| from > 0), format!("with {}", grouped(from))),
        (memory.total.filter(|_| to > 0), format!("with {}", grouped(to))),
    ];
    let readings: Vec<String> = readings
        .into_iter()
        .filter_map(|(total, when)| Some(format!(", {} {when}", bytes(total? as f64))))
        .collect();
    let of = if memory.is_part { "of which " } else { "" };
    let readings = readings.concat();
    (memory.owner.clone(), format!("{value:>10}  ({of}{}{readings})", memory.source))
}

fn cpus(outcome: &Outcome) -> Vec<Row> {
    let mut rows: Vec<Row> = outcome.cpu.iter().flat_map(cpu).collect();
    rows.extend(outcome.measured.idle_cpu.as_ref().map(idle_cpu));
    rows
}

/// CPU time of one idle connection; a microsecond a second is a millionth of a core.
fn idle_cpu(cpu: &IdleCpu) -> Row {
    let show = |us: f64| format!("{us:.3} us a second");
    let server = cpu.server_us.map_or("unknown".to_owned(), show);
    row("each idle connection", format!("client {}   server {server}", show(cpu.client_us)))
}

fn cpu(cpu: &Cpu) -> Vec<Row> {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let server = match (cpu.server, cpu.busiest_server) {
        (Some(all), Some(busiest)) => format!("{} (busiest {})", percent(all), percent(busiest)),
        _ => "unknown".to_owned(),
    };
    let client = format!("{} (busiest {})", percent(cpu.client), percent(cpu.busiest_client));
    let value =
        format!("client {client}   server {server}   all cores {} busy", percent(cpu.machine));
    vec![row(&format!("{}, {:.1} s", cpu.phase, cpu.seconds), value)]
}

fn latencies(summary: &Summary) -> Vec<Row> {
    let named = [
        ("p50", summary.p50_us),
        ("p90", summary.p90_us),
        ("p99", summary.p99_us),
        ("p99.9", summary.p999_us),
        ("max", summary.max_us),
    ];
    let all: Vec<String> =
        named.iter().map(|(name, us)| format!("{name} {}", duration(*us))).collect();
    vec![row(&format!("{} of them", grouped(summary.count)), all.join("   "))]
}

fn mode(mode: Mode, measured: &Measured) -> Vec<Row> {
    let share =
        |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 };
    let mut rows = Vec::new();
    match mode {
        Mode::Hold => {}
        Mode::Ping | Mode::Echo => {
            rows.push(row("sent", grouped(measured.sent)));
            let answered = share(measured.answered, measured.sent);
            rows.push(row("answered", format!("{} ({answered:.2} %)", grouped(measured.answered))));
        }
        Mode::Churn => {
            let rate = measured.answered as f64 / measured.seconds.max(1e-9);
            rows.push(row(
                "replaced",
                format!(
                    "{} of {}, {rate:.0} a second",
                    grouped(measured.answered),
                    grouped(measured.sent)
                ),
            ));
            rows.push(row("failed attempts", grouped(measured.failed)));
        }
        Mode::Slow => rows.push(row(
            "sent",
            format!("{}, {} not taken", grouped(measured.sent), grouped(measured.held_back)),
        )),
        Mode::Broadcast => {
            if let Some(broadcast) = &measured.broadcast {
                let (received, expected) =
                    (grouped(broadcast.received), grouped(broadcast.expected));
                rows.push(row("rounds", grouped(broadcast.rounds)));
                rows.push(row(
                    "reach",
                    format!("{:.3} % ({received} of {expected})", broadcast.reach * 100.0),
                ));
                let (median, most) =
                    (duration(broadcast.to_last_median_us), duration(broadcast.to_last_max_us));
                rows.push(row("time to the last", format!("median {median}   max {most}")));
            }
        }
        Mode::HalfOpen => {}
    }
    if measured.unexpected > 0 {
        rows.push(row("unexpected", grouped(measured.unexpected)));
    }
    rows.extend(measured.silence.iter().flat_map(silence));
    if mode == Mode::Slow {
        rows.extend(measured.silence.iter().flat_map(kernel_growth));
    }
    rows
}

fn silence(silence: &Silence) -> Vec<Row> {
    let after = |seconds: Option<f64>| {
        seconds.map_or("not seen".to_owned(), |seconds| format!("after {seconds:.1} s"))
    };
    let held = format!("{} of {}", grouped(silence.held_at_end), grouped(silence.held_at_first));
    let mut rows = vec![
        row("method", &*silence.method),
        row(
            "counted by",
            format!("{}, at least every {:.1} s", silence.source, silence.looked_every),
        ),
        row("still held by the server", held),
        row(
            "first, half, all dropped",
            [silence.first_dropped, silence.half_dropped, silence.all_dropped]
                .map(after)
                .join(", "),
        ),
    ];
    if let Some(growth) = silence.server_bytes {
        rows.push(row("server's growth for each", bytes(growth)));
    }
    rows
}

/// The kernel's memory of peers that do not read.
fn kernel_growth(silence: &Silence) -> Vec<Row> {
    let (Some(kernel), Some(unread)) = (silence.kernel_bytes, silence.unread_bytes) else {
        return Vec::new();
    };
    let moment = |growth: &KernelGrowth| {
        format!("{} after {:.1} s", bytes(growth.kernel_bytes), growth.seconds)
    };
    let moments: Vec<String> = silence.kernel_growth.iter().map(moment).collect();
    vec![
        row(
            "kernel's growth for each",
            format!("{} (TCP buffers, /proc/net/sockstat; at least their bytes)", bytes(kernel)),
        ),
        row("  as it grew", moments.join(", ")),
        row(
            "  unread or unacknowledged",
            format!("{} (bytes in the sockets' queues, /proc/net/tcp)", bytes(unread)),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::growth::Finding;

    #[test]
    fn memory_shows_baseline_ramp_and_end_and_no_figure_that_cannot_be_true() {
        let mut outcome = Outcome::sample(Mode::Hold);
        let (_, line) = memory(&outcome.memory[0], &outcome);
        let readings = "1024 KiB before the first, 2048 KiB with 100, 2104 KiB with 1,000";
        assert_eq!(line.trim_start(), format!("64.0 B  (RSS, smaps_rollup, {readings})"));
        let title = "memory per connection, slope from 100 to 1,000 connections";
        assert_eq!(memory_title(&outcome), title);
        for (finding, owner, shown) in [
            (Finding::Fell, "server", "invalid"),
            (Finding::Flat, "server", "invalid"),
            (Finding::TooFew, "server", "unknown"),
            (Finding::Fell, "kernel", "unknown"),
        ] {
            let row = &mut outcome.memory[0];
            (row.finding, row.owner) = (finding, owner.into());
            (row.per_connection, row.slope) = (None, Some(-5665.0));
            let (_, line) = memory(&outcome.memory[0], &outcome);
            assert!(line.trim_start().starts_with(shown) && !line.contains('-'), "{line}");
        }
    }

    #[test]
    fn idle_connection_has_its_cpu_time() {
        let (_, line) = idle_cpu(&IdleCpu { server_us: Some(0.3214), client_us: 1.5 });
        assert_eq!(line, "client 1.500 us a second   server 0.321 us a second");
        let (_, line) = idle_cpu(&IdleCpu { server_us: None, client_us: 0.0 });
        assert_eq!(line, "client 0.000 us a second   server unknown");
    }
}
