//! Writes counters in the text format 0.0.4 of Prometheus. The names are part of the manual, in
//! `guide/metrics.rs`.

use std::fmt::{Display, Write as _};

use super::stats::Stats;
use super::turn_stats::Times;
use super::zone_stats::ZoneStats;

/// The prefix of every name.
const PREFIX: &str = "switchboard_";

/// A text that grows by one metric at a time.
struct Exposition(String);

impl Exposition {
    /// Begins a metric: its help and its type.
    fn begin(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {PREFIX}{name} {help}"));
        self.line(format_args!("# TYPE {PREFIX}{name} {kind}"));
    }

    fn line(&mut self, line: impl Display) {
        // Writing to a text cannot fail.
        let _infallible = writeln!(self.0, "{line}");
    }

    /// Adds a metric with one value and without labels.
    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.begin(name, kind, help);
        self.line(format_args!("{PREFIX}{name} {value}"));
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.one(name, "counter", help, value);
    }

    /// Adds a metric with one value for each value of a label.
    fn labelled<L: Display, V: Display>(
        &mut self,
        (name, kind, help): (&str, &str, &str),
        label: &str,
        values: impl IntoIterator<Item = (L, V)>,
    ) {
        self.begin(name, kind, help);
        for (at, value) in values {
            self.line(format_args!("{PREFIX}{name}{{{label}=\"{at}\"}} {value}"));
        }
    }

    /// Adds a histogram of seconds.
    fn times(&mut self, name: &str, help: &str, times: &Times) {
        self.begin(&format!("{name}_seconds"), "histogram", help);
        let name = format!("{PREFIX}{name}");
        for (bound, count) in times.buckets() {
            let bound = bound.as_secs_f64();
            self.line(format_args!("{name}_seconds_bucket{{le=\"{bound}\"}} {count}"));
        }
        self.line(format_args!("{name}_seconds_bucket{{le=\"+Inf\"}} {}", times.count()));
        self.line(format_args!("{name}_seconds_sum {}", times.sum().as_secs_f64()));
        self.line(format_args!("{name}_seconds_count {}", times.count()));
    }
}

impl Stats {
    /// Writes all counters in the text format 0.0.4 of Prometheus.
    ///
    /// The names begin with `switchboard_` and are stable: the guide has them in a table, in the
    /// chapter [metrics](crate::guide::metrics). [`Metrics`](crate::Metrics) serves the text.
    ///
    /// ```
    /// use switchboard::testing::World;
    ///
    /// let mut world = World::new();
    /// world.get("/nowhere");
    /// let text = world.context().stats().to_prometheus();
    /// assert!(text.contains("\n# TYPE switchboard_requests_total counter\n"));
    /// assert!(text.contains("\nswitchboard_requests_total 1\n"));
    /// assert!(text.contains("\nswitchboard_refusals_total{status=\"404\"} 1\n"));
    /// ```
    #[must_use]
    pub fn to_prometheus(&self) -> String {
        let mut text = Exposition(String::with_capacity(8 << 10));
        text.line(BUILD_INFO);
        self.write_connections(&mut text);
        self.write_messages(&mut text);
        write_zones(&mut text, &self.zones);
        if let Some(turns) = &self.turns {
            text.times("turn", "Time of a turn of the loop without its wait.", &turns.time);
            text.times("turn_lag", "Time by which a turn that was due began late.", &turns.lag);
            let help = "Longest turn of the last one to two minutes.";
            text.one("turn_max_seconds", "gauge", help, turns.time.max().as_secs_f64());
            let help = "Greatest lag of a turn in the last one to two minutes.";
            text.one("turn_lag_max_seconds", "gauge", help, turns.lag.max().as_secs_f64());
        }
        text.0
    }

    fn write_connections(&self, text: &mut Exposition) {
        let phases = [
            ("connecting", self.connecting),
            ("arriving", self.arriving),
            ("idle", self.idle),
            ("reading_head", self.reading_head),
            ("reading_body", self.reading_body),
            ("deferred", self.deferred),
            ("responding", self.responding),
            ("websocket", self.websockets.saturating_sub(self.closing)),
            ("closing", self.closing),
            ("event_stream", self.event_streams),
            ("takeover", self.takeovers),
            ("lingering", self.lingering),
        ];
        text.labelled(("connections", "gauge", "Open connections by phase."), "phase", phases);
        let help = "Connections accepted or adopted, without those turned away.";
        text.counter("connections_accepted_total", help, self.accepted);
        let help = "Connections that this program began to open.";
        text.counter("connections_dialled_total", help, self.dialled);
        let ends = self.ends.iter().map(|(cause, count)| (cause.as_str(), count));
        let help = "Ended connections by cause.";
        text.labelled(("connections_ended_total", "counter", help), "cause", ends);
        let help = "Connections refused because of a limit.";
        text.counter("connections_turned_away_total", help, self.turned_away);
        let help = "Connections closed before their first request, for their PROXY header or TLS.";
        text.counter("connections_rejected_total", help, self.rejected);
        let help = "Connections closed because too much output waited for their peers.";
        text.counter("connections_overflowed_total", help, self.overflowed);
        let help = "Pauses of listeners that found no descriptor or memory.";
        text.counter("listener_pauses_total", help, self.exhausted);
        let help = "TLS handshakes that succeeded.";
        text.counter("tls_handshakes_total", help, self.handshakes);
    }

