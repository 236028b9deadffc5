//! Big messages and responses, received and sent piece by piece in little memory. By default, the
//! handler gets a whole message of up to 16 MiB.
//!
//! # Receive in chunks
//!
//! With [`Options::chunks`](crate::Options::chunks), the server hands messages over as they arrive,
//! to [`Handler::chunk`](crate::Handler::chunk) instead of `message`. A chunk is what one read
//! brought: at most 128 KiB, plus up to three bytes of a character that the previous read had
//! cut. Each chunk of text is valid UTF-8 by itself.
//!
//! ```
//! use switchboard::testing::World;
//! use switchboard::{Chunk, Conn, Handler, Options, Reply, Request, Upgrade};
//!
//! #[derive(Default)]
//! struct Upload {
//!     bytes: u64,
//! }
//!
//! impl Handler for Upload {
//!     fn request(&mut self, conn: &mut Conn<'_>, _request: &mut Request<'_>) -> Reply {
//!         let options = Options::new().chunks(true).max_message(1 << 30);
//!         let options = conn.context().add_options(options); // once at start, in a real program
//!         Upgrade::new().options(options).into()
//!     }
//!     fn chunk(&mut self, conn: &mut Conn<'_>, chunk: Chunk<'_>) {
//!         self.bytes += chunk.data.len() as u64;
//!         if chunk.is_last {
//!             conn.send(&*format!("{} bytes", self.bytes));
//!         }
//!     }
//! }
//!
//! let mut world = World::new();
//! world.server.zone("/upload", Upload::default());
//! let ada = world.websocket("/upload");
//! world.say(ada, &vec![7; 1 << 20]);
//! assert_eq!(world.hear(ada), ["1048576 bytes"]);
//! ```
//!
//! `max_message` still limits the whole message; beyond it the peer gets Close 1009. Such
//! connections do not agree on compression, since a compressed message is inflated whole.
//!
//! # Send in fragments
//!
//! [`Conn::send_fragment`](crate::Conn::send_fragment) sends one fragment of a message. The handler
//! sends the next fragment in [`writable`](crate::Handler::writable), after the previous one has
//! left. So only one fragment waits at a time, however long the message is.
//!
//! ```
//! use switchboard::testing::World;
//! use switchboard::{Conn, Handler, Message};
//!
//! const PIECES: usize = 100;
//!
//! struct Export {
//!     sent: usize,
//!     piece: Vec<u8>,
//! }
//!
//! impl Handler for Export {
//!     fn message(&mut self, conn: &mut Conn<'_>, _message: Message<'_>) {
//!         self.sent = 0;
//!         conn.want_writable();
//!     }
//!     fn writable(&mut self, conn: &mut Conn<'_>) {
//!         if self.sent < PIECES {
//!             self.sent += 1;
//!             conn.send_fragment(&self.piece, self.sent == PIECES);
//!             conn.want_writable();
//!         }
//!     }
//! }
//!
//! let mut world = World::new();
//! world.server.zone("/export", Export { sent: 0, piece: vec![7; 64 << 10] });
//! let ada = world.websocket("/export");
//! world.say(ada, "go");
//! assert_eq!(world.hear(ada), [vec![7; PIECES * (64 << 10)]]);
//! ```
//!
//! Messages that are sent or published between two fragments wait until the last fragment. Pings,
//! pongs and a Close frame do not wait. The handler above serves one connection; for several, keep
//! `sent` in a [`ConnMap`](crate::ConnMap).
//!
//! # Stream a response
//!
//! [`Reply::Stream`](crate::Reply::Stream) sends the head now and the body from `writable`.
//!
//! ```
//! use switchboard::testing::World;
//! use switchboard::{Cause, Conn, Handler, Reply, Request, Response, Stream};
//!
//! struct Rows(u32);
//!
//! impl Handler for Rows {
//!     fn request(&mut self, _conn: &mut Conn<'_>, _request: &mut Request<'_>) -> Reply {
//!         self.0 = 0;
//!         Stream::new(Response::empty(200).header("Content-Type", "text/csv")).into()
//!     }
//!     fn writable(&mut self, conn: &mut Conn<'_>) {
//!         self.0 += 1;
//!         conn.write(format!("row {}\n", self.0).as_bytes());
//!         if self.0 < 3 { conn.want_writable() } else { conn.finish() }
//!     }
//!     fn cancelled(&mut self, _conn: &mut Conn<'_>, _cause: Cause) {
//!         // the reader left, or was too slow: close the file here
//!     }
//! }
//!
//! let mut world = World::new();
//! world.server.zone("/rows", Rows(0));
//! let answer = world.get("/rows");
//! assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
//! assert_eq!(answer.text(), "row 1\nrow 2\nrow 3\n");
//! ```
//!
//! [`Stream::length`](crate::Stream::length) declares a length instead of the chunked coding. If
//! the handler finishes short of this length, the server breaks the connection off, so that the
//! client notices. For HTTP/1.0 without a length, the end of the connection ends the body.
//! `max_buffered` does not limit a streamed response: write one piece for each call of `writable`.
//!
//! # Receive a body
//!
//! [`Reply::Body(limit)`](crate::Reply::Body) collects a request body up to your limit and calls
//! [`body`](crate::Handler::body) once. The server answers a longer body with 413. If the request
//! declares the length, the server answers before it reads the body.
//!
//! # Where the memory is
//!
//! | what | memory |
//! | --- | --- |
//! | a message that arrives | at most twice the bytes that have arrived |
//! | a declared length | none |
//! | a message in chunks | one read buffer of 128 KiB for the whole server |
//! | a response of 8 KiB or more, taken at once | none: it is written from the handler's bytes |
//! | output that a socket refused | the outbox; beyond 32 KiB, pages of its own |
//!
//! `tests/sim_gigabytes.rs` passes messages of 256 MiB through little memory, in both directions.
