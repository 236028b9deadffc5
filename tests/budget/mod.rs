//! A server in a process of its own, for checks of its cost: the echo, or another server that a
//! check defines. This file starts, reaches and ends the process; each check counts for itself.

#[allow(dead_code, reason = "not every check serves an echo")]
pub mod echo;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::thread::gettid;
use switchboard::{Listener, Reactor};

/// Marks a test executable as the server, or as another process that a check starts.
const ROLE: &str = "SWITCHBOARD_BUDGET_SERVER";

const PATIENCE: Duration = Duration::from_secs(10);

/// A process that ends when this is dropped.
pub struct EchoServer {
    process: Child,
    address: SocketAddr,
    thread: u32,
}

impl EchoServer {
    /// Starts this test executable again, runs only its test `serve`, and waits until that listens.
    #[allow(dead_code, reason = "not every check serves an echo")]
    pub fn start() -> EchoServer {
        EchoServer::start_as("serve", &[])
    }

    /// Starts another of its ignored tests, which must end in [`serve_with`], with further
    /// environment variables.
    pub fn start_as(test: &str, environment: &[(&str, &str)]) -> EchoServer {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
            .env(ROLE, test)
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [address, thread] = words[..]
            && let (Ok(address), Ok(thread)) = (address.parse(), thread.parse())
        {
            return EchoServer { process, address, thread };
        }
        let _ = process.kill();
        let _ = process.wait();
        panic!("the server did not start: {line}");
    }

    /// Reads the kernel's file `name` about the serving thread.
    pub fn kernel_file(&self, name: &str) -> String {
        std::fs::read_to_string(self.kernel_path(name)).unwrap()
    }

    /// The path of a file or directory about the serving thread.
    pub fn kernel_path(&self, name: &str) -> String {
        format!("/proc/{}/task/{}/{name}", self.process.id(), self.thread)
    }

    /// The serving thread; the test harness keeps another, which sleeps.
    #[allow(dead_code, reason = "not every check traces")]
    pub fn thread(&self) -> u32 {
        self.thread
    }

    #[allow(dead_code, reason = "not every check connects by itself")]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Resident bytes of the heap and the stacks, counted page by page (`VmRSS` is approximate).
    /// The pages of the program file do not count: the kernel maps and reclaims them as it likes.
    #[allow(dead_code, reason = "not every check measures memory")]
    pub fn resident(&self) -> u64 {
        self.rollup("Anonymous:")
    }

    /// One of the figures that the kernel sums up over the mappings.
    #[allow(dead_code, reason = "not every check measures memory")]
    pub fn rollup(&self, name: &str) -> u64 {
        let rollup = self.kernel_file("../../smaps_rollup");
        let line = rollup.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    /// Opens a WebSocket, and reads the whole answer to the handshake.
    pub fn connect(&self) -> TcpStream {
        self.open(TcpStream::connect(self.address).unwrap())
    }

    /// Makes a WebSocket of a connection.
    pub fn open(&self, mut stream: TcpStream) -> TcpStream {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(echo::UPGRADE_REQUEST).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.extend(byte);
        }
        assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer));
        stream
    }
}

impl Drop for EchoServer {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs the echo server in the server's process; does nothing in others.
#[allow(dead_code, reason = "not every check serves an echo")]
pub fn serve() {
    serve_with("127.0.0.1:0", echo::reactor);
}

/// Runs a server in the server's process; does nothing in others.
#[allow(dead_code, reason = "one check turns by itself")]
pub fn serve_with(listener: impl Into<Listener>, reactor: impl FnOnce() -> Reactor) {
    serve_by(listener, reactor, |reactor| reactor.run().unwrap());
}

/// Runs a server in the server's process with a loop of the check's own.
pub fn serve_by(
    listener: impl Into<Listener>,
    reactor: impl FnOnce() -> Reactor,
    run: impl FnOnce(&mut Reactor),
) {
    if std::env::var_os(ROLE).is_none() {
        return;
    }
    set_parent_process_death_signal(Some(Signal::KILL)).unwrap();
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let mut reactor = reactor();
    let listener = reactor.server.listen(listener).unwrap();
    note(&format!(
        "{} {}",
        reactor.server.local_addr(listener).unwrap(),
        gettid().as_raw_nonzero()
    ));
    run(&mut reactor);
}

/// Prints past the test harness, which shows no output of a passing test.
pub fn note(line: &str) {
    let mut terminal = io::stderr();
    writeln!(terminal, "{line}").unwrap();
}

/// Sends a short message, and returns its short answer.
#[allow(dead_code, reason = "not every check asks")]
pub fn answer(stream: &mut TcpStream, text: &str) -> String {
    // Masked with zeros (RFC 6455 section 5.3).
    let mut frame = vec![0x81, 0x80 | text.len() as u8, 0, 0, 0, 0];
    frame.extend_from_slice(text.as_bytes());
    stream.write_all(&frame).unwrap();
    let mut head = [0; 2];
    stream.read_exact(&mut head).unwrap();
    assert!(head[0] == 0x81 && head[1] < 126, "{head:?}");
    let mut text = vec![0; usize::from(head[1])];
    stream.read_exact(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}
