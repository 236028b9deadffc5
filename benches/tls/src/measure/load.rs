//! The load generator: each connection sends one message, awaits its echo, and sends the next. This
//! file checks every byte of plaintext; it knows neither frames nor the server.

use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustls::ClientConfig;

use super::client::{self, BUFFER, Client};
use super::opening::PATIENCE;
use super::session::STEP;
use super::workload::Workload;

const EVENTS: usize = 1024;

const INTEREST: EventFlags = EventFlags::IN.union(EventFlags::OUT).union(EventFlags::ET);

/// All connections to one server.
pub struct Load {
    epoll: OwnedFd,
    lines: Vec<Line>,
    bytes: Bytes,
    buf: Vec<u8>,
}

/// What every connection sends, and what it gets for that.
struct Bytes {
    segment: Vec<u8>,
    expected: Vec<u8>,
}

/// One connection, with its progress in sending a segment and in receiving the expected bytes.
struct Line {
    client: Client,
    /// How many times the expected bytes have yet to arrive.
    left: usize,
    sent: usize,
    received: usize,
}

impl Load {
    pub fn connect(
        server: SocketAddr,
        config: &Arc<ClientConfig>,
        workload: &Workload,
    ) -> io::Result<Load> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let bytes =
            Bytes { segment: workload.segment(), expected: workload.replies(workload.received()) };
        let mut lines = Vec::with_capacity(workload.connections);
        for client in client::open(server, config, workload.connections)? {
            client.stream.set_nonblocking(true)?;
            let token = EventData::new_u64(lines.len() as u64);
            epoll::add(&epoll, &client.stream, token, INTEREST)?;
            lines.push(Line { client, left: 0, sent: bytes.segment.len(), received: 0 });
        }
        Ok(Load { epoll, lines, bytes, buf: vec![0; BUFFER] })
    }

    /// Sends `count` segments over every connection and awaits the replies.
    pub fn exchange(&mut self, count: usize) -> io::Result<()> {
        if count == 0 {
            return Ok(());
        }
        for line in &mut self.lines {
            (line.left, line.sent) = (count, 0);
            line.send(&self.bytes)?;
        }
        let deadline = Instant::now() + PATIENCE;
        let patience = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
        let mut busy = self.lines.len();
        let mut events = Vec::with_capacity(EVENTS);
        while busy > 0 {
            epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&patience))?;
            if Instant::now() > deadline {
                let waiting = format!("{busy} connections wait for a message in vain");
                return Err(io::Error::new(ErrorKind::TimedOut, waiting));
            }
            for event in events.drain(..) {
                let line = &mut self.lines[event.data.u64() as usize];
                let was_busy = line.left > 0;
                line.ready(event.flags, &self.bytes, &mut self.buf)?;
                busy -= usize::from(was_busy && line.left == 0);
            }
        }
        Ok(())
    }
}

impl Line {
    fn ready(&mut self, flags: EventFlags, bytes: &Bytes, buf: &mut [u8]) -> io::Result<()> {
        self.send(bytes)?;
        while flags.contains(EventFlags::IN) {
            let Some(received) = self.client.receive(buf)? else { return Ok(()) };
            if received.ended {
                let reason = "the server closed a connection";
                return Err(io::Error::new(ErrorKind::UnexpectedEof, reason));
            }
            self.check(&buf[..received.plaintext], bytes)?;
            if !received.more {
                return Ok(());
            }
        }
        Ok(())
    }

    fn check(&mut self, plaintext: &[u8], bytes: &Bytes) -> io::Result<()> {
        let end = self.received + plaintext.len();
        let as_expected = bytes.expected.get(self.received..end) == Some(plaintext);
        if !plaintext.is_empty() && (self.left == 0 || !as_expected) {
            let reason = "the server sent other bytes than expected";
            return Err(io::Error::new(ErrorKind::InvalidData, reason));
        }
        self.received = end;
        if self.received == bytes.expected.len() {
            (self.left, self.received) = (self.left - 1, 0);
            if self.left > 0 {
                self.sent = 0;
                self.send(bytes)?;
            }
        }
        Ok(())
    }

    /// Sends more of the segment until the kernel refuses; the next event continues from there.
    fn send(&mut self, bytes: &Bytes) -> io::Result<()> {
        loop {
            self.client.flush()?;
            if self.client.tls.wants_write() || self.sent == bytes.segment.len() {
                return Ok(());
            }
            let end = bytes.segment.len().min(self.sent + STEP);
            self.sent += self.client.tls.writer().write(&bytes.segment[self.sent..end])?;
        }
    }
}
