//! How a thread or a tokio task answers a request later. A handler must not wait, so it promises an
//! answer, and the thread or the task gives the answer.
//!
//! # A thread answers
//!
//! The handler returns [`Reply::Later`](crate::Reply::Later) and hands the connection's name to the
//! thread. The thread answers through a [`Remote`](crate::Remote), which may live on any thread.
//!
//! ```no_run
//! use std::sync::mpsc::{Sender, channel};
//! use switchboard::{Conn, ConnId, Handler, Reactor, Reply, Request, Response};
//!
//! struct Reports {
//!     jobs: Sender<(ConnId, String)>,
//! }
//!
//! impl Handler for Reports {
//!     fn request(&mut self, conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
//!         match self.jobs.send((conn.id(), request.suffix().to_owned())) {
//!             Ok(()) => Reply::Later,
//!             Err(_) => Response::text("no worker").with_status(503).into(),
//!         }
//!     }
//! }
//!
//! fn slow_query(name: &str) -> String {
//!     format!("the report {name}") // a database, a file, a long computation
//! }
//!
//! fn main() -> std::io::Result<()> {
//!     let (jobs, queue) = channel::<(ConnId, String)>();
//!     let mut reactor = Reactor::new()?;
//!     let reports = reactor.server.zone("/reports", Reports { jobs });
//!     let remote = reactor.remote();
//!     std::thread::spawn(move || {
//!         for (id, name) in queue {
//!             let report = slow_query(&name);
//!             let told = remote.call(reports, move |_reports, cx| cx.respond(id, report));
//!             if told.is_err_and(|refused| refused.is_closed()) {
//!                 return; // the server has ended
//!             }
//!         }
//!     });
//!     reactor.server.listen("127.0.0.1:8080")?;
//!     reactor.run()
//! }
//! ```
//!
//! The closure runs on the loop's thread, with the zone's handler and the context. So the closure
//! may also change the handler's state or publish to a topic, without a lock.
//!
//! # A pool of workers
//!
//! One thread answers one request at a time. Several threads share a bounded queue. A request that
//! finds the queue full is answered with 503 at once, since without a bound a crowd waits for ever.
//! The example `workers` is the whole program: `cargo run --release --example workers`.
//!
//! A worker gives up when no client waits any more. Handler and worker share a token: the handler
//! sets it in [`cancelled`](crate::Handler::cancelled), and the worker looks at it between two
//! steps.
//! With `half_close(false)`, a client that ends its side cancels as well.
//!
//! ```
//! use std::io::ErrorKind;
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicBool, Ordering};
//! use std::sync::mpsc::{SyncSender, sync_channel};
//! use switchboard::testing::World;
//! use switchboard::{Cause, Conn, ConnId, ConnMap, Handler, Options, Reply, Request, Response};
//!
//! struct Job { id: ConnId, is_dead: Arc<AtomicBool> }
//!
//! struct Reports { jobs: SyncSender<Job>, owed: ConnMap<Arc<AtomicBool>> }
//!
//! impl Handler for Reports {
//!     fn request(&mut self, conn: &mut Conn<'_>, _request: &mut Request<'_>) -> Reply {
//!         let is_dead = Arc::new(AtomicBool::new(false));
//!         match self.jobs.try_send(Job { id: conn.id(), is_dead: is_dead.clone() }) {
//!             Ok(()) => {
//!                 self.owed.insert(conn.id(), is_dead);
//!                 Reply::Later
//!             }
//!             Err(_) => {
//!                 Response::text("busy").with_status(503).header("Retry-After", "1").into()
//!             }
//!         }
//!     }
//!     fn cancelled(&mut self, conn: &mut Conn<'_>, _cause: Cause) {
//!         let token = self.owed.remove(conn.id());
//!         token.inspect(|is_dead| is_dead.store(true, Ordering::Relaxed));
//!     }
//! }
//!
//! let (jobs, queue) = sync_channel(2); // workers take jobs from the other end
//! let mut world = World::new();
//! world.server.options(Options::new().half_close(false));
//! let zone = world.server.zone("/", Reports { jobs, owed: ConnMap::new() });
//! let (ada, bob, eve) = (world.connect(), world.connect(), world.connect());
//! world.request(ada, "/");
//! world.request(bob, "/");
//! world.request(eve, "/");
//! assert_eq!(world.answer(eve).headers["retry-after"], "1");
//! world.fail(ada, ErrorKind::ConnectionReset); // or world.end(ada): a FIN
//!
//! // What a worker does, through `Remote::call` in a program with threads:
//! let (first, second) = (queue.recv().unwrap(), queue.recv().unwrap());
//! assert!(first.is_dead.load(Ordering::Relaxed));
//! assert!(!second.is_dead.load(Ordering::Relaxed));
//! world.with(zone, move |reports, cx| {
//!     reports.owed.remove(second.id);
//!     cx.respond(second.id, "the report");
//! });
//! assert_eq!(world.answer(bob).text(), "the report");
//! ```
//!
//! A panic in a worker is the worker's own: the example catches it and answers 500.
//!
//! # A tokio task answers
//!
//! The reactor stays on its own thread. A `Remote` is `Send` and never blocks, so a task may hold
//! one. Give the handler a `tokio::runtime::Handle`, and let the handler spawn the future `report`:
//!
//! ```
//! use switchboard::{ConnId, Handler, Remote, ZoneId};
//!
//! struct Reports;
//! impl Handler for Reports {}
//!
//! async fn query(name: String) -> String {
//!     name // await a database here
//! }
//!
//! async fn report(remote: Remote, zone: ZoneId<Reports>, id: ConnId, name: String) {
//!     let text = query(name).await;
//!     let _server_gone = remote.call(zone, move |_reports, cx| cx.respond(id, text));
//! }
//!
//! // What `Handle::spawn` asks for:
//! fn spawn<F: Future + Send + 'static>(_task: fn(Remote, ZoneId<Reports>, ConnId, String) -> F) {}
//! spawn(report);
//! ```
//!
//! # What if the peer has left?
//!
//! A late answer does nothing. A [`ConnId`](crate::ConnId) names one exchange. When its peer breaks
//! off, the server calls [`cancelled`](crate::Handler::cancelled) once, with the
//! [`Cause`](crate::Cause). The next request on the same socket has another name, so an answer can
//! never reach the wrong request. With several
//! reactors, keep a name together with the [`Remote`](crate::Remote) of its server: a name means
//! nothing in another server.
//!
//! ```
//! use switchboard::testing::World;
//! use switchboard::{Cause, Conn, ConnId, Handler, Reply, Request};
//!
//! #[derive(Default)]
//! struct Waiting {
//!     owed: Vec<ConnId>,
//!     cancelled: Vec<Cause>,
//! }
//!
//! impl Handler for Waiting {
//!     fn request(&mut self, conn: &mut Conn<'_>, _request: &mut Request<'_>) -> Reply {
//!         self.owed.push(conn.id());
//!         Reply::Later
//!     }
//!     fn cancelled(&mut self, conn: &mut Conn<'_>, cause: Cause) {
//!         self.owed.retain(|id| *id != conn.id());
//!         self.cancelled.push(cause);
//!     }
//! }
//!
//! let mut world = World::new();
//! let zone = world.server.zone("/later", Waiting::default());
//!
//! let bob = world.connect();
//! world.request(bob, "/later");
//! world.with(zone, |waiting, cx| cx.respond(waiting.owed.remove(0), "here it is"));
//! assert_eq!(world.answer(bob).text(), "here it is");
//!
//! let ada = world.connect();
//! world.request(ada, "/later");
//! world.fail(ada, std::io::ErrorKind::ConnectionReset);
//! world.with(zone, |waiting, _cx| {
//!     assert_eq!((waiting.owed.len(), &*waiting.cancelled), (0, &[Cause::Reset][..]));
//! });
//! ```
//!
//! # What if the peer ends its side?
//!
//! A client may end its side behind its request (a FIN) and still read: `nc -N` and many scripts
//! do. Such a half-close is no abort, so the answer is still owed. It is sent as the last one, and
//! the connection closes. Requests that came before the end are answered too.
//!
//! A browser tab that closes sends the same FIN. The server cannot tell the two apart before it
//! writes. [`Conn::peer_ended`](crate::Conn::peer_ended) lets a handler drop costly work. With
//! [`Options::half_close(false)`](crate::Options::half_close), a FIN cancels like a reset does.
//!
//! ```
//! use switchboard::Options;
//! use switchboard::testing::World;
//! use switchboard::{Cause, Conn, ConnId, Handler, Reply, Request};
//!
//! #[derive(Default)]
//! struct Reports(Vec<ConnId>, usize);
//!
//! impl Handler for Reports {
//!     fn request(&mut self, conn: &mut Conn<'_>, _request: &mut Request<'_>) -> Reply {
//!         self.0.push(conn.id());
//!         Reply::Later
//!     }
//!     fn cancelled(&mut self, _conn: &mut Conn<'_>, _cause: Cause) {
//!         self.1 += 1;
//!     }
//! }
//!
//! let mut world = World::new();
//! let zone = world.server.zone("/", Reports::default());
//! let ada = world.connect();
//! world.request(ada, "/");
//! world.end(ada);
//! world.with(zone, |reports, cx| cx.respond(reports.0.remove(0), "the report"));
//! let answer = world.answer(ada);
//! assert_eq!(answer.text(), "the report");
//! assert_eq!(answer.headers["connection"], "close");
//!
//! world.server.options(Options::new().half_close(false));
//! let bob = world.connect();
//! world.request(bob, "/");
//! world.end(bob);
//! assert_eq!(world.with(zone, |reports, _cx| reports.1), 1);
//! ```
//!
//! | the client ends its side (FIN) during | then |
//! | --- | --- |
//! | a request that is not whole | the connection ends |
//! | a deferred answer, a streamed answer | the answer is sent, then the connection ends |
//! | the same, with `half_close(false)` | `cancelled` by `Eof`, the connection ends |
//! | an answer that waits for its reader | the answer is sent, then the connection ends |
//! | a [long poll](crate::LongPoll) | an empty list, then the connection ends |
//! | an event stream | `close` with 1006: a browser ends a stream in this way alone |
//! | a WebSocket | `close` with 1006: a Close frame is missing (RFC 6455 7.1.5) |
//! | a takeover | `close` with 1006, once what was written has left |
//!
//! # The rules
//!
//! | question | answer |
//! | --- | --- |
//! | How long may an answer take? | 60 s, [`answer_timeout`](crate::Options::answer_timeout) |
//! | What if it takes longer? | a 503, and `cancelled` with the cause `AnswerTimeout` |
//! | What if two answers are given? | the first is sent, the second is ignored |
//! | May the answer be an upgrade? | yes, [`cx.upgrade`](crate::Context::upgrade) |
//! | What about later requests of the connection? | they wait for the answer, in order |
//! | What if the client ends its side? | it still gets the answer, as its last |
//! | May the handler answer without a thread? | yes, in any later callback or timer |
//! | How many calls may wait for the loop? | 65,536; then `call` gives the closure back |
//! | Does `call` block? | no; the first call of a burst wakes the loop |
//! | In which order do calls run? | in the order in which they were made |
//!
//! Threads use the same call for other work. A thread that reads a sensor, for example, calls
//! `remote.call(zone, |_, cx| cx.publish("sensor", ..))`.
