//! A crowd: plain peers whose messages are echoed at a steady rate, while TLS clients arrive within
//! a second. This file measures how late echoes and handshakes are; it judges nothing.
//!
//! One thread makes the load. Echoes come first; one handshake's step follows at a time, so that
//! the clients' own work delays no echo by more than one step.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustls::ClientConfig;
use serde::{Deserialize, Serialize};

use super::client::{self, BUFFER, Client};
use super::opening;
use super::options::numbers;
use super::workload::Workload;

const EVENTS: usize = 1024;
const INTEREST: EventFlags = EventFlags::IN.union(EventFlags::OUT).union(EventFlags::ET);
const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// Echoes alone, before the first client arrives.
const BEFORE: Duration = Duration::from_secs(1);

/// Multiples of this spread evenly over the unit interval.
const GOLDEN: f64 = 0.618_033_988_749_895;

/// The time from the first arrival after which handshakes count as lost.
const PATIENCE: Duration = Duration::from_secs(12);

/// How large a crowd is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Plain WebSockets.
    pub plain: usize,
    /// Echoes a second, in all.
    pub echoes: usize,
    /// TLS clients.
    pub clients: usize,
    /// The time within which all clients arrive, in milliseconds.
    pub within: usize,
}

impl Default for Size {
    fn default() -> Size {
        Size { plain: 10_000, echoes: 1000, clients: 1000, within: 1000 }
    }
}

impl Size {
    /// Reads three or four numbers, separated by commas.
    pub fn parse(list: &str) -> Result<Size, String> {
        let (plain, echoes, clients, within) = match numbers(list)?[..] {
            [plain, echoes, clients] => (plain, echoes, clients, Size::default().within),
            [plain, echoes, clients, within] => (plain, echoes, clients, within),
            _ => return Err("three or four numbers are needed; see --help".to_owned()),
        };
        Ok(Size { plain, echoes, clients, within })
    }

    fn within(self) -> Duration {
        Duration::from_millis(self.within as u64)
    }

    /// The option that describes this crowd to a process.
    pub fn argument(self) -> String {
        let Size { plain, echoes, clients, within } = self;
        format!("{plain},{echoes},{clients},{within}")
    }
}

/// What a crowd has seen; all times in milliseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Seen {
    /// 50th and 99th percentile and longest time of an echo, from the time at which it was due,
    /// before the first client arrived.
    pub before: [f64; 3],
    /// Likewise between the first arrival and the last handshake.
    pub during: [f64; 3],
    /// Echoes that `during` counts.
    pub echoes: usize,
    /// The time from the first arrival until all handshakes were done and all requests answered.
    pub done: f64,
}

/// Both loads of a crowd.
pub struct Crowd {
    size: Size,
    echoes: Echoes,
    arrivals: Arrivals,
}

impl Crowd {
    /// Opens the plain connections.
    pub fn connect(
        plain: SocketAddr,
        server: SocketAddr,
        config: &Arc<ClientConfig>,
        size: Size,
    ) -> io::Result<Crowd> {
        let arrivals = Arrivals {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            server,
            config: Arc::clone(config),
            guests: Vec::with_capacity(size.clients),
            done: 0,
            buf: vec![0; BUFFER],
        };
        Ok(Crowd { size, echoes: Echoes::connect(plain, size)?, arrivals })
    }

    /// Runs the crowd until all handshakes are done.
    pub fn run(mut self) -> io::Result<Seen> {
        let begin = Instant::now();
        let first = begin + BEFORE;
        let done = loop {
            let now = Instant::now();
            if now > first + PATIENCE {
                let reason = format!("{} of all handshakes are done", self.arrivals.done);
                return Err(io::Error::new(ErrorKind::TimedOut, reason));
            }
            let mut worked = self.echoes.go_on(begin, now)?;
            if self.arrivals.due(first, self.size).is_some_and(|due| due <= now) {
                self.arrivals.arrive()?;
                worked = true;
            }
            worked |= self.arrivals.step()?;
            if self.arrivals.done == self.size.clients {
                break Instant::now();
            }
            if !worked {
                self.wait(begin, first)?;
            }
        };
        self.echoes.finish(begin)?;
        let (before, during) = self.echoes.split(first, done);
        Ok(Seen {
            before: percentiles(before),
            echoes: during.len(),
            during: percentiles(during),
            done: (done - first).as_secs_f64() * 1e3,
        })
    }

