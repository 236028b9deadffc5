//! The manual: one chapter for each task, from a first server to the reasons behind the design. The
//! chapters hold only text and examples.
//!
//! Every example compiles, and most examples assert what the text says. Read the first three
//! chapters in order; read any other when you need it.
//!
//! | chapter | what you learn |
//! | --- | --- |
//! | [`first_server`] | serve a page and a WebSocket, report errors, stop in order |
//! | [`state`] | keep state in a handler, for each connection, and share it between zones |
//! | [`topics`] | send one message to many: rooms, counts, event streams beside WebSockets |
//! | [`history`] | give a page that reconnects what it missed, over each kind of connection |
//! | [`presence`] | show which users are at a room, without a flicker at a reload |
//! | [`stores`] | keep messages in a file, a database or a service that several servers share |
//! | [`answering_later`] | let a thread or a tokio task answer a request |
//! | [`time`] | run timers, and know every deadline with its default |
//! | [`endings`] | learn why a connection ended, and what to do about it |
//! | [`slow_readers`] | decide what happens to a peer that does not read |
//! | [`security`] | know what is refused by default, and with which status |
//! | [`tls`] | serve `https` and `wss`: certificates, a reload, sessions, client certificates |
//! | [`behind_a_proxy`] | set up nginx, Caddy or HAProxy, and read the symptom of a missing line |
//! | [`deployment`] | run it under systemd, redeploy without loss, raise limits, a static binary |
//! | [`testing_handlers`] | test a handler without a socket and without sleeping |
//! | [`your_loop`] | put the server into your own mio loop, and your sockets into its loop |
//! | [`other_loops`] | run a reactor in tokio, calloop, glib, or the frames of a game |
//! | [`many_cores`] | run a reactor on each core: connections, limits and topics over all |
//! | [`big_messages`] | pass on big messages and responses in pieces, collect a body |
//! | [`compression`] | turn on permessage-deflate, and know what one connection costs then |
//! | [`observing`] | see what happens: events, refusals, an access log |
//! | [`metrics`] | watch a server from outside: counters, Prometheus, health, a dashboard |
//! | [`measuring`] | measure a server yourself, and read the figures |
//! | [`went_wrong_elsewhere`] | 29 faults of other projects, with the tests that guard this crate |
//! | [`compared`] | choose between this crate and seven others |
//! | [`why`] | know why the crate is built this way, and which ideas were refused |
//!
//! # The words of the manual
//!
//! | word | meaning |
//! | --- | --- |
//! | zone | a URI prefix and the handler that stands there |
//! | handler | your code: a type that implements [`Handler`](crate::Handler), or a closure |
//! | exchange | one request and its answer, or the WebSocket, event stream or takeover it became |
//! | turn | one pass of the loop: wait, handle events, [`flush`](crate::Server::flush) |
//! | peer | the other end of a connection |
//! | outbox | bytes that wait for one peer, until its socket takes them |
//! | topic | a name that connections subscribe to; a publish reaches all of them |

pub mod answering_later;
pub mod behind_a_proxy;
pub mod big_messages;
pub mod compared;
pub mod compression;
pub mod deployment;
pub mod endings;
pub mod first_server;
pub mod history;
pub mod many_cores;
pub mod measuring;
pub mod metrics;
pub mod observing;
pub mod other_loops;
pub mod presence;
pub mod security;
pub mod slow_readers;
pub mod state;
pub mod stores;
pub mod testing_handlers;
pub mod time;
pub mod tls;
pub mod topics;
pub mod went_wrong_elsewhere;
pub mod why;
pub mod your_loop;
