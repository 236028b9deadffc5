//! Writes an outcome as an HTML page that needs no script and no network, in a light and a dark
//! form. Its words are those of the table.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use super::plot::{Axis, Line, Plot, Scale};
use super::table::sections;
use crate::latency::Summary;
use crate::measured::duration;
use crate::outcome::{Outcome, Point};
use crate::talk::Mode;

const STYLE: &str = "
:root{color-scheme:light dark;--ink:#1c2024;--soft:#60656c;--paper:#fcfcfd;--card:#fff;
--rule:#e2e4e8;--a:#0969b8;--b:#c2410c;--c:#3d7a28;--bad:#b42318;--good:#2a6b1c}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#a0a6ad;--paper:#15171a;
--card:#1d2024;--rule:#33383e;--a:#6cb6ff;--b:#ff9d5c;--c:#8ccf6b;--bad:#ff8a80;--good:#8ccf6b}}
*{box-sizing:border-box}
body{margin:0 auto;padding:2rem 1.25rem 3rem;max-width:1240px;background:var(--paper);
color:var(--ink);font:15px/1.5 system-ui,sans-serif}
h1{font-size:1.35rem;margin:0;overflow-wrap:anywhere}
h2{font-size:1rem;margin:0 0 .5rem}
.verdict{margin:.6rem 0 1.5rem;padding:.6rem .9rem;border-left:4px solid var(--good);
background:var(--card)}
.verdict.bad{border-color:var(--bad)}
.verdict p{margin:.2rem 0}.verdict strong{color:var(--good)}.verdict.bad strong{color:var(--bad)}
.plots,.tables{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,460px),1fr));
gap:1rem;margin-bottom:1rem}
figure,section{margin:0;padding:1rem;background:var(--card);border:1px solid var(--rule);
border-radius:6px;min-width:0}
figcaption{font-weight:600;margin-bottom:.4rem}
figcaption span{font-weight:400;margin-left:.8rem}figcaption span::before{content:'';
display:inline-block;width:1rem;height:3px;margin-right:.35rem;vertical-align:middle;
background:currentColor}
figcaption small,footer{font-weight:400;color:var(--soft)}figcaption small{margin-left:.5rem}
svg{display:block;width:100%;height:auto}
svg text{fill:var(--soft);font-size:11px}.up{text-anchor:end}.across{text-anchor:middle}
.grid{stroke:var(--rule)}polyline{fill:none;stroke-width:2;stroke-linejoin:round}
polyline.a,rect.a{stroke:var(--a)}polyline.b{stroke:var(--b)}polyline.c{stroke:var(--c)}
rect.a{fill:var(--a);stroke:none}rect.b{fill:var(--b)}rect.c{fill:var(--c)}
span.a{color:var(--a)}span.b{color:var(--b)}span.c{color:var(--c)}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
td{padding:.25rem 0;border-top:1px solid var(--rule);vertical-align:top}td:first-child{
color:var(--soft);padding-right:1rem;width:34%}
td:last-child{overflow-wrap:anywhere}
";

pub fn write(file: &Path, outcome: &Outcome) -> Result<(), String> {
    fs::write(file, page(outcome)).map_err(|error| {
        format!("{} cannot be written: {error}; name another file", file.display())
    })
}

/// Writes the page.
fn page(outcome: &Outcome) -> String {
    let settings = &outcome.settings;
    let title = escaped(&format!("{} {}", settings.mode.as_str(), settings.url));
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n"
    );
    page += &verdict(outcome);
    let plots: String = plots(outcome).iter().map(Plot::svg).collect();
    // Writing to a String cannot fail.
    let _ = writeln!(page, "<div class=\"plots\">\n{plots}{}</div>", memory(outcome));
    page += "<div class=\"tables\">\n";
    for (title, rows) in sections(outcome) {
        let _ = write!(page, "<section><h2>{}</h2><table>", escaped(&title));
        for (name, value) in rows {
            let _ = write!(
                page,
                "<tr><td>{}</td><td>{}</td></tr>",
                escaped(name.trim()),
                escaped(&value.trim().replace("   ", "; "))
            );
        }
        page += "</table></section>\n";
    }
    let begun = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(outcome.started));
    let _ = write!(
        page,
        "</div>\n<footer>{} connections a second asked for, at most {} attempts in flight, \
         {} cores. Begun {}. Schema {}.</footer>\n</body></html>\n",
        settings.rate, settings.in_flight, settings.cores, begun, outcome.schema
    );
    page
}

fn verdict(outcome: &Outcome) -> String {
    let verdict = &outcome.verdict;
    let good = verdict.complete && verdict.valid;
    let words = [
        (!verdict.complete, "incomplete"),
        (!verdict.valid, "invalid"),
        (good, "valid and complete"),
    ];
    let words: Vec<&str> =
        words.iter().filter(|(holds, _)| *holds).map(|(_, word)| *word).collect();
    let mut html = format!(
        "<div class=\"verdict{}\"><p><strong>{}</strong></p>",
        if good { "" } else { " bad" },
        words.join(", ")
    );
    for line in verdict.reasons.iter().chain(&verdict.notes) {
        let _ = write!(html, "<p>{}</p>", escaped(line));
    }
    html + "</div>\n"
}

