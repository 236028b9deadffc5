//! The reasons why a connection could not be opened, sorted by their remedy. This file knows the
//! words, not the numbers.

use serde::{Deserialize, Serialize};

/// A kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    Refused,
    Reset,
    Timeout,
    Status,
    Ended,
    Descriptors,
    Ports,
    Unreachable,
    Other,
}

impl Failure {
    /// Sorts the reason of a failed attempt.
    pub fn of(reason: &str) -> Failure {
        const WORDS: [(&str, Failure); 11] = [
            ("Connection refused", Failure::Refused),
            ("Connection reset", Failure::Reset),
            ("Broken pipe", Failure::Reset),
            ("timed out", Failure::Timeout),
            ("not open in time", Failure::Timeout),
            ("a status other than 101", Failure::Status),
            ("a redirection", Failure::Status),
            ("Too many open files", Failure::Descriptors),
            ("Cannot assign requested address", Failure::Ports),
            ("unreachable", Failure::Unreachable),
            ("No route to host", Failure::Unreachable),
        ];
        match WORDS.iter().find(|(words, _)| reason.contains(words)) {
            Some(&(_, failure)) => failure,
            None if reason.is_empty() => Failure::Ended,
            None => Failure::Other,
        }
    }

    /// Whether the next attempt will fail too, whatever the server does.
    pub fn is_our_own(self) -> bool {
        matches!(self, Failure::Descriptors | Failure::Ports)
    }

    /// Describes the failure, as the end of a sentence that begins with the server.
    pub fn as_str(self) -> &'static str {
        match self {
            Failure::Refused => "refused connections",
            Failure::Reset => "reset connections",
            Failure::Timeout => "did not answer in time",
            Failure::Status => "answered with an HTTP status other than 101",
            Failure::Ended => "closed connections without an answer",
            Failure::Descriptors => "has open all the descriptors that a worker here may have",
            Failure::Ports => "has been given all the ephemeral ports of an address here",
            Failure::Unreachable => "cannot be reached",
            Failure::Other => "did not answer as a WebSocket server does",
        }
    }

    /// Names the remedy.
    pub fn remedy(self) -> &'static str {
        match self {
            Failure::Refused => "start it there, or name another port",
            Failure::Reset | Failure::Ended => "see its log; open fewer, or give more targets",
            Failure::Timeout => "open more slowly with --rate, or wait longer with --timeout",
            Failure::Status => {
                "name the path of its WebSocket in the URL, or look whether it is full"
            }
            Failure::Descriptors => "raise the limit with ulimit -n, or give more --workers",
            Failure::Ports => "name further addresses with --source, or give more targets",
            Failure::Unreachable => "see whether address and port are right and its network is up",
            Failure::Other => "see whether the URL is that of a WebSocket server",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_is_sorted_by_the_words_of_its_reason() {
        for (reason, failure) in [
            ("Connection refused (os error 111)", Failure::Refused),
            ("not open in time", Failure::Timeout),
            ("a status other than 101", Failure::Status),
            ("Too many open files (os error 24)", Failure::Descriptors),
            ("Cannot assign requested address (os error 99)", Failure::Ports),
            ("", Failure::Ended),
            ("a key that is not ours", Failure::Other),
        ] {
            assert_eq!(Failure::of(reason), failure, "{reason}");
        }
    }
}
