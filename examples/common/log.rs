//! A log that never holds the program up: lines wait in a bounded queue, and a thread writes them
//! to standard error. A line that finds the queue full, or that cannot be written, is lost, and the
//! log tells how many were.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

/// The most lines that wait.
const LINES: usize = 1 << 10;
/// The longest wait for the thread at the end of the program.
const PATIENCE: Duration = Duration::from_millis(500);
/// The time between two attempts at an output in non-blocking mode.
const PAUSE: Duration = Duration::from_millis(20);

/// The log, for the end of the program. [`Lines`] go into it.
pub struct Log {
    lines: Lines,
    /// Ends with the thread.
    ended: Receiver<()>,
}

/// A handle that takes lines.
#[derive(Clone)]
pub struct Lines {
    queue: SyncSender<String>,
    lost: Arc<AtomicU64>,
}

impl Lines {
    /// Adds a line. This never waits.
    pub fn add(&self, line: String) {
        if self.queue.try_send(line).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Log {
    /// Starts the thread. The lines about lost lines begin with the name of the program.
    pub fn start(program: &'static str) -> io::Result<Log> {
        let (queue, lines) = sync_channel(LINES);
        let lost = Arc::new(AtomicU64::new(0));
        let (end, ended) = channel();
        let mut writer = Writer { program, lost: Arc::clone(&lost), is_cut: false };
        thread::Builder::new().name("log".into()).spawn(move || {
            writer.write_lines(&lines);
            drop(end);
        })?;
        Ok(Log { lines: Lines { queue, lost }, ended })
    }

    pub fn lines(&self) -> Lines {
        self.lines.clone()
    }

    /// Lets the thread write what waits, for half a second at most. All other handles must be gone.
    pub fn end(self) {
        drop(self.lines);
        match self.ended.recv_timeout(PATIENCE) {
            Ok(()) | Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => {}
        }
    }
}

struct Writer {
    program: &'static str,
    lost: Arc<AtomicU64>,
    /// A line was written in part.
    is_cut: bool,
}

impl Writer {
    fn write_lines(&mut self, lines: &Receiver<String>) {
        for line in lines {
            if self.write_lost(&mut io::stderr()) && self.write(&mut io::stderr(), line).is_ok() {
                continue;
            }
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        let _ = self.write_lost(&mut io::stderr()) || self.write_lost(&mut io::stdout());
    }

    /// Writes how many lines were lost, if any were. Returns whether nothing of that is left.
    fn write_lost(&mut self, output: &mut dyn Write) -> bool {
        let count = self.lost.swap(0, Ordering::Relaxed);
        let line = format!("{}: {count} lines were lost", self.program);
        if count == 0 || self.write(output, line).is_ok() {
            return true;
        }
        self.lost.fetch_add(count, Ordering::Relaxed);
        false
    }

    fn write(&mut self, output: &mut dyn Write, mut line: String) -> io::Result<()> {
        if self.is_cut {
            line.insert(0, '\n');
        }
        line.push('\n');
        let mut rest = line.as_bytes();
        while !rest.is_empty() {
            match output.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => {
                    rest = &rest[n..];
                    self.is_cut = !rest.is_empty();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(PAUSE),
                Err(error) => return Err(error),
            }
        }
        output.flush()
    }
}
