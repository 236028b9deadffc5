//! Turns the counts of all workers into the figures of a mode: shares, medians, moments. This file
//! judges nothing.

use crate::clock::SECOND;
use crate::outcome::{Broadcast, Cpu, IdleCpu, KernelGrowth, Measured, Point, Silence};
use crate::sockets::Side;
use crate::talk::{Mode, Tally};

/// Figures of a mode over all workers; `held` connections were open when it began.
pub fn of(mode: Mode, tally: &Tally, seconds: f64, held: u64) -> Measured {
    Measured {
        seconds,
        sent: tally.sent,
        answered: tally.answered,
        unexpected: tally.unexpected,
        held_back: tally.held_back,
        failed: tally.failed,
        latency: tally.latency.summary(),
        lateness: tally.lateness.summary(),
        closing: tally.closing.summary(),
        broadcast: (mode == Mode::Broadcast && tally.sent > 0).then(|| broadcast(tally, held)),
        silence: None,
        idle_cpu: None,
    }
}

/// CPU time of each of `held` idle connections in a second.
pub fn idle_cpu(cpu: &Cpu, held: u64) -> Option<IdleCpu> {
    let each = |share: f64| share * 1e6 / held as f64;
    (held > 0).then(|| IdleCpu { server_us: cpu.server.map(each), client_us: each(cpu.client) })
}

fn broadcast(tally: &Tally, held: u64) -> Broadcast {
    let others = held.saturating_sub(1);
    let mut slowest: Vec<u64> = tally.rounds.values().map(|round| round.slowest).collect();
    slowest.sort_unstable();
    let received: u64 = tally.rounds.values().map(|round| round.received).sum();
    let expected = tally.sent * others;
    let microseconds = |at: Option<&u64>| at.map_or(0.0, |&nanoseconds| nanoseconds as f64 / 1e3);
    Broadcast {
        rounds: tally.sent,
        expected,
        received,
        reach: if expected == 0 { 0.0 } else { received as f64 / expected as f64 },
        to_last_median_us: microseconds(slowest.get(slowest.len() / 2)),
        to_last_max_us: microseconds(slowest.last()),
    }
}

/// The times at which a server dropped silent peers, from the later moments; `held` is the count
/// before.
pub fn silence(points: &[Point], side: Side, held: u64) -> Silence {
    let counted: Vec<(f64, u64)> = points
        .iter()
        .filter_map(|point| Some((point.seconds, point.server_held?.min(held))))
        .collect();
    let begun = counted.first().map_or(0.0, |&(seconds, _)| seconds);
    let at_most = |left: u64| {
        counted.iter().find(|&&(_, held)| held <= left).map(|&(seconds, _)| seconds - begun)
    };
    let growth = kernel_growth(points, held);
    Silence {
        method: "the peers stop reading and answering; their kernel still acknowledges".to_owned(),
        source: match side {
            Side::Server => "the server's side of /proc/net/tcp",
            Side::Client => "our side of /proc/net/tcp",
        }
        .to_owned(),
        held_at_first: held,
        held_at_end: counted.last().map_or(held, |&(_, held)| held),
        looked_every: counted.windows(2).map(|pair| pair[1].0 - pair[0].0).fold(0.0, f64::max),
        first_dropped: held.checked_sub(1).and_then(at_most),
        half_dropped: at_most(held / 2),
        all_dropped: at_most(0),
        server_bytes: None,
        kernel_bytes: growth.last().map(|growth| growth.kernel_bytes),
        unread_bytes: growth.last().map(|growth| growth.unread_bytes),
        kernel_growth: growth,
    }
}

/// Moments of a growth that are shown.
const SHOWN: usize = 5;

/// The kernel's memory for each of `held` connections since the first of the moments, at some of
/// them.
fn kernel_growth(points: &[Point], held: u64) -> Vec<KernelGrowth> {
    let counted: Vec<&Point> = points.iter().filter(|point| point.queued_bytes.is_some()).collect();
    let [first, rest @ ..] = &counted[..] else { return Vec::new() };
    let each = |bytes: f64| bytes / held.max(1) as f64;
    let shown = rest.len().min(SHOWN);
    // The last moment is always one of them.
    let moments = (1..=shown).map(|number| rest[number * rest.len() / shown - 1]);
    let growth = |point: &Point| {
        let queued = point.queued_bytes.unwrap_or(0) as f64;
        // The kernel counts buffers a mebibyte a core at a time, and their bytes at once.
        let buffers = (point.buffer_bytes as f64 - first.buffer_bytes as f64).max(queued);
        KernelGrowth {
            seconds: point.seconds - first.seconds,
            kernel_bytes: each(buffers),
            unread_bytes: each(queued),
        }
    };
    moments.map(growth).collect()
}

