//! How to measure a server, and how to read the figures. The repository has a harness for idle
//! connections and five benches. The figures here are of November 2026.
//!
//! # What an idle connection costs
//!
//! | memory | bytes | measured by |
//! | --- | --- | --- |
//! | the server's, for an accepted WebSocket | 64.6 | resident memory, slope from 1,000 to 10,000 |
//! | the server's, for a WebSocket in the client role | 66.7 | likewise |
//! | the kernel's, for each end | 5,138 | half of `Slab` in `/proc/meminfo`, 995,000 connections |
//!
//! The kernel's part is the same for every server: sockets, inodes and files. So nearly the whole
//! memory of an idle connection is the kernel's.
//!
//! # The harness
//!
//! The example `idle` opens very many WebSockets to any server and reports what they cost. The
//! server may be written in any language: the harness needs only its URL.
//!
//! ```text
//! cargo run --release --example idle -- ws://127.0.0.1:9001/ --connections 10000
//! cargo run --release --example idle -- ws://127.0.0.1:9001/ --mode ping --duration 60
//! cargo run --release --example idle -- ws://127.0.0.1:9001/ --report idle.html
//! ```
//!
//! | mode | what it shows |
//! | --- | --- |
//! | `hold` | memory of connections that send nothing, and CPU time of each in a second |
//! | `ping` | whether a ping on each connection is answered, and how soon |
//! | `echo` | latency of messages sent at a fixed rate, even if the server is slow |
//! | `broadcast` | how many receivers a message reaches, and when |
//! | `churn` | what it costs when connections end and others begin |
//! | `half-open` | when the server notices peers that vanished |
//! | `slow` | what peers cost that ask and never read, in the server and in the kernel |
//!
//! `--header`, `--subprotocol` and `--origin` go into each handshake.
//!
//! Three rules keep its figures honest. Latency counts from the time at which a message was due,
//! not from the time at which it was sent. A run whose figures cannot be the server's is marked
//! invalid. And when a limit or a refusal stops a run, the harness names it and the remedy.
//!
//! | what happened | verdict |
//! | --- | --- |
//! | the server's memory did not grow with its connections, or fell | invalid |
//! | `hold`, and the server's process had many connections before | invalid |
//! | other clients are connected to the server | invalid |
//! | more came back than was sent | invalid |
//! | the client was the bottleneck, or was late itself | invalid |
//! | fewer connections than asked for, or some that the server ended | incomplete |
//! | messages or pings without an answer | incomplete |
//!
//! Memory is a slope: the growth of a process while the last nine tenths of the connections open,
//! divided by their number. With 10,000 connections, memory counts from connection 1,001 on. The
//! table that the harness prints shows the memory of each process at three moments: before the
//! first connection, with a tenth of the connections, and with all.
//!
//! Measure memory once on a fresh server process. A process that had connections before keeps
//! memory, and serves the next ones from it: the slope is too small, zero or negative. The harness
//! recognises such a process by its table of descriptors (`FDSize` in `/proc/PID/status`), which
//! the kernel never makes smaller.
//!
//! The printed table also counts how connections ended, with close codes and reasons, and how
//! attempts failed, with the HTTP status of each and its `Location`, `Retry-After` and
//! `WWW-Authenticate`. A status that the next attempt would get too, such as 403 or 404, ends the
//! opening. The name of the server is looked up once.
//!
//! # The benches
//!
//! `cargo bench --bench NAME` runs one of them.
//!
//! | bench | question |
//! | --- | --- |
//! | `echo` | what does a message cost the server? |
//! | `broadcast` | what does a delivery cost? |
//! | `idle` | what does an idle connection cost in each role, and a short-lived one? |
//! | `codec` | what do masks, frames, UTF-8 and handshakes cost? |
//! | `instructions` | how many instructions do a message, a handshake and a delivery take? |
//!
//! With `--quick` a bench takes a minute. `--peers` adds other libraries, and `--against "COMMAND"`
//! adds a program of yours. `benches/README.md` has all figures with their commands and spread.
//!
//! # How to read a ratio
//!
//! A ratio of 1.02 means that the server used 2 % more CPU time than the floor. The floor is a bare
//! epoll program: it makes the same system calls, writes prepared replies and inspects no byte of
//! the input. A ratio of 1.00 would mean that parsing, masks, UTF-8 checks and dispatch are free.
//!
//! - The figure is the median of at least 31 rounds. In each round the two programs alternate.
//! - The interval is the 95 % interval of a bootstrap. Two figures whose intervals overlap may be
//!   equal.
//! - A budget is a target ratio. A run passes if the lower end of its interval is at or below the
//!   budget, and its median at most 0.01 above.
//!
//! Single times mean little: the same machine changes its speed within a second. Never compare a
//! time of one run with a time of another.
//!
//! # What repeats exactly
//!
//! Instructions, system calls, allocations and bytes do not depend on the load of the machine.
//! Tests check these counts, so a change that adds to one is seen at once.
//!
//! | what | figure |
//! | --- | --- |
//! | system calls for an echo | 3 |
//! | allocations for a message | 0 |
//! | instructions for an echo of 20 B | 692 |
//! | instructions for an echo of 20 B, with 64 messages in a TCP segment | 83 |
//! | instructions for a handshake and a close | 14,435 |
//! | instructions for a delivery of 100 B | 188 |
//!
//! Instructions are counted with rustc 1.95 on x86-64 with AVX2, without those of the kernel.
//!
//! # Measure your own server
//!
//! Ask [`Context::stats`](crate::Context::stats) for the number of open connections, and the kernel
//! for memory and CPU time. Measure under two loads: the difference is the cost of the added load.
//!
//! ```
//! use std::time::Instant;
//! use switchboard::{Server, Transport};
//!
//! let mut server = Server::detached();
//! let now = Instant::now();
//! let (transport, _peer) = Transport::memory();
//! server.adopt(transport, now)?;
//! let stats = server.context(now).stats();
//! assert_eq!((stats.connections, stats.websockets, stats.dropped), (1, 0, 0));
//! # Ok::<(), std::io::Error>(())
//! ```
