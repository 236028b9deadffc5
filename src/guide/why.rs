//! Why the crate is built this way: its decisions, their cost, and the ideas that were refused.
//! Figures are of November 2026; `benches/README.md` in the repository names their conditions.
//!
//! # One idea, for reading and for writing
//!
//! *Reading*: one read buffer of 128 KiB belongs to the server. A connection keeps bytes only while
//! a head, a body or a message is unfinished. *Writing*: one write buffer, the cork, belongs to the
//! server. A connection has an outbox of its own only while its output waits: its socket refused
//! some, or another connection sent to it. So an idle connection is a descriptor and a state. Only
//! memberships and timeouts, some 20 bytes each, and dedicated compression add memory.
//!
//! # What was decided
//!
//! **A connection is at most 64 bytes, and the compiler checks it.** One line of the processor's
//! cache holds all of a connection at rest: its name, socket, deadline, topics, rates and phase. An
//! unfinished head, message or output lies in a box from a pool. The resident memory of a server
//! grows by 64.6 bytes for each idle WebSocket.
//!
//! **Sockets are registered once.** Readiness is edge-triggered and interest never changes. An echo
//! costs three system calls: wait, receive, send. To pause a peer, the server stops reading from
//! its socket; it changes no registration.
//!
//! **No handler calls another.** [`Context`](crate::Context) never calls a handler. It fills lists
//! of work, and [`flush`](crate::Server::flush) does the work at the end of the turn. So no
//! callback runs inside another, and nothing is freed under a callback. A callback has `&mut self`,
//! and needs no `Rc<RefCell<..>>`.
//!
//! **A name is for an exchange, not for a socket.** A [`ConnId`](crate::ConnId) names one request
//! and its answer, or the WebSocket that it became. The next request on the same socket has another
//! name. So a late answer or a timer with an old name cannot reach another exchange.
//!
//! **No method that sends, answers or closes can fail.** `send` returns nothing. A broken socket
//! shows once, in [`close`](crate::Handler::close) or in [`cancelled`](crate::Handler::cancelled).
//! Code for a failed write is the least tested code of a program; a handler here has none.
//!
//! **State lives in the handler.** Data for each connection is a [`ConnMap`](crate::ConnMap) of the
//! handler. A handler without such data pays nothing for it.
//!
//! **Every message has one reading.** Where the RFCs allow leniency, this crate allows none.
//! Requests are smuggled between two programs that are lenient in different ways. A peer that
//! breaks a rule gets a status or a close code.
//!
//! **Each connection has bounds for memory, time and work in a turn.** The bounds have safe
//! defaults, and [`Options`](crate::Options) change those of memory and time. In one turn the
//! server reads at most 128 KiB from a connection, and handles at most 256 messages or requests of
//! it. The server reads more only for a large message. A flood delays other connections by one turn
//! at most.
//!
//! **There is one fast path.** It serves whole messages of WebSockets that have no compression, no
//! rate limit and no policy that drops. All improvements together brought an echo of 20 B from
//! 1,383 to 692 instructions. A peer cannot tell which path served it.
//!
//! **Time is an argument.** No layer below the loop reads a clock, except for the `Date` header. A
//! deadline is a number of 250 ms steps in the connection: a message overwrites the number and
//! touches no queue. Tests move the clock by hand.
//!
//! **A publish is encoded once.** For a receiver without waiting output, the publish only adds a
//! slot number to a list. From the end of the turn on, the server walks the list and writes the
//! shared frame. A delivery takes 188 instructions, and took 685 before. For a slow receiver, the
//! server keeps a pointer to the frame.
//!
//! **Each core has a reactor of its own.** A [`Cluster`](crate::Cluster) has them share a port; the
//! tables are not shared: they would need locks on the path of every message.
//!
//! **No unsafe code.** The crate forbids it, and so do its benches, examples and tests.
//!
//! # How a cost is judged
//!
//! A time by itself means nothing on a shared machine. So costs are compared as ratios: the
//! server's CPU time divided by that of the floor. The floor is a bare epoll program that makes the
//! same system calls and inspects no byte of the input. The two programs alternate; see
//! [`measuring`](super::measuring).
//!
//! # What was refused
//!
//! | what | why |
//! | --- | --- |
//! | `async` handlers | each connection would keep a future in memory |
//! | io_uring | in public benchmarks, plain epoll in Rust is as fast |
//! | HTTP/2 | no stable implementation without I/O exists to build on |
//! | HTTP/3, WebTransport | both need another transport, QUIC |
//! | busy polling, zero-copy sends | few programs gain from them |
//! | wildcards in topics | a publish would have to match patterns instead of walking an array |
//! | `tracing` in the core | a dependency for every user; [`Stats`](crate::Stats) has counters |
//! | errors from `send` | a broken socket shows in `close` |
//! | several handlers for one request at once | zones are asked in order; `Pass` asks the next |
//!
//! Some ideas were built, measured and thrown away. Numbers without a unit are ratios to the floor;
//! lower is better.
//!
//! | idea | result |
//! | --- | --- |
//! | raw system calls instead of the C library's | no difference beyond the noise |
//! | fat LTO, or optimisation level 2 | the same within 0.003 |
//! | a timer descriptor instead of a timeout with each wait | 1.032 to 1.035 against 1.029 |
//! | unmasking 1 MiB from its end | 12 % slower: the processor fetches ahead upwards |
//! | header and payload of large messages by one `readv` | 1.53 against 1.29 |
//! | eight messages decoded before eight are delivered | 1.149 against 1.124 |
//! | `writev` over small pieces, instead of a copy | 0.285 us a delivery against 0.142 us |
//!
//! # What this costs you
//!
//! A handler must not block: while it computes, no connection is served. Work that takes long
//! belongs on a thread; [`answering_later`](super::answering_later) shows how the thread answers. A
//! handler that panics ends its reactor, because no other thread can go on in its place. With
//! [`Server::catch_panics`](crate::Server::catch_panics) it ends one exchange.
