//! A reactor as an event source of calloop. Its callback gets the reactor after each turn.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use calloop::generic::Generic;
use calloop::timer::{TimeoutAction, Timer};
use calloop::{
    EventLoop, EventSource, Interest, LoopSignal, Mode, Poll, PostAction, Readiness, Token,
    TokenFactory,
};
use switchboard::Reactor;

/// Runs a reactor in an event loop of calloop, until a drain is complete.
///
/// # Errors
/// When no descriptor is left, and as [`Reactor::turn`].
pub fn run(reactor: Reactor) -> io::Result<()> {
    let mut event_loop = EventLoop::<LoopSignal>::try_new()?;
    let source = ReactorSource::new(reactor)?;
    let inserted = event_loop.handle().insert_source(source, |(), reactor, signal| {
        if reactor.server.is_drained() {
            signal.stop();
        }
    });
    inserted.map_err(|refused| refused.error)?;
    let mut signal = event_loop.get_signal();
    event_loop.run(None, &mut signal, |_signal| {})?;
    Ok(())
}

/// A reactor, its descriptor, and the time until its next turn.
pub struct ReactorSource {
    reactor: Reactor,
    descriptor: Generic<OwnedFd>,
    timer: Timer,
}

impl ReactorSource {
    /// Makes a source whose first turn comes at once.
    ///
    /// # Errors
    /// When no descriptor is left: calloop polls a copy of the reactor's own.
    pub fn new(reactor: Reactor) -> io::Result<ReactorSource> {
        let descriptor = reactor.as_fd().try_clone_to_owned()?;
        Ok(ReactorSource {
            reactor,
            descriptor: Generic::new(descriptor, Interest::READ, Mode::Level),
            timer: Timer::immediate(),
        })
    }
}

impl EventSource for ReactorSource {
    type Event = ();
    type Metadata = Reactor;
    type Ret = ();
    type Error = io::Error;

    fn process_events<F>(
        &mut self,
        readiness: Readiness,
        token: Token,
        mut callback: F,
    ) -> io::Result<PostAction>
    where
        F: FnMut((), &mut Reactor),
    {
        // Either the descriptor is readable or the wait is over: a turn answers both.
        self.descriptor.process_events(readiness, token, |_, _| Ok(PostAction::Continue))?;
        self.timer
            .process_events(readiness, token, |_, _| TimeoutAction::Drop)
            .map_err(io::Error::other)?;
        let turn = self.reactor.turn(Some(Duration::ZERO))?;
        callback((), &mut self.reactor);
        if self.reactor.server.is_drained() {
            return Ok(PostAction::Remove);
        }
        // A timer so far away is none.
        self.timer.set_duration(turn.wait.unwrap_or(Duration::MAX));
        Ok(PostAction::Reregister)
    }

    fn register(&mut self, poll: &mut Poll, tokens: &mut TokenFactory) -> calloop::Result<()> {
        self.descriptor.register(poll, tokens)?;
        self.timer.register(poll, tokens)
    }

    fn reregister(&mut self, poll: &mut Poll, tokens: &mut TokenFactory) -> calloop::Result<()> {
        self.descriptor.reregister(poll, tokens)?;
        self.timer.reregister(poll, tokens)
    }

    fn unregister(&mut self, poll: &mut Poll) -> calloop::Result<()> {
        self.descriptor.unregister(poll)?;
        self.timer.unregister(poll)
    }
}
