//! A run from its first process to its outcome: starts servers and workers, opens connections in
//! two stages, measures, and puts the outcome together. Other files know how each step is done.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use crate::clock::{self, SECOND, nanoseconds};
use crate::crew::Crew;
use crate::failure::Failure;
use crate::foreign::Watch;
use crate::lookup::Found;
use crate::options::Options;
use crate::outcome::{Connections, Cpu, Outcome, SCHEMA, Settings, Silence, Verdict};
use crate::process::Server;
use crate::sampler::{Sampler, Shares, Snapshot, memory_between};
use crate::show::Show;
use crate::sockets::Side;
use crate::start::{self, Site};
use crate::talk::{
    Assignment, Failures, Mode, Opened, Order, Progress, Report, Tally, add_failures,
};
use crate::words::bytes;
use crate::{measured, memory, verdict};

/// The pause after opening, in which the server's last handshakes and the kernel's deferred frees
/// end.
const REST: Duration = Duration::from_millis(300);

/// The time from the order to begin until the workers begin together.
const AHEAD: u64 = SECOND / 10;

/// The state of a run.
pub struct Run {
    options: Options,
    crew: Crew,
    shares: Vec<u64>,
    sampler: Sampler,
    show: Show,
    site: Site,
    sources: usize,
    /// The reason why the servers' name has no address.
    unresolved: Option<String>,
    /// Whether a server process had many descriptors open before.
    server_was_used: bool,
    watch: Watch,
}

/// The results of the phases so far.
#[derive(Default)]
struct Phases {
    opened: Opened,
    /// The reason why there are not more connections.
    refusal: Option<String>,
    opening_seconds: f64,
    cpu: Vec<Cpu>,
    none: Option<Snapshot>,
    few: Option<Snapshot>,
    many: Option<Snapshot>,
    /// Whether the servers' sockets are on this machine too.
    both_ends: bool,
    measured_seconds: f64,
    tally: Tally,
    silence: Option<Silence>,
}

impl Run {
    /// Looks the servers up and starts all processes.
    ///
    /// # Errors
    ///
    /// The option that cannot be fulfilled.
    pub fn start(options: Options, interrupted: Arc<AtomicBool>) -> Result<Run, String> {
        let (plan, may_move) = start::plan_routes(&options)?;
        let (found, unresolved) = match start::look_up(&options) {
            Ok(found) => (found, None),
            Err(reason) => (Found { addresses: Vec::new(), is_name: true }, Some(reason)),
        };
        let (site, assignments) = if unresolved.is_some() {
            // No worker could do anything.
            (Site::default(), Vec::new())
        } else {
            let site = start::find_servers(&options, &found.addresses)?;
            (site, start::assignments(&options, &plan, &found, may_move))
        };
        let crew = Crew::start(&assignments, interrupted).map_err(|error| {
            format!("no worker can be started: {error}; see whether more processes may run")
        })?;
        let sources: HashSet<_> = plan.iter().flatten().filter_map(|route| route.source).collect();
        Ok(Run {
            shares: assignments.iter().map(Assignment::connections).collect(),
            sampler: Sampler::new(site.pids.clone(), crew.ids()),
            show: Show::new(),
            sources: sources.len(),
            server_was_used: site
                .pids
                .iter()
                .filter_map(|&pid| memory::descriptors(pid))
                .any(memory::Descriptors::had_more),
            options,
            crew,
            watch: Watch::new(site.places.clone()),
            site,
            unresolved,
        })
    }

