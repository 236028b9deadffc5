//! Turns paired samples into one figure, and a figure into a verdict. This file knows numbers, not
//! what they measure.

use serde::Serialize;

/// Resamples of the bootstrap.
const RESAMPLES: usize = 4000;

/// The most by which a median may exceed its budget while the interval still reaches down to the
/// budget.
const TOLERANCE: f64 = 0.01;

/// A median with its spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    pub median: f64,
    pub min: f64,
    pub max: f64,
    /// Lower end of the 95 % interval of the median.
    pub low: f64,
    /// Upper end of the 95 % interval of the median.
    pub high: f64,
}

impl Figure {
    /// Computes median, extremes and the 95 % percentile interval of the bootstrapped median. Equal
    /// samples give equal figures; no samples give `None`.
    pub fn of(samples: &[f64]) -> Option<Figure> {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let mut draw = Draw(0x9e37_79b9_7f4a_7c15);
        let mut resample = vec![0.0; sorted.len()];
        let mut medians: Vec<f64> = (0..RESAMPLES)
            .map(|_| {
                resample.fill_with(|| sorted[draw.below(sorted.len())]);
                resample.sort_by(f64::total_cmp);
                middle(&resample)
            })
            .collect();
        medians.sort_by(f64::total_cmp);
        let tail = RESAMPLES / 40;
        Some(Figure {
            median: middle(&sorted),
            min,
            max,
            low: medians[tail],
            high: medians[RESAMPLES - 1 - tail],
        })
    }

    /// Whether a budget holds: the interval's lower end is at or below the budget, and the median
    /// exceeds it by at most 0.01.
    pub fn holds(&self, budget: f64) -> bool {
        self.low <= budget && self.median <= budget + TOLERANCE
    }
}

/// The median of a sorted slice that is not empty.
fn middle(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[half] } else { (sorted[half - 1] + sorted[half]) / 2.0 }
}

/// A xorshift generator with a fixed seed, so that intervals repeat.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}
