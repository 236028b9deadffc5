//! The example programs as processes: builds and starts them, speaks to them over sockets, signals
//! them. Each test knows the expected behaviour.

#[path = "../common/example.rs"]
mod example;

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The example programs.
pub const PROGRAMS: [&str; 10] = [
    "autobahn_client",
    "chat",
    "client",
    "cluster",
    "echo",
    "embed",
    "game",
    "history",
    "idle",
    "workers",
];

/// How long a test waits for what must happen.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Builds all programs, and returns the path of one.
pub fn executable(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| example::build(&PROGRAMS)).join(name)
}

/// Where the output of a program goes.
#[derive(Clone, Copy, Debug)]
pub enum Sink {
    /// A pipe whose reader has left.
    Gone,
    /// A device without room.
    Full,
    /// A pipe that nobody reads yet; [`Program`] has its other end.
    Pipe,
    Nothing,
}

impl Sink {
    pub fn stdio(self) -> Stdio {
        match self {
            Sink::Gone => io::pipe().unwrap().1.into(),
            Sink::Full => File::options().write(true).open("/dev/full").unwrap().into(),
            Sink::Pipe => Stdio::piped(),
            Sink::Nothing => Stdio::null(),
        }
    }
}

/// A program that runs. Dropping it ends the process.
pub struct Program {
    pub child: Child,
}

impl Program {
    pub fn start(name: &str, arguments: &[&str], output: Sink, errors: Sink) -> Program {
        let mut command = Command::new(executable(name));
        command.args(arguments);
        Program::spawn(&mut command, output, errors)
    }

    /// Starts a program in a shell that has changed something before.
    pub fn after(change: &str, name: &str, arguments: &[&str], errors: Sink) -> Program {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{change}; exec \"$0\" \"$@\"")]);
        command.arg(executable(name)).args(arguments);
        Program::spawn(&mut command, Sink::Nothing, errors)
    }

    fn spawn(command: &mut Command, output: Sink, errors: Sink) -> Program {
        command.stdin(Stdio::null()).stdout(output.stdio()).stderr(errors.stdio());
        Program { child: command.spawn().unwrap() }
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// A set of signals of the process, as Linux tells it, such as `SigIgn`.
    pub fn signals(&self, set: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(set)?.strip_prefix(":\t"));
        u64::from_str_radix(line.expect("a set of signals"), 16).unwrap()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for the end, and returns the exit code; none after a signal.
    pub fn end(&mut self) -> Option<i32> {
        let mut status = None;
        wait_until("the program ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code()
    }

    /// Reads errors, until a condition holds for all of them.
    pub fn read_errors(&mut self, what: &str, until: impl Fn(&str) -> bool) -> String {
        let mut errors = self.child.stderr.take().expect("a pipe");
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut buf = [0; 16 << 10];
            while let Ok(n @ 1..) = errors.read(&mut buf) {
                if sender.send(buf[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        let (mut read, end) = (Vec::new(), Instant::now() + PATIENCE);
        loop {
            let text = String::from_utf8_lossy(&read);
            if until(&text) {
                return text.into_owned();
            }
            let left = end.saturating_duration_since(Instant::now());
            match receiver.recv_timeout(left) {
                Ok(more) => read.extend(more),
                Err(error) => panic!("{what}: {error} after\n{text}"),
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a program to its end, with both outputs collected.
pub fn run(name: &str, arguments: &[&str]) -> Output {
    Command::new(executable(name)).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Waits until a condition holds.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A port that is free at all addresses at this moment.
pub fn free_port() -> u16 {
    loop {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        if TcpListener::bind(("::1", port)).is_ok() {
            return port;
        }
    }
}

/// Connects to a program that may still be starting.
#[track_caller]
pub fn connect(program: &mut Program, address: &str) -> TcpStream {
    let address: SocketAddr = address.parse().unwrap();
    let mut socket = None;
    wait_until(&format!("a listener at {address}"), || {
        assert!(program.is_running(), "the program has ended");
        socket = TcpStream::connect(address).ok();
        socket.is_some()
    });
    let socket = socket.unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Sends bytes on a connection of their own, and returns all that comes back.
#[track_caller]
pub fn exchange(program: &mut Program, address: &str, bytes: &[u8]) -> String {
    let mut socket = connect(program, address);
    socket.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Asserts that a program serves.
#[track_caller]
pub fn assert_serves(program: &mut Program, address: &str) {
    let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let answer = exchange(program, address, request.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 "), "{answer:?}");
}

/// Opens a WebSocket.
#[track_caller]
pub fn websocket(program: &mut Program, address: &str, path: &str) -> TcpStream {
    let mut socket = connect(program, address);
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    socket
}

/// Reads short frames up to a Close frame, answers it, and returns its code.
#[track_caller]
pub fn close_code(socket: &mut TcpStream) -> u16 {
    loop {
        let mut header = [0; 2];
        socket.read_exact(&mut header).unwrap();
        let mut payload = match header[1] {
            len @ ..=125 => vec![0; usize::from(len)],
            _ => {
                let mut len = [0; 2];
                socket.read_exact(&mut len).unwrap();
                vec![0; usize::from(u16::from_be_bytes(len))]
            }
        };
        socket.read_exact(&mut payload).unwrap();
        if header[0] == 0x88 {
            let answer = [&[0x88, 0x82, 0, 0, 0, 0], &payload[..2]].concat();
            socket.write_all(&answer).unwrap();
            return u16::from_be_bytes([payload[0], payload[1]]);
        }
    }
}
