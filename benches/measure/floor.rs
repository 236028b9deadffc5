//! The bare epoll program: it shows what a message costs when only the system calls remain.
//!
//! The floor counts bytes and writes prepared replies, to the sender or to every connection. After
//! the handshake it looks at no byte, so it does not know frames, masks or text. Its system calls
//! are the library's: one `epoll_wait`, one receive, one send for each receiver and turn.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with, sockopt};
use sha1::{Digest as _, Sha1};

use super::workload::Workload;

/// Bytes taken by one receive. The library's buffer has this size, so both need equally many
/// receives.
const READ_BUFFER: usize = 128 << 10;

/// Events taken by one `epoll_wait`, as in the library.
const EVENTS: usize = 1024;

/// The interest of each socket, as in the library: registered once.
const INTEREST: EventFlags =
    EventFlags::IN.union(EventFlags::OUT).union(EventFlags::RDHUP).union(EventFlags::ET);

const WEBSOCKET_GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A listening socket, its connections by descriptor, and the replies.
pub struct Floor {
    epoll: OwnedFd,
    listener: TcpListener,
    lines: Vec<Option<Line>>,
    buf: Vec<u8>,
    replies: Vec<u8>,
    request_len: usize,
    reply_len: usize,
    /// Whether every connection gets each message.
    room: bool,
    /// Messages of this turn that every connection is to get.
    said: usize,
}

/// One connection.
struct Line {
    stream: TcpStream,
    open: bool,
    /// Bytes received of an unfinished message.
    partial: usize,
    /// Bytes of replies that the kernel has not taken.
    owed: usize,
}

impl Floor {
    /// Takes the connections of `listener`, all of which send the messages of `workload`.
    pub fn new(listener: TcpListener, workload: &Workload) -> io::Result<Floor> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        listener.set_nonblocking(true)?;
        // Connections inherit the option, so accepting one is one system call.
        sockopt::set_tcp_nodelay(&listener, true)?;
        let token = EventData::new_u64(listener.as_raw_fd() as u64);
        epoll::add(&epoll, &listener, token, EventFlags::IN | EventFlags::ET)?;
        let at_once = if workload.room {
            workload.received()
        } else {
            READ_BUFFER / workload.request_len() + 1
        };
        Ok(Floor {
            epoll,
            listener,
            lines: Vec::new(),
            buf: vec![0; READ_BUFFER],
            replies: workload.replies(at_once),
            request_len: workload.request_len(),
            reply_len: workload.reply_len(),
            room: workload.room,
            said: 0,
        })
    }

    /// Serves until the process ends.
    pub fn run(mut self) -> io::Result<()> {
        let listening = self.listener.as_raw_fd() as usize;
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            match epoll::wait(&self.epoll, spare_capacity(&mut events), None) {
                Err(Errno::INTR) => continue,
                outcome => outcome?,
            };
            for event in events.drain(..) {
                let (flags, token) = (event.flags, event.data.u64() as usize);
                if token == listening {
                    self.accept()?;
                } else if self.ready(token, flags).is_err() {
                    self.lines[token] = None;
                }
            }
            self.tell_everybody();
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let stream =
                match accept_with(&self.listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                    Ok(descriptor) => TcpStream::from(descriptor),
                    Err(Errno::AGAIN) => return Ok(()),
                    Err(error) => return Err(error.into()),
                };
            let token = stream.as_raw_fd() as usize;
            epoll::add(&self.epoll, &stream, EventData::new_u64(token as u64), INTEREST)?;
            if self.lines.len() <= token {
                self.lines.resize_with(token + 1, || None);
            }
            self.lines[token] = Some(Line { stream, open: false, partial: 0, owed: 0 });
        }
    }

    /// An error ends the connection, and so does the end of its input.
    fn ready(&mut self, token: usize, flags: EventFlags) -> io::Result<()> {
        let Some(line) = &mut self.lines[token] else { return Ok(()) };
        line.pay(&self.replies, self.reply_len)?;
        if !flags.contains(EventFlags::IN) {
            return Ok(());
        }
        loop {
            let len = match line.stream.read(&mut self.buf) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            if line.open {
                let arrived = line.partial + len;
                line.partial = arrived % self.request_len;
                let messages = arrived / self.request_len;
                if self.room {
                    self.said += messages;
                } else {
                    line.owe(messages, &self.replies, self.reply_len)?;
                }
            } else {
                line.upgrade(&self.buf[..len])?;
            }
            // No event follows a FIN: only another read finds the end.
            if len < self.buf.len() && !flags.contains(EventFlags::RDHUP) {
                return Ok(());
            }
        }
    }

    /// Writes once to each connection what all members sent in this turn.
    fn tell_everybody(&mut self) {
        let messages = std::mem::take(&mut self.said);
        if messages == 0 {
            return;
        }
        for line in &mut self.lines {
            if let Some(open) = line.as_mut().filter(|line| line.open)
                && open.owe(messages, &self.replies, self.reply_len).is_err()
            {
                *line = None;
            }
        }
    }
}

impl Line {
    /// Adds replies, and sends them unless earlier ones wait.
    fn owe(&mut self, messages: usize, replies: &[u8], reply_len: usize) -> io::Result<()> {
        let idle = self.owed == 0;
        self.owed += messages * reply_len;
        if idle { self.pay(replies, reply_len) } else { Ok(()) }
    }

    /// Sends the replies. Bytes that the kernel refuses wait for the next event.
    fn pay(&mut self, replies: &[u8], reply_len: usize) -> io::Result<()> {
        while self.owed > 0 {
            let begun = (reply_len - self.owed % reply_len) % reply_len;
            let end = replies.len().min(begun + self.owed);
            match self.stream.write(&replies[begun..end]) {
                Ok(len) => self.owed -= len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Answers the head, which the load generators send in one segment.
    fn upgrade(&mut self, head: &[u8]) -> io::Result<()> {
        const NAME: &[u8] = b"Sec-WebSocket-Key: ";
        let Some(at) = head.windows(NAME.len()).position(|bytes| bytes == NAME) else {
            return Err(ErrorKind::InvalidData.into());
        };
        let value = head[at + NAME.len()..].split(|&byte| byte == b'\r').next().unwrap_or_default();
        let accept =
            BASE64.encode(Sha1::new().chain_update(value).chain_update(WEBSOCKET_GUID).finalize());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        self.stream.write_all(answer.as_bytes())?;
        self.open = true;
        Ok(())
    }
}
