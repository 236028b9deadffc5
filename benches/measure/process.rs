//! Processes: a program on a core of its own, lines of text in and out, and the CPU time it has used.
//! Knows nothing of what the program does.

use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, set_parent_process_death_signal};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// How long a server may take to fall asleep after its last message.
const SETTLE: Duration = Duration::from_secs(5);

/// How long a process may take to say its next line.
const PATIENCE: Timespec = Timespec { tv_sec: 30, tv_nsec: 0 };

/// A process; it ends when this is dropped, by the end of its input or by a signal.
pub struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts `command`, and keeps it and every thread that it will start on `core`.
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

    /// Writes one line to its standard input.
    pub fn tell(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.input, "{line}")
    }

    /// Waits for one line of its standard output. An error when it ended instead, or said `failed` and why.
    pub fn hear(&mut self) -> io::Result<String> {
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

    /// CPU time of all its threads so far, in nanoseconds. Waits until each of them sleeps, because the kernel adds
    /// up a running thread only at its next tick.
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

/// A process of this very executable: it ends with the one that started it, and may open as many descriptors as the
/// system lets it.
pub fn settle_in() -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    rlimit::increase_nofile_limit(u64::MAX)?;
    Ok(())
}

/// Keeps a process on `core`: this one, if none is named.
pub fn pin(process: Option<Pid>, core: usize) -> io::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(process, &cores)?)
}

/// The cores for servers and for the load generators; the same one twice where only one is allowed.
pub fn cores() -> io::Result<(usize, usize)> {
    let allowed = sched_getaffinity(None)?;
    let mut numbers = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
    let first = numbers.next().unwrap_or(0);
    Ok((first, numbers.next().unwrap_or(first)))
}
