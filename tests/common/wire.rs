//! Real sockets: a reactor in a thread of its own, and a blocking client that speaks WebSocket.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use switchboard::{Drain, Reactor, Remote};

use super::frames::{Frame, first_frame, some_frames};
use super::http::handshake;

/// The longest wait for a peer: a test that waits longer fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A reactor in a thread. Dropping the value drains the reactor and joins the thread.
pub struct Running {
    pub address: SocketAddr,
    pub remote: Remote,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Listens at a free port and runs what a closure sets up.
    pub fn start(set_up: impl FnOnce(&mut Reactor) + Send + 'static) -> Running {
        Running::turning(None, set_up)
    }

    /// The same with turns that wait for this long at most.
    pub fn turning(
        wait: Option<Duration>,
        set_up: impl FnOnce(&mut Reactor) + Send + 'static,
    ) -> Running {
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut reactor = Reactor::new().unwrap();
            set_up(&mut reactor);
            let listener = reactor.server.listen("127.0.0.1:0").unwrap();
            tell.send((reactor.server.local_addr(listener).unwrap(), reactor.remote())).unwrap();
            while !reactor.server.is_drained() {
                reactor.turn(wait).unwrap();
            }
        });
        let (address, remote) = told.recv_timeout(PATIENCE).expect("a reactor that listens");
        Running { address, remote, thread: Some(thread) }
    }

    pub fn echo() -> Running {
        Running::start(|reactor| {
            reactor.server.websocket("/", |conn, message| conn.send(message));
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let drained = self.remote.drain(Drain::within(Duration::ZERO));
        let ended = self.thread.take().map(JoinHandle::join);
        if !thread::panicking() {
            assert!(
                drained.is_ok() && matches!(ended, Some(Ok(()))),
                "the reactor's thread failed"
            );
        }
    }
}

/// A blocking client over a stream of any kind.
pub struct Wire<S = TcpStream> {
    pub stream: S,
    heard: Vec<u8>,
}

impl Wire {
    pub fn connect(address: SocketAddr) -> Wire {
        Wire::over(TcpStream::connect(address).unwrap())
    }

    /// A client over a stream that is connected already.
    pub fn over(stream: TcpStream) -> Wire {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Wire { stream, heard: Vec::new() }
    }

    /// A WebSocket, its handshake done.
    pub fn websocket(address: SocketAddr) -> Wire {
        let mut wire = Wire::connect(address);
        let head = wire.upgrade("/");
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        wire
    }
}

impl Wire<UnixStream> {
    pub fn of(stream: UnixStream) -> Wire<UnixStream> {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Wire { stream, heard: Vec::new() }
    }
}

impl<S: Read + Write> Wire<S> {
    /// Asks for a WebSocket and returns the head of the answer.
    pub fn upgrade(&mut self, path: &str) -> String {
        self.send(handshake(path));
        self.head()
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Reads a response's head; what follows it stays.
    pub fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.heard.windows(4).position(|window| window == b"\r\n\r\n") {
                let rest = self.heard.split_off(end + 4);
                return String::from_utf8(std::mem::replace(&mut self.heard, rest)).unwrap();
            }
            assert!(self.more() > 0, "the end, after {:?}", String::from_utf8_lossy(&self.heard));
        }
    }

    /// Reads one frame.
    pub fn frame(&mut self) -> Frame {
        loop {
            let (mut frames, rest) = some_frames(&self.heard);
            if !frames.is_empty() {
                let rest = rest.to_vec();
                let others: Vec<_> = frames.drain(1..).collect();
                assert!(others.is_empty(), "asked for one frame, had {others:?} as well");
                self.heard = rest;
                return frames.remove(0);
            }
            assert!(self.more() > 0, "the end, and no frame");
        }
    }

    /// Reads the next frame, in words. Further frames may follow.
    pub fn next_word(&mut self) -> String {
        loop {
            if let Some((frame, len)) = first_frame(&self.heard) {
                self.heard.drain(..len);
                return frame.word();
            }
            assert!(self.more() > 0, "the end, and no frame");
        }
    }

    /// One frame in words.
    pub fn word(&mut self) -> String {
        self.frame().word()
    }

    /// Whether the server has ended its side and sends nothing more.
    pub fn is_ended(&mut self) -> bool {
        self.more() == 0 && self.heard.is_empty()
    }

    fn more(&mut self) -> usize {
        let mut buf = [0; 64 << 10];
        let n = self.stream.read(&mut buf).unwrap();
        self.heard.extend_from_slice(&buf[..n]);
        n
    }
}
