//! Watching a server from outside: counters, metrics for Prometheus, checks of health.
//!
//! # Counters
//!
//! A server always counts: its connections by phase, bytes, messages, refusals by status, ends by
//! cause. [`Context::stats`](crate::Context::stats) returns a copy, and
//! [`Stats`](crate::Stats) says what each counter means.
//!
//! - Bytes are those of the socket. Under TLS they are ciphertext, handshakes included.
//! - A message that is published counts once for each receiver. Control frames do not count.
//! - A refusal is an answer of the server in place of a handler, such as a 404 where no zone
//!   replies. A handler's own 404 is none.
//!
//! Two kinds of figures cost something, so they are off by default. A zone with
//! [`Zone::counted`](crate::Zone::counted) has counters of its own.
//! [`Server::measure_turns`](crate::Server::measure_turns) measures the turns of the loop, with one
//! more look at the clock a turn.
//!
//! # Pages for operators
//!
//! [`Metrics`](crate::Metrics) serves the text that Prometheus reads. [`Health`](crate::Health)
//! answers 200 as long as the loop turns. [`Ready`](crate::Ready) answers 503 once the server
//! drains, so that a load balancer sends its clients elsewhere. All three take GET and HEAD, and
//! forbid caches.
//!
//! Metrics are not for the public. An [internal listener](crate::Listener::internal) reaches
//! [internal zones](crate::Zone::internal) only, and every other listener reaches the others only.
//! So one server shows its pages at a loopback address, and nothing of them elsewhere:
//!
//! ```
//! use switchboard::{Health, Listener, Metrics, Reactor, Ready, Zone};
//!
//! let mut reactor = Reactor::new()?;
//! let server = &mut reactor.server;
//! server.websocket(Zone::new("/ws").counted(true), |conn, message| conn.send(message));
//! server.listen("127.0.0.1:0")?; // in production: ":80"
//!
//! server.measure_turns(true);
//! server.zone(Zone::new("/metrics").internal(true), Metrics);
//! server.zone(Zone::new("/healthz").internal(true), Health);
//! server.zone(Zone::new("/readyz").internal(true), Ready);
//! server.listen(Listener::from("127.0.0.1:0").internal(true))?; // in production: port 9464
//! # std::io::Result::Ok(())
//! ```
//!
//! A check of health may stand at a public zone as well: it shows nothing. With
//! [`Server::hosts`](crate::Server::hosts), name the address that Prometheus asks in that list.
//!
//! The examples `echo` and `chat` do all of this with `--metrics-listen 9464`: a port alone is one
//! of 127.0.0.1. Two versions that run at once need two ports. For Prometheus:
//!
//! ```yaml
//! scrape_configs:
//!   - job_name: chat
//!     static_configs:
//!       - targets: ["127.0.0.1:9464"]
//! ```
//!
//! In a [`Cluster`](crate::Cluster) each reactor counts for itself; the chapter
//! [many cores](super::many_cores#metrics) serves the sum.
//!
//! `examples/grafana/switchboard.json` is a dashboard for Grafana, to be imported as it is.
//!
//! # Several reactors
//!
//! [`Metrics`](crate::Metrics) shows the server that it belongs to. In a
//! [cluster](super::many_cores), give each reactor a port, and let Prometheus add them up:
//!
//! ```no_run
//! use switchboard::{Cluster, Listener, Metrics, Zone};
//!
//! let cluster = Cluster::new(4);
//! cluster.run(|reactor, member| {
//!     let server = &mut reactor.server;
//!     server.websocket("/ws", |conn, message| conn.send(message));
//!     server.measure_turns(true);
//!     server.zone(Zone::new("/metrics").internal(true), Metrics);
//!     let place = format!("127.0.0.1:{}", 9464 + member.index());
//!     server.listen(Listener::from(place).internal(true))?;
//!     Ok(())
//! })?;
//! # std::io::Result::Ok(())
//! ```
//!
//! [`ClusterHandle::stats`](crate::ClusterHandle::stats) has the sum in one place, for [a page of
//! the program's own](super::many_cores#metrics). The sum does not show which loop is late.
//!
//! # The names
//!
//! The names are stable: a later version may add some, and labels get further values. Counters
//! begin at 0 with the server. A status has no series before its first refusal.
//!
//! | name | type | labels | what |
//! | --- | --- | --- | --- |
//! | `switchboard_build_info` | gauge | `version` | 1 |
//! | `switchboard_connections` | gauge | `phase` | open connections; all phases add up to all |
//! | `switchboard_connections_accepted_total` | counter | | accepted or adopted |
//! | `switchboard_connections_dialled_total` | counter | | opened by this program |
//! | `switchboard_connections_ended_total` | counter | `cause` | ends, by [`Cause`] |
//! | `switchboard_connections_turned_away_total` | counter | | refused because of a limit |
//! | `switchboard_connections_rejected_total` | counter | | ended by their PROXY header or TLS |
//! | `switchboard_connections_overflowed_total` | counter | | slow readers that were closed |
//! | `switchboard_listener_pauses_total` | counter | | pauses without a descriptor |
//! | `switchboard_tls_handshakes_total` | counter | | handshakes that succeeded |
//! | `switchboard_requests_total` | counter | | requests with a valid head |
//! | `switchboard_refusals_total` | counter | `status` | refusals |
//! | `switchboard_received_bytes_total` | counter | | bytes from sockets |
//! | `switchboard_sent_bytes_total` | counter | | bytes to sockets |
//! | `switchboard_messages_received_total` | counter | | WebSocket messages to handlers |
//! | `switchboard_messages_sent_total` | counter | | messages and events, for each receiver |
//! | `switchboard_messages_dropped_total` | counter | | dropped for slow readers |
//! | `switchboard_messages_replaced_total` | counter | | replaced by later ones while they waited |
//! | `switchboard_messages_not_passed_on_total` | counter | | not taken by another reactor |
//! | `switchboard_history_topics` | gauge | | topics that keep messages |
//! | `switchboard_history_messages` | gauge | | messages that topics keep |
//! | `switchboard_history_bytes` | gauge | | their bytes |
//! | `switchboard_history_queued_bytes` | gauge | | kept no longer, waiting for slow readers |
//! | `switchboard_history_evicted_total` | counter | | topics forgotten, since memory was full |
//! | `switchboard_store_waiting` | gauge | | messages and questions that wait for a store |
//! | `switchboard_store_failed_total` | counter | | those that failed, were late or refused |
//! | `switchboard_panics_total` | counter | | panics of the program that were caught |
//! | `switchboard_zone_open` | gauge | `zone` | WebSockets, event streams, takeovers |
//! | `switchboard_zone_requests_total` | counter | `zone` | requests that the zone replied to |
//! | `switchboard_zone_messages_received_total` | counter | `zone` | messages to its handler |
//! | `switchboard_zone_messages_sent_total` | counter | `zone` | messages that its handler sent |
//! | `switchboard_turn_seconds` | histogram | `le` | time of a turn without its wait |
//! | `switchboard_turn_max_seconds` | gauge | | longest turn of one to two minutes |
//! | `switchboard_turn_lag_seconds` | histogram | `le` | time by which due turns were late |
//! | `switchboard_turn_lag_max_seconds` | gauge | | greatest lag of one to two minutes |
//!
//! [`Cause`]: crate::Cause
//!
//! # What to watch
//!
//! - **Turn time**, `switchboard_turn_max_seconds`. Every callback holds up all connections. A turn
//!   of 100 ms is a callback that blocks: give the work to a thread, and
//!   [answer later](super::answering_later).
//! - **Lag**, `switchboard_turn_lag_max_seconds`: the loop is late by so much. A turn is late if a
//!   timer was due before it, or if the wait that the loop was allowed was over. Lag without long
//!   turns means that other programs take the processor.
//! - **The share of turns in time**, `rate(switchboard_turn_seconds_sum[1m])`. Near 1 the loop
//!   never waits, and one core is used up.
//! - **Pauses, connections turned away, overflows.** Each has a limit that was reached. See
//!   [`security`](super::security) and [`slow_readers`](super::slow_readers).
