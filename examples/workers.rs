//! A server with a pool of worker threads for what takes long: `GET /count/N` counts the primes
//! below N. A worker gives up as soon as the client has left.
//!
//! `cargo run --release --example workers -- 127.0.0.1:9004`
//!
//! It uses the files of `common/`. Its `Cargo.toml`:
//!
//! ```toml
//! [package]
//! name = "workers"
//! version = "0.1.0"
//! edition = "2024"
//!
//! [dependencies]
//! lexopt = "0.3"
//! signal-hook = "0.4"
//! switchboard = "0.1"
//! ```

#[path = "common/output.rs"]
mod output;
#[path = "common/signals.rs"]
mod signals;

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::panic::catch_unwind;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use lexopt::Arg;
use output::{print_error, print_line};
use switchboard::{
    Cause, Conn, ConnId, ConnMap, Drain, Handler, Options, Reactor, Remote, Reply, Request,
    Response, ZoneId,
};

const USAGE: &str = "\
usage: workers [ADDRESS] [OPTION]..

GET /count/N answers with the number of primes below N, at most 4294967295. Worker threads count
them. A worker gives up when the client resets the connection, or ends its side of it.

  ADDRESS       where to listen: HOST:PORT, or :PORT for every address of this machine
                (default 127.0.0.1:9004)
  --workers N   the number of threads, 1 to 256 (default 2)
  --queue N     requests that wait for a thread, 0 to 65536 (default 64). A request beyond them is
                answered with 503 and Retry-After
  --verbose     print the end of each request
  -h, --help    this text

SIGINT, SIGTERM and SIGHUP end the server once the requests in progress are answered, after 10 s
at the latest. A second one does not wait.";

/// How long requests in progress may take at the end.
const GOODBYE: Duration = Duration::from_secs(10);
/// Numbers that a worker looks at between two looks at its job.
const STEP: u32 = 1 << 12;

/// Whether no client waits for an answer any more. The handler says so, and the worker asks.
#[derive(Clone, Default)]
struct Cancelled(Arc<AtomicBool>);

impl Cancelled {
    fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a worker needs to answer one request.
struct Job {
    id: ConnId,
    below: u32,
    cancelled: Cancelled,
}

/// Hands requests to the workers.
struct Primes {
    jobs: SyncSender<Job>,
    /// The requests that are owed an answer.
    owed: ConnMap<Cancelled>,
    verbose: bool,
}

impl Handler for Primes {
    fn request(&mut self, conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        let Ok(below) = request.suffix().trim_start_matches('/').parse() else {
            return Response::text("ask for /count/N\n").with_status(404).into();
        };
        let cancelled = Cancelled::default();
        let job = Job { id: conn.id(), below, cancelled: cancelled.clone() };
        match self.jobs.try_send(job) {
            Ok(()) => {
                self.owed.insert(conn.id(), cancelled);
                Reply::Later
            }
            // The queue is the bound: without one, a crowd would wait for hours.
            Err(TrySendError::Full(_)) => {
                busy("all workers are busy and the queue is full: try again in a second")
            }
            Err(TrySendError::Disconnected(_)) => busy("the workers have ended"),
        }
    }

