//! Processes: this executable started again in another role, on a core of its own, and the CPU time it has used.
//! Knows nothing of what a role does; two lines of text pass in and out.

use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// How long a server may take to fall asleep after its last message.
const SETTLE: Duration = Duration::from_secs(5);

/// A process in a role; it ends when this is dropped, or when this process ends in any way.
pub struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts this executable again with `arguments`.
    pub fn start(arguments: &[String]) -> io::Result<Process> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(ErrorKind::BrokenPipe.into());
        };
        Ok(Process { child, input, output: BufReader::new(output) })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes one line to its standard input.
    pub fn tell(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.input, "{line}")
    }

    /// Waits for one line of its standard output. An error when it ended instead; it will have said why.
    pub fn hear(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.output.read_line(&mut line)? {
            0 => Err(io::Error::new(ErrorKind::UnexpectedEof, "a process of the bench ended early")),
            _ => Ok(line.trim_end().to_owned()),
        }
    }

    /// CPU time of all its threads so far, in nanoseconds. Waits until each of them sleeps, because the kernel adds
    /// up a running thread only at its next tick.
    pub fn cpu_time(&self) -> io::Result<u64> {
        let deadline = Instant::now() + SETTLE;
        while !self.sleeps()? {
            if Instant::now() > deadline {
                return Err(io::Error::new(ErrorKind::TimedOut, "a server does not come to rest"));
            }
            std::thread::yield_now();
        }
        let mut nanoseconds = 0;
        for statistics in self.threads("schedstat")? {
            let first = statistics.split_whitespace().next().and_then(|field| field.parse::<u64>().ok());
            nanoseconds += first.ok_or(ErrorKind::InvalidData)?;
        }
        Ok(nanoseconds)
    }

    fn sleeps(&self) -> io::Result<bool> {
        let asleep = |stat: &String| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" S"));
        Ok(self.threads("stat")?.iter().all(asleep))
    }

    /// The file called `name` of each of its threads.
    fn threads(&self, name: &str) -> io::Result<Vec<String>> {
        fs::read_dir(format!("/proc/{}/task", self.id()))?
            .map(|thread| fs::read_to_string(thread?.path().join(name)))
            .collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing left to do then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What every role does first: it ends with the process that started it, runs on one core and may open as many
/// descriptors as the system lets it.
pub fn settle_in(core: usize) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    rlimit::increase_nofile_limit(u64::MAX)?;
    pin(core)
}

/// Keeps this process on `core`.
pub fn pin(core: usize) -> io::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}

/// The cores for servers and for the load generator; the same one twice where only one is allowed.
pub fn cores() -> io::Result<(usize, usize)> {
    let allowed = sched_getaffinity(None)?;
    let mut numbers = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
    let first = numbers.next().unwrap_or(0);
    Ok((first, numbers.next().unwrap_or(first)))
}