    /// Opens, measures, and returns the outcome.
    pub fn finish(mut self) -> Outcome {
        let started = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |time| time.as_secs());
        let mut phases = Phases::default();
        self.open(&mut phases);
        if phases.opened.progress.held > 0 && !self.crew.is_interrupted() {
            self.measure(&mut phases);
        }
        self.show.end();
        // Servers end first: the side that ends a connection first has its port blocked for a
        // minute, and the servers' port is one for all connections.
        self.site.servers.iter_mut().for_each(Server::kill);
        self.site.servers.clear();
        self.outcome(started, phases)
    }

    /// Opens a tenth, samples, and opens the rest: what processes need anyway is no part of the
    /// difference.
    fn open(&mut self, phases: &mut Phases) {
        phases.none = Some(self.sampler.snapshot(0));
        self.watch.look(0);
        let begun = nanoseconds();
        let times = self.sampler.times();
        self.show.begin("opening");
        phases.opened = self.open_until(|share| share.div_ceil(10));
        let paused = nanoseconds();
        phases.few = Some(self.rest(phases.opened.progress.held));
        let paused = nanoseconds() - paused;
        // A tenth of the share is a whole number of connections, for each worker.
        if phases.opened.progress.held > 0 && !self.crew.is_interrupted() {
            phases.opened = self.open_until(|share| share);
        }
        phases.opening_seconds = (nanoseconds() - begun - paused) as f64 / SECOND as f64;
        phases.cpu.push(self.sampler.cpu_since(&times, "opening"));
        if let Some(reason) = &self.unresolved {
            phases.opened = unresolved(reason);
        }
        // The limits of a process are readable only while it lives.
        phases.refusal = verdict::refusal(&self.options, &self.site.pids, &phases.opened);
        if let Some(reason) = &phases.refusal {
            self.show.say(reason);
        }
        let held = phases.opened.progress.held;
        phases.many = Some(self.rest(held));
        phases.both_ends = self.watch.seen().side(held) == Side::Server;
    }

    /// Samples after a pause, with `held` connections open.
    fn rest(&mut self, held: u64) -> Snapshot {
        std::thread::sleep(REST);
        let snapshot = self.sampler.snapshot(held);
        self.watch.look(held);
        snapshot
    }

    fn open_until(&mut self, part: impl Fn(u64) -> u64) -> Opened {
        let shares = self.shares.clone();
        let asked = self.options.connections;
        self.crew.order(|number| Order::Open { until: part(shares[number]) });
        let (sampler, show) = (&mut self.sampler, &mut self.show);
        let told = self.crew.wait(
            |report| match report {
                Report::Opened(opened) => Some(opened),
                Report::Progress(_) | Report::Measured(_) => None,
            },
            |progress| {
                sampler.tick(progress.held);
                show.tick(progress.held, asked, || {
                    format!("{} of {asked} open, {} failed", progress.held, progress.failed)
                });
                true
            },
        );
        let mut sum = Opened::default();
        for opened in told {
            sum.progress.add(opened.progress);
            sum.handshakes.add(&opened.handshakes);
            add_failures(&mut sum.failures, opened.failures);
            sum.ends.add(&opened.ends);
            sum.unselected += opened.unselected;
        }
        sum
    }

    fn measure(&mut self, phases: &mut Phases) {
        let silent = matches!(self.options.mode, Mode::HalfOpen | Mode::Slow);
        let held = phases.opened.progress.held;
        let first = self.sampler.points.len();
        let side = self.watch.seen().side(held);
        if silent {
            self.sampler.watch(self.watch.places.clone(), side);
            self.sampler.look(held);
        }
        let times = self.sampler.times();
        let from = nanoseconds() + AHEAD;
        let length = clock::seconds(self.options.duration);
        self.crew.order(|_| Order::Measure { from, nanoseconds: length });
        self.show.begin(self.options.mode.as_str());
        phases.tally = self.hear_measured(from, length, held);
        phases.measured_seconds = (nanoseconds() - from) as f64 / SECOND as f64;
        phases.cpu.push(self.sampler.cpu_since(&times, "measuring"));
        if silent {
            self.sampler.look(phases.tally.progress.held);
            let before = phases.many.as_ref().and_then(|snapshot| snapshot.server);
            let after = self.sampler.snapshot(0).server;
            let points = &self.sampler.points[first.min(self.sampler.points.len())..];
            let silence = measured::silence(points, side, held);
            let growth = before
                .zip(after)
                .map(|(before, after)| (after as f64 - before as f64) / held.max(1) as f64);
            phases.silence = Some(Silence { server_bytes: growth, ..silence });
        }
        self.watch.look(phases.tally.progress.held);
    }

    fn hear_measured(&mut self, from: u64, length: u64, held: u64) -> Tally {
        let mode = self.options.mode;
        let (sampler, show, watch) = (&mut self.sampler, &mut self.show, &mut self.watch);
        let told = self.crew.wait(
            |report| match report {
                Report::Measured(tally) => Some(tally),
                Report::Progress(_) | Report::Opened(_) => None,
            },
            |progress| {
                sampler.tick(progress.held);
                // Churn opens and closes meanwhile.
                if mode != Mode::Churn && nanoseconds() >= from {
                    watch.tick(progress.held);
                }
                let now = nanoseconds();
                let done = now.saturating_sub(from).min(length);
                let buffers = sampler
                    .points
                    .last()
                    .map_or(0, |point| point.buffer_bytes.max(point.queued_bytes.unwrap_or(0)));
                show.tick(done / 1_000_000, length / 1_000_000, || {
                    measuring(mode, &progress, buffers)
                });
                // Only the coordinator knows that every connection has every message.
                let heard_all = progress.answered >= progress.sent * held.saturating_sub(1);
                !(mode == Mode::Broadcast && now > from + length && progress.sent > 0 && heard_all)
            },
        );
        let mut sum = Tally::default();
        told.into_iter().for_each(|tally| sum.add(*tally));
        sum
    }

    fn outcome(self, started: u64, phases: Phases) -> Outcome {
        let Phases { opened, cpu, tally, refusal, .. } = phases;
        let has_measured = phases.measured_seconds > 0.0;
        let held = opened.progress.held;
        let mut measured = measured::of(self.options.mode, &tally, phases.measured_seconds, held);
        if self.options.mode == Mode::Hold {
            let measuring = cpu.iter().find(|cpu| cpu.phase == "measuring");
            measured.idle_cpu = measuring.and_then(|cpu| measured::idle_cpu(cpu, held));
        }
        let end = if has_measured { tally.progress } else { opened.progress };
        let memory = match (&phases.none, &phases.few, &phases.many) {
            (Some(none), Some(few), Some(many)) => {
                memory_between(none, few, many, self.memory_shares(phases.both_ends))
            }
            _ => Vec::new(),
        };
        let options = &self.options;
        let mut outcome = Outcome {
            schema: SCHEMA,
            started,
            settings: self.settings(),
            verdict: Verdict::default(),
            connections: Connections {
                asked: options.connections,
                held: opened.progress.held,
                // Peers that do not read do not notice either that they are dropped.
                held_at_end: phases
                    .silence
                    .as_ref()
                    .map_or(end.held, |silence| silence.held_at_end),
                lost: end.lost,
                failed: end.failed,
                failures: if has_measured { tally.failures } else { opened.failures },
                ends: if has_measured { tally.ends } else { opened.ends },
                foreign: self.watch.most,
                unselected: opened.unselected,
                opening_seconds: phases.opening_seconds,
            },
            handshake: opened.handshakes.summary(),
            memory,
            server_was_used: self.server_was_used,
            cpu,
            measured: crate::outcome::Measured { silence: phases.silence, ..measured },
            timeline: self.sampler.points,
        };
        outcome.verdict =
            verdict::judge(&outcome, refusal, self.crew.is_interrupted(), self.crew.dead());
        outcome
    }

    fn memory_shares(&self, both_ends: bool) -> Shares {
        Shares {
            servers: self.site.pids.len() as u64,
            workers: self.shares.len() as u64,
            both_ends,
        }
    }

    fn settings(&self) -> Settings {
        let options = &self.options;
        Settings {
            url: options.url.clone(),
            targets: options.targets.len(),
            mode: options.mode,
            connections: options.connections,
            workers: self.shares.len(),
            sources: self.sources,
            rate: options.rate,
            in_flight: options.in_flight,
            duration: options.duration,
            messages_per_second: start::messages_per_second(options),
            size: options.size,
            active: options.active,
            serve: options.serve,
            server_pids: self.site.pids.clone(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// The opening of a run whose servers' name has no address: one failure, however many connections.
fn unresolved(reason: &str) -> Opened {
    let failures = Failures {
        kind: Failure::of(reason),
        count: 1,
        reason: reason.to_owned(),
        status: None,
        headers: Vec::new(),
        target: 0,
    };
    let progress = Progress { failed: 1, ..Progress::default() };
    Opened { progress, failures: vec![failures], ..Opened::default() }
}

/// The line of progress while a mode lasts.
fn measuring(mode: Mode, progress: &Progress, buffers: u64) -> String {
    let Progress { held, sent, answered, .. } = progress;
    match mode {
        Mode::Slow => {
            let kernel = bytes(buffers as f64);
            format!("{held} held, {sent} sent, {kernel} in TCP buffers of the kernel")
        }
        _ => format!("{held} held, {sent} sent, {answered} answered"),
    }
}
