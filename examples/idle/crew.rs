//! The workers of a run: starts them with their shares, sends them orders, and waits for their
//! reports. This file does not know what the reported numbers mean.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use crate::clock::{SECOND, nanoseconds};
use crate::process::{Heard, Worker};
use crate::talk::{Assignment, Order, Progress, Report};

/// The pause between two looks at the run.
const LOOK: Duration = Duration::from_millis(50);

/// The time in which workers stop.
const STOPPING: u64 = 10 * SECOND;

pub struct Crew {
    workers: Vec<Worker>,
    inbox: Receiver<(usize, Heard)>,
    progress: Vec<Progress>,
    ended: Vec<bool>,
    interrupted: Arc<AtomicBool>,
}

impl Crew {
    pub fn start(assignments: &[Assignment], interrupted: Arc<AtomicBool>) -> io::Result<Crew> {
        let (outbox, inbox) = channel();
        let start = |(number, assignment)| Worker::start(number, assignment, outbox.clone());
        let workers = assignments.iter().enumerate().map(start).collect::<io::Result<Vec<_>>>()?;
        let count = workers.len();
        Ok(Crew {
            workers,
            inbox,
            progress: vec![Progress::default(); count],
            ended: vec![false; count],
            interrupted,
        })
    }

    pub fn ids(&self) -> Vec<u32> {
        self.workers.iter().map(Worker::id).collect()
    }

    /// Sends each worker an order of its own.
    pub fn order(&mut self, mut order: impl FnMut(usize) -> Order) {
        for (number, worker) in self.workers.iter_mut().enumerate() {
            worker.order(&order(number));
        }
    }

    pub fn stop(&mut self) {
        self.order(|_| Order::Stop);
    }

    pub fn progress(&self) -> Progress {
        let mut sum = Progress::default();
        self.progress.iter().for_each(|&progress| sum.add(progress));
        sum
    }

    /// The number of workers that ended without an order to.
    pub fn dead(&self) -> usize {
        self.ended.iter().filter(|&&ended| ended).count()
    }

    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Waits until every worker has reported. Meanwhile calls `look` again and again. When `look`
    /// returns false, or when the run is interrupted, orders the workers to stop, and waits a while
    /// for their last reports.
    pub fn wait<T>(
        &mut self,
        mut wanted: impl FnMut(Report) -> Option<T>,
        mut look: impl FnMut(Progress) -> bool,
    ) -> Vec<T> {
        let mut told = Vec::new();
        let mut waiting: Vec<bool> = self.ended.iter().map(|ended| !ended).collect();
        let mut stopped_at = None;
        while waiting.contains(&true) {
            if !look(self.progress()) || self.is_interrupted() {
                let stopped_at = *stopped_at.get_or_insert_with(|| {
                    self.stop();
                    nanoseconds()
                });
                if nanoseconds() > stopped_at + STOPPING {
                    break;
                }
            }
            match self.inbox.recv_timeout(LOOK) {
                Ok((number, Heard::Report(report))) => {
                    self.note(number, &report);
                    if let Some(wanted) = wanted(report)
                        && std::mem::take(&mut waiting[number])
                    {
                        told.push(wanted);
                    }
                }
                Ok((number, Heard::Ended)) => {
                    self.ended[number] = true;
                    waiting[number] = false;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        told
    }

    fn note(&mut self, number: usize, report: &Report) {
        self.progress[number] = match report {
            Report::Progress(progress) => *progress,
            Report::Opened(opened) => opened.progress,
            Report::Measured(tally) => {
                Progress { sent: tally.sent, answered: tally.answered, ..tally.progress }
            }
        };
    }
}