    /// Sleeps until a socket is ready, an echo is due or a client arrives.
    fn wait(&self, begin: Instant, first: Instant) -> io::Result<()> {
        let echo = begin + self.echoes.due(self.echoes.sent);
        let arrival = self.arrivals.due(first, self.size).unwrap_or(echo);
        let pause = echo.min(arrival).saturating_duration_since(Instant::now());
        let pause =
            Timespec { tv_sec: pause.as_secs() as i64, tv_nsec: pause.subsec_nanos().into() };
        let mut ready = [&self.echoes.epoll, &self.arrivals.epoll]
            .map(|epoll| PollFd::new(epoll, PollFlags::IN));
        poll(&mut ready, Some(&pause))?;
        Ok(())
    }
}

/// The plain connections. Echo number N goes over connection N modulo all.
struct Echoes {
    epoll: OwnedFd,
    peers: Vec<Peer>,
    segment: Vec<u8>,
    expected: Vec<u8>,
    pause: Duration,
    sent: usize,
    received: usize,
    /// When each echo was due, from the begin, and how late it came.
    late: Vec<(Instant, Duration)>,
}

struct Peer {
    stream: TcpStream,
    due: Option<Instant>,
}

impl Echoes {
    fn connect(server: SocketAddr, size: Size) -> io::Result<Echoes> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let workload = Workload::echo(size.plain, 20, 1);
        let mut peers = Vec::with_capacity(size.plain);
        for stream in opening::open(server, size.plain)? {
            stream.set_nonblocking(true)?;
            epoll::add(&epoll, &stream, EventData::new_u64(peers.len() as u64), INTEREST)?;
            peers.push(Peer { stream, due: None });
        }
        Ok(Echoes {
            epoll,
            peers,
            segment: workload.segment(),
            expected: workload.replies(1),
            pause: Duration::from_secs(1) / size.echoes as u32,
            sent: 0,
            received: 0,
            late: Vec::new(),
        })
    }

    /// The time from the begin at which an echo is due.
    fn due(&self, number: usize) -> Duration {
        self.pause * number as u32
    }

    /// Sends what is due, and takes what has come back; returns whether there was any.
    fn go_on(&mut self, begin: Instant, now: Instant) -> io::Result<bool> {
        let mut worked = false;
        while begin + self.due(self.sent) <= now {
            let due = begin + self.due(self.sent);
            let number = self.sent % self.peers.len();
            let peer = &mut self.peers[number];
            if peer.due.replace(due).is_some() {
                let reason = "an echo is missing when the next is due";
                return Err(io::Error::new(ErrorKind::TimedOut, reason));
            }
            if peer.stream.write(&self.segment)? < self.segment.len() {
                return Err(io::Error::new(ErrorKind::WriteZero, "a short message does not fit"));
            }
            self.sent += 1;
            worked = true;
        }
        Ok(self.take()? || worked)
    }

    fn take(&mut self) -> io::Result<bool> {
        let mut events = Vec::with_capacity(EVENTS);
        epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&NOW))?;
        let mut buf = [0; 64];
        for event in &events {
            let (flags, token) = (event.flags, event.data.u64() as usize);
            let peer = &mut self.peers[token];
            if !flags.contains(EventFlags::IN) {
                continue;
            }
            let len = match peer.stream.read(&mut buf) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                outcome => outcome?,
            };
            let (Some(due), true) = (peer.due.take(), buf[..len] == self.expected) else {
                let reason = "the server sent other bytes than expected";
                return Err(io::Error::new(ErrorKind::InvalidData, reason));
            };
            self.late.push((due, due.elapsed()));
            self.received += 1;
        }
        Ok(!events.is_empty())
    }

    /// Awaits the echoes under way.
    fn finish(&mut self, begin: Instant) -> io::Result<()> {
        let end = begin + PATIENCE * 2;
        while self.received < self.sent {
            if Instant::now() > end {
                let reason = format!("{} of {} echoes came back", self.received, self.sent);
                return Err(io::Error::new(ErrorKind::TimedOut, reason));
            }
            self.take()?;
        }
        Ok(())
    }

    /// How late echoes were that were due before `first`, and those until `done`.
    fn split(&self, first: Instant, done: Instant) -> (Vec<Duration>, Vec<Duration>) {
        let between = |from: Option<Instant>, to: Instant| {
            self.late
                .iter()
                .filter(|(due, _)| from.is_none_or(|from| *due >= from) && *due < to)
                .map(|(_, late)| *late)
                .collect()
        };
        (between(None, first), between(Some(first), done))
    }
}

