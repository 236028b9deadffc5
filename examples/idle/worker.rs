//! One worker: a reactor in the client role that opens its share of the connections and then does
//! what the mode says. Orders and reports are lines. This file does not know what all workers come
//! to together.

use std::collections::VecDeque;
use std::io::{self, BufRead, Write};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, set_parent_process_death_signal};
use switchboard::{
    Accepted, Close, Conn, Context, Handler, Message, Reactor, Remote, Request, ZoneId,
};

use crate::clock::{SECOND, nanoseconds};
use crate::crowd::Crowd;
use crate::ends::End;
use crate::modes::{Act, Mode, mode};
use crate::output::print_error;
use crate::talk::{Assignment, Opened, Order, Progress, Report, Tally};

/// The time between two reports of progress.
const INTERVAL: u64 = SECOND / 4;

/// The turn of a worker that reads nothing.
const DEAF_TURN: Duration = Duration::from_millis(10);

/// The handler of all connections.
pub struct Client {
    crowd: Option<Crowd>,
    mode: Box<dyn Mode>,
    /// Whether each handshake asks for a subprotocol.
    asks_for_subprotocol: bool,
    orders: VecDeque<Order>,
    doing: Doing,
    told: Progress,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Doing {
    Nothing,
    Opening,
    Measuring,
}

/// Runs a worker from its first line to its end.
pub fn run() -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    crate::limits::raise_descriptors(u64::MAX);
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let assignment: Assignment = serde_json::from_str(&line)?;
    let mut reactor = Reactor::new()?;
    let client = Client {
        crowd: None,
        mode: mode(&assignment),
        asks_for_subprotocol: !assignment.asked.subprotocols.is_empty(),
        orders: VecDeque::new(),
        doing: Doing::Nothing,
        told: Progress::default(),
    };
    let zone = reactor.server.zone("/", client);
    reactor.server.with(zone, Instant::now(), |client, cx| client.open_with(zone, &assignment, cx));
    hear(reactor.remote(), zone);
    turn(&mut reactor, zone)
}

/// Reads orders on a thread of its own, because reading blocks. The end of the input means that the
/// coordinator has ended, so this process ends too.
fn hear(remote: Remote, zone: ZoneId<Client>) {
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            match serde_json::from_str(&line) {
                Ok(order) => {
                    if remote
                        .call(zone, move |client: &mut Client, _| client.orders.push_back(order))
                        .is_err()
                    {
                        break;
                    }
                }
                Err(error) => print_error(format_args!(
                    "idle: an order that a worker does not understand: {error}"
                )),
            }
        }
        std::process::exit(0);
    });
}

fn turn(reactor: &mut Reactor, zone: ZoneId<Client>) -> io::Result<()> {
    let mut progress_at = 0;
    loop {
        let (now, instant) = (nanoseconds(), Instant::now());
        let server = &mut reactor.server;
        let (mut next, deaf) = server.with(zone, instant, |client, cx| client.act(cx, now))?;
        if now >= progress_at {
            server.with(zone, instant, |client, _| client.tell_progress())?;
            progress_at = now + INTERVAL;
        }
        next = next.min(progress_at);
        if deaf {
            // Without a poll nothing is read: the kernel acknowledges what arrives, and no answer
            // follows.
            reactor.server.flush(Instant::now());
            std::thread::sleep(DEAF_TURN);
            continue;
        }
        wait(reactor, next)?;
        reactor.turn(Some(Duration::ZERO))?;
    }
}