/// A latency with three digits and a unit.
pub fn duration(microseconds: f64) -> String {
    match microseconds {
        us if us < 1e3 => format!("{us:.0} us"),
        us if us < 1e6 => format!("{:.2} ms", us / 1e3),
        us => format!("{:.2} s", us * 1e3 / SECOND as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::talk::Round;

    #[test]
    fn broadcast_reaches_the_share_that_heard_it() {
        let mut tally = Tally { sent: 2, ..Tally::default() };
        tally.rounds.insert(1, Round { received: 9, slowest: 5_000 });
        tally.rounds.insert(2, Round { received: 6, slowest: 70_000 });
        let broadcast = of(Mode::Broadcast, &tally, 1.0, 11).broadcast.unwrap();
        assert_eq!((broadcast.expected, broadcast.received, broadcast.reach), (20, 15, 0.75));
        assert_eq!(broadcast.to_last_max_us, 70.0);
    }

    #[test]
    fn silence_ends_when_the_server_has_dropped_the_last() {
        let point = |seconds, server_held| Point {
            seconds,
            server_held: Some(server_held),
            ..Point::default()
        };
        // Other clients may be connected too, and may leave later.
        let points = [point(5.0, 11), point(6.0, 10), point(7.5, 9), point(8.0, 4), point(9.0, 0)];
        let seen = silence(&points, Side::Server, 10);
        assert_eq!(
            (seen.first_dropped, seen.half_dropped, seen.all_dropped),
            (Some(2.5), Some(3.0), Some(4.0))
        );
        let never = silence(&points[..2], Side::Server, 10);
        assert_eq!(seen.looked_every, 1.5);
        assert_eq!((never.first_dropped, never.all_dropped, never.held_at_end), (None, None, 10));
    }

    #[test]
    fn kernel_growth_is_told_at_some_moments_up_to_the_last() {
        let point = |seconds: u32| Point {
            seconds: f64::from(seconds),
            buffer_bytes: 5_000 + u64::from(seconds) * 1_000,
            queued_bytes: Some(u64::from(seconds) * 100),
            ..Point::default()
        };
        let points: Vec<Point> = (10..=40).map(point).collect();
        let growth = kernel_growth(&points, 10);
        let seconds: Vec<f64> = growth.iter().map(|growth| growth.seconds).collect();
        assert_eq!(seconds, [6.0, 12.0, 18.0, 24.0, 30.0]);
        assert_eq!((growth[4].kernel_bytes, growth[4].unread_bytes), (3_000.0, 400.0));
        let small = [
            Point { queued_bytes: Some(0), ..Point::default() },
            Point { queued_bytes: Some(640), ..Point::default() },
        ];
        assert_eq!(kernel_growth(&small, 10)[0].kernel_bytes, 64.0, "no less than its bytes");
        for few in 0..4 {
            assert_eq!(kernel_growth(&points[..few], 10).len(), few.saturating_sub(1));
        }
        assert_eq!(kernel_growth(&[Point::default(); 9], 10), []);
    }

    #[test]
    fn idle_cpu_is_the_time_of_one_connection_in_a_second() {
        let cpu = |server| Cpu {
            phase: "measuring".into(),
            seconds: 10.0,
            client: 0.02,
            busiest_client: 0.02,
            server,
            busiest_server: server,
            machine: 0.5,
        };
        let both = idle_cpu(&cpu(Some(0.005)), 10_000).unwrap();
        assert!((both.server_us.unwrap() - 0.5).abs() < 1e-9, "{both:?}");
        assert!((both.client_us - 2.0).abs() < 1e-9, "{both:?}");
        assert_eq!(idle_cpu(&cpu(None), 10_000).unwrap().server_us, None);
        assert_eq!(idle_cpu(&cpu(None), 0), None);
    }

    #[test]
    fn duration_has_three_figures_and_a_unit() {
        assert_eq!([12.4, 1_234.5, 2_500_000.0].map(duration), ["12 us", "1.23 ms", "2.50 s"]);
    }
}
