//! Several cores: a cluster of reactors with one port, shared limits and topics over all of them.
//!
//! One reactor serves tens of thousands of messages a second on one core. Take a
//! [`Cluster`](crate::Cluster) when one core is not enough.
//!
//! # A reactor for each core
//!
//! ```no_run
//! use switchboard::Cluster;
//!
//! fn main() -> std::io::Result<()> {
//!     let mut cluster = Cluster::default(); // one reactor for each core
//!     cluster.listen("0.0.0.0:9001")?;
//!     cluster.run(|reactor, _member| {
//!         reactor.server.websocket("/", |conn, message| conn.send(message));
//!         Ok(())
//!     })
//! }
//! ```
//!
//! The closure runs once on the thread of each reactor. So each reactor has handlers of its own,
//! and no handler needs a lock. State that all of them need, such as a list of users, is shared as
//! in any threaded program: an `Arc` that the closure clones.
//!
//! [`Member`](crate::Member) tells which reactor it is. Each one may have its own listeners, for
//! example one for [its metrics](super::metrics#several-reactors). Or the first one alone has
//! [those of all](#metrics).
//!
//! # Accepting
//!
//! | | each reactor (default) | one, with [`hand_over(true)`](crate::Cluster::hand_over) |
//! | --- | --- | --- |
//! | spread | by a hash in the kernel: uneven for few connections | even: it differs by one |
//! | short connections | cheap | a lock and a wake-up for each |
//! | Unix sockets, inherited sockets | no | yes |
//! | one reactor is slow | clients in its queue wait, also new ones | it still gets its part |
//! | the first one [drains alone](#the-end) | the others accept | no further one is accepted |
//!
//! WebSockets that last are better handed over: an uneven spread stays for hours. Many short HTTP
//! connections are better spread by the kernel.
//!
//! Connections that send in turn, as those of one load generator do, wake each reactor more often
//! where they are dealt out in turn. The bench `cluster` measured 1.43 of the CPU time then, at a
//! fifth of a core, and 1.00 where the connections of one address share a reactor.
//!
//! The load of a reactor is the number of its open connections, with those that were handed over
//! and wait. At most 1,024 wait for one reactor. Then the next least loaded one gets them. The one
//! that accepts always takes what is left, 256 in a turn; all others wait in the kernel's queue.
//!
//! A program that accepts by itself calls [`ClusterHandle::adopt`](crate::ClusterHandle::adopt), or
//! [`Remote::adopt`](crate::Remote::adopt) for one reactor. When all queues are full it gets the
//! socket back, and should stop accepting for a while.
//!
//! # Limits
//!
//! [`Cluster::max_connections`](crate::Cluster::max_connections) and
//! [`Cluster::max_connections_per_address`](crate::Cluster::max_connections_per_address) count all
//! reactors together, also clients behind
//! [trusted proxies](crate::Server::trusted_proxies). Each has its price only where it is set: one
//! atomic number, and one lock for each connection that is counted.
//!
//! A connection counts from its admission by a reactor until it is freed, whichever reactor has
//! it. One that waits for a reactor does not count yet. One beyond a limit gets its 503 or 429
//! from the reactor that it was handed to.
//!
//! # Topics
//!
//! A publish reaches the subscribers of all reactors. The message is copied once, and waits for
//! each other reactor until that one's next turn.
//!
//! | question | topic without history | topic with [history](crate::Server::history) |
//! | --- | --- | --- |
//! | order | the messages of one publisher in theirs | one order by id, for all subscribers |
//! | a callback publishes | leaves at the end of its turn | leaves at once |
//! | waits for | each other reactor | reactors with a subscriber of the topic |
//! | bounds | 65,536 messages, 16 MiB for a reactor | the same, once for all reactors |
//! | beyond | lost there; [`Stats::not_passed_on`] counts it | what the topic keeps, or a gap |
//! | beyond, by [`ClusterHandle::publish`] | lost there, and an error | the same as above |
//!
//! [`subscribers`](crate::Context::subscribers) counts those of one reactor, and
//! [`ClusterHandle::subscribers`](crate::ClusterHandle::subscribers) those of all.
//!
//! [`Stats::not_passed_on`]: crate::Stats::not_passed_on
//! [`ClusterHandle::publish`]: crate::ClusterHandle::publish
//!
//! [Presence](super::presence) is one for all reactors: their users are counted together, behind
//! one lock that a join, an end and a report take. Each reactor calls its own zone.
//!
//! A reactor that is slow, since a handler computes or waits, gets its messages late and in their
//! order. All other reactors go on. What its full queue drops is lost for its subscribers alone.
//!
//! # History
//!
//! All reactors share one history: one bound of memory, one epoch, one sequence of ids. Each
//! message gets its id and its place under one lock. So a client that comes back may go on at any
//! reactor, with the id of its last message:
//!
//! ```
//! use switchboard::testing::World;
//! use switchboard::{Cluster, Conn, Handler, History, Message, Server};
//!
//! struct Room;
//! impl Handler for Room {
//!     fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
//!         let Message::Text(id) = message else { return };
//!         if let Ok(id) = id.parse() {
//!             conn.subscribe_from("room/1", id); // this zone lets anyone read the room
//!         }
//!     }
//! }
//!
//! let mut cluster = Cluster::new(2);
//! let mut worlds = [(); 2].map(|()| {
//!     let mut server = Server::detached();
//!     cluster.join(&mut server).unwrap();
//!     server.history("room/", History::new()); // the same in each
//!     server.zone("/", Room);
//!     World::over(server)
//! });
//! let last = worlds[0].context().publish_with("room/1", |_id| "one");
//! worlds[1].context().publish("room/1", "two");
//! worlds[0].context().publish("room/1", "three");
//! let ada = worlds[1].websocket("/"); // she was at the other reactor before
//! worlds[1].say(ada, &last.to_string());
//! assert_eq!(worlds[1].hear(ada), ["two", "three"]);
//! ```
//!
//! - **Registration**: call [`Server::history`](crate::Server::history) in the function that sets
//!   each reactor up. A prefix of any reactor holds for all. Two reactors with different settings
//!   for one prefix are an error of [`run`](crate::Cluster::run), which names both.
//! - **Order**: a reactor delivers what the others have published before its own next message. So
//!   every subscriber of any reactor gets the messages of all its topics in the order of their ids.
//! - **A slow reactor**: a log has each message once, for all reactors that have not had it yet. It
//!   has 65,536 messages and 16 MiB at most, also where a topic keeps fewer. Beyond that, a reactor
//!   takes what the topic keeps. Where the topic has forgotten something,
//!   [`Handler::resumed`](crate::Handler::resumed) tells each member of a gap. The messages of
//!   that topic then come from the oldest one that is kept, after those of the other topics.
//! - **What it costs**: a publish takes the lock once, and wakes only reactors that have a
//!   subscriber of the topic and that nothing waits for yet. The first and the last subscriber of a
//!   topic at a reactor take the lock as well; all others do not.
//! - **Under the lock**: the closure of [`publish_with`](crate::Context::publish_with) runs while
//!   all reactors wait. It should only make the message.
//! - **Counters**: the first reactor that has not ended has those of the history, so that a sum
//!   over all has them once.
//!
//! A topic of a [store](crate::Server::store) has none of this: the store has the order, and each
//! reactor hears of what the others have stored from the program, as [`stores`](super::stores)
//! shows.
//!
//! # One place for a name
//!
//! State for each room, such as the board of a game, needs one place.
//! [`ClusterHandle::home`](crate::ClusterHandle::home) names a reactor for each name, and
//! [`ClusterHandle::remote`](crate::ClusterHandle::remote) reaches it:
//!
//! ```
//! use switchboard::testing::World;
//! use switchboard::{Cluster, Handler, Server};
//!
//! #[derive(Default)]
//! struct Boards {
//!     moves: Vec<String>,
//! }
//! impl Handler for Boards {}
//!
//! let mut cluster = Cluster::new(2);
//! let mut worlds: Vec<(World, _)> = (0..2)
//!     .map(|_| {
//!         let mut server = Server::detached();
//!         let boards = server.zone("/boards", Boards::default()); // the same zones everywhere
//!         cluster.join(&mut server).unwrap();
//!         (World::over(server), boards)
//!     })
//!     .collect();
//! let handle = cluster.handle();
//! let home = handle.home("room/7");
//! let (_, boards) = worlds[0];
//! let sent = handle.remote(home).unwrap().call(boards, |boards, cx| {
//!     boards.moves.push("e2 e4".to_owned());
//!     cx.publish("room/7", "e2 e4"); // to the players at all reactors
//! });
//! assert!(sent.is_ok());
//! let (world, boards) = &mut worlds[home];
//! assert_eq!(world.with(*boards, |boards, _cx| boards.moves.len()), 1);
//! ```
//!
//! # Metrics
//!
//! [`Metrics`](crate::Metrics) shows the figures of the reactor that answers. Prometheus asks one
//! listener, so let the first reactor answer with the sum of all:
//!
//! ```
//! use switchboard::testing::World;
//! use switchboard::{
//!     Cluster, ClusterHandle, Conn, Handler, Reply, Request, Response, Server, ZoneId,
//! };
//!
//! struct MetricsOfAll {
//!     cluster: ClusterHandle,
//!     zone: Option<ZoneId<MetricsOfAll>>,
//! }
//!
//! impl Handler for MetricsOfAll {
//!     fn request(&mut self, conn: &mut Conn<'_>, _request: &mut Request<'_>) -> Reply {
//!         let (id, first, zone) = (conn.id(), self.cluster.remote(0), self.zone);
//!         let asked = self.cluster.stats(move |sum| {
//!             let (Some(first), Some(zone)) = (first, zone) else { return };
//!             let text = sum.to_prometheus().into_bytes();
//!             let page = Response::bytes("text/plain; version=0.0.4; charset=utf-8", text);
//!             // With a full queue the request ends by its answer timeout.
//!             let _ = first.call(zone, move |_metrics, cx| cx.respond(id, page));
//!         });
//!         match asked {
//!             Ok(()) => Reply::Later,
//!             Err(_) => Response::text("a reactor is behind\n").with_status(503).into(),
//!         }
//!     }
//! }
//!
//! fn set_up(server: &mut Server, index: usize, cluster: ClusterHandle) {
//!     if index == 0 {
//!         let metrics = MetricsOfAll { cluster, zone: None };
//!         let zone = server.zone("/metrics", metrics); // in production: an internal zone
//!         server.with(zone, std::time::Instant::now(), |metrics, _cx| metrics.zone = Some(zone));
//!     }
//!     server.http("/", |_conn, _request| "hello");
//! }
//!
//! let mut cluster = Cluster::new(2);
//! let mut worlds = [0, 1].map(|index| {
//!     let mut server = Server::detached();
//!     cluster.join(&mut server).unwrap();
//!     set_up(&mut server, index, cluster.handle());
//!     World::over(server)
//! });
//! assert_eq!(worlds[1].get("/").text(), "hello");
//! let prometheus = worlds[0].connect();
//! worlds[0].request(prometheus, "/metrics");
//! worlds[1].settle(); // it counts, as the last one
//! worlds[0].settle();
//! assert!(worlds[0].answer(prometheus).text().contains("\nswitchboard_requests_total 2\n"));
//! ```
//!
//! An [internal listener](crate::Listener::internal) keeps the page from the public: with
//! [`Server::listen`](crate::Server::listen) of the first reactor in
//! [`Cluster::run`](crate::Cluster::run), and an [internal zone](crate::Zone::internal).
//! [`Health`](crate::Health) and [`Ready`](crate::Ready) there speak for the first reactor alone.
//! The page needs all reactors, so it waits while one of them computes.
//!
//! # The end
//!
//! [`ClusterHandle::drain`](crate::ClusterHandle::drain) ends all reactors in order, and
//! [`run`](crate::Cluster::run) returns when all have drained. The handle works from any thread,
//! such as one that waits for SIGTERM; the example `cluster` does so.
//! [`Context::drain`](crate::Context::drain) ends one reactor only. From its window on, no
//! connection is handed over to it, and those before are served. If the first reactor ends alone,
//! nothing accepts for the others any more where it handed connections over.
//!
//! A reactor that fails or panics takes the others with it: they drain within 10 seconds, and `run`
//! returns an error such as `reactor 2 panicked: ..`. A server with a part of its reactors missing
//! would serve a part of its clients, and its supervisor would not know. The connections of a
//! reactor that panicked are closed, those that waited for it as well.
//!
//! # In loops of your own
//!
//! [`Cluster::join`](crate::Cluster::join) makes a part of the cluster from any
//! [`Server`](crate::Server), in whatever loop it runs. Tests do the same with servers over memory.
