//! An echo server in a process of its own, for checks of what it costs.
//! Knows how to start, reach and end that process; what is counted there is the business of each check.

pub mod echo;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::thread::gettid;

/// Tells a test executable that it is the server.
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
    pub fn start() -> EchoServer {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["serve", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
            .env(ROLE, "echo")
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
        std::fs::read_to_string(format!("/proc/{}/task/{}/{name}", self.process.id(), self.thread)).unwrap()
    }

    /// The thread that serves; the test harness keeps another, which sleeps.
    #[allow(dead_code, reason = "not every check traces")]
    pub fn thread(&self) -> u32 {
        self.thread
    }

    /// An open WebSocket; the whole answer to the handshake has been read.
    pub fn connect(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
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

/// What the server process does; nothing in any other process.
pub fn serve() {
    if std::env::var_os(ROLE).is_none() {
        return;
    }
    set_parent_process_death_signal(Some(Signal::KILL)).unwrap();
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let mut reactor = echo::reactor();
    let listener = reactor.server.listen("127.0.0.1:0").unwrap();
    note(&format!("{} {}", reactor.server.local_addr(listener).unwrap(), gettid().as_raw_nonzero()));
    reactor.run().unwrap();
}

/// Prints past the test harness, which keeps to itself what a passing test prints.
pub fn note(line: &str) {
    let mut terminal = io::stderr();
    writeln!(terminal, "{line}").unwrap();
}
