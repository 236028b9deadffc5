//! A run from its first process to its outcome: starts servers and workers, opens connections in
//! two stages, measures, and puts the outcome together. Other files know how each step is done.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use crate::clock::{self, SECOND, nanoseconds};
use crate::crew::Crew;
use crate::limits::{self, SPARE};
use crate::options::Options;
use crate::outcome::{Connections, Cpu, Outcome, SCHEMA, Settings, Silence, Verdict};
use crate::plan::{Bounds, Route, Sources, plan};
use crate::process::Server;
use crate::sampler::{Sampler, Snapshot, memory_between};
use crate::serve::Service;
use crate::show::Show;
use crate::sockets::{self, Side};
use crate::talk::{Assignment, Mode, Opened, Order, Report, Tally};
use crate::{measured, verdict};

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
    pids: Vec<u32>,
    sources: usize,
    messages_per_second: f64,
    servers: Vec<Server>,
}

/// The results of the phases so far.
#[derive(Default)]
struct Phases {
    opened: Opened,
    /// The reason why there are not more connections.
    refusal: Option<String>,
    opening_seconds: f64,
    cpu: Vec<Cpu>,
    few: Option<Snapshot>,
    many: Option<Snapshot>,
    measured_seconds: f64,
    tally: Tally,
    silence: Option<Silence>,
}

