//! The bare epoll program with rustls: it shows what a message or a handshake costs when only the
//! system calls and rustls remain.
//!
//! The floor counts bytes of plaintext and encrypts prepared replies. It looks at no byte of
//! plaintext, so it knows neither heads nor frames, masks or text. Its system calls and its calls
//! of rustls are the library's: one `epoll_wait`, one receive of ciphertext into a shared buffer,
//! one send for each connection.

use std::io::{self, ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with, sockopt};
use rustls::{ServerConfig, ServerConnection};

use super::session::{self, STEP};
use super::workload::{ACCEPT, Workload};

/// The size of the shared buffer, as in the library.
const BUFFER: usize = 128 << 10;

/// Events taken by one `epoll_wait`, as in the library.
const EVENTS: usize = 1024;

/// The interest of each socket, as in the library: registered once.
const INTEREST: EventFlags =
    EventFlags::IN.union(EventFlags::OUT).union(EventFlags::RDHUP).union(EventFlags::ET);

/// A listening socket, its connections by descriptor, and the replies.
pub struct Floor {
    epoll: OwnedFd,
    listener: TcpListener,
    config: Arc<ServerConfig>,
    lines: Vec<Option<Line>>,
    buf: Vec<u8>,
    replies: Replies,
}

/// The prepared answers.
struct Replies {
    upgrade: String,
    echoes: Vec<u8>,
    request_len: usize,
    reply_len: usize,
}

/// One connection.
struct Line {
    stream: TcpStream,
    tls: Box<ServerConnection>,
    open: bool,
    /// Bytes of plaintext received of an unfinished message.
    partial: usize,
    /// Bytes of replies that are not encrypted yet.
    owed: usize,
}

impl Floor {
    /// Takes the connections of `listener`, all of which send the messages of `workload`.
    pub fn new(
        listener: TcpListener,
        config: Arc<ServerConfig>,
        workload: &Workload,
    ) -> io::Result<Floor> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        listener.set_nonblocking(true)?;
        // Connections inherit the option, so accepting one is one system call.
        sockopt::set_tcp_nodelay(&listener, true)?;
        let token = EventData::new_u64(listener.as_raw_fd() as u64);
        epoll::add(&epoll, &listener, token, EventFlags::IN | EventFlags::ET)?;
        let replies = Replies {
            upgrade: format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
            ),
            echoes: workload.replies(BUFFER / workload.request_len() + 1),
            request_len: workload.request_len(),
            reply_len: workload.reply_len(),
        };
        Ok(Floor { epoll, listener, config, lines: Vec::new(), buf: vec![0; BUFFER], replies })
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
                } else if let Some(line) = &mut self.lines[token]
                    && !line.ready(flags, &mut self.buf, &self.replies).is_ok_and(|goes_on| goes_on)
                {
                    self.lines[token] = None;
                }
            }
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
            let tls = ServerConnection::new(Arc::clone(&self.config)).map_err(io::Error::other)?;
            let tls = Box::new(tls);
            self.lines[token] = Some(Line { stream, tls, open: false, partial: 0, owed: 0 });
        }
    }
}

impl Line {
    /// Returns whether the connection goes on. It ends with close_notify or the end of its input.
    fn ready(&mut self, flags: EventFlags, buf: &mut [u8], replies: &Replies) -> io::Result<bool> {
        self.pay(replies)?;
        while flags.contains(EventFlags::IN) {
            let Some(received) = session::receive(&mut self.tls, &self.stream, buf)? else {
                return Ok(true);
            };
            if received.plaintext > 0 {
                self.owe(received.plaintext, replies)?;
            }
            if received.ended {
                self.tls.send_close_notify();
            }
            self.pay(replies)?;
            if received.ended {
                return Ok(false);
            }
            // No event follows a FIN: only another read finds the end.
            if !received.more && !flags.contains(EventFlags::RDHUP) {
                return Ok(true);
            }
        }
        Ok(true)
    }

    /// Adds the replies to what has arrived: the request, which is one segment, or messages.
    fn owe(&mut self, arrived: usize, replies: &Replies) -> io::Result<()> {
        if self.open {
            let arrived = self.partial + arrived;
            self.partial = arrived % replies.request_len;
            self.owed += arrived / replies.request_len * replies.reply_len;
            return Ok(());
        }
        self.open = true;
        self.tls.writer().write_all(replies.upgrade.as_bytes())
    }

    /// Encrypts and sends the replies. Bytes that the kernel refuses wait for the next event.
    fn pay(&mut self, replies: &Replies) -> io::Result<()> {
        let reply_len = replies.reply_len;
        loop {
            while self.tls.wants_write() {
                match self.tls.write_tls(&mut self.stream) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
            if self.owed == 0 {
                return Ok(());
            }
            let begun = (reply_len - self.owed % reply_len) % reply_len;
            let end = replies.echoes.len().min(begun + self.owed.min(STEP));
            self.owed -= self.tls.writer().write(&replies.echoes[begun..end])?;
        }
    }
}
