//! A server in a process of its own, for tests that stop it or take its descriptors. The process
//! is the test binary itself.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::wire::Running;

/// The variable that makes a test serve, with its argument.
const CHILD: &str = "SWITCHBOARD_TEST_CHILD";

/// Returns the argument of a test that is to serve; `None` in an ordinary run.
pub fn argument() -> Option<String> {
    std::env::var(CHILD).ok()
}

/// Tells the parent where the server listens, and waits until the parent's end.
pub fn serve(server: &Running) {
    println!("\nlistening on {}", server.address);
    std::io::stdout().flush().unwrap();
    let _ended = std::io::stdin().read(&mut [0]);
}

/// A server in a process of its own, which ends with its input.
pub struct Process {
    child: Child,
    pub address: SocketAddr,
    input: Option<ChildStdin>,
    /// Kept so that the child may write on.
    _output: BufReader<ChildStdout>,
}

impl Process {
    /// Runs a test of the same binary in a process of its own. It calls [`argument`] and [`serve`].
    pub fn start(test: &str, argument: &str) -> Process {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture", "--test-threads=1"])
            .env(CHILD, argument)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let lines = output.by_ref().lines().map_while(Result::ok);
        let mut addresses =
            lines.filter_map(|line| line.strip_prefix("listening on ")?.parse().ok());
        let address = addresses.next().expect("the child's address");
        Process { child, address, input, _output: output }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// CPU time of all its threads so far.
    pub fn cpu(&self) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let nanos = tasks.filter_map(|task| {
            let line = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            line.split(' ').next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(nanos.sum())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.input = None;
        let ended = self.child.wait();
        if !thread::panicking() {
            assert!(ended.is_ok_and(|status| status.success()), "the child failed");
        }
    }
}
