//! Why the crate is built this way: its decisions, what they cost, and what was refused. Figures
//! come from `benches/README.md` of the repository, which names their conditions.
//!
//! # One idea, said twice
//!
//! *Reading*: one read buffer of 128 KiB belongs to the server. A connection keeps bytes only while
//! a head, a body or a message is unfinished. *Writing*: one write buffer, the cork, belongs to the
//! server. A connection keeps output only when its socket refused some, or when another connection
//! wrote to it. So an idle connection is a descriptor and a state.
//!
//! # What was decided
//!
//! **A connection is 64 bytes, and the compiler checks it.** One line of the cache holds everything
//! about a connection at rest: its name, its socket, its deadline, its topics, its rates, its
//! phase. What is unfinished lies in a box that comes from a pool and goes back. The resident
//! memory of a server grows by 64.6 bytes for each idle WebSocket.
//!
//! **Sockets are registered once.** Readiness is edge-triggered and interest never changes. An echo
//! costs three system calls: wait, receive, send. Pausing a reader means not reading from it.
//!
//! **Handlers never meet.** [`Context`](crate::Context) never calls a handler. It fills lists, and
//! [`flush`](crate::Server::flush) empties them at the end of the turn. So no callback runs inside
//! another, nothing is freed under a callback, and no `Rc<RefCell<..>>` is needed: a handler is
//! `&mut self`.
//!
//! **A name is an exchange, not a socket.** A [`ConnId`](crate::ConnId) names one request and its
//! answer, or the WebSocket that it became. The next request on the same socket has another name. A
//! late answer, a timer or a stale handle cannot reach another exchange.
//!
//! **Nothing that a handler calls can fail.** `send` returns nothing. A broken socket shows in
//! [`close`](crate::Handler::close), or in [`cancelled`](crate::Handler::cancelled), once. Code for
//! a failed write is the least tested code of a program; here it does not exist.
//!
//! **State lives in the handler.** Data for each connection is a [`ConnMap`](crate::ConnMap) of the
//! handler. A handler without such data pays nothing for it.
//!
//! **Every message has one reading.** Where the RFCs allow leniency there is none. Requests are
//! smuggled between two programs that are lenient in different ways. A peer that breaks a rule
//! learns which one: from a status or a close code.
//!
//! **Each connection has bounds for memory, time and work in a turn.** Memory, time and work are
//! limited by safe defaults; those of memory and time are options. In one turn the server reads at
//! most 128 KiB from a connection, and handles at most 256 messages or requests of it. It reads
//! more only for a large message. A flood delays other connections by one turn at most.
//!
//! **There is one fast path.** It serves whole messages of WebSockets without compression, rate
//! limits and policies that drop. With all that was tried on it, an echo of 20 B fell from 1,383 to
//! 692 instructions. A peer cannot tell which path served it.
//!
//! **Time is an argument.** No layer below the loop reads a clock, but for the `Date` header.
//! Deadlines are counted in steps of 250 ms, so a message only overwrites a number. Tests move the
//! clock by hand.
//!
//! **A publish is encoded once.** Receivers at rest cost one number each in a list, and the frame
//! is written from there: 188 instructions instead of 685. A slow receiver keeps a pointer to it.
//!
//! **Many cores are many reactors.** Each thread has its own, on one port with
//! [`reuse_port`](crate::Listener::reuse_port). Shared tables would need locks on the path of every
//! message.
//!
//! **No unsafe code.** The crate forbids it, and so do its benches, examples and tests.
//!
//! # How a cost is judged
//!
//! A time by itself means nothing on a shared machine. Each figure is the server's CPU time divided
//! by that of a bare epoll program. That program makes the same system calls and looks at no byte.
//! The two programs alternate; see [`measuring`](super::measuring).
//!
//! # What was refused
//!
//! | what | why |
//! | --- | --- |
//! | `async` handlers | a future for each connection is memory for each connection |
//! | io_uring | in public benchmarks plain epoll in Rust is level with it |
//! | HTTP/2 | no stable implementation without I/O exists to build on |
//! | HTTP/3, WebTransport | they need QUIC, another transport |
//! | busy polling, zero-copy sends | special cases that few programs gain from |
//! | wildcards in topics | a publish would have to match patterns instead of walking an array |
//! | `tracing` in the core | a dependency for every user; [`Stats`](crate::Stats) counts |
//! | errors from `send` | see above |
//! | several handlers for one request at once | zones are asked in order; `Pass` goes on |
//!
//! Some ideas were built, measured and thrown away. Ratios are to the floor; lower is better.
//!
//! | idea | result |
//! | --- | --- |
//! | raw system calls instead of the C library's | no difference beyond the noise |
//! | fat LTO, or optimisation level 2 | the same within 0.003 |
//! | a timer descriptor instead of a timeout with each wait | 1.032 to 1.035 against 1.029 |
//! | unmasking 1 MiB from its end | 12 % slower: the processor fetches ahead upwards |
//! | header and payload of large messages by one `readv` | 1.53 against 1.29 |
//! | eight messages prepared while eight are delivered | 1.149 against 1.124 |
//! | `writev` over all small segments | 0.285 us a delivery against 0.142 |
//!
//! # What this costs you
//!
//! A handler must not block: while it computes, no connection is served. Work that takes long
//! belongs on a thread; [`answering_later`](super::answering_later) shows how it answers. And a
//! handler that panics ends its reactor: there is no thread that could go on in its place.
