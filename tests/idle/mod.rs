//! The harness as a process: builds and starts it, waits for it, and reads its figures. Each test
//! knows the expected output.

#[path = "../common/example.rs"]
mod example;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

fn executable() -> &'static Path {
    static EXECUTABLE: OnceLock<PathBuf> = OnceLock::new();
    EXECUTABLE.get_or_init(|| example::build(&["idle"]).join("idle"))
}

/// A run that has not ended.
pub struct Run {
    child: Option<Child>,
    json: PathBuf,
}

/// The result of a run.
pub struct Ended {
    pub code: i32,
    pub table: String,
    pub errors: String,
    pub json: Value,
}

impl Run {
    /// Starts the harness with arguments separated by white space, and with `--json`.
    pub fn start(arguments: &str) -> Run {
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let number = RUNS.fetch_add(1, Ordering::Relaxed);
        let json = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("idle-{}-{number}.json", std::process::id()));
        let mut command = command(arguments);
        command.arg("--json").arg(&json);
        Run { child: Some(command.spawn().unwrap()), json }
    }

    pub fn id(&self) -> u32 {
        self.child.as_ref().expect("not waited for yet").id()
    }

    /// The processes that the harness started.
    pub fn children(&self) -> Vec<u32> {
        let id = self.id();
        let children =
            std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
    }

    /// The number of sockets of these processes, servers and workers.
    pub fn sockets(&self) -> usize {
        self.children().into_iter().map(sockets).sum()
    }

    pub fn end(mut self) -> Ended {
        let output = self.child.take().expect("not waited for yet").wait_with_output().unwrap();
        let json = std::fs::read_to_string(&self.json).unwrap_or_default();
        ended(&output, serde_json::from_str(&json).unwrap_or(Value::Null))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_file(&self.json);
    }
}

fn command(arguments: &str) -> Command {
    let mut command = Command::new(executable());
    command
        .args(arguments.split_whitespace())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn ended(output: &Output, json: Value) -> Ended {
    Ended {
        code: output.status.code().expect("not ended by a signal"),
        table: String::from_utf8(output.stdout.clone()).unwrap(),
        errors: String::from_utf8(output.stderr.clone()).unwrap(),
        json,
    }
}

/// Runs the harness to its end.
pub fn run(arguments: &str) -> Ended {
    Run::start(arguments).end()
}

/// Runs the harness to its end without `--json`.
pub fn run_plainly(arguments: &str) -> Ended {
    ended(&command(arguments).output().unwrap(), Value::Null)
}

/// A server of the harness, started by the test.
pub struct Server(Child);

impl Server {
    pub fn start(port: u16) -> Server {
        let service =
            format!(r#"{{"address":"127.0.0.1:{port}","descriptors":4096,"idle":120.0}}"#);
        let mut command = command("as-server");
        let child = command.arg(service).spawn().unwrap();
        wait_until("the server listens", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Server(child)
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The first of this many neighbouring free ports of this machine.
pub fn free_ports(count: u16) -> u16 {
    // Below the ephemeral ports, and different in each test.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let next = NEXT.fetch_add(u32::from(count), Ordering::Relaxed) + std::process::id() * 41;
        let first = 10_000 + (next % 20_000) as u16;
        if (first..first + count).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return first;
        }
    }
}

/// The number of sockets of a process. The kernel's table of all sockets may be long after other
/// tests.
pub fn sockets(pid: u32) -> usize {
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let links = descriptors.filter_map(|descriptor| std::fs::read_link(descriptor.path()).ok());
    links.filter(|link| link.to_str().is_some_and(|link| link.starts_with("socket:"))).count()
}

/// Sends a signal to a process that the test started.
pub fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid as i32), signal).unwrap();
}

pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "not so: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
