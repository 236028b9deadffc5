//! Judges whether a run took place as asked: rules over an outcome, each with the line that it
//! prints. This file measures nothing.

use crate::answers;
use crate::failure::Failure;
use crate::invalid::invalid;
use crate::limits;
use crate::notes::notes;
use crate::options::Options;
use crate::outcome::{Outcome, Verdict};
use crate::talk::{Failures, Mode, Opened};
use crate::words::grouped;

/// Descriptors that a server needs for other things, generously.
const OTHERS: u64 = 256;

/// Explains in one line why fewer connections were opened than asked for, and what to do.
pub fn refusal(options: &Options, pids: &[u32], opened: &Opened) -> Option<String> {
    let (held, asked) = (opened.progress.held, options.connections);
    let most = opened.failures.first()?;
    if opened.progress.held + opened.progress.lost >= asked {
        return None;
    }
    let of = format!("{} of {}", grouped(held), grouped(asked));
    let limit: Option<u64> = pids.iter().map(|&pid| limits::descriptors_of(pid)).sum();
    if let Some(limit) = limit
        && limit > 0
        && !most.kind.is_our_own()
        && held + OTHERS * pids.len() as u64 >= limit
        && held <= limit
    {
        let (whose, each) =
            if pids.len() > 1 { ("their limit", " in all") } else { ("its limit", "") };
        let who = if pids.len() > 1 { "servers" } else { "server" };
        let limit = grouped(limit);
        return Some(format!(
            "{who} refused after {of} ({whose}: {limit} descriptors{each}); raise it or give \
             more targets"
        ));
    }
    let url = options.targets.get(most.target).map_or(&*options.url, |target| &*target.url);
    let (what, remedy) = (failed(most), most.kind.remedy(most.status));
    let reason = if most.reason.is_empty() || most.status.is_some() {
        String::new()
    } else {
        format!(", {:?}", most.reason)
    };
    let count = match most.count {
        1 => "1 attempt".to_owned(),
        count => format!("{} attempts", grouped(count)),
    };
    Some(match most.kind {
        Failure::Descriptors | Failure::Ports => {
            format!("a worker here {what} after {of}; {remedy}")
        }
        _ => format!("server at {url} {what} after {of} ({count}{reason}); {remedy}"),
    })
}

/// Describes how attempts failed, with the HTTP status if there was an answer.
pub fn failed(failures: &Failures) -> String {
    let Some(status) = failures.status else { return failures.kind.as_str().to_owned() };
    let headers = match &failures.headers[..] {
        [] => String::new(),
        headers => format!(" ({})", headers.join("; ")),
    };
    format!("answered with HTTP status {}{headers}", answers::name(status))
}

/// All rules.
pub fn judge(
    outcome: &Outcome,
    refusal: Option<String>,
    interrupted: bool,
    dead: usize,
) -> Verdict {
    let mut reasons = Vec::new();
    let connections = &outcome.connections;
    if dead > 0 {
        reasons.push(format!(
            "{dead} of {} workers ended early; what they said stands above",
            outcome.settings.workers
        ));
    }
    match refusal {
        Some(refusal) => reasons.push(refusal),
        None if connections.held + connections.lost < connections.asked && !interrupted => {
            reasons.push(format!(
                "only {} of {} connections were opened",
                grouped(connections.held),
                grouped(connections.asked)
            ));
        }
        None => {}
    }
    let silent = matches!(outcome.settings.mode, Mode::HalfOpen | Mode::Slow);
    if connections.lost > 0 && !silent {
        let most = connections.ends.iter().find(|end| !end.asked);
        let how = most.map_or(String::new(), |end| {
            format!(", {} with {}", grouped(end.count), end.describe())
        });
        reasons.push(format!(
            "the server ended {} connections that were to stay open{how}; see its log",
            grouped(connections.lost)
        ));
    }
    if connections.held > 0 && !interrupted {
        reasons.extend(unanswered(outcome));
    }
    if interrupted {
        reasons.push("interrupted".to_owned());
    }
    let complete = reasons.is_empty();
    let invalid = invalid(outcome);
    let valid = invalid.is_empty();
    reasons.extend(invalid);
    Verdict { complete, valid, interrupted, reasons, notes: notes(outcome) }
}

/// The answers of the mode that did not come.
fn unanswered(outcome: &Outcome) -> Option<String> {
    let measured = &outcome.measured;
    let (sent, answered) = (grouped(measured.sent), grouped(measured.answered));
    let few = measured.answered < measured.sent;
    match outcome.settings.mode {
        Mode::Ping | Mode::Echo | Mode::Broadcast if measured.sent == 0 => Some(
            "nothing was sent, so nothing was measured; give a longer --duration, or more \
             --messages-per-second"
                .to_owned(),
        ),
        Mode::Ping if few => Some(format!(
            "{answered} of {sent} pings were answered; \
             the server is overloaded, or answers none"
        )),
        Mode::Echo if few => Some(format!(
            "{answered} of {sent} messages came back{}; the server is overloaded, or no echo \
             server",
            if measured.held_back > 0 { " (it stopped reading)" } else { "" }
        )),
        Mode::Churn if few || measured.failed > 0 => Some(format!(
            "{answered} of {sent} connections were replaced, {} attempts failed; the server is \
             overloaded: lower --rate",
            grouped(measured.failed)
        )),
        Mode::Broadcast => measured
            .broadcast
            .as_ref()
            .filter(|broadcast| broadcast.received < broadcast.expected)
            .map(|broadcast| {
                let (received, expected) =
                    (grouped(broadcast.received), grouped(broadcast.expected));
                format!(
                    "{received} of {expected} deliveries arrived; \
                     see whether the URL is one at which the server sends to all"
                )
            }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ends::End;

    #[test]
    fn refusal_names_the_status_and_the_headers_of_the_answer() {
        for (status, headers, says) in [
            (None, vec![], "answered with an HTTP status other than 101"),
            (Some(404), vec![], "answered with HTTP status 404 Not Found"),
            (
                Some(302),
                vec!["Location: /a".to_owned()],
                "answered with HTTP status 302 Found (Location: /a)",
            ),
        ] {
            let kind = Failure::Status;
            let reason = "a status other than 101".to_owned();
            let failures = Failures { kind, count: 1, reason, status, headers, target: 0 };
            assert_eq!(failed(&failures), says);
        }
    }

    #[test]
    fn lost_connections_are_told_with_their_code() {
        let mut outcome = Outcome::sample(Mode::Hold);
        assert_eq!(judge(&outcome, None, false, 0).reasons, [""; 0]);
        outcome.connections.lost = 3;
        let end =
            |code, asked, count| End { code, reason: "bye".into(), by_server: true, asked, count };
        outcome.connections.ends.record(end(1000, true, 9));
        outcome.connections.ends.record(end(1001, false, 2));
        let verdict = judge(&outcome, None, false, 0);
        assert!(!verdict.complete && verdict.valid);
        let says = "3 connections that were to stay open, 2 with 1001 \"bye\"";
        assert!(verdict.reasons[0].contains(says), "{verdict:?}");
    }

    #[test]
    fn run_in_which_nothing_was_sent_is_not_complete() {
        for mode in Mode::ALL {
            let mut outcome = Outcome::sample(mode);
            (outcome.measured.sent, outcome.measured.answered) = (0, 0);
            outcome.measured.broadcast = None;
            let verdict = judge(&outcome, None, false, 0);
            let talks = matches!(mode, Mode::Ping | Mode::Echo | Mode::Broadcast);
            assert_eq!(verdict.complete, !talks, "{mode:?}: {verdict:?}");
        }
    }
}
