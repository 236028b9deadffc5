//! Durations: recorded in a worker, carried over a line of text, added up and summarised. This file
//! does not know what was timed.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The resolution is a thousandth of a value, and a microsecond; the longest duration is an hour.
const LOWEST: u64 = 1_000;
const HIGHEST: u64 = 3_600_000_000_000;
const DIGITS: u8 = 3;

/// Durations in nanoseconds. A histogram without values takes little memory.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Buckets", into = "Buckets")]
pub struct Latencies(Option<Histogram<u64>>);

/// The form between processes: each recorded value with its count.
#[derive(Serialize, Deserialize)]
struct Buckets(Vec<(u64, u64)>);

impl Latencies {
    pub fn record(&mut self, nanoseconds: u64) {
        self.record_times(nanoseconds, 1);
    }

    /// Makes a histogram with all the memory that it will need, so that it allocates nothing during
    /// a measurement.
    pub fn settled() -> Latencies {
        let mut latencies = Latencies::default();
        latencies.record(LOWEST);
        if let Some(histogram) = &mut latencies.0 {
            // Pages that were never written are not resident.
            histogram.reset();
        }
        latencies
    }

    fn record_times(&mut self, nanoseconds: u64, times: u64) {
        let histogram = self.0.get_or_insert_with(|| {
            Histogram::new_with_bounds(LOWEST, HIGHEST, DIGITS)
                .expect("bounds that a histogram may have")
        });
        histogram.saturating_record_n(nanoseconds, times);
    }

    /// Adds the values of another histogram.
    pub fn add(&mut self, other: &Latencies) {
        for bucket in other.0.iter().flat_map(Histogram::iter_recorded) {
            self.record_times(bucket.value_iterated_to(), bucket.count_at_value());
        }
    }

    /// Summarises the values; `None` without values.
    pub fn summary(&self) -> Option<Summary> {
        let histogram = self.0.as_ref()?;
        let at = |share| histogram.value_at_quantile(share) as f64 / 1e3;
        Some(Summary {
            count: histogram.len(),
            mean_us: histogram.mean() / 1e3,
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: histogram.max() as f64 / 1e3,
            curve: CURVE.iter().map(|&share| (share, at(share))).collect(),
        })
    }
}

impl From<Buckets> for Latencies {
    fn from(Buckets(buckets): Buckets) -> Latencies {
        let mut latencies = Latencies::default();
        for (value, times) in buckets {
            latencies.record_times(value, times);
        }
        latencies
    }
}

impl From<Latencies> for Buckets {
    fn from(Latencies(histogram): Latencies) -> Buckets {
        let recorded = histogram.iter().flat_map(Histogram::iter_recorded);
        Buckets(
            recorded.map(|bucket| (bucket.value_iterated_to(), bucket.count_at_value())).collect(),
        )
    }
}

/// The shares at which a plot has its points.
const CURVE: [f64; 22] = [
    0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.925, 0.95, 0.975, 0.99, 0.9925, 0.995,
    0.9975, 0.999, 0.9995, 0.9999, 0.99999, 1.0,
];

/// A summary of many durations, in microseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub count: u64,
    pub mean_us: f64,
    pub p50_us: f64,
    pub p90_us: f64,
    pub p99_us: f64,
    pub p999_us: f64,
    pub max_us: f64,
    /// A share of all values, and the value below which this share lies.
    pub curve: Vec<(f64, f64)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_survive_a_line_of_text_and_add_up() {
        let mut one = Latencies::default();
        (1..=1000).for_each(|n| one.record(n * 1_000_000));
        let line = serde_json::to_string(&one).unwrap();
        let mut sum: Latencies = serde_json::from_str(&line).unwrap();
        let once = sum.summary().unwrap();
        assert_eq!(once.count, 1000);
        assert!((499_000.0..=501_000.0).contains(&once.p50_us), "{once:?}");
        assert!((999_000.0..=1_001_000.0).contains(&once.max_us), "{once:?}");
        sum.add(&one);
        let twice = sum.summary().unwrap();
        assert_eq!((twice.count, twice.p50_us), (2000, once.p50_us));
        let nothing: Latencies = serde_json::from_str("[]").unwrap();
        assert_eq!(nothing.summary(), None);
    }
}
