//! What memory shows of connections: the slope between two readings, and whether it can be true.
//! This file reads no memory.

use serde::{Deserialize, Serialize};

/// New connections of a process from which on a slope must show. Below, 64 bytes a connection fit
/// into a few pages that the process has already.
pub const MEASURABLE: u64 = 256;

/// Bytes by which memory may fall without a cause among the connections, below `MEASURABLE`.
const NOISE: u64 = 64 << 10;

/// What a slope shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// Memory grew with the connections.
    Measured,
    /// There is no reading, or no new connection.
    #[default]
    Unknown,
    /// Memory did not grow, and the connections are too few to tell.
    TooFew,
    /// Memory did not grow, although there were connections enough. That cannot be their cost.
    Flat,
    /// Memory fell while connections came. That cannot be their cost.
    Fell,
}

impl Finding {
    /// Whether the slope cannot be what connections cost.
    pub fn cannot_be_true(self) -> bool {
        matches!(self, Finding::Flat | Finding::Fell)
    }
}

/// Two readings with connections between them.
#[derive(Clone, Copy, Debug)]
pub struct Ramp {
    /// A reading before the first connection, below which memory must not fall.
    pub baseline: Option<u64>,
    pub before: Option<u64>,
    pub after: Option<u64>,
    /// Connections that came between the readings.
    pub added: u64,
    /// Processes that share the connections.
    pub processes: u64,
    /// Whether connections may cost nothing here.
    pub may_be_flat: bool,
}

impl Ramp {
    /// The bytes for each new connection, true or not.
    pub fn slope(&self) -> Option<f64> {
        let readings = self.before.zip(self.after).filter(|_| self.added > 0);
        readings.map(|(before, after)| (after as f64 - before as f64) / self.added as f64)
    }

    pub fn finding(&self) -> Finding {
        let (Some(before), Some(after)) = (self.before, self.after) else {
            return Finding::Unknown;
        };
        let few = self.added / self.processes.max(1) < MEASURABLE;
        if self.added > 0 && self.baseline.is_some_and(|baseline| after + NOISE < baseline) {
            return Finding::Fell;
        }
        match before.cmp(&after) {
            _ if self.added == 0 => Finding::Unknown,
            std::cmp::Ordering::Less => Finding::Measured,
            std::cmp::Ordering::Equal if self.may_be_flat => Finding::Measured,
            _ if few && before - after <= NOISE * self.processes.max(1) => Finding::TooFew,
            std::cmp::Ordering::Equal => Finding::Flat,
            std::cmp::Ordering::Greater => Finding::Fell,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slope_is_a_figure_only_if_connections_can_cost_it() {
        use Finding::{Fell, Flat, Measured, TooFew, Unknown};
        let some = Some(100 << 20);
        for (before, after, added, processes, may_be_flat, finding) in [
            (some, Some((100 << 20) + 58_140), 900, 1, false, Measured),
            (some, Some((100 << 20) - 5_098_500), 900, 1, false, Fell),
            (some, Some((100 << 20) - 4_096), 900, 1, false, Fell),
            (some, some, 900, 1, false, Flat),
            // Two hundred to each process would show in none.
            (some, some, 900, 4, false, TooFew),
            (some, some, 18, 1, false, TooFew),
            (some, Some((100 << 20) - 4_096), 18, 1, false, TooFew),
            (some, Some((100 << 20) - 1_000_000), 18, 1, false, Fell),
            // Idle sockets need no buffers.
            (some, some, 900, 1, true, Measured),
            (some, Some((100 << 20) - 1), 900, 1, true, Fell),
            (some, some, 0, 1, false, Unknown),
            (None, some, 900, 1, false, Unknown),
            (some, None, 900, 1, false, Unknown),
        ] {
            for baseline in [None, after, Some(0), after.map(|after| after + 900)] {
                let ramp = Ramp { baseline, before, after, added, processes, may_be_flat };
                assert_eq!(ramp.finding(), finding, "{ramp:?}");
            }
        }
        // It grew in the ramp, after it had fallen further.
        let (baseline, before, after) = (Some(98 << 20), Some(41 << 20), Some(42 << 20));
        let (added, processes, may_be_flat) = (900, 1, false);
        let ramp = Ramp { baseline, before, after, added, processes, may_be_flat };
        assert_eq!(ramp.finding(), Fell);
        assert_eq!(Ramp { added: 0, ..ramp }.finding(), Unknown);
    }

    #[test]
    fn slope_is_told_whether_or_not_it_is_true() {
        let ramp = |before, after, added| Ramp {
            baseline: None,
            before,
            after,
            added,
            processes: 1,
            may_be_flat: false,
        };
        assert_eq!(ramp(Some(130_000), Some(50_000), 1000).slope(), Some(-80.0));
        assert_eq!(ramp(Some(50_000), Some(130_000), 1000).slope(), Some(80.0));
        assert_eq!(ramp(Some(50_000), Some(130_000), 0).slope(), None);
        assert_eq!(ramp(None, Some(130_000), 1000).slope(), None);
    }
}
