//! Slow readers: what waits for them, for how long, and what they still get. One peer that does not
//! read must not cost the others memory or time.
//!
//! # What happens without a word from you
//!
//! What a socket refuses waits in the connection's outbox. Up to 17 MiB may wait. Beyond that the
//! peer gets Close 1013 ("try again later"), what waited is dropped, and
//! [`close`](crate::Handler::close) tells the handler. The memory of sent bytes is freed.
//!
//! The limit does not hurt a fast reader: before a policy applies, the kernel is offered the outbox
//! once more. So a burst of any size may leave, as long as the peer takes it.
//!
//! # Choose who is hurt
//!
//! [`Options::max_buffered`](crate::Options::max_buffered) sets the limit, and
//! [`Options::backpressure`](crate::Options::backpressure) what happens beyond it.
//!
//! | policy | what is dropped | good for |
//! | --- | --- | --- |
//! | [`Close`](crate::Backpressure::Close), the default | the connection | chats, commands |
//! | [`DropNewest`](crate::Backpressure::DropNewest) | the message that is too much | logs |
//! | [`DropOldest`](crate::Backpressure::DropOldest) | the oldest messages | live feeds |
//! | [`KeepLatest`](crate::Backpressure::KeepLatest) | the same key, then the oldest | prices |
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
//! let options = Options::new().max_buffered(14); // two messages of 5 bytes, with their headers
//! world.server.options(options.backpressure(Backpressure::KeepLatest));
//! world.server.zone("/prices", Prices);
//! let (fast, slow) = (world.websocket("/prices"), world.websocket("/prices"));
//! world.window(slow, 0); // takes nothing for a while
//! for (key, price) in [("tea", "tea 1"), ("rum", "rum 9"), ("tea", "tea 2")] {
//!     world.context().publish("prices", Outgoing::text(price).key(key));
//! }
//! world.window(slow, usize::MAX);
//! assert_eq!(world.hear(fast), ["tea 1", "rum 9", "tea 2"]);
//! assert_eq!(world.hear(slow), ["rum 9", "tea 2"]);
//! assert_eq!(world.context().stats().dropped, 1);
//! ```
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
//! - The rest of a message that has begun to leave: half a frame would break the connection.
//! - Control frames. A policy drops none of them, but a new pong replaces one that still waits.
//! - Every fragment of a message that was sent in fragments.
//! - HTTP responses. The server closes a reader slower than 512 bytes a second for 30 s.
//! - Whole messages only: a policy drops messages, never bytes.
//! - A reason: if nothing may be dropped and the limit is passed, the peer gets Close 1013.
//!
//! [`Stats::dropped`](crate::Stats::dropped) counts each message that was dropped for each
//! receiver, and [`Stats::overflowed`](crate::Stats::overflowed) each connection closed with 1013.
//!
//! # What the handler can do
//!
//! `send` returns nothing. [`Conn::buffered`](crate::Conn::buffered) tells how many bytes wait, and
//! [`writable`](crate::Handler::writable) comes when all of them have left. With these a handler
//! makes the next message only when there is room.
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
//! # A peer that asks and does not read
//!
//! Once a peer does not take the answers to its own messages, the server reads no more from it. Its
//! further messages stay in the kernel, and then in the peer. Waiting messages from other
//! connections do not stop the server from reading this peer. If it neither reads nor sends for
//! some 140 s, the connection ends.
//!
//! On Linux a reader that takes no byte at all ends sooner: after
//! [`write_timeout`](crate::Options::write_timeout) with bytes waiting in the kernel. The chapter
//! [`time`](super::time) says which sockets have this limit.
//!
//! # What waiting costs
//!
//! A published message waits as a pointer: 32 bytes for each receiver and message, however long the
//! message is. What waits beyond 32 KiB lies in pages of its own, which go back to the kernel.
//! After 100 MB had waited for 1,000 clients and were taken, the server held 4.1 MB; before, 3.4
//! MB.
