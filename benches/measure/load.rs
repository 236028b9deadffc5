//! The load generator: each connection sends one segment, awaits all replies, and sends the next.
//! This file checks every byte of the replies; it knows neither frames nor the server.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

use super::opening::{self, PATIENCE};
use super::workload::Workload;

/// The ticks of a paced load generator.
pub const TICKS_A_SECOND: usize = 100;

const READ_BUFFER: usize = 256 << 10;
const EVENTS: usize = 1024;

/// The pause between two polls. It is shorter than the server needs for one of the messages on
/// their way.
const BETWEEN_LOOKS: Duration = Duration::from_micros(50);

const INTEREST: EventFlags = EventFlags::IN.union(EventFlags::OUT).union(EventFlags::ET);

/// All connections to one server.
pub struct Load {
    epoll: OwnedFd,
    lines: Vec<Line>,
    workload: Workload,
    segment: Vec<u8>,
    expected: Vec<u8>,
    buf: Vec<u8>,
}

/// One connection, with its progress in sending a segment and in receiving the expected bytes.
struct Line {
    stream: TcpStream,
    /// How many times the expected bytes have yet to arrive.
    left: usize,
    sent: usize,
    received: usize,
}

impl Load {
    pub fn connect(server: SocketAddr, workload: Workload) -> io::Result<Load> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let segment = workload.segment();
        let mut lines = Vec::with_capacity(workload.connections);
        for (number, stream) in open(server, &workload)?.into_iter().enumerate() {
            stream.set_nonblocking(true)?;
            epoll::add(&epoll, &stream, EventData::new_u64(number as u64), INTEREST)?;
            // No segment is on its way.
            lines.push(Line { stream, left: 0, sent: segment.len(), received: 0 });
        }
        let expected = workload.replies(workload.received());
        Ok(Load { epoll, lines, workload, segment, expected, buf: vec![0; READ_BUFFER] })
    }

    /// Sends `count` segments over every sending connection and awaits the replies. Each connection
    /// proceeds by itself if it gets only its own echoes; in a room all proceed together.
    pub fn exchange(&mut self, count: usize) -> io::Result<()> {
        if self.workload.paced {
            return self.exchange_paced(count);
        }
        let (times, segments) = if self.workload.room { (count, 1) } else { (1, count) };
        for _ in 0..times.min(count) {
            self.begin(segments)?;
            self.await_all()?;
        }
        Ok(())
    }

    /// Sends one segment over every connection at each tick, and awaits the replies.
    fn exchange_paced(&mut self, count: usize) -> io::Result<()> {
        let mut next = Instant::now();
        for _ in 0..count {
            self.begin(1)?;
            self.await_all()?;
            next += Duration::from_secs(1) / TICKS_A_SECOND as u32;
            thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        Ok(())
    }

    fn begin(&mut self, segments: usize) -> io::Result<()> {
        for line in &mut self.lines[..self.workload.receivers()] {
            line.left = segments;
        }
        for line in &mut self.lines[..self.workload.senders] {
            line.sent = 0;
            line.send(&self.segment)?;
        }
        Ok(())
    }

    fn await_all(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut busy = self.lines.iter().filter(|line| line.left > 0).count();
        let mut events = Vec::with_capacity(EVENTS);
        while busy > 0 {
            self.wait(&mut events)?;
            if Instant::now() > deadline {
                let waiting = format!("{busy} connections wait for a message in vain");
                return Err(io::Error::new(ErrorKind::TimedOut, waiting));
            }
            for event in events.drain(..) {
                let (flags, token) = (event.flags, event.data.u64() as usize);
                let line = &mut self.lines[token];
                let was_busy = line.left > 0;
                line.ready(flags, &self.segment, &self.expected, &mut self.buf)?;
                busy -= usize::from(was_busy && line.left == 0);
            }
        }
        Ok(())
    }

    fn wait(&self, events: &mut Vec<epoll::Event>) -> io::Result<()> {
        let mut patience = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
        if self.workload.polled {
            thread::sleep(BETWEEN_LOOKS);
            patience.tv_sec = 0;
        }
        epoll::wait(&self.epoll, spare_capacity(events), Some(&patience))?;
        Ok(())
    }
}

/// Opens the connections, half of them at the second address if the load is spread.
fn open(server: SocketAddr, workload: &Workload) -> io::Result<Vec<TcpStream>> {
    if !workload.spread {
        return opening::open(server, workload.connections);
    }
    let second = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), server.port()));
    let mut streams = opening::open(server, workload.connections / 2)?;
    streams.extend(opening::open(second, workload.connections / 2)?);
    Ok(streams)
}

impl Line {
    fn ready(
        &mut self,
        flags: EventFlags,
        segment: &[u8],
        expected: &[u8],
        buf: &mut [u8],
    ) -> io::Result<()> {
        self.send(segment)?;
        while flags.contains(EventFlags::IN) {
            let len = match self.stream.read(buf) {
                Ok(0) => {
                    return Err(io::Error::new(
                        ErrorKind::UnexpectedEof,
                        "the server closed a connection",
                    ));
                }
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            if self.left == 0
                || expected.get(self.received..self.received + len) != Some(&buf[..len])
            {
                return Err(io::Error::new(
                    ErrorKind::InvalidData,
                    "the server sent other bytes than expected",
                ));
            }
            self.received += len;
            if self.received == expected.len() {
                self.left -= 1;
                self.received = 0;
                if self.left > 0 {
                    self.sent = 0;
                    self.send(segment)?;
                }
            }
            if len < buf.len() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Sends more of the segment until the kernel refuses; the next event continues from there.
    fn send(&mut self, segment: &[u8]) -> io::Result<()> {
        while self.sent < segment.len() {
            match self.stream.write(&segment[self.sent..]) {
                Ok(len) => self.sent += len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
