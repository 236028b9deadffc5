//! What is counted: the library's server, and a bare program that makes the same system calls, over
//! socket pairs whose other ends lie in one thread with them. This file does not know valgrind.
//!
//! The kernel's instructions are not counted, so a pair costs no more than the calls themselves.
//! The in-memory transport would allocate. The clock is moved by hand.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::str::FromStr;
use std::time::{Duration, Instant};

use switchboard::mio::{self, Token};
use switchboard::proto::websocket::{Header, Opcode, apply};
use switchboard::{Conn, Handler, Readiness, Request, Server};

/// A browser's request (RFC 6455 section 4.1).
const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\nHost: localhost:9001\r\nConnection: Upgrade\r\n\
    Pragma: no-cache\r\nCache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nUpgrade: websocket\r\n\
    Origin: http://localhost:9001\r\nSec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate\r\n\
    Accept-Language: en\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

const SWITCHING: &[u8] = b"HTTP/1.1 101 ";

/// The bare program's answer.
const ANSWER: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Close code 1000.
const NORMAL: [u8; 2] = [0x03, 0xe8];

const SECOND: Duration = Duration::from_secs(1);

/// Operations before the counted ones, in which one-time allocations happen.
const WARM_UP: u32 = 50;

/// Members of the room of a broadcast.
const MEMBERS: usize = 1000;

/// A buffer larger than any input here.
const BUFFER: usize = 64 << 10;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Contestant {
    Library,
    Floor,
}

impl fmt::Display for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Contestant::Library { "library" } else { "floor" })
    }
}

impl FromStr for Contestant {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Contestant, &'static str> {
        match name {
            "library" => Ok(Contestant::Library),
            "floor" => Ok(Contestant::Floor),
            _ => Err("neither library nor floor"),
        }
    }
}

/// Runs one subject, in a process of its own.
#[derive(Clone, Copy)]
struct Run {
    contestant: Contestant,
    operations: u32,
    /// The server's time that an operation takes.
    step: Duration,
}

pub struct Subject {
    pub name: &'static str,
    /// Operations counted in one second of the server's time, so that each run has equally many
    /// ticks.
    pub operations: u32,
    /// The number of things that the subject's name counts in one operation.
    pub parts: f64,
    run: fn(Run) -> io::Result<()>,
}

impl Subject {
    pub fn run(&self, contestant: Contestant, operations: u32) -> io::Result<()> {
        (self.run)(Run {
            contestant,
            operations: WARM_UP + operations,
            step: SECOND / self.operations,
        })
    }
}

pub const SUBJECTS: [Subject; 5] = [
    Subject { name: "echo of 20 B", operations: 1000, parts: 1.0, run: |run| echo(run, 20, 1) },
    Subject {
        name: "the same, one of 64 a segment",
        operations: 100,
        parts: 64.0,
        run: |run| echo(run, 20, 64),
    },
    Subject {
        name: "echo of 16 KiB",
        operations: 500,
        parts: 1.0,
        run: |run| echo(run, 16 << 10, 1),
    },
    Subject { name: "handshake and close", operations: 250, parts: 1.0, run: handshake },
    Subject {
        name: "delivery of 100 B to 1 of 1,000",
        operations: 20,
        parts: MEMBERS as f64,
        run: broadcast,
    },
];

/// The library without its loop: each turn is given the ready sockets, and the time.
struct Library {
    server: Server,
    now: Instant,
    step: Duration,
}

impl Library {
    fn new(run: Run, set_up: impl FnOnce(&mut Server)) -> Library {
        let mut server = Server::detached();
        set_up(&mut server);
        Library { server, now: Instant::now(), step: run.step }
    }

    /// Adopts an end of a pair whose other end has sent its request.
    fn open(&mut self, near: UnixStream) -> io::Result<Token> {
        near.set_nonblocking(true)?;
        let token = self.server.adopt(mio::net::UnixStream::from_std(near), self.now)?;
        self.turn(token, Readiness::READABLE);
        Ok(token)
    }

    fn turn(&mut self, token: Token, readiness: Readiness) {
        self.server.ready(token, readiness, self.now);
        self.server.flush(self.now);
    }
}

/// Makes a peer that has asked for a WebSocket, and the server's end.
fn ask() -> io::Result<(UnixStream, UnixStream)> {
    let (near, mut peer) = UnixStream::pair()?;
    // A peer without an answer fails.
    peer.set_read_timeout(Some(SECOND))?;
    peer.write_all(REQUEST)?;
    Ok((near, peer))
}

/// Reads the available bytes, which must begin with `expected`.
fn expect(peer: &mut UnixStream, buf: &mut [u8], start: &[u8]) -> io::Result<()> {
    let n = peer.read(buf)?;
    if buf[..n].starts_with(start) {
        return Ok(());
    }
    Err(io::Error::new(
        ErrorKind::InvalidData,
        format!("a peer has read {:?}", buf[..n].escape_ascii().to_string()),
    ))
}

