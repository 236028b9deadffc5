//! The reasons why a connection could not be opened, sorted by their remedy. This file knows the
//! words, not the numbers.

use serde::{Deserialize, Serialize};
use switchboard::proto::http1::ResponseError;

use crate::lookup::NO_ADDRESS;

/// A kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    Refused,
    Reset,
    Timeout,
    Status,
    Protocol,
    Ended,
    Unresolved,
    Descriptors,
    Ports,
    Unreachable,
    Other,
}

impl Failure {
    /// Sorts the reason of a failed attempt.
    pub fn of(reason: &str) -> Failure {
        const WORDS: [(&str, Failure); 10] = [
            ("Connection refused", Failure::Refused),
            ("Connection reset", Failure::Reset),
            ("Broken pipe", Failure::Reset),
            ("timed out", Failure::Timeout),
            ("not open in time", Failure::Timeout),
            (NO_ADDRESS, Failure::Unresolved),
            ("Too many open files", Failure::Descriptors),
            ("Cannot assign requested address", Failure::Ports),
            ("unreachable", Failure::Unreachable),
            ("No route to host", Failure::Unreachable),
        ];
        if let Some(fault) = ResponseError::ALL.iter().find(|fault| fault.as_str() == reason) {
            return Failure::of_response(*fault);
        }
        match WORDS.iter().find(|(words, _)| reason.contains(words)) {
            Some(&(_, failure)) => failure,
            None if reason.is_empty() => Failure::Ended,
            None => Failure::Other,
        }
    }

    fn of_response(fault: ResponseError) -> Failure {
        match fault {
            ResponseError::Redirected
            | ResponseError::Unauthorized
            | ResponseError::UpgradeRequired
            | ResponseError::NotSwitched => Failure::Status,
            _ => Failure::Protocol,
        }
    }

    /// Whether the next attempt will fail too, whatever the server does.
    pub fn is_our_own(self) -> bool {
        matches!(self, Failure::Descriptors | Failure::Ports)
    }

    /// Whether a server that answered the first attempt in this way answers all of them so.
    /// `status` is that of the answer, if there was one.
    pub fn is_final(self, status: Option<u16>) -> bool {
        match (self, status) {
            (Failure::Unresolved | Failure::Protocol, _) => true,
            // A server that is full, or that asks for patience, may accept the next one.
            (Failure::Status, Some(408 | 425 | 429)) => false,
            (Failure::Status, Some(status)) => status < 500 || status == 501,
            _ => self.is_our_own(),
        }
    }

    /// Describes the failure, as the end of a sentence that begins with the server.
    pub fn as_str(self) -> &'static str {
        match self {
            Failure::Refused => "refused connections",
            Failure::Reset => "reset connections",
            Failure::Timeout => "did not answer in time",
            Failure::Status => "answered with an HTTP status other than 101",
            Failure::Protocol => "did not answer as a WebSocket server does",
            Failure::Ended => "closed connections without an answer",
            Failure::Unresolved => "has no address",
            Failure::Descriptors => "has open all the descriptors that a worker here may have",
            Failure::Ports => "has been given all the ephemeral ports of an address here",
            Failure::Unreachable => "cannot be reached",
            Failure::Other => "could not be connected to",
        }
    }

    /// Names the remedy.
    pub fn remedy(self, status: Option<u16>) -> &'static str {
        match self {
            Failure::Refused => "start it there, or name another port",
            Failure::Reset | Failure::Ended => "see its log; open fewer, or give more targets",
            Failure::Timeout => "open more slowly with --rate, or wait longer with --timeout",
            Failure::Status => match status {
                Some(300..=399) => "name the URL that it redirects to",
                Some(401 | 407) => "give credentials, such as --header \"Authorization: ..\"",
                Some(403) => "name an --origin that it allows, or give credentials with --header",
                Some(429 | 503) => "open more slowly with --rate, or look whether it is full",
                _ => "name the path of its WebSocket in the URL, or look whether it is full",
            },
            Failure::Unresolved => "see whether the name is right, or give an address",
            Failure::Descriptors => "raise the limit with ulimit -n, or give more --workers",
            Failure::Ports => "name further addresses with --source, or give more targets",
            Failure::Unreachable => "see whether address and port are right and its network is up",
            Failure::Protocol | Failure::Other => {
                "see whether the URL is that of a WebSocket server"
            }
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
            ("a demand for credentials", Failure::Status),
            ("a redirection", Failure::Status),
            ("a response that is not HTTP/1.0 or HTTP/1.1", Failure::Protocol),
            ("a Sec-WebSocket-Accept that does not belong to the key", Failure::Protocol),
            ("the name has no address", Failure::Unresolved),
            ("Too many open files (os error 24)", Failure::Descriptors),
            ("Cannot assign requested address (os error 99)", Failure::Ports),
            ("", Failure::Ended),
            ("a reason that is new", Failure::Other),
        ] {
            assert_eq!(Failure::of(reason), failure, "{reason}");
        }
        for fault in ResponseError::ALL {
            let kind = Failure::of(fault.as_str());
            assert!(matches!(kind, Failure::Status | Failure::Protocol), "{fault}");
        }
    }

    #[test]
    fn failure_is_final_if_the_next_attempt_would_end_the_same_way() {
        for kind in [Failure::Unresolved, Failure::Protocol, Failure::Descriptors, Failure::Ports] {
            assert!(kind.is_final(None), "{kind:?}");
        }
        for kind in [
            Failure::Refused,
            Failure::Reset,
            Failure::Timeout,
            Failure::Ended,
            Failure::Unreachable,
            Failure::Other,
        ] {
            assert!(!kind.is_final(None), "{kind:?}");
        }
        for status in [200, 301, 302, 307, 400, 401, 403, 404, 407, 410, 421, 426, 501] {
            assert!(Failure::Status.is_final(Some(status)), "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504] {
            assert!(!Failure::Status.is_final(Some(status)), "{status}");
        }
    }
}
