//! A server in a process of its own, for checks of what it costs: the echo, or what a check makes of it.
//! Knows how to start, reach and end that process; what is counted there is the business of each check.

#[allow(dead_code, reason = "not every check serves an echo")]
pub mod echo;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::thread::gettid;
use switchboard::{Listener, Reactor};

/// Tells a test executable that it is the server, or another process that a check starts.
const ROLE: &str = "SWITCHBOARD_BUDGET_SERVER";

const PATIENCE: Duration = Duration::from_secs(10);

/// The process; it ends when this is dropped.
pub struct EchoServer {
    process: Child,
    address: SocketAddr,
    thread: u32,
}

impl EchoServer {
    /// Starts this test executable once more, to run nothing but its `serve`, and waits until that listens.
    #[allow(dead_code, reason = "not every check serves an echo")]
    pub fn start() -> EchoServer {
        EchoServer::start_as("serve", &[])
    }

    /// The same with another of its ignored tests, which must end in [`serve_with`], and with further environment variables.
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

    /// The file `name` that the kernel keeps about the thread that serves.
    pub fn kernel_file(&self, name: &str) -> String {
        std::fs::read_to_string(self.kernel_path(name)).unwrap()
    }

    /// Where that is, be it a file or a directory.
    pub fn kernel_path(&self, name: &str) -> String {
        format!("/proc/{}/task/{}/{name}", self.process.id(), self.thread)
    }

    /// The thread that serves; the test harness keeps another, which sleeps.
    #[allow(dead_code, reason = "not every check traces")]
    pub fn thread(&self) -> u32 {
        self.thread
    }

    #[allow(dead_code, reason = "not every check connects by itself")]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Resident bytes, counted page by page (`VmRSS` is approximate).
    #[allow(dead_code, reason = "not every check measures memory")]
    pub fn resident(&self) -> u64 {
        self.rollup("Rss:")
    }

    /// One figure of what the kernel sums up over the mappings.
    #[allow(dead_code, reason = "not every check measures memory")]
    pub fn rollup(&self, name: &str) -> u64 {
        let rollup = self.kernel_file("../../smaps_rollup");
        let line = rollup.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    /// An open WebSocket; the whole answer to the handshake has been read.
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
        // It may have ended by itself; there is nothing left to do then.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the echo server's process does; nothing in any other process.
#[allow(dead_code, reason = "not every check serves an echo")]
pub fn serve() {
    serve_with("127.0.0.1:0", echo::reactor);
}

/// What a server process does; nothing in any other process.
pub fn serve_with(listener: impl Into<Listener>, reactor: impl FnOnce() -> Reactor) {
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
    reactor.run().unwrap();
}

/// Prints past the test harness, which keeps to itself what a passing test prints.
pub fn note(line: &str) {
    let mut terminal = io::stderr();
    writeln!(terminal, "{line}").unwrap();
}
