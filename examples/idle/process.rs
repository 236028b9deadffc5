//! Processes: starts this executable in another role, and passes lines in and out. They end with
//! this process, however it ends. This file does not know what the lines mean.

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::Sender;

use serde::Serialize;

use crate::serve::Service;
use crate::talk::{Assignment, Order, Report};

/// The first argument of a worker and of a server, which no user gives by hand.
pub const WORKER: &str = "as-worker";
pub const SERVER: &str = "as-server";

/// A worker's line, or the end of its output.
pub enum Heard {
    Report(Report),
    Ended,
}

/// A process that ends when this is dropped.
struct Process(Child);

impl Process {
    fn start(arguments: &[&str]) -> io::Result<Process> {
        let mut command = Command::new(std::env::current_exe()?);
        // A process group of its own: Ctrl-C at the terminal reaches the coordinator alone.
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        command.spawn().map(Process)
    }

    fn pipes(&mut self) -> io::Result<(ChildStdin, BufReader<ChildStdout>)> {
        let (Some(input), Some(output)) = (self.0.stdin.take(), self.0.stdout.take()) else {
            return Err(ErrorKind::BrokenPipe.into());
        };
        Ok((input, BufReader::new(output)))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server that `--serve` started.
pub struct Server {
    process: Process,
    _input: ChildStdin,
}

impl Server {
    /// Starts a server and waits until it listens.
    ///
    /// # Errors
    ///
    /// The reason why the server does not listen.
    pub fn start(service: &Service) -> Result<Server, String> {
        let failed = |error: &dyn std::fmt::Display| {
            format!(
                "no server at {}: {error}; end what listens there, or name other ports",
                service.address
            )
        };
        let text = serde_json::to_string(service).map_err(|error| failed(&error))?;
        let mut process = Process::start(&[SERVER, &text]).map_err(|error| failed(&error))?;
        let (input, mut output) = process.pipes().map_err(|error| failed(&error))?;
        let mut line = String::new();
        output.read_line(&mut line).map_err(|error| failed(&error))?;
        match line.trim_end() {
            "" if line.is_empty() => Err(failed(&"it ended at once")),
            "" => Ok(Server { process, _input: input }),
            error => Err(failed(&error)),
        }
    }

    pub fn id(&self) -> u32 {
        self.process.0.id()
    }

    /// Begins to end the server without waiting: many servers with many connections end faster side
    /// by side.
    pub fn kill(&mut self) {
        // The process may have ended already.
        let _ = self.process.0.kill();
    }
}

/// A worker. Its lines arrive in the coordinator's inbox under its number.
pub struct Worker {
    process: Process,
    input: ChildStdin,
}

impl Worker {
    pub fn start(
        number: usize,
        assignment: &Assignment,
        inbox: Sender<(usize, Heard)>,
    ) -> io::Result<Worker> {
        let mut process = Process::start(&[WORKER])?;
        let (input, output) = process.pipes()?;
        let mut worker = Worker { process, input };
        worker.say(assignment)?;
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let Ok(report) = serde_json::from_str(&line) else { break };
                if inbox.send((number, Heard::Report(report))).is_err() {
                    break;
                }
            }
            // The receiver is gone when this fails.
            let _ = inbox.send((number, Heard::Ended));
        });
        Ok(worker)
    }

    /// Writes an order. A worker that has ended ignores it; the inbox reports the end.
    pub fn order(&mut self, order: &Order) {
        let _ = self.say(order);
    }

    fn say(&mut self, what: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(what)?;
        line.push(b'\n');
        self.input.write_all(&line)
    }

    pub fn id(&self) -> u32 {
        self.process.0.id()
    }
}