impl Run {
    /// Starts all processes.
    ///
    /// # Errors
    ///
    /// The option that cannot be fulfilled.
    pub fn start(options: Options, interrupted: Arc<AtomicBool>) -> Result<Run, String> {
        let descriptors = limits::raise_descriptors(u64::MAX);
        let bounds = Bounds {
            per_worker: descriptors.saturating_sub(SPARE).max(1),
            ports: limits::ephemeral_ports(),
        };
        let sources = match &options.sources {
            named if !named.is_empty() => Sources::Named(named.clone()),
            _ if options.targets.iter().all(|target| target.has_many_sources()) => {
                Sources::Loopback((nanoseconds() / SECOND) as u8)
            }
            _ => Sources::Kernel,
        };
        let plan =
            plan(options.connections, options.targets.len(), &sources, bounds, options.workers)?;
        let servers = start_servers(&options)?;
        let pids = server_pids(&options, &servers)?;
        let messages_per_second = messages_per_second(&options);
        let may_move = matches!(sources, Sources::Loopback(_));
        let assignments = assignments(&options, &plan, messages_per_second, may_move);
        let crew = Crew::start(&assignments, interrupted).map_err(|error| {
            format!("no worker can be started: {error}; see whether more processes may run")
        })?;
        Ok(Run {
            shares: assignments.iter().map(Assignment::connections).collect(),
            sampler: Sampler::new(pids.clone(), crew.ids()),
            show: Show::new(),
            sources: plan
                .iter()
                .flatten()
                .filter_map(|route| route.source)
                .collect::<HashSet<_>>()
                .len(),
            messages_per_second,
            options,
            crew,
            pids,
            servers,
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
        self.servers.iter_mut().for_each(Server::kill);
        self.servers.clear();
        self.outcome(started, phases)
    }

    /// Opens a tenth, samples, and opens the rest: what processes need anyway is no part of the
    /// difference.
    fn open(&mut self, phases: &mut Phases) {
        let begun = nanoseconds();
        let times = self.sampler.times();
        self.show.begin("opening");
        phases.opened = self.open_until(|share| share.div_ceil(10));
        std::thread::sleep(REST);
        phases.few = Some(self.sampler.snapshot(phases.opened.progress.held));
        // A tenth of the share is a whole number of connections, for each worker.
        let rested = REST.as_nanos() as u64;
        if phases.opened.progress.held > 0 && !self.crew.is_interrupted() {
            phases.opened = self.open_until(|share| share);
        }
        phases.opening_seconds = (nanoseconds() - begun - rested) as f64 / SECOND as f64;
        phases.cpu.push(self.sampler.cpu_since(&times, "opening"));
        // The limits of a process are readable only while it lives.
        phases.refusal = verdict::refusal(&self.options, &self.pids, &phases.opened);
        if let Some(reason) = &phases.refusal {
            self.show.say(reason);
        }
        std::thread::sleep(REST);
        phases.many = Some(self.sampler.snapshot(phases.opened.progress.held));
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
            measured::add_failures(&mut sum.failures, opened.failures);
        }
        sum
    }

    fn measure(&mut self, phases: &mut Phases) {
        let silent = matches!(self.options.mode, Mode::HalfOpen | Mode::Slow);
        let ports: HashSet<u16> = self.options.targets.iter().map(|target| target.port).collect();
        let local = self.is_local();
        let side = if local { Side::Server } else { Side::Client };
        let first = self.sampler.points.len();
        if silent {
            self.sampler.watch(ports, side);
        }
        let times = self.sampler.times();
        let from = nanoseconds() + AHEAD;
        let length = clock::seconds(self.options.duration);
        self.crew.order(|_| Order::Measure { from, nanoseconds: length });
        self.show.begin(self.options.mode.as_str());
        phases.tally = self.hear_measured(from, length, phases.opened.progress.held);
        phases.measured_seconds = (nanoseconds() - from) as f64 / SECOND as f64;
        phases.cpu.push(self.sampler.cpu_since(&times, "measuring"));
        if silent {
            self.sampler.look(phases.tally.progress.held);
            let before = phases.many.as_ref().and_then(|snapshot| snapshot.server);
            let after = self.sampler.snapshot(0).server;
            let points = &self.sampler.points[first.min(self.sampler.points.len())..];
            let silence = measured::silence(points, side, phases.opened.progress.held);
            let growth = before.zip(after).map(|(before, after)| {
                (after as f64 - before as f64) / phases.opened.progress.held.max(1) as f64
            });
            phases.silence = Some(Silence { server_bytes: growth, ..silence });
        }
    }

    fn hear_measured(&mut self, from: u64, length: u64, held: u64) -> Tally {
        let mode = self.options.mode;
        let (sampler, show) = (&mut self.sampler, &mut self.show);
        let told = self.crew.wait(
            |report| match report {
                Report::Measured(tally) => Some(tally),
                Report::Progress(_) | Report::Opened(_) => None,
            },
            |progress| {
                sampler.tick(progress.held);
                let now = nanoseconds();
                let done = now.saturating_sub(from).min(length);
                show.tick(done / 1_000_000, length / 1_000_000, || {
                    format!(
                        "{} held, {} sent, {} answered",
                        progress.held, progress.sent, progress.answered
                    )
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

    /// Whether the servers are processes of this machine.
    fn is_local(&self) -> bool {
        !self.pids.is_empty() || self.options.targets.iter().all(|target| target.is_loopback())
    }

    fn outcome(self, started: u64, phases: Phases) -> Outcome {
        let Phases { opened, cpu, tally, refusal, .. } = phases;
        let has_measured = phases.measured_seconds > 0.0;
        let measured =
            measured::of(self.options.mode, &tally, phases.measured_seconds, opened.progress.held);
        let end = if has_measured { tally.progress } else { opened.progress };
        let memory = match (&phases.few, &phases.many) {
            (Some(few), Some(many)) => memory_between(few, many, self.is_local()),
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
                failures: opened.failures.clone(),
                opening_seconds: phases.opening_seconds,
            },
            handshake: opened.handshakes.summary(),
            memory,
            cpu,
            measured: crate::outcome::Measured { silence: phases.silence, ..measured },
            timeline: self.sampler.points,
        };
        outcome.verdict =
            verdict::judge(&outcome, refusal, self.crew.is_interrupted(), self.crew.dead());
        outcome
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
            messages_per_second: self.messages_per_second,
            size: options.size,
            active: options.active,
            serve: options.serve,
            server_pids: self.pids.clone(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

fn start_servers(options: &Options) -> Result<Vec<Server>, String> {
    let service = |host: &str, port| Service {
        address: if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        },
        descriptors: options.serve_descriptors,
        idle: options.serve_idle,
    };
    let targets = options.targets.iter().take(options.serve);
    targets.map(|target| Server::start(&service(&target.host, target.port))).collect()
}

/// The processes of the servers, as far as they are on this machine.
fn server_pids(options: &Options, servers: &[Server]) -> Result<Vec<u32>, String> {
    if let Some(pid) = options.pids.iter().find(|&&pid| crate::memory::roughly(pid).is_none()) {
        return Err(format!(
            "--pid {pid} is no process: give that of the server, as pgrep tells it"
        ));
    }
    if !options.pids.is_empty() {
        return Ok(options.pids.clone());
    }
    if !servers.is_empty() {
        return Ok(servers.iter().map(Server::id).collect());
    }
    if !options.targets.iter().all(|target| target.is_loopback()) {
        return Ok(Vec::new());
    }
    Ok(sockets::listening(&options.targets.iter().map(|target| target.port).collect()))
}

/// The option's value, or the default of the mode.
fn messages_per_second(options: &Options) -> f64 {
    let all = options.connections as f64;
    options.messages_per_second.unwrap_or(match options.mode {
        Mode::Ping => (all / options.duration).max(1.0),
        Mode::Echo => 1000.0,
        Mode::Slow => all,
        Mode::Broadcast => 1.0,
        Mode::Hold | Mode::Churn | Mode::HalfOpen => 0.0,
    })
}

/// The assignment of each worker: its part of everything.
fn assignments(
    options: &Options,
    plan: &[Vec<Route>],
    messages_per_second: f64,
    may_move: bool,
) -> Vec<Assignment> {
    let nonce = nanoseconds() as u32 ^ std::process::id().rotate_left(16);
    let assignment = |(number, routes): (usize, &Vec<Route>)| {
        let connections: u64 = routes.iter().map(|route| route.connections).sum();
        let part = connections as f64 / options.connections as f64;
        // Only one worker sends the message to all.
        let of_all = if options.mode == Mode::Broadcast { 1.0 } else { part };
        Assignment {
            mode: options.mode,
            urls: options.targets.iter().map(|target| target.url.clone()).collect(),
            routes: routes.clone(),
            may_move,
            rate: options.rate * part,
            in_flight: options.in_flight.div_ceil(plan.len()),
            timeout: options.timeout,
            messages_per_second: messages_per_second * of_all,
            size: options.size,
            active: options.active,
            is_sender: number == 0,
            nonce,
        }
    };
    plan.iter().enumerate().map(assignment).collect()
}
