//! What a run starts with: servers, their processes and places, and the part of each worker. This
//! file opens no connection.

use std::net::IpAddr;
use std::time::Duration;

use crate::clock::{SECOND, nanoseconds};
use crate::limits::{self, SPARE};
use crate::lookup::{self, Found};
use crate::options::Options;
use crate::plan::{Bounds, Route, Sources, plan};
use crate::process::Server;
use crate::serve::Service;
use crate::sockets::Places;
use crate::talk::{Assignment, Mode};

/// Where the servers are.
#[derive(Default)]
pub struct Site {
    pub places: Places,
    pub pids: Vec<u32>,
    pub servers: Vec<Server>,
}

/// Looks the servers' host up, once for the whole run. All targets have the same.
pub fn look_up(options: &Options) -> Result<Found, String> {
    let host = options.targets.first().map_or("", |target| &*target.host);
    lookup::find(host, Duration::from_secs_f64(options.timeout))
}

/// Starts the servers of `--serve`, and finds those that are there.
///
/// # Errors
///
/// The option that cannot be fulfilled.
pub fn find_servers(options: &Options, addresses: &[IpAddr]) -> Result<Site, String> {
    lookup::check_sources(&options.sources, addresses)?;
    let servers = start_servers(options)?;
    let ports = options.targets.iter().map(|target| target.port);
    let mut places = Places::new(addresses, ports);
    let found =
        if addresses.iter().any(lookup::is_here) { places.find_listeners() } else { Vec::new() };
    if let Some(pid) = options.pids.iter().find(|&&pid| crate::memory::roughly(pid).is_none()) {
        return Err(format!(
            "--pid {pid} is no process: give that of the server, as pgrep tells it"
        ));
    }
    let pids = match (&options.pids[..], &servers[..]) {
        ([], []) => found,
        ([], servers) => servers.iter().map(Server::id).collect(),
        (pids, _) => pids.to_vec(),
    };
    Ok(Site { places, pids, servers })
}

/// Plans the routes of each worker. Also returns whether a route may change its source address.
///
/// # Errors
///
/// The option that cannot be fulfilled.
pub fn plan_routes(options: &Options) -> Result<(Vec<Vec<Route>>, bool), String> {
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
    let may_move = matches!(sources, Sources::Loopback(_));
    let (connections, targets) = (options.connections, options.targets.len());
    Ok((plan(connections, targets, &sources, bounds, options.workers)?, may_move))
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

/// The option's value, or the default of the mode.
pub fn messages_per_second(options: &Options) -> f64 {
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
pub fn assignments(
    options: &Options,
    plan: &[Vec<Route>],
    found: &Found,
    may_move: bool,
) -> Vec<Assignment> {
    let messages_per_second = messages_per_second(options);
    let nonce = nanoseconds() as u32 ^ std::process::id().rotate_left(16);
    let assignment = |(number, routes): (usize, &Vec<Route>)| {
        let connections: u64 = routes.iter().map(|route| route.connections).sum();
        let part = connections as f64 / options.connections as f64;
        // Only one worker sends the message to all.
        let of_all = if options.mode == Mode::Broadcast { 1.0 } else { part };
        Assignment {
            mode: options.mode,
            urls: options.targets.iter().map(|target| target.url.clone()).collect(),
            addresses: if found.is_name { found.addresses.clone() } else { Vec::new() },
            asked: options.asked.clone(),
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
