//! Run the server in production: a systemd unit, a redeploy that loses no connection, the limits to
//! raise, a static binary, and a container.
//!
//! The files of this chapter are those of `examples/deploy`. `tests/deploy/run` checks the units,
//! and tries every redeploy below with real processes and clients that never pause.
//!
//! # What a server needs
//!
//! | need | how |
//! | --- | --- |
//! | start, restart, a user without rights | [a systemd unit](#a-systemd-unit) |
//! | a new version without a lost connection | [a redeploy](#a-redeploy-without-loss) |
//! | one descriptor for each connection | [`LimitNOFILE=`](#limits) |
//! | more than one core | [a cluster](super::many_cores): one reactor for each core |
//! | TLS | [TLS in the server](super::tls), or [a proxy](super::behind_a_proxy) |
//! | refusals in a log | [`observing`](super::observing); `--verbose` in the examples |
//! | the causes of ends | [`endings`](super::endings) |
//! | figures for Prometheus | [`metrics`](super::metrics); `--metrics-listen` in the examples |
//! | an answer to "is it ready" | [`/healthz` and `/readyz`](#health-logs-and-a-proxy) |
//!
//! # A systemd unit
//!
//! Two units share the work. systemd makes the socket, and the server gets it as an open
//! descriptor. So the server needs no right for ports below 1024, and connections wait in the
//! kernel's queue while it starts anew.
//!
//! ```ini
#![doc = include_str!("../../examples/deploy/echo.socket")]
//! ```
//!
//! ```ini
#![doc = include_str!("../../examples/deploy/echo.service")]
//! ```
//!
//! Copy both to `/etc/systemd/system`, then run `systemctl enable --now echo.socket`.
//!
//! - **The socket** comes through the variable `LISTEN_FDS`. The crate `listenfd` reads it:
//!   `ListenFd::from_env().take_tcp_listener(0)?` is a [`Listener`](crate::Listener). A second
//!   `ListenStream=` is descriptor 1, and may be the path of a Unix socket.
//! - **`Type=notify`**: the server sends `READY=1` once it listens, so `systemctl start` returns
//!   then, and not before. The crate `sd-notify` sends it, if `NOTIFY_SOCKET` is set.
//! - **`WatchdogSec=`**: a timer of the server sends `WATCHDOG=1` twice in each period. Timers run
//!   on the loop, so a callback that never returns ends the reports, and systemd restarts the
//!   server.
//! - **`TimeoutStopSec=`** is above the deadline of the drain that SIGTERM begins: systemd sends
//!   SIGKILL after it.
//!
//! ```
//! use std::time::{Duration, Instant};
//! use sd_notify::NotifyState;
//! use switchboard::{Handler, Reactor};
//!
//! struct Hello;
//! impl Handler for Hello {}
//!
//! let mut reactor = Reactor::new()?;
//! let zone = reactor.server.zone("/", Hello);
//! if let Some(period) = sd_notify::watchdog_enabled() {
//!     let cx = reactor.server.context(Instant::now());
//!     cx.every(zone, period / 2, |_, _| {
//!         let _ = sd_notify::notify(&[NotifyState::Watchdog]);
//!     });
//! }
//! reactor.server.listen("127.0.0.1:0")?;
//! sd_notify::notify(&[NotifyState::Ready])?;
//! reactor.turn(Some(Duration::ZERO))?; // in life: `reactor.run()`
//! # std::io::Result::Ok(())
//! ```
//!
//! The examples `echo` and `chat` do so in `examples/common/notify.rs`. They also send `STOPPING=1`
//! when a drain begins.
//!
//! Check a unit before you install it. The second command lists what else could be locked:
//!
//! ```sh
//! systemd-analyze verify echo.service echo.socket
//! systemd-analyze security --offline=true echo.service # "Overall exposure level .. 1.5 OK"
//! systemd-socket-activate -l 127.0.0.1:9001 target/release/examples/echo
//! ```
//!
//! The third command is systemd's socket without systemd: the first connection starts the server.
//!
//! # A redeploy without loss
//!
//! A TCP connection ends with its process. So a redeploy has two tasks: each *new* connection meets
//! a server, and each *open* one ends in order. A [`drain`](crate::Server::drain) does the second:
//!
//! ```
//! use std::time::Duration;
//! use switchboard::{Drain, Reactor};
//!
//! let mut reactor = Reactor::new()?;
//! let seconds = Duration::from_secs;
//! let (notice, window) = (seconds(5), seconds(20));
//! let drain = Drain { notice, window, deadline: seconds(28), ..Drain::default() };
//! reactor.server.drain(drain)?; // at SIGTERM; the examples take --drain-notice, --drain-window
//! assert!(!reactor.server.is_ready());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - **The notice** moves kept HTTP connections: each answer says `Connection: close`, and clients
//!   connect anew. Without it, a request that crosses the close of an idle connection is lost, and
//!   its client has to repeat it. A load balancer also needs the notice, to read `/readyz`.
//! - **At the window's beginning**, the server accepts what waits in the kernel's queue, and then
//!   closes its listeners, [internal](super::metrics#pages-for-operators) ones too. A client that
//!   connected less than a second ago still gets one answer.
//! - **The window** spreads the Close frames of WebSockets, so that their clients do not all come
//!   back at once. A message that crosses the Close frame is not handled: clients repeat what was
//!   not confirmed.
//!
//! | way | new connections meanwhile | what it needs |
//! | --- | --- | --- |
//! | `systemctl restart`, with the socket unit | wait until the next version runs | nothing more |
//! | two processes at one inherited socket | served at once | a supervisor that starts both |
//! | two processes with `reuse_port` | served at once | a sysctl; see below |
//! | a proxy, or a load balancer | go to other servers | `/readyz`, or a list that you change |
//!
//! What must hold in each of them:
//!
//! - The supervisor starts the next version, and waits for `READY=1`, before it ends the last one.
//!   Only `systemctl restart` works without this, since systemd keeps the socket.
//! - It waits for longer than the drain's deadline before it sends SIGKILL.
//! - The notice is longer than clients rest between two requests, and has two or three intervals of
//!   a load balancer's check.
//! - Clients of WebSockets connect anew after a Close frame with 1001.
//!
//! `tests/deploy/run` does the first three ways, several times in a row. Meanwhile clients connect
//! one after the other, and 16 WebSockets echo. No attempt is refused, reset or left without an
//! answer, and each WebSocket gets its Close frame. Tried once by hand in November 2026 without the
//! notice: 29 of some 2,100 requests over 8 kept connections were lost in four redeploys.
//!
//! ## At an inherited socket
//!
//! With `systemctl restart echo.service`, the next version starts after the last one has ended.
//! Connections wait in the queue for as long as the drain takes, so this unit has no notice and no
//! window. Or start the next version first: any number of processes may accept from one socket. A
//! supervisor of your own keeps the socket, starts the next process with it, waits for `READY=1`,
//! and only then ends the last process.
//!
//! The socket never closes, so no setting of the kernel matters here.
//!
//! ## With SO_REUSEPORT
//!
//! Each process has a socket of its own at one port, with
//! [`Listener::reuse_port`](crate::Listener::reuse_port), and the kernel spreads connections over
//! them. The unit is a template, and its instances are two colours:
//!
//! ```ini
#![doc = include_str!("../../examples/deploy/echo@.service")]
//! ```
//!
//! ```sh
//! systemctl start echo@green # returns at READY=1: both accept now
//! systemctl stop echo@blue   # drains
//! ```
//!
//! When a listening socket closes, the kernel resets the connections that wait in its queue, and
//! those whose handshake is under way. The server accepts what waits before it closes a listener.
//! What comes between the last accept and the close is lost, unless the kernel may hand it to
//! the other socket (Linux 5.14 and later). The farther the client, the longer its handshake is in
//! danger:
//!
//! ```sh
//! echo net.ipv4.tcp_migrate_req=1 >/etc/sysctl.d/50-migrate.conf # IPv6 too, despite its name
//! sysctl --system
//! ```
//!
//! | 40 listeners close in turn, some 9,000 connections, over loopback | lost |
//! | --- | --- |
//! | closed at once | 55 |
//! | closed after accepting what waits | 4 |
//! | closed at once, with `net.ipv4.tcp_migrate_req=1` | 0 |
//!
//! These figures are of one run by hand, with bare sockets on Linux 6.18, in November 2026.
//!
//! With the sysctl, even the queue of a process that was killed goes to the other. A container has
//! its own setting: `docker run --sysctl net.ipv4.tcp_migrate_req=1`.
//!
//! Both processes must run as one user: the kernel refuses the port to any other.
//!
//! [Pages for operators](#health-logs-and-a-proxy) need a port for each instance: at a shared one,
//! a check would reach either of them. Name the instances after their ports, as `echo@9464` and
//! `echo@9465`, and add `--metrics-listen %i` to the unit.
//!
//! # Limits
//!
//! | limit | where | default |
//! | --- | --- | --- |
//! | descriptors of the process | `LimitNOFILE=`, `ulimit -n`, `docker run --ulimit` | 1,024 |
//! | the highest of these | sysctl `fs.nr_open` | 1,048,576 |
//! | descriptors of the machine | sysctl `fs.file-max` | by memory |
//! | the queue of a listener | `Listener::backlog`, `Backlog=` of a socket unit | 4,096 |
//! | the longest queue | sysctl `net.core.somaxconn` | 4,096 |
//! | outgoing ports to one address | sysctl `net.ipv4.ip_local_port_range` | 28,232 |
//!
//! - **A connection takes one descriptor**, and some 5 KiB of the kernel's memory at each end;
//!   [`measuring`](super::measuring) has the figures. A listener takes two, one of them in reserve.
//!   A reactor takes three more. The example `echo` with `--metrics-listen` takes 12 beside its
//!   connections: three are its standard streams, and two wait for signals.
//! - **The soft limit** is what holds. A program raises it to the hard limit itself: the examples
//!   `echo` and `chat` do so with the crate `rlimit`. systemd's hard limit is 524,288 without
//!   `LimitNOFILE=`.
//! - **Without a descriptor** left, waiting clients and checks of health get 503 over the one in
//!   reserve, and [`Stats::exhausted`](crate::Stats::exhausted) counts.
//! - **Set [`max_connections`](crate::Server::max_connections)** to 300 less than the limit. Then
//!   each client beyond gets its 503 in an orderly way, and internal listeners still take 16
//!   connections. The 300 are up to 256 refused clients that read their answer, these 16, and the
//!   program's own.
//! - **The queue** holds connections that the loop has not accepted yet. A longer queue helps
//!   through a burst; a loop that never catches up needs another core.
//! - **A proxy** needs a descriptor and a port of its own for each connection to the server. Beyond
//!   28,232, give the server several addresses, or a Unix socket.
//!
//! # Health, logs, and a proxy
//!
//! - **Checks**: [`Health`](crate::Health) answers 200 while the loop turns.
//!   [`Ready`](crate::Ready) answers 503 once a drain has begun. The examples serve them as
//!   `/healthz` and `/readyz`, and [`metrics`](super::metrics) as `/metrics`, with
//!   `--metrics-listen 9464`. Only the machine itself reaches this port; `10.0.0.5:9464` serves
//!   them to a network.
//! - **In the window** of a drain, these pages are gone with their listener. A check finds no
//!   server then, and Prometheus does not get the last counts.
//! - **Logs** go to standard error, which systemd and container engines collect. Do not wait for
//!   that output on the loop: `examples/common/log.rs` has a bounded queue and a thread.
//! - **A proxy**: [`behind_a_proxy`](super::behind_a_proxy) has tested files for nginx, Caddy and
//!   HAProxy. Give the server a notice of two or three intervals of the proxy's checks.
//!
//! # A static binary
//!
//! A static binary needs no other file, not even a C library:
//!
//! ```sh
//! RUSTFLAGS="-C target-feature=+crt-static" \
//!     cargo build --release --target x86_64-unknown-linux-gnu
//! ```
//!
//! The target must be given by name, even if it is the machine's own. Otherwise the flag holds for
//! build scripts and macros too, and the build fails. `tests/deploy/run` runs such a binary as the
//! only file of an empty root directory, and tries it over `http`, `https` and WebSocket.
//!
//! In an empty root, some things are absent:
//!
//! - **Names.** glibc looks host names up through shared libraries. Listen at an address instead of
//!   `localhost`. A server that dials host names wants the target `x86_64-unknown-linux-musl`,
//!   which has its own look-up, and the file `/etc/resolv.conf`.
//! - **Certificate authorities.** Only the client role needs them: `wss` URLs trust those of the
//!   platform, which are files in `/etc/ssl`. Copy them, or give [`Connect::tls`] your own. The
//!   server role shows its own certificate, and needs none.
//! - **`/dev/null`** is the descriptor in reserve. Without it, clients beyond the last descriptor
//!   wait in place of a 503. Container engines provide it.
//!
//! # A container
//!
//! **This file is not built by the tests of the crate.** Its binary is the static one above, which
//! they run.
//!
//! ```dockerfile
#![doc = include_str!("../../examples/deploy/Dockerfile")]
//! ```
//!
//! The first process of a container gets no default action for signals. The examples handle
//! SIGTERM, so they need no `--init`. The address 127.0.0.1 is the container's own, for the pages
//! of `--metrics-listen 9464` too. With `:9464` the network of the containers reaches them.
//!
//! # What goes wrong
//!
//! | symptom | cause | remedy |
//! | --- | --- | --- |
//! | `systemctl start` hangs, then fails | `Type=notify`, and no `READY=1` | send it, as above |
//! | systemd kills the server now and then | a callback takes longer than the watchdog | a thread |
//! | systemd kills the server at its end | the drain's deadline is later | `TimeoutStopSec=` |
//! | 503 at some 1,000 connections | the soft limit holds | `LimitNOFILE=`, `rlimit` |
//! | `/healthz` is 503 | no descriptor is left | `LimitNOFILE=`, `max_connections` |
//! | "address in use" at a redeploy | only one of both has `reuse_port` | set it in both |
//! | "address in use", both have it | they run as different users | `User=` in the template |
//! | a few resets at each redeploy | handshakes at a listener that closes | `tcp_migrate_req` |
//! | lost requests of kept connections | they crossed the close | a notice |
//! | "address in use" with `--metrics-listen` | two versions at one port | a port for each |
//! | `/readyz` is 200 in a drain | the public port of `echo` answers all paths | the other port |
//! | 421 to a check or to Prometheus | `Server::hosts` lacks their host | add it; `--allow-host` |
//! | clients wait during a restart | the socket's queue, while the drain goes on | two processes |
//! | a listener at `localhost` fails | a static binary looks up no names | `127.0.0.1` |
//!
//! [`Connect::tls`]: crate::Connect::tls