    fn write_messages(&self, text: &mut Exposition) {
        text.counter("requests_total", "Requests with a valid head.", self.requests);
        let help = "Refused requests and connections by status.";
        text.labelled(("refusals_total", "counter", help), "status", self.refusals.iter());
        let help = "Bytes received from sockets; ciphertext under TLS.";
        text.counter("received_bytes_total", help, self.bytes_received);
        let help = "Bytes sent to sockets; ciphertext under TLS.";
        text.counter("sent_bytes_total", help, self.bytes_sent);
        let help = "WebSocket messages delivered to handlers.";
        text.counter("messages_received_total", help, self.messages);
        let help = "Messages and events sent, once for each receiver.";
        text.counter("messages_sent_total", help, self.messages_sent);
        let help = "Messages dropped for slow readers, once for each receiver.";
        text.counter("messages_dropped_total", help, self.dropped);
        let help = "Waiting messages replaced by later ones, once for each receiver.";
        text.counter("messages_replaced_total", help, self.replaced);
        let help = "Published messages that another reactor of the cluster did not take.";
        text.counter("messages_not_passed_on_total", help, self.not_passed_on);
        let gauges = [
            ("history_topics", "Topics that keep messages.", self.history_topics),
            ("history_messages", "Messages that topics keep.", self.history_messages),
            ("history_bytes", "Bytes of the messages that topics keep.", self.history_bytes),
            (
                "history_queued_bytes",
                "Bytes of messages that no topic keeps and that wait for slow readers.",
                self.history_queued_bytes,
            ),
        ];
        for (name, help, value) in gauges {
            text.one(name, "gauge", help, value);
        }
        let help = "Topics forgotten because the memory for history was full.";
        text.counter("history_evicted_total", help, self.history_evicted);
        let help = "Messages and questions that wait for a store.";
        text.one("store_waiting", "gauge", help, self.store_waiting);
        let help = "Messages and questions that a store has failed, or a full queue refused.";
        text.counter("store_failed_total", help, self.store_failed);
        text.counter("panics_total", "Panics of the program that were caught.", self.panics);
    }
}

const BUILD_INFO: &str = concat!(
    "# HELP switchboard_build_info The version of the switchboard crate.\n",
    "# TYPE switchboard_build_info gauge\n",
    "switchboard_build_info{version=\"",
    env!("CARGO_PKG_VERSION"),
    "\"} 1"
);

fn write_zones(text: &mut Exposition, zones: &[ZoneStats]) {
    // Two handlers may stand at one prefix, but a series may be there only once.
    let mut merged: Vec<ZoneStats> = Vec::new();
    for zone in zones {
        match merged.iter_mut().find(|earlier| earlier.zone == zone.zone) {
            Some(earlier) => earlier.add(zone),
            None => merged.push(zone.clone()),
        }
    }
    if merged.is_empty() {
        return;
    }
    type Value = fn(&ZoneStats) -> u64;
    let metrics: [(&str, &str, &str, Value); 4] = [
        ("zone_open", "gauge", "Open WebSockets, event streams and takeovers of a zone.", |zone| {
            zone.open as u64
        }),
        ("zone_requests_total", "counter", "Requests that a zone replied to.", |zone| {
            zone.requests
        }),
        ("zone_messages_received_total", "counter", "Messages delivered to a zone.", |zone| {
            zone.messages
        }),
        ("zone_messages_sent_total", "counter", "Messages that a zone sent.", |zone| {
            zone.messages_sent
        }),
    ];
    for (name, kind, help, value) in metrics {
        let values = merged.iter().map(|zone| (escaped(&zone.zone), value(zone)));
        text.labelled((name, kind, help), "zone", values);
    }
}

/// Escapes the value of a label.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_is_escaped_and_zones_of_one_name_are_one_series() {
        let zone = |open| ZoneStats { zone: "/a\"b\\c\n".into(), open, ..ZoneStats::default() };
        let stats = Stats { zones: vec![zone(1), zone(2)], ..Stats::default() };
        let text = stats.to_prometheus();
        assert!(text.contains("\nswitchboard_zone_open{zone=\"/a\\\"b\\\\c\\n\"} 3\n"), "{text}");
        assert_eq!(text.matches("switchboard_zone_open{").count(), 1);
    }
}
