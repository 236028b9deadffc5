//! How to measure a server, and how to read the figures. The repository has a harness for idle
//! connections and five benches. This chapter describes them.
//!
//! # What an idle connection costs
//!
//! | where | bytes | measured by |
//! | --- | --- | --- |
//! | the server's memory | 64.6 | resident memory, slope from 1,000 to 10,000 connections |
//! | the same in the client role | 66.7 | likewise |
//! | the kernel, each end | 5,138 | `Slab` of `/proc/meminfo`, 995,000 connections, both ends / 2 |
//!
//! The kernel's part is the same for every server: sockets, inodes and files. So the whole cost of
//! an idle connection here is nearly the kernel's alone.
//!
//! # The harness
//!
//! The example `idle` opens very many WebSockets to any server and tells what they cost. The server
//! may be written in any language: the harness needs a URL.
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
//! | `ping` | whether each one is still answered, and how soon |
//! | `echo` | latency at an even rate that does not slow down with the server |
//! | `broadcast` | how many receivers a message reaches, and when |
//! | `churn` | connections that end while others come |
//! | `half-open` | when the server notices peers that vanished |
//! | `slow` | what peers cost that ask and never read, in the server and in the kernel |
//!
//! `--header`, `--subprotocol` and `--origin` go into each handshake.
//!
//! Three rules keep its figures honest. Latency counts from the time at which a message was due,
//! not from when it was sent. A run whose figures cannot be the server's is marked invalid. And
//! when a limit or a refusal stops a run, the harness names it and how to lift it.
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
//! Memory is a slope: what grows between a tenth of the connections and all of them, divided by
//! the new ones. With 10,000 connections, memory counts from connection 1,001 on. The table shows
//! what a process had before the first connection, at the beginning of the ramp and at its end.
//!
//! Measure memory once on a fresh server process. A process that had connections before keeps
//! memory, and serves the next ones from it: the slope is too small, zero or negative. The harness
//! sees such a process by its room for descriptors, which the kernel never takes back.
//!
//! The table counts how connections ended, with close codes and reasons, and how attempts failed,
//! with HTTP statuses. The name of the server is looked up once.
//!
//! # The benches
//!
//! | command | question |
//! | --- | --- |
//! | `cargo bench --bench echo` | what does a message cost the server? |
//! | `cargo bench --bench broadcast` | what does a delivery cost? |
//! | `cargo bench --bench idle` | memory of both roles, and connections that come and go |
//! | `cargo bench --bench codec` | what do masks, frames, UTF-8 and handshakes cost? |
//! | `cargo bench --bench instructions` | how many instructions does it take? |
//!
//! `--quick` takes a minute; `--peers` adds other libraries; `--against "COMMAND"` adds a program
//! of yours. `benches/README.md` has all figures with their commands and spread.
//!
//! # How to read a ratio
//!
//! 1.02 means that the server used 2 % more CPU time than the floor. The floor is a program that
//! makes the same system calls, writes replies prepared beforehand and looks at no byte. 1.00 would
//! mean that parsing, masks, UTF-8 checks and dispatch are free.
//!
//! - The figure is the median of at least 31 rounds; in each round both programs take turns.
//! - The interval is the 95 % interval of a bootstrap. Two figures whose intervals overlap may be
//!   equal.
//! - A budget is the highest ratio that is allowed. It holds if the lower end of the interval is at
//!   or below it, and the median exceeds it by at most 0.01.
//!
//! Single times mean little: the same machine changes its speed within a second. Never compare a
//! time of one run with a time of another.
//!
//! # What repeats exactly
//!
//! Instructions, system calls, allocations and bytes do not depend on the load of the machine. The
//! tests check them, so that a change that adds one is seen at once.
//!
//! | what | figure |
//! | --- | --- |
//! | system calls for an echo | 3 |
//! | allocations for a message | 0 |
//! | instructions for an echo of 20 B | 692 |
//! | instructions for a message of 20 B, 64 in a segment | 83 |
//! | instructions for a handshake and a close | 14,435 |
//! | instructions for a delivery of 100 B | 188 |
//!
//! The counts are those of rustc 1.95 on x86-64 with AVX2, without the kernel's.
//!
//! # Measure your own server
//!
//! Ask [`Context::stats`](crate::Context::stats) for what is open, and the kernel for memory and
//! CPU time. The difference between two loads is the cost; the rest is the program itself.
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
