//! A world for tests of handlers: a server without sockets, a clock that moves by hand, and
//! scripted clients. A test needs no port, no thread and no sleep, and takes microseconds.
//!
//! ```
//! use switchboard::testing::World;
//!
//! let mut world = World::new();
//! world.server.websocket("/echo", |conn, message| conn.send(message));
//! let ada = world.websocket("/echo");
//! world.say(ada, "hello");
//! assert_eq!(world.hear(ada), ["hello"]);
//! ```
//!
//! The server is the one that a program runs: the same parser, limits, deadlines, zones and output.
//! Only the sockets are replaced, by [`Transport::memory`](crate::Transport::memory).
//!
//! | I want to | use |
//! |---|---|
//! | set up the server as my program does | [`World::serving`] with the function that sets it up |
//! | ask for a page, post a form | [`World::get`], [`World::post`] |
//! | send a cookie, an `Origin`, another method | [`World::fetch`] with an `http::Request` |
//! | await a deferred answer | [`World::request`], [`World::answer`], [`World::try_answer`] |
//! | open a WebSocket | [`World::websocket`] |
//! | send and receive messages | [`World::say`], [`World::hear`] |
//! | expect a refused handshake | [`World::upgrade`], [`World::answer`] |
//! | open an event stream, receive events | [`World::events`], [`World::hear`] |
//! | let time pass | [`World::advance`] |
//! | publish, send or count from outside | [`World::context`] |
//! | look at the state of my handler | [`World::with`] |
//! | close, and see how it was closed | [`World::close`], [`World::closed`] |
//! | have a slow reader | [`World::window`] |
//! | have a dead peer, which answers no pings | [`World::manual`] |
//! | end or break a client's connection | [`World::end`] (FIN), [`World::fail`] (reset) |
//! | send bytes that no client would send | [`World::write`], [`World::read`] |
//! | see what a single turn does | [`World::push`], [`World::turn`], [`World::peer`] |
//! | let the server be the client | [`World::dial`], [`World::accept`] |
//! | test what calls `Context::connect` | [`World::host`], [`World::dialled`] |
//!
//! # Turns
//! Nothing happens between two calls. Each method by which a client sends or receives, except
//! `push`, lets the server run turns until nothing is left to do; see [`World::settle`]. So an
//! assertion sees all effects of the calls before. A change of `world.server` itself has its
//! effects in the next turn.
//!
//! # Time
//! The clock stands still until [`World::advance`] moves it. On its way, the clock stops at every
//! deadline and timer, so timers run in their order and each sees its own time. A day passes at
//! once. The `Date` header alone shows the machine's time.
//!
//! # Clients
//! A client with a WebSocket does what a browser does without a script. It answers pings and Close
//! frames, and ends its side after the server has. So the WebSocket stays open for any time without
//! a message. The client masks its frames by one fixed key, and offers no compression.
//!
//! # What is not simulated
//! - Sockets: `listen`, accepting and its limits, addresses of peers, and the system's buffers. A
//!   window is the number of bytes that a client takes; each write within the window succeeds at
//!   once.
//! - Names and outgoing connections: [`Context::connect`](crate::Context::connect) fails, unless
//!   [`World::host`] gives a name its addresses. [`World::dial`] needs no name.
//! - Other threads: a [`Remote`](crate::Remote) needs the waker of a loop.
//!
//! If a test goes wrong, a method panics at the line of the test, and the text says what to do.

mod answer;
mod client;
mod connections;
mod dial;
mod events;
mod fetch;
mod received;
mod request;
mod socket;
mod streams;
mod world;

pub use answer::Answer;
pub use client::Client;
pub use received::Received;
pub use request::ClientRequest;
pub use world::World;
