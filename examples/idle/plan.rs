//! Plans how many connections lead where, from which address and in which process, within the
//! limits of descriptors and ephemeral ports. This file opens nothing.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

/// Connections of one worker that lead from one address to one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The target, by its place in the list.
    pub target: usize,
    /// The source address; `None` leaves the choice to the kernel.
    pub source: Option<IpAddr>,
    pub connections: u64,
}

/// The limits of a plan.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections that one worker may hold.
    pub per_worker: u64,
    /// Ephemeral ports.
    pub ports: u64,
}

/// The addresses that connections may come from.
#[derive(Clone, Debug)]
pub enum Sources {
    /// Addresses of 127.0.0.0/8, as many as needed, from 127.0.N.1 on. Ports of an address used
    /// within the last minute are still taken, and the kernel finds others slowly: N should differ
    /// from run to run.
    Loopback(u8),
    /// The kernel's choice.
    Kernel,
    /// These addresses and no others.
    Named(Vec<IpAddr>),
}

/// Plans the routes of each worker. `workers` forces their number.
pub fn plan(
    connections: u64,
    targets: usize,
    sources: &Sources,
    bounds: Bounds,
    workers: Option<u64>,
) -> Result<Vec<Vec<Route>>, String> {
    let needed = connections.div_ceil(bounds.per_worker).max(1);
    if let Some(workers) = workers
        && workers < needed
    {
        return Err(format!(
            "--workers {workers} hold {} connections, not {connections}: give at least --workers \
             {needed}, or raise the limit of {} descriptors",
            workers * bounds.per_worker,
            bounds.per_worker + crate::limits::SPARE,
        ));
    }
    let routes = routes(connections, targets as u64, sources, bounds.ports)?;
    Ok(share_out(routes, connections, workers.unwrap_or(needed).min(connections.max(1))))
}

/// All routes, with the connections spread evenly over the targets.
fn routes(
    connections: u64,
    targets: u64,
    sources: &Sources,
    ports: u64,
) -> Result<Vec<Route>, String> {
    let most = connections.div_ceil(targets);
    // The kernel searches one half of the ports first, from a random place on, and takes longer the
    // fuller they are.
    let comfortable = ports * 2 / 5;
    let sources = match sources {
        Sources::Loopback(first) if most > comfortable => {
            loopback(*first, connections.div_ceil(comfortable))
        }
        Sources::Kernel if most > ports => {
            return Err(format!(
                "{most} connections to one target need more than the {ports} ports of one \
                 address: name {} with --source, or give more targets",
                most.div_ceil(ports)
            ));
        }
        Sources::Loopback(_) | Sources::Kernel => vec![None],
        Sources::Named(named) if connections > named.len() as u64 * ports => {
            return Err(format!(
                "{connections} connections need {} source addresses, each with {ports} ports: \
                 name more with --source",
                connections.div_ceil(ports)
            ));
        }
        Sources::Named(named) => named.iter().copied().map(Some).collect(),
    };
    // One source after the other is used up, so that a target has few of them.
    let per_source = connections.div_ceil(sources.len() as u64);
    let mut routes = Vec::new();
    let mut used = 0;
    for target in 0..targets {
        let mut left = part(connections, targets, target);
        while left > 0 {
            let taken = left.min(per_source - used % per_source);
            let source = sources[(used / per_source) as usize];
            routes.push(Route { target: target as usize, source, connections: taken });
            (left, used) = (left - taken, used + taken);
        }
    }
    Ok(routes)
}

/// This many addresses from 127.0.`first`.1 on, without those that end in 0 or 255.
fn loopback(first: u8, count: u64) -> Vec<Option<IpAddr>> {
    (0..count as u32)
        .map(|n| {
            Some(
                Ipv4Addr::from((127 << 24) + (u32::from(first) + n / 254) * 256 + n % 254 + 1)
                    .into(),
            )
        })
        .collect()
}

/// Another address of 127.0.0.0/8 in place of one whose ports are taken, perhaps by connections
/// closed within the last minute.
pub fn elsewhere(source: Option<IpAddr>) -> IpAddr {
    match source {
        Some(IpAddr::V4(address)) => Ipv4Addr::from(u32::from(address) + (1 << 8)).into(),
        _ => Ipv4Addr::new(127, 0, 1, 1).into(),
    }
}