    /// The client has left, or the answer is late: the work is of no use.
    fn cancelled(&mut self, conn: &mut Conn<'_>, cause: Cause) {
        if let Some(cancelled) = self.owed.remove(conn.id()) {
            cancelled.cancel();
        }
        if self.verbose {
            print_line(format_args!("cancelled: {cause}"));
        }
    }
}

fn busy(text: &'static str) -> Reply {
    Response::text(text).with_status(503).header("Retry-After", "1").into()
}

/// Counts the primes below a number; `None` as soon as no client waits for the count.
fn count_primes(below: u32, cancelled: &Cancelled) -> Option<u32> {
    let mut count = 0;
    for n in 2..below {
        if n % STEP == 0 && cancelled.is_cancelled() {
            return None;
        }
        let divisors = (2..n).take_while(|&divisor| u64::from(divisor).pow(2) <= u64::from(n));
        count += u32::from(divisors.into_iter().all(|divisor| n % divisor != 0));
    }
    Some(count)
}

/// Works until the server has ended.
fn work(jobs: &Mutex<Receiver<Job>>, remote: &Remote, zone: ZoneId<Primes>) {
    loop {
        // The lock is held while this thread waits for a job. The others wait for the lock.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { id, below, cancelled }) = job else { return };
        // A request may have died while it waited.
        if cancelled.is_cancelled() {
            continue;
        }
        // A panic would end this thread, and leave the request without an answer.
        let response = match catch_unwind(|| count_primes(below, &cancelled)) {
            Ok(Some(count)) => Response::text(format!("{count}\n")),
            Ok(None) => continue,
            Err(_panic) => Response::text("the worker failed").with_status(500),
        };
        let answered = remote.call(zone, move |primes, cx| {
            primes.owed.remove(id);
            if primes.verbose {
                print_line(format_args!("answered: the primes below {below}"));
            }
            // A late answer does nothing.
            cx.respond(id, response);
        });
        if answered.is_err_and(|refused| refused.is_closed()) {
            return;
        }
    }
}

/// The parsed command line.
struct Arguments {
    address: String,
    workers: usize,
    queue: usize,
    verbose: bool,
}

/// Parses the command line. `Err` is the exit code after `--help` or a fault.
fn arguments() -> Result<Arguments, ExitCode> {
    let mut address = None;
    let (mut workers, mut queue, mut verbose) = (2, 64, false);
    let mut parser = lexopt::Parser::from_env();
    loop {
        match parser.next() {
            Ok(None) => break,
            Ok(Some(Arg::Short('h') | Arg::Long("help"))) => {
                print_line(USAGE);
                return Err(ExitCode::SUCCESS);
            }
            Ok(Some(Arg::Value(value))) if address.is_none() => {
                address = Some(value.to_string_lossy().into_owned());
            }
            Ok(Some(Arg::Long("workers"))) => workers = number(&mut parser, "--workers", 1, 256)?,
            Ok(Some(Arg::Long("queue"))) => queue = number(&mut parser, "--queue", 0, 65_536)?,
            Ok(Some(Arg::Long("verbose"))) => verbose = true,
            Ok(Some(argument)) => return Err(usage(argument.unexpected())),
            Err(error) => return Err(usage(error)),
        }
    }
    let address = address.unwrap_or_else(|| "127.0.0.1:9004".into());
    Ok(Arguments { address, workers, queue, verbose })
}

fn number(
    parser: &mut lexopt::Parser,
    option: &str,
    least: usize,
    most: usize,
) -> Result<usize, ExitCode> {
    let value = parser.value().map_err(usage)?.to_string_lossy().into_owned();
    let number = value.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| usage(format_args!("{option} {value}: give a number, {least} to {most}")))
}

fn usage(error: impl Display) -> ExitCode {
    print_error(format_args!("workers: {error}; try --help"));
    ExitCode::from(2)
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    match serve(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == ErrorKind::InvalidInput => usage(error),
        Err(error) => {
            print_error(format_args!("workers: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn serve(arguments: &Arguments) -> io::Result<()> {
    let mut reactor = Reactor::new()?;
    let server = &mut reactor.server;
    // A client that ends its side gets no answer: its worker is free for the next one.
    server.options(Options::new().half_close(false).answer_timeout(Duration::from_secs(600)));
    // A fault in the handler costs one request, as a fault in a worker does.
    server.catch_panics(true);
    let (jobs, queue) = sync_channel(arguments.queue);
    let primes = Primes { jobs, owed: ConnMap::new(), verbose: arguments.verbose };
    let zone = server.zone("/count", primes);
    let listener = server.listen(&*arguments.address)?;
    let address = server.local_addr(listener)?;

    let queue = Arc::new(Mutex::new(queue));
    for number in 1..=arguments.workers {
        let (queue, remote) = (Arc::clone(&queue), reactor.remote());
        let worker = thread::Builder::new().name(format!("worker {number}"));
        worker.spawn(move || work(&queue, &remote, zone))?;
    }
    let remote = reactor.remote();
    signals::on_end(move || {
        let _already_ending = remote.drain(Drain::within(GOODBYE));
    })?;
    print_line(format_args!("listening on {address}"));
    reactor.run()
}
