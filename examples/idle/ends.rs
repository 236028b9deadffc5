//! The codes and reasons with which open connections ended, counted in bounded room. This file
//! judges none of them.

use serde::{Deserialize, Serialize};

/// Kinds that are kept apart; further ones are counted together for each code.
const KINDS: usize = 32;

/// The reason of kinds that are counted together.
const OTHERS: &str = "other reasons";

/// Connections that ended in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// The close code (RFC 6455 7.4); 1006 is an end without a Close frame.
    pub code: u16,
    pub reason: String,
    /// Whether the server began the closing handshake.
    pub by_server: bool,
    /// Whether the mode asked for the end, as churn does.
    pub asked: bool,
    pub count: u64,
}

/// All ends, the most frequent first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ends(Vec<End>);

impl Ends {
    /// Counts an end.
    pub fn record(&mut self, mut end: End) {
        let is_full = self.0.len() >= KINDS;
        if is_full && !self.0.iter().any(|known| known.is_like(&end)) {
            end.reason = OTHERS.to_owned();
        }
        let known = self.0.iter().position(|known| known.is_like(&end));
        match known {
            Some(index) => self.0[index].count += end.count,
            // Codes are few in practice, and a server may still send any: a second bound.
            None if self.0.len() >= 2 * KINDS => self.0[2 * KINDS - 1].count += end.count,
            None => self.0.push(end),
        }
    }

    /// Adds the ends of another worker.
    pub fn add(&mut self, other: &Ends) {
        other.0.iter().for_each(|end| self.record(end.clone()));
        self.0.sort_by_key(|end| std::cmp::Reverse(end.count));
    }

    pub fn iter(&self) -> impl Iterator<Item = &End> {
        self.0.iter()
    }
}

impl End {
    fn is_like(&self, other: &End) -> bool {
        let key = |end: &End| (end.code, end.by_server, end.asked);
        key(self) == key(other) && self.reason == other.reason
    }

    /// Names code and reason, and the side that ended the connection.
    pub fn describe(&self) -> String {
        let reason =
            if self.reason.is_empty() { String::new() } else { format!(" {:?}", self.reason) };
        let how = match (self.code, self.by_server, self.asked) {
            (1006, ..) => "no Close frame",
            (_, _, true) => "asked for",
            (_, true, _) => "Close frame of the server",
            (_, false, _) => "Close frame of this client",
        };
        format!("{}{reason} ({how})", self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(code: u16, reason: &str) -> End {
        End { code, reason: reason.into(), by_server: true, asked: false, count: 1 }
    }

    #[test]
    fn ends_are_counted_by_code_and_reason_in_bounded_room() {
        let mut ends = Ends::default();
        for (code, reason) in [(1001, "bye"), (1001, "bye"), (1001, ""), (1013, "bye")] {
            ends.record(end(code, reason));
        }
        let mut sum = Ends::default();
        sum.add(&ends);
        sum.add(&ends);
        let counts: Vec<_> = sum.iter().map(|end| (end.code, &*end.reason, end.count)).collect();
        assert_eq!(counts, [(1001, "bye", 4), (1001, "", 2), (1013, "bye", 2)]);
        for number in 0..1_000 {
            ends.record(end(3000 + number % 200, &number.to_string()));
        }
        assert!(ends.iter().count() <= 2 * KINDS);
        assert_eq!(ends.iter().map(|end| end.count).sum::<u64>(), 1_004, "none is lost");
    }

    #[test]
    fn end_is_described_by_code_reason_and_side() {
        assert_eq!(end(1001, "bye").describe(), "1001 \"bye\" (Close frame of the server)");
        let broken = End { by_server: false, ..end(1006, "Connection reset by peer") };
        assert_eq!(broken.describe(), "1006 \"Connection reset by peer\" (no Close frame)");
        assert_eq!(End { asked: true, ..end(1000, "") }.describe(), "1000 (asked for)");
        assert_eq!(end(1008, "a\n\"").describe(), r#"1008 "a\n\"" (Close frame of the server)"#);
    }
}
