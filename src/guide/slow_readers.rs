//! Slow readers: how much output waits for a peer that does not read, for how long, and what the
//! peer still gets. One slow reader must not cost the others memory or time.
//!
//! # What happens by default
//!
//! Output that a socket refuses waits in the connection's outbox, up to 17 MiB. Beyond that the
//! waiting output is dropped, the peer gets Close 1013 ("try again later"), and the handler gets
//! [`close`](crate::Handler::close).
//!
//! Bytes that have left free their memory at once.
//!
//! The limit does not hurt a fast reader: before it applies, the server offers the outbox to the
//! kernel once more. So a burst of any size may leave, as long as the peer takes it.
//!
//! # Choose what is dropped
//!
//! [`Options::max_buffered`](crate::Options::max_buffered) sets the limit, and
//! [`Options::backpressure`](crate::Options::backpressure) the policy: what is dropped beyond the
//! limit.
//!
//! | policy | what is dropped | good for |
//! | --- | --- | --- |
//! | [`Close`](crate::Backpressure::Close), the default | the connection | chats, commands |
//! | [`DropNewest`](crate::Backpressure::DropNewest) | the message beyond the limit | logs |
//! | [`DropOldest`](crate::Backpressure::DropOldest) | the oldest waiting messages | live feeds |
//! | [`KeepLatest`] | the oldest waiting messages | prices, positions |
//!
//! [`KeepLatest`] also acts below the limit. A message takes the place of the waiting message with
//! the same key at once, and other keys keep their order. Within a turn a fast reader, too, gets
//! only the last message of each key. So a message that must arrive is sent without a key, by
//! [`Conn::send`](crate::Conn::send). The key of a publish is its topic, unless it names one.
//!
//! A message with an id, as each of a topic with [history](crate::guide::history) has, goes to the
//! end instead. The waiting message with the same key goes, as above. So ids only rise, and a
//! client that resumes after one misses no key. The queue is searched for the key, without the
//! index below.
//!
//! ```
//! use switchboard::testing::World;
//! use switchboard::{Backpressure, Conn, Handler, Options, Outgoing, Request};
//!
//! struct Prices;
//! impl Handler for Prices {
//!     fn open(&mut self, conn: &mut Conn<'_>, _request: &Request<'_>) {
//!         conn.subscribe("prices");
//!     }
//! }
//!
//! let mut world = World::new();
//! world.server.options(Options::new().backpressure(Backpressure::KeepLatest));
//! world.server.zone("/prices", Prices);
//! let (fast, slow) = (world.websocket("/prices"), world.websocket("/prices"));
//! world.window(slow, 0); // takes nothing for a while
//! for (key, price) in [("tea", "tea 1"), ("rum", "rum 9"), ("tea", "tea 2")] {
//!     world.context().publish("prices", Outgoing::text(price).key(key));
//!     world.settle(); // a turn
//! }
//! world.window(slow, usize::MAX);
//! assert_eq!(world.hear(fast), ["tea 1", "rum 9", "tea 2"]);
//! assert_eq!(world.hear(slow), ["tea 2", "rum 9"]);
//! assert_eq!(world.context().stats().replaced, 1);
//! ```
//!
//! A topic with [history](super::history) keeps what a policy drops or replaces. A resume does not
//! bring it back, since the client goes on after a later id.
//!
//! Options are for all connections, or for some: register a set with
//! [`Context::add_options`](crate::Context::add_options) and name it in
//! [`Upgrade::options`](crate::Upgrade::options) or
//! [`EventStream::options`](crate::EventStream::options).
//!
//! # What a slow reader still gets
//!
//! Under the policies that drop messages, a slow reader still gets:
//!
//! - The rest of a message that has begun to leave, because half a frame would break the
//!   connection.
//! - Control frames. A policy drops none of them, but a new pong replaces one that still waits.
//! - Every fragment of a message that was sent in fragments.
//! - HTTP responses. If a reader takes less than 512 bytes a second over 30 s, the connection is
//!   closed.
//! - Whole messages only: a policy drops messages, never bytes.
//! - Under [`KeepLatest`], the last message of each key, unless the limit has no room for it.
//! - What the kernel has taken already, before all that is newer.
//! - Each compressed message that refers to earlier ones (dedicated mode): a waiting message is
//!   compressed as it begins to leave.
//! - A Close frame with 1013, if the limit is passed and nothing may be dropped.
//!
//! [`Stats::dropped`](crate::Stats::dropped) counts dropped messages, once for each receiver.
//! [`Stats::replaced`](crate::Stats::replaced) counts those whose place a later one took.
//! [`Stats::overflowed`](crate::Stats::overflowed) counts connections closed with 1013. Their cause
//! is [`TooSlow`](crate::Cause::TooSlow); that of a response that is read too slowly is
//! [`WriteTimeout`](crate::Cause::WriteTimeout).
//!
//! # What the kernel keeps
//!
//! A policy acts on what waits in the server. Before that, the kernels of both sides take output:
//! megabytes on a fast path. A reader that was slow gets all of these first, however old they are.
//! For states that are sent often, such as positions in a game, two options of a set bound the
//! server's kernel:
//!
//! | option | limits | costs |
//! | --- | --- | --- |
//! | [`send_buffer`] | what the peer has not acknowledged | throughput: one buffer a round trip |
//! | [`not_sent_lowat`] | what the kernel has not sent | more turns for the same output |
//!
//! Both are unset by default, since they slow down large messages and downloads. With a send buffer
//! of 16 KiB, a path of 100 ms carries some 160 KiB a second at most, however fast the line is.
//! Name them in the set of the [`Upgrade`](crate::Upgrade::options), so that HTTP keeps its
//! buffers. The limit of unsent bytes alone leaves the path its throughput, and suffices where the
//! peer's receive buffer is small.
//!
//! ```
//! use std::time::Instant;
//! use switchboard::{Backpressure, Options, Server};
//!
//! let mut server = Server::detached();
//! let states = Options::new().backpressure(Backpressure::KeepLatest);
//! let states = states.send_buffer(16 << 10).not_sent_lowat(4 << 10);
//! let states = server.context(Instant::now()).add_options(states);
//! // `Upgrade::new().options(states)` in the zone's `request`
//! # let _ = states;
//! ```
//!
//! When this was written, a client with a receive buffer of 16 KiB read nothing for 16 s, while the
//! server published a state of 1 KiB 20 times a second. Then the client read:
//!
//! | options | old states before the newest |
//! | --- | --- |
//! | [`KeepLatest`] alone | 321 of 322 |
//! | with `send_buffer(16 << 10)` | 61 |
//! | with `not_sent_lowat(4 << 10)` | 37 |
//! | with both | 37 |
//!
//! What is left lies in the peer's receive buffer, in the network, and in the two limits. Under TLS
//! one write more may wait as ciphertext, which nothing replaces. Behind a proxy the proxy's
//! buffers come on top, and only the proxy's settings bound them.
//!
//! # What the handler can do
//!
//! `send` returns nothing. [`Conn::buffered`](crate::Conn::buffered) returns the number of waiting
//! bytes. After [`Conn::want_writable`](crate::Conn::want_writable), the server calls
//! [`writable`](crate::Handler::writable) once all of them have left. So a handler can make the
//! next message when there is room.
//!
//! ```
//! use switchboard::testing::World;
//! use switchboard::{Conn, Handler, Message};
//!
//! #[derive(Default)]
//! struct Frames {
//!     next: u32,
//! }
//! impl Handler for Frames {
//!     fn message(&mut self, conn: &mut Conn<'_>, _message: Message<'_>) {
//!         conn.want_writable();
//!     }
//!     fn writable(&mut self, conn: &mut Conn<'_>) {
//!         self.next += 1;
//!         conn.send(&*format!("frame {}", self.next));
//!         if self.next % 3 != 0 {
//!             conn.want_writable();
//!         }
//!     }
//! }
//!
//! let mut world = World::new();
//! world.server.zone("/frames", Frames::default());
//! let ada = world.websocket("/frames");
//! world.window(ada, 9); // one frame
//! world.say(ada, "go");
//! assert_eq!(world.hear(ada), ["frame 1"]);
//! world.window(ada, usize::MAX);
//! assert_eq!(world.hear(ada), ["frame 2", "frame 3"]);
//! ```
//!
//! # A peer that sends and does not read
//!
//! While a peer does not take the answers to its own messages, the server stops reading from the
//! peer. Further messages wait in the kernel, and then in the peer. Only answers count: waiting
//! messages that other connections sent to the peer do not stop the reading. While the server does
//! not read, only taken bytes are a sign of life. A WebSocket whose peer takes none for 65 to 70.25
//! s ends.
//!
//! On Linux a reader that takes no byte at all ends sooner: once bytes have waited in the kernel
//! for [`write_timeout`](crate::Options::write_timeout). The chapter
//! [`time`](super::time) says which sockets have this limit.
//!
//! # What waiting costs
//!
//! A published message waits as a pointer: 32 bytes for each receiver and message, however long the
//! message is. Under [`KeepLatest`], a queue of more than 16 messages has an index of some 20 to 60
//! bytes a key, so that a message costs the same however many wait.
//!
//! An outbox beyond 32 KiB lies in pages of its own, which go back to the kernel once its bytes
//! have left. In November 2026, the server held 3.4 MB before 100 MB waited for 1,000 clients, and
//! 4.1 MB after the clients had taken them.
//!
//! [`KeepLatest`]: crate::Backpressure::KeepLatest
//! [`send_buffer`]: crate::Options::send_buffer
//! [`not_sent_lowat`]: crate::Options::not_sent_lowat