fn frame(opcode: Opcode, payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    Header { fin: true, rsv1: false, opcode, key, len: payload.len() as u64 }.encode(&mut bytes);
    let at = bytes.len();
    bytes.extend_from_slice(payload);
    apply(&mut bytes[at..], key.unwrap_or_default());
    bytes
}

/// Echoes messages of `size` bytes, `frames` of them in a segment.
fn echo(run: Run, size: usize, frames: usize) -> io::Result<()> {
    let text = vec![b'x'; size];
    let segment = frame(Opcode::Text, &text, Some(KEY)).repeat(frames);
    let reply = frame(Opcode::Text, &text, None).repeat(frames);
    let (mut near, mut peer) = ask()?;
    let mut buf = vec![0; BUFFER];
    match run.contestant {
        Contestant::Library => {
            let mut library = Library::new(run, |server| {
                server.websocket("/", |conn, message| conn.send(message));
            });
            let token = library.open(near)?;
            expect(&mut peer, &mut buf, SWITCHING)?;
            for _ in 0..run.operations {
                peer.write_all(&segment)?;
                library.now += library.step;
                library.turn(token, Readiness::READABLE);
                expect(&mut peer, &mut buf, &reply)?;
            }
        }
        Contestant::Floor => {
            let mut input = vec![0; BUFFER];
            let _request = near.read(&mut input)?;
            for _ in 0..run.operations {
                peer.write_all(&segment)?;
                let _segment = near.read(&mut input)?;
                near.write_all(&reply)?;
                expect(&mut peer, &mut buf, &reply)?;
            }
        }
    }
    Ok(())
}

/// A connection comes, becomes a WebSocket, closes and goes.
fn handshake(run: Run) -> io::Result<()> {
    let close = frame(Opcode::Close, &NORMAL, Some(KEY));
    let reply = frame(Opcode::Close, &NORMAL, None);
    let gone = Readiness { read_closed: true, ..Readiness::READABLE };
    let mut library = Library::new(run, |server| {
        server.websocket("/", |_, _| ());
    });
    let (mut buf, mut input) = (vec![0; BUFFER], vec![0; BUFFER]);
    for _ in 0..run.operations {
        let (mut near, mut peer) = ask()?;
        match run.contestant {
            Contestant::Library => {
                library.now += library.step;
                let token = library.open(near)?;
                expect(&mut peer, &mut buf, SWITCHING)?;
                peer.write_all(&close)?;
                library.turn(token, Readiness::READABLE);
                expect(&mut peer, &mut buf, &reply)?;
                drop(peer);
                library.turn(token, gone);
            }
            Contestant::Floor => {
                near.set_nonblocking(true)?;
                let _request = near.read(&mut input)?;
                near.write_all(ANSWER)?;
                expect(&mut peer, &mut buf, SWITCHING)?;
                peer.write_all(&close)?;
                let _close = near.read(&mut input)?;
                near.write_all(&reply)?;
                near.shutdown(Shutdown::Write)?;
                expect(&mut peer, &mut buf, &reply)?;
                drop(peer);
                let _end = near.read(&mut input)?;
            }
        }
    }
    let open = library.server.context(library.now).stats().connections;
    if open == 0 {
        Ok(())
    } else {
        Err(io::Error::other(format!("{open} connections have stayed")))
    }
}

/// Subscribes to the room.
struct Member;

impl Handler for Member {
    fn open(&mut self, conn: &mut Conn<'_>, _: &Request<'_>) {
        conn.subscribe("room");
    }
}

/// Delivers a message to all members.
fn broadcast(run: Run) -> io::Result<()> {
    rlimit::increase_nofile_limit(4 * MEMBERS as u64)?;
    let text = "x".repeat(100);
    let delivery = frame(Opcode::Text, text.as_bytes(), None);
    let mut library = Library::new(run, |server| {
        server.zone("/", Member);
    });
    let mut buf = vec![0; BUFFER];
    let (mut nears, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..MEMBERS {
        let (mut near, mut peer) = ask()?;
        if run.contestant == Contestant::Library {
            library.open(near)?;
        } else {
            near.write_all(ANSWER)?;
            nears.push(near);
        }
        expect(&mut peer, &mut buf, SWITCHING)?;
        peers.push(peer);
    }
    for _ in 0..run.operations {
        if run.contestant == Contestant::Library {
            library.now += library.step;
            library.server.context(library.now).publish("room", &*text);
            library.server.flush(library.now);
        }
        for near in &mut nears {
            near.write_all(&delivery)?;
        }
        for peer in &mut peers {
            expect(peer, &mut buf, &delivery)?;
        }
    }
    Ok(())
}
