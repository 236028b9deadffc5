//! Processes: a program on a core of its own, lines of text in and out, and the CPU time used. This
//! file does not know what the program does.

use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, set_parent_process_death_signal};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The time in which a server falls asleep after its last message.
const SETTLE: Duration = Duration::from_secs(5);

/// The time in which a process prints its next line.
const PATIENCE: Timespec = Timespec { tv_sec: 30, tv_nsec: 0 };

/// A process. Dropping this ends the process, by the end of its input or by a signal.
pub struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts `command`, and keeps the process and all its later threads on `core`.
    pub fn start(mut command: Command, core: usize) -> io::Result<Process> {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(|error| {
                io::Error::new(
                    error.kind(),
                    format!("{:?} does not start: {error}", command.get_program()),
                )
            })?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(ErrorKind::BrokenPipe.into());
        };
        let process = Process { child, input, output: BufReader::new(output) };
        pin(Pid::from_raw(process.id() as i32), core)?;
        Ok(process)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes one line to the standard input of the process.
    pub fn write_line(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.input, "{line}")
    }

    /// Waits for one line of standard output. Returns an error if the process ends instead, or
    /// prints `failed` and a reason.
    pub fn read_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.output.buffer().is_empty()
            && poll(&mut [PollFd::new(self.output.get_ref(), PollFlags::IN)], Some(&PATIENCE))? == 0
        {
            return Err(io::Error::new(ErrorKind::TimedOut, "it says nothing"));
        }
        match self.output.read_line(&mut line)? {
            0 => Err(io::Error::new(ErrorKind::UnexpectedEof, "it ended early")),
            _ => match line.trim_end().strip_prefix("failed ") {
                Some(reason) => Err(io::Error::other(reason.to_owned())),
                None => Ok(line.trim_end().to_owned()),
            },
        }
    }

    /// Returns the CPU time of all threads, in nanoseconds. Waits until each thread sleeps, because
    /// the kernel adds up a running thread only at its next tick.
    pub fn cpu_time(&self) -> io::Result<u64> {
        let deadline = Instant::now() + SETTLE;
        while !self.sleeps()? {
            if Instant::now() > deadline {
                return Err(io::Error::new(ErrorKind::TimedOut, "it does not come to rest"));
            }
            std::thread::yield_now();
        }
        let mut nanoseconds = 0;
        for statistics in self.threads("schedstat")? {
            let first =
                statistics.split_whitespace().next().and_then(|field| field.parse::<u64>().ok());
            nanoseconds += first.ok_or(ErrorKind::InvalidData)?;
        }
        Ok(nanoseconds)
    }

    fn sleeps(&self) -> io::Result<bool> {
        let asleep =
            |stat: &String| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" S"));
        Ok(self.threads("stat")?.iter().all(asleep))
    }

    /// Reads the file called `name` of each thread.
    fn threads(&self, name: &str) -> io::Result<Vec<String>> {
        fs::read_dir(format!("/proc/{}/task", self.id()))?
            .map(|thread| fs::read_to_string(thread?.path().join(name)))
            .collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Prepares this process for a role: the process ends with its parent, and may open as many
/// descriptors as the system allows.
pub fn settle_in() -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    rlimit::increase_nofile_limit(u64::MAX)?;
    Ok(())
}

/// Keeps a process on `core`: this process if `id` is `None`.
pub fn pin(process: Option<Pid>, core: usize) -> io::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(process, &cores)?)
}

/// Returns the core for servers and the core for load generators, which are equal if only one core
/// is allowed.
pub fn cores() -> io::Result<(usize, usize)> {
    let allowed = sched_getaffinity(None)?;
    let mut numbers = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
    let first = numbers.next().unwrap_or(0);
    Ok((first, numbers.next().unwrap_or(first)))
}
