//! The threads of a cluster: they set up their reactors, wait for each other, and run until all
//! have drained. A thread that fails ends the others.

use std::any::Any;
use std::io::{self, Error};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, Scope, ScopedJoinHandle, scope};
use std::time::{Duration, Instant};

use super::cluster::Cluster;
use super::handle::ClusterHandle;
use super::member::Member;
use crate::context::{Drain, message_of};
use crate::reactor::Reactor;
use crate::server::Seat;

/// How long the other reactors drain after one has failed.
const DEADLINE: Duration = Duration::from_secs(10);
/// The time between two attempts to reach a reactor whose queue is full.
const AGAIN: Duration = Duration::from_millis(100);

/// What a thread tells of its reactor.
enum News {
    /// It is set up.
    Ready,
    /// Its thread ends.
    Ended(io::Result<()>),
    Panicked,
}

/// What a thread has to tell. Dropping this while the thread panics tells so.
struct Teller {
    index: usize,
    news: Sender<(usize, News)>,
}

impl Drop for Teller {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.news.send((self.index, News::Panicked));
        }
    }
}

type Thread<'scope> = ScopedJoinHandle<'scope, ()>;

impl Cluster {
    /// Runs the reactors, each on a thread of its own, until all have drained.
    ///
    /// `set_up` is called once on each thread, with a reactor whose server has joined the cluster:
    /// it adds zones, options and further listeners. No reactor serves before all are set up. The
    /// threads are called `reactor-0`, `reactor-1` and so on.
    ///
    /// # Errors
    /// The error of `set_up`, of the reactor with the lowest number if several fail; or the error
    /// of [`Reactor::run`]. Also when a thread cannot be started, and when a reactor panics. The
    /// error names the reactor. After a failure the other reactors drain for 10 seconds at most,
    /// with the code 1001.
    pub fn run<F>(mut self, set_up: F) -> io::Result<()>
    where
        F: Fn(&mut Reactor, &Member) -> io::Result<()> + Sync,
    {
        let handle = self.handle();
        if self.has_members() {
            return Err(Error::new(
                io::ErrorKind::InvalidInput,
                "a server has joined this cluster: a cluster runs by itself, or in loops of the \
                 program",
            ));
        }
        let mut seats = Vec::new();
        while let Some(seat) = self.take_seat() {
            seats.push(seat);
        }
        let outcome = scope(|scope| {
            let (tell, news) = channel();
            let (mut threads, mut starts, mut first) = (Vec::new(), Vec::new(), None);
            for (index, seat) in seats {
                let teller = Teller { index, news: tell.clone() };
                let (start, started) = channel();
                let member = (seat, handle.clone(), &set_up);
                match spawn(scope, teller, started, member) {
                    Ok(thread) => threads.push(thread),
                    Err(error) => {
                        first = Some(named(index, &error));
                        break;
                    }
                }
                starts.push(start);
            }
            drop(tell);
            supervise(&handle, &news, (threads, starts), first)
        });
        // Those whose reactor was never made wait for nothing.
        handle.close_from(0);
        outcome
    }
}

fn spawn<'scope, F>(
    scope: &'scope Scope<'scope, '_>,
    teller: Teller,
    started: Receiver<()>,
    (seat, handle, set_up): (Seat, ClusterHandle, &'scope F),
) -> io::Result<Thread<'scope>>
where
    F: Fn(&mut Reactor, &Member) -> io::Result<()> + Sync,
{
    let name = format!("reactor-{}", teller.index);
    Builder::new().name(name).spawn_scoped(scope, move || {
        let outcome = serve(&teller, &started, seat, handle, set_up);
        let _ = teller.news.send((teller.index, News::Ended(outcome)));
    })
}

/// Sets one reactor up, and runs it once all are set up.
fn serve<F>(
    teller: &Teller,
    started: &Receiver<()>,
    seat: Seat,
    handle: ClusterHandle,
    set_up: &F,
) -> io::Result<()>
where
    F: Fn(&mut Reactor, &Member) -> io::Result<()> + Sync,
{
    let mut reactor = Reactor::new()?;
    let listeners = reactor.server.join(seat)?;
    let member = Member::new(teller.index, listeners, handle);
    set_up(&mut reactor, &member)?;
    reactor.server.check_serves()?;
    let _ = teller.news.send((teller.index, News::Ready));
    if started.recv().is_err() {
        return Ok(()); // Another reactor could not be set up.
    }
    let outcome = reactor.run();
    reactor.server.leave_history();
    member.handle().keep_stats(teller.index, reactor.server.context(Instant::now()).stats());
    outcome
}

/// Starts the reactors once all are set up, and waits for their ends. Returns the first error.
fn supervise(
    handle: &ClusterHandle,
    news: &Receiver<(usize, News)>,
    (threads, starts): (Vec<Thread<'_>>, Vec<Sender<()>>),
    mut first: Option<Error>,
) -> io::Result<()> {
    let mut failures: Vec<(usize, Option<Error>)> = Vec::new();
    let all_started = first.is_none();
    for (index, news) in news.iter().take(threads.len()) {
        match news {
            News::Ready => {}
            News::Ended(outcome) => {
                failures.extend(outcome.err().map(|error| (index, Some(error))))
            }
            News::Panicked => failures.push((index, None)),
        }
    }
    failures.sort_by_key(|(index, _)| *index);
    if all_started && failures.is_empty() {
        for start in &starts {
            let _ = start.send(());
        }
    }
    drop(starts);
    let mut ending = false;
    loop {
        // A reactor whose queue is full is behind, and drains at a later attempt.
        let patience = if ending { AGAIN } else { Duration::MAX };
        match news.recv_timeout(patience) {
            Ok((_, News::Ready | News::Ended(Ok(())))) => {}
            Ok((index, News::Ended(Err(error)))) => failures.push((index, Some(error))),
            Ok((index, News::Panicked)) => failures.push((index, None)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if !failures.is_empty() {
            ending = handle.drain(Drain::within(DEADLINE)).is_err();
        }
    }
    let mut panics = Vec::new();
    for thread in threads {
        panics.push(thread.join().err());
    }
    for (index, failure) in failures {
        let error = match failure {
            Some(error) => named(index, &error),
            None => panicked(index, panics.get_mut(index).and_then(Option::take)),
        };
        first = first.or(Some(error));
    }
    first.map_or(Ok(()), Err)
}

fn named(index: usize, error: &Error) -> Error {
    Error::new(error.kind(), format!("reactor {index}: {error}"))
}

fn panicked(index: usize, payload: Option<Box<dyn Any + Send>>) -> Error {
    let text = payload.map_or_else(String::new, |payload| message_of(&*payload));
    Error::other(format!("reactor {index} panicked: {text}"))
}
