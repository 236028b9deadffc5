//! The load generator: connections that each send one segment, await all its echoes, and send the next.
//! Knows the bytes that have to come back and checks every one; knows neither frames nor which server answers.

use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

use super::workload::{ACCEPT, KEY, Workload};

/// A turn that takes longer has lost a message.
const PATIENCE: Duration = Duration::from_secs(30);

const READ_BUFFER: usize = 256 << 10;
const EVENTS: usize = 1024;
const INTEREST: EventFlags = EventFlags::IN.union(EventFlags::OUT).union(EventFlags::ET);

/// Connects to each of `servers`, says `ready`, then obeys lines `SERVER COUNT` on the standard input: COUNT segments
/// over every connection to that server, answered by `done` once the last echo is there. Returns at the input's end.
pub fn obey(servers: &[SocketAddr], workload: &Workload) -> io::Result<()> {
    let mut targets = Vec::new();
    for &server in servers {
        targets.push(Target::connect(server, workload)?);
    }
    println!("ready");
    for order in io::stdin().lock().lines() {
        let order = order?;
        let mut numbers = order.split(' ').map(str::parse::<usize>);
        let (Some(Ok(server)), Some(Ok(count))) = (numbers.next(), numbers.next()) else {
            return Err(ErrorKind::InvalidInput.into());
        };
        targets[server].exchange(count)?;
        println!("done");
    }
    Ok(())
}

/// All connections to one server.
struct Target {
    epoll: OwnedFd,
    lines: Vec<Line>,
    segment: Vec<u8>,
    echoes: Vec<u8>,
    buf: Vec<u8>,
}

/// One connection: where it stands in sending its segment and in receiving the echoes.
struct Line {
    stream: TcpStream,
    left: usize,
    sent: usize,
    received: usize,
}

impl Target {
    fn connect(server: SocketAddr, workload: &Workload) -> io::Result<Target> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let mut lines = Vec::with_capacity(workload.connections);
        for number in 0..workload.connections {
            let stream = shake_hands(server)?;
            epoll::add(&epoll, &stream, EventData::new_u64(number as u64), INTEREST)?;
            lines.push(Line { stream, left: 0, sent: 0, received: 0 });
        }
        Ok(Target {
            epoll,
            lines,
            segment: workload.segment(),
            echoes: workload.replies(workload.frames),
            buf: vec![0; READ_BUFFER],
        })
    }

    /// Sends `count` segments over every connection and awaits the echoes.
    fn exchange(&mut self, count: usize) -> io::Result<()> {
        if count == 0 {
            return Ok(());
        }
        let deadline = Instant::now() + PATIENCE;
        let wait = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
        for line in &mut self.lines {
            (line.left, line.sent, line.received) = (count, 0, 0);
            line.send(&self.segment)?;
        }
        let mut busy = self.lines.len();
        let mut events = Vec::with_capacity(EVENTS);
        while busy > 0 {
            epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&wait))?;
            if Instant::now() > deadline {
                return Err(io::Error::new(ErrorKind::TimedOut, format!("{busy} connections wait for an echo")));
            }
            for event in events.drain(..) {
                let (flags, token) = (event.flags, event.data.u64() as usize);
                let line = &mut self.lines[token];
                let was_busy = line.left > 0;
                line.ready(flags, &self.segment, &self.echoes, &mut self.buf)?;
                busy -= usize::from(was_busy && line.left == 0);
            }
        }
        Ok(())
    }
}

impl Line {
    fn ready(&mut self, flags: EventFlags, segment: &[u8], echoes: &[u8], buf: &mut [u8]) -> io::Result<()> {
        if self.left > 0 && self.sent < segment.len() {
            self.send(segment)?;
        }
        while flags.contains(EventFlags::IN) {
            let len = match self.stream.read(buf) {
                Ok(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "the server closed a connection")),
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let expected = echoes.get(self.received..self.received + len);
            if self.left == 0 || expected != Some(&buf[..len]) {
                return Err(io::Error::new(ErrorKind::InvalidData, "the server sent other bytes than the echo"));
            }
            self.received += len;
            if self.received == echoes.len() {
                self.left -= 1;
                (self.sent, self.received) = (0, 0);
                if self.left > 0 {
                    self.send(segment)?;
                }
            }
            if len < buf.len() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Goes on with the segment until the kernel refuses; the next readiness goes on from there.
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

/// An open WebSocket (RFC 6455 section 4.1), not blocking.
fn shake_hands(server: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {server}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut buf = [0; 1024];
        match stream.read(&mut buf)? {
            0 => break,
            len => answer.extend_from_slice(&buf[..len]),
        }
    }
    let answer = String::from_utf8_lossy(&answer);
    if !answer.starts_with("HTTP/1.1 101 ") || !answer.contains(ACCEPT) {
        return Err(io::Error::new(ErrorKind::InvalidData, format!("no upgrade: {answer:?}")));
    }
    stream.set_nonblocking(true)?;
    Ok(stream)
}