/// The share with this index when a whole is divided evenly.
fn part(whole: u64, parts: u64, index: u64) -> u64 {
    whole / parts + u64::from(index < whole % parts)
}

/// Cuts the routes so that every worker has equally many connections, give or take one.
fn share_out(routes: Vec<Route>, connections: u64, workers: u64) -> Vec<Vec<Route>> {
    let mut routes = routes.into_iter();
    let mut open = routes.next();
    let mut shares = Vec::new();
    for worker in 0..workers {
        let mut left = part(connections, workers, worker);
        let mut share = Vec::new();
        while left > 0
            && let Some(route) = &mut open
        {
            let taken = left.min(route.connections);
            share.push(Route { connections: taken, ..route.clone() });
            left -= taken;
            route.connections -= taken;
            if route.connections == 0 {
                open = routes.next();
            }
        }
        shares.push(share);
    }
    shares
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const BOUNDS: Bounds = Bounds { per_worker: 19_936, ports: 28_232 };

    type BySource = HashMap<Option<IpAddr>, u64>;

    /// Connections by target, by source and by worker.
    fn counts(plan: &[Vec<Route>]) -> (HashMap<usize, u64>, BySource, Vec<u64>) {
        let (mut targets, mut sources) = (HashMap::new(), HashMap::new());
        for route in plan.iter().flatten() {
            *targets.entry(route.target).or_insert(0) += route.connections;
            *sources.entry(route.source).or_insert(0) += route.connections;
        }
        (
            targets,
            sources,
            plan.iter().map(|routes| routes.iter().map(|route| route.connections).sum()).collect(),
        )
    }

    #[test]
    fn plan_spreads_a_million_evenly_within_all_bounds() {
        let plan = plan(995_000, 50, &Sources::Loopback(7), BOUNDS, None).unwrap();
        let (targets, sources, workers) = counts(&plan);
        assert!(targets.values().all(|&count| count == 19_900) && targets.len() == 50);
        assert!(
            sources.len() == 89 && sources.values().all(|&count| count <= BOUNDS.ports * 2 / 5),
            "{sources:?}"
        );
        assert!(plan.iter().all(|routes| routes.len() <= 6), "few routes for each");
        assert!(
            workers.len() == 50 && workers.iter().all(|&count| count <= BOUNDS.per_worker),
            "{workers:?}"
        );
    }

    #[test]
    fn plan_takes_further_addresses_for_what_one_has_no_ports_for() {
        let plan = plan(100_001, 2, &Sources::Loopback(7), BOUNDS, None).unwrap();
        let (targets, sources, workers) = counts(&plan);
        assert_eq!((targets[&0], targets[&1]), (50_001, 50_000));
        assert_eq!(sources.len(), 9);
        assert!(
            sources.values().all(|&count| count <= BOUNDS.ports * 2 / 5)
                && !sources.contains_key(&None)
        );
        assert!(sources.contains_key(&Some(Ipv4Addr::new(127, 0, 7, 9).into())), "{sources:?}");
        assert_eq!(workers, [16_667, 16_667, 16_667, 16_667, 16_667, 16_666]);
    }

    #[test]
    fn plan_that_cannot_be_says_what_it_lacks() {
        let two = Sources::Named(vec![
            Ipv4Addr::new(10, 0, 0, 1).into(),
            Ipv4Addr::new(10, 0, 0, 2).into(),
        ]);
        for (connections, targets, sources, workers, lacks) in [
            (100_000, 2, Sources::Kernel, None, "name 2 with --source"),
            (60_000, 9, two.clone(), None, "need 3 source addresses"),
            (60_000, 9, Sources::Loopback(0), Some(3), "at least --workers 4"),
        ] {
            let error = plan(connections, targets, &sources, BOUNDS, workers).unwrap_err();
            assert!(error.contains(lacks), "{error}");
        }
        let (_, sources, workers) = counts(&plan(50_001, 3, &two, BOUNDS, Some(9)).unwrap());
        assert_eq!(workers.len(), 9);
        assert!(sources.values().all(|&count| count <= 25_002), "{sources:?}");
    }
}