/// The clients that arrive.
struct Arrivals {
    epoll: OwnedFd,
    server: SocketAddr,
    config: Arc<ClientConfig>,
    guests: Vec<Guest>,
    done: usize,
    buf: Vec<u8>,
}

struct Guest {
    client: Client,
    asked: bool,
    answer: Vec<u8>,
}

impl Arrivals {
    /// The time at which the next client arrives. Each has an equal part of the time to itself,
    /// and arrives anywhere within it: otherwise clients would keep step with the echoes.
    fn due(&self, first: Instant, size: Size) -> Option<Instant> {
        let number = self.guests.len() as f64;
        let within = (number * GOLDEN).fract();
        let part = (number + within) / size.clients as f64;
        (self.guests.len() < size.clients).then(|| first + size.within().mul_f64(part))
    }

    fn arrive(&mut self) -> io::Result<()> {
        let client = Client::connect(self.server, &self.config)?;
        client.stream.set_nonblocking(true)?;
        let token = EventData::new_u64(self.guests.len() as u64);
        epoll::add(&self.epoll, &client.stream, token, INTEREST)?;
        self.guests.push(Guest { client, asked: false, answer: Vec::new() });
        Ok(())
    }

    /// Performs one step of one client; returns whether there was one.
    fn step(&mut self) -> io::Result<bool> {
        let mut events = Vec::with_capacity(1);
        epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&NOW))?;
        let Some(event) = events.first() else { return Ok(false) };
        let guest = &mut self.guests[event.data.u64() as usize];
        self.done += usize::from(guest.step(self.server, &mut self.buf)?);
        Ok(true)
    }
}

impl Guest {
    /// Returns whether the answer to the request is whole now.
    fn step(&mut self, server: SocketAddr, buf: &mut [u8]) -> io::Result<bool> {
        let mut is_done = false;
        while let Some(received) = self.client.receive(buf)? {
            if received.ended {
                let reason = "the server ended a client's connection";
                return Err(io::Error::new(ErrorKind::UnexpectedEof, reason));
            }
            self.answer.extend(&buf[..received.plaintext]);
            if received.plaintext > 0 && self.answer.ends_with(b"\r\n\r\n") {
                client::check_answer(&self.answer)?;
                is_done = true;
            }
        }
        if !self.asked && !self.client.tls.is_handshaking() {
            self.asked = true;
            self.client.request(server)?;
        }
        self.client.flush()?;
        Ok(is_done)
    }
}

/// The 50th and the 99th percentile and the maximum, in milliseconds.
fn percentiles(mut times: Vec<Duration>) -> [f64; 3] {
    times.sort_unstable();
    [50, 99, 100].map(|part| {
        let place = (times.len() * part).div_ceil(100).saturating_sub(1);
        times.get(place).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    })
}