fn plots(outcome: &Outcome) -> Vec<Plot> {
    let mode = match outcome.settings.mode {
        Mode::Churn => "Handshake latency while churning",
        _ => "Latency, from when it was due",
    };
    let mut plots = over_time(outcome);
    for (title, summary) in [
        ("Handshake latency", &outcome.handshake),
        (mode, &outcome.measured.latency),
        ("Close latency", &outcome.measured.closing),
    ] {
        plots.extend(summary.as_ref().map(|summary| latency(title, summary)));
    }
    plots
}

fn over_time(outcome: &Outcome) -> Vec<Plot> {
    let line = |name, class, value: &dyn Fn(&Point) -> Option<f64>| Line {
        name,
        class,
        points: outcome
            .timeline
            .iter()
            .filter_map(|point| Some((point.seconds, value(point)?)))
            .collect(),
    };
    let seconds =
        || Axis { scale: Scale::Linear, show: |value| format!("{value}"), name: "seconds" };
    let linear = |show, name| Axis { scale: Scale::Linear, show, name };
    let mut held = vec![line("held", 'a', &|point| Some(point.held as f64))];
    let server =
        line("held by the server", 'b', &|point| point.server_held.map(|held| held as f64));
    held.extend((!server.points.is_empty()).then_some(server));
    let mut plots = vec![Plot {
        title: "Connections over time",
        lines: held,
        across: seconds(),
        up: linear(short, ""),
    }];
    let mut memory = vec![line("client", 'a', &|point| Some(mebibytes(point.client_bytes)))];
    let server = line("server", 'b', &|point| point.server_bytes.map(mebibytes));
    memory.extend((!server.points.is_empty()).then_some(server));
    plots.push(Plot {
        title: "Resident memory over time",
        lines: memory,
        across: seconds(),
        up: linear(|value| format!("{value} MiB"), ""),
    });
    if outcome.settings.mode == Mode::Slow {
        let queued = line("waits in sockets", 'b', &|point| point.queued_bytes.map(mebibytes));
        plots.push(Plot {
            title: "The kernel's TCP buffers over time",
            lines: vec![line("buffers", 'c', &|point| Some(mebibytes(point.buffer_bytes))), queued],
            across: seconds(),
            up: linear(|value| format!("{value} MiB"), ""),
        });
    }
    plots
}

fn latency(title: &'static str, summary: &Summary) -> Plot {
    let points = summary.curve.iter().map(|&(share, us)| (share, us.max(1.0))).collect();
    Plot {
        title,
        lines: vec![Line { name: "latency", class: 'a', points }],
        across: Axis {
            scale: Scale::Nines,
            show: |share| format!("{}%", (share * 1e7).round() / 1e5),
            name: "share of all",
        },
        up: Axis { scale: Scale::Logarithmic, show: duration, name: "logarithmic" },
    }
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// A number with few digits.
fn short(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{}M", value / 1e6),
        value if value >= 1e3 => format!("{}k", value / 1e3),
        value => format!("{value}"),
    }
}

/// Draws bars of the memory for one connection, by owner. A slope that cannot be true has no bar.
fn memory(outcome: &Outcome) -> String {
    let rows: Vec<(&str, &str, f64)> = outcome
        .memory
        .iter()
        .filter(|memory| !memory.is_part)
        .filter_map(|memory| Some((&*memory.owner, &*memory.source, memory.per_connection?)))
        .filter(|&(.., per_connection)| per_connection >= 0.0)
        .collect();
    let most = rows.iter().map(|row| row.2).fold(1.0, f64::max);
    if rows.is_empty() {
        return String::new();
    }
    let height = 20 + rows.len() * 46;
    let mut svg = format!(
        "<figure><figcaption>Memory per connection</figcaption>\
         <svg viewBox=\"0 0 560 {height}\" role=\"img\" aria-label=\"Memory per connection\">"
    );
    for (index, (owner, source, per_connection)) in rows.into_iter().enumerate() {
        let top = 10 + index * 46;
        let width = per_connection / most * 430.0;
        let class = match owner {
            "server" => 'b',
            "kernel" => 'c',
            _ => 'a',
        };
        let _ = write!(
            svg,
            "<text x=\"2\" y=\"{}\">{owner}: {}</text>\
             <rect class=\"{class}\" x=\"2\" y=\"{}\" width=\"{width:.1}\" height=\"14\"/>\
             <text x=\"{:.1}\" y=\"{}\">{per_connection:.1} B</text>",
            top + 12,
            escaped(source),
            top + 18,
            width + 10.0,
            top + 30
        );
    }
    svg + "</svg></figure>\n"
}

/// Escapes text for HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_draws_no_bar_of_a_slope_that_cannot_be_true() {
        let mut outcome = Outcome::sample(Mode::Hold);
        assert_eq!(memory(&outcome).matches("<rect").count(), 1);
        // As this version writes it, and as an earlier one did.
        for per_connection in [None, Some(-5665.0)] {
            outcome.memory[0].per_connection = per_connection;
            outcome.memory[0].finding = crate::growth::Finding::Fell;
            let bars = memory(&outcome);
            assert!(!bars.contains("<rect") && !bars.contains('-'), "{bars}");
        }
    }

    #[test]
    fn text_cannot_leave_its_place_in_the_page() {
        assert_eq!(escaped("ws://h/?a=<b>&\"c\""), "ws://h/?a=&lt;b&gt;&amp;&quot;c&quot;");
    }
}
