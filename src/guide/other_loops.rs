//! A reactor inside another loop: tokio, calloop, glib, libuv, or the frames of a game. To your
//! loop it is one descriptor, whatever the number of its sockets.
//!
//! # One descriptor
//!
//! A [`Reactor`](crate::Reactor) is one pollable descriptor. Its sockets lie in the `Poll` of the
//! reactor, and your loop polls that `Poll`. This holds for one socket and for a million.
//!
//! 1. Wait until the descriptor is readable, or until [`Turn::wait`] has passed.
//! 2. Call [`turn`](crate::Reactor::turn) with a timeout of zero.
//! 3. **If your loop is edge-triggered, clear its readiness only after a turn whose `wait` is not
//!    zero.** A turn takes 1,024 events at most, and no new edge reports the others.
//!
//! ```
//! use std::os::fd::{AsFd, BorrowedFd};
//! use std::time::Duration;
//! use switchboard::Reactor;
//!
//! /// Stands for `poll(2)`, a GLib source, or whatever your loop has.
//! fn wait_until_readable(_fd: BorrowedFd<'_>, _timeout: Option<Duration>) {}
//!
//! let mut reactor = Reactor::new()?;
//! let listener = reactor.server.listen("127.0.0.1:0")?;
//! # let _ = listener;
//! let mut turn = reactor.turn(Some(Duration::ZERO))?;
//! for _ in 0..3 {
//!     wait_until_readable(reactor.as_fd(), turn.wait);
//!     turn = reactor.turn(Some(Duration::ZERO))?;
//! }
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Calls on the server between turns, such as [`with`](crate::Server::with), may leave output to
//! send or set a timer. Run a turn after them.
//!
//! Deadlines count the wait that the last turn allowed, so such a loop ends no peer early or late.
//! A loop that turns more often than it must, such as at each frame, does no harm.
//!
//! For calloop, `examples/loops/src/in_calloop.rs` is an event source of some 60 lines that you can
//! copy. In glib, two sources call one function:
//!
//! ```text
//! fn turn(server: &Rc<RefCell<(Reactor, Option<SourceId>)>>) {
//!     let (reactor, timer) = &mut *server.borrow_mut();
//!     if let Some(timer) = timer.take() { timer.remove(); }
//!     let wait = reactor.turn(Some(Duration::ZERO)).expect("a turn").wait;
//!     let again = Rc::clone(server);
//!     *timer = wait.map(|wait| glib::timeout_add_local_once(wait, move || {
//!         again.borrow_mut().1 = None; // this timer has run
//!         turn(&again);
//!     }));
//! }
//!
//! let again = Rc::clone(&server);
//! glib::unix_fd_add_local(fd, glib::IOCondition::IN, move |_, _| {
//!     turn(&again);
//!     glib::ControlFlow::Continue
//! });
//! turn(&server); // learns the first wait
//! ```
//!
//! # In tokio
//!
//! A `Reactor` is not `Send`, since handlers need not be `Send`. So it stays on one thread.
//!
//! - **On a thread of tokio**, in a runtime with one thread or a `LocalSet`: an `AsyncFd` polls the
//!   reactor, and handlers may call `spawn_local`. `examples/loops/src/in_tokio.rs` has the loop:
//!
//! ```text
//! let ready = match wait {
//!     Some(wait) => tokio::time::timeout(wait, reactor.readable_mut()).await.ok(),
//!     None => Some(reactor.readable_mut().await),
//! };
//! wait = match ready {
//!     Some(ready) => {
//!         let mut ready = ready?;
//!         let turn = ready.get_inner_mut().turn(Some(Duration::ZERO))?;
//!         if turn.wait != Some(Duration::ZERO) {
//!             ready.clear_ready();
//!         }
//!         turn.wait
//!     }
//!     None => reactor.get_mut().turn(Some(Duration::ZERO))?.wait,
//! };
//! ```
//!
//! - **On a thread of its own**, beside a runtime: tasks call the reactor by a
//!   `Remote`, and get answers through a `oneshot` channel, as in
//!   `examples/loops/src/on_a_thread.rs`. Requests that tasks answer are
//!   [`Reply::Later`](crate::Reply::Later); see [`answering_later`](super::answering_later).
//!
//! # In a game
//!
//! A game has a frame to keep, here of 16.7 ms. [`Server::turn_budget`](crate::Server::turn_budget)
//! bounds how long a turn may take: once its budget is spent, all other events wait for the next
//! turn, in their order. Deadlines judge no peer by what waits here. The example `game` is this
//! loop with players:
//!
//! ```
//! use std::time::{Duration, Instant};
//! use rustix::event::{PollFd, PollFlags, Timespec, poll};
//! use switchboard::{Context, Handler, Reactor};
//!
//! const FRAME: Duration = Duration::from_nanos(1_000_000_000 / 60);
//!
//! #[derive(Default)]
//! struct Game { frames: u64 }
//! impl Handler for Game {}
//! impl Game {
//!     fn play(&mut self, cx: &mut Context) {
//!         self.frames += 1;
//!         cx.publish("frames", &*self.frames.to_string());
//!     }
//! }
//!
//! let mut reactor = Reactor::new()?;
//! reactor.server.turn_budget(Some(Duration::from_millis(4)));
//! let game = reactor.server.zone("/", Game::default());
//! let mut next = Instant::now() + FRAME;
//! let mut wait = Some(Duration::ZERO);
//! let mut frames = 0;
//! while frames < 3 {
//!     let until = next.saturating_duration_since(Instant::now());
//!     let timeout = Timespec::try_from(wait.map_or(until, |wait| wait.min(until))).unwrap();
//!     poll(&mut [PollFd::new(&reactor, PollFlags::IN)], Some(&timeout))?;
//!     let now = Instant::now();
//!     if now >= next {
//!         frames = reactor.server.with(game, now, |game, cx| { game.play(cx); game.frames });
//!         next = (next + FRAME).max(now); // missed frames are left out
//!     }
//!     wait = reactor.turn(Some(Duration::ZERO))?.wait; // sends what the frame has published
//! }
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! [`Turn::wait`]: crate::Turn::wait