/// Waits until something is ready or `next` has come, more finely than the milliseconds of a
/// `Poll`.
fn wait(reactor: &mut Reactor, next: u64) -> io::Result<()> {
    let due =
        reactor.server.poll_timeout(Instant::now()).map_or(u64::MAX, |due| due.as_nanos() as u64);
    let left = next.saturating_sub(nanoseconds()).min(due);
    if left > 0 {
        let timeout = Timespec { tv_sec: (left / SECOND) as i64, tv_nsec: (left % SECOND) as i64 };
        match poll(&mut [PollFd::new(reactor, PollFlags::IN)], Some(&timeout)) {
            Err(rustix::io::Errno::INTR) | Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

impl Client {
    fn open_with(&mut self, zone: ZoneId<Client>, assignment: &Assignment, cx: &mut Context) {
        let open = Box::new(move |cx: &mut Context, connect| cx.connect(zone, connect));
        self.crowd = Some(Crowd::new(open, assignment, cx));
    }

    /// Does what is due. Returns when to call this again, and whether nothing may be read until
    /// then.
    fn act(&mut self, cx: &mut Context, now: u64) -> io::Result<(u64, bool)> {
        while let Some(order) = self.orders.pop_front() {
            self.obey(order, cx, now)?;
        }
        let Some(crowd) = &mut self.crowd else { return Ok((u64::MAX, false)) };
        match self.doing {
            Doing::Nothing => Ok((u64::MAX, self.mode.is_deaf(now))),
            Doing::Opening => {
                let next = crowd.dialling.dial(cx, now);
                if crowd.dialling.is_done() {
                    self.tell_opened()?;
                }
                Ok((next.unwrap_or(u64::MAX), false))
            }
            Doing::Measuring => match self.mode.act(crowd, cx, now) {
                Act::At(next) => Ok((next, self.mode.is_deaf(now))),
                Act::Done => self.tell_measured().map(|()| (u64::MAX, self.mode.is_deaf(now))),
            },
        }
    }

    fn obey(&mut self, order: Order, cx: &mut Context, now: u64) -> io::Result<()> {
        let Some(crowd) = &mut self.crowd else { return Ok(()) };
        match order {
            Order::Open { until } => {
                crowd.dialling.order(until, now);
                self.doing = Doing::Opening;
                Ok(())
            }
            Order::Measure { from, nanoseconds } => {
                crowd.roster.tidy(cx);
                self.mode.begin(crowd, from, from + nanoseconds);
                self.doing = Doing::Measuring;
                Ok(())
            }
            Order::Stop => {
                crowd.dialling.stop(cx);
                match self.doing {
                    Doing::Opening => self.tell_opened(),
                    Doing::Measuring | Doing::Nothing => self.tell_measured(),
                }
            }
        }
    }

    fn progress(&self) -> Progress {
        let (sent, answered) = self.mode.so_far();
        let progress = self.crowd.as_ref().map_or(Progress::default(), Crowd::progress);
        Progress { sent, answered, ..progress }
    }

    fn tell_progress(&mut self) -> io::Result<()> {
        let progress = self.progress();
        if progress == self.told {
            return Ok(());
        }
        self.told = progress;
        tell(&Report::Progress(progress))
    }

    fn tell_opened(&mut self) -> io::Result<()> {
        self.doing = Doing::Nothing;
        let Some(crowd) = &self.crowd else { return Ok(()) };
        tell(&Report::Opened(Box::new(Opened {
            progress: crowd.progress(),
            handshakes: crowd.dialling.handshakes.clone(),
            failures: crowd.dialling.failures(),
            ends: crowd.ends.clone(),
            unselected: crowd.unselected,
        })))
    }

    fn tell_measured(&mut self) -> io::Result<()> {
        self.doing = Doing::Nothing;
        let Some(crowd) = &mut self.crowd else { return Ok(()) };
        let tally = Tally {
            progress: crowd.progress(),
            failures: crowd.dialling.failures(),
            ends: crowd.ends.clone(),
            ..self.mode.tally(crowd)
        };
        tell(&Report::Measured(Box::new(tally)))
    }
}

fn tell(report: &Report) -> io::Result<()> {
    let mut line = serde_json::to_vec(report)?;
    line.push(b'\n');
    io::stdout().lock().write_all(&line)
}

impl Handler for Client {
    fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
        let Some(crowd) = &mut self.crowd else { return };
        let accepted = request.extensions().get::<Accepted>();
        let is_selected = accepted.is_some_and(|accepted| accepted.subprotocol.is_some());
        crowd.unselected += u64::from(self.asks_for_subprotocol && !is_selected);
        crowd.dialling.succeeded(conn.id(), nanoseconds());
        crowd.held += 1;
        crowd.roster.push(conn.id());
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        self.mode.message(conn.id(), message.as_bytes(), nanoseconds());
    }

    fn pong(&mut self, _conn: &mut Conn<'_>, payload: &[u8]) {
        self.mode.pong(payload, nanoseconds());
    }

    fn close(&mut self, conn: &mut Conn<'_>, close: Close<'_>) {
        let Some(crowd) = &mut self.crowd else { return };
        if !crowd.dialling.failed(conn.id(), &close) && crowd.held > 0 {
            crowd.held -= 1;
            let asked = self.mode.closed(conn.id(), nanoseconds());
            crowd.lost += u64::from(!asked);
            crowd.ends.record(End {
                code: close.code.into(),
                reason: close.reason.to_owned(),
                by_server: close.by_peer,
                asked,
                count: 1,
            });
        }
    }
}
