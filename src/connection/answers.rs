//! The answers of one connection that have not left, for an observer: which bytes of its output
//! belong to which answer. Without an observer no connection has any. This file sees no byte.
//!
//! ```text
//! output that waits:  [ahead][answer, ended][ahead][answer, ended][ahead][current answer ..]
//! ```
//! Output leaves in order, so two numbers suffice: how much waits where an answer begins or ends,
//! and how much leaves in each write.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Instant;

use http::StatusCode;

use crate::http1::{Request, Version};

/// The most bytes that are kept of a method and a path.
const TEXT: usize = 128;
/// Stands behind a path that was cut.
const CUT: &str = "...";

/// A request, and what is known of its answer. With its text it takes at most 300 bytes.
#[derive(Debug)]
pub(crate) struct Answering {
    /// The method, a space and the path, in visible ASCII.
    text: Box<str>,
    pub(crate) version: Version,
    pub(crate) client: Option<IpAddr>,
    /// The status, once the head of the answer has been made.
    pub(crate) status: Option<StatusCode>,
    /// When the head of the request was complete.
    pub(crate) began: Instant,
    /// Bytes that left.
    pub(crate) bytes: u64,
    /// Bytes that wait before the answer and belong to none.
    ahead: u64,
    /// Bytes of an answer that has ended which wait.
    unsent: u64,
    /// The observer is told of the refusal, so it is not told of the answer.
    pub(crate) is_refused: bool,
}

const _: () = assert!(size_of::<Answering>() + TEXT <= 240);

impl Answering {
    pub(crate) fn new(request: &Request<'_>, client: Option<IpAddr>, began: Instant) -> Answering {
        Answering {
            text: text(request.method().as_str(), request.sent_path()),
            version: request.version(),
            client,
            status: None,
            began,
            bytes: 0,
            ahead: 0,
            unsent: 0,
            is_refused: false,
        }
    }

    pub(crate) fn method(&self) -> &str {
        self.text.split_once(' ').map_or("", |(method, _)| method)
    }

    pub(crate) fn path(&self) -> &str {
        self.text.split_once(' ').map_or("", |(_, path)| path)
    }

    /// Takes the bytes of a write that are the answer's. Returns those that are left.
    fn take(&mut self, n: u64) -> u64 {
        let ahead = self.ahead.min(n);
        self.ahead -= ahead;
        let own = self.unsent.min(n - ahead);
        self.unsent -= own;
        self.bytes += own;
        n - ahead - own
    }

    fn has_left(&self) -> bool {
        self.ahead + self.unsent == 0
    }
}

fn text(method: &str, path: &str) -> Box<str> {
    let mut text = format!("{method} {}", path.as_bytes().escape_ascii());
    if text.len() > TEXT {
        text.truncate(TEXT - CUT.len());
        text.push_str(CUT);
    }
    text.into_boxed_str()
}

/// The answers of one connection, in order.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// The answer that is still being made. Nothing behind it waits.
    current: Option<Box<Answering>>,
    ended: Option<Box<Ended>>,
}

/// Answers that have ended, and have not left.
#[derive(Debug, Default)]
struct Ended {
    answers: VecDeque<Box<Answering>>,
    /// Bytes of all of them that wait, and those ahead of them.
    waiting: u64,
}

impl Answers {
    /// Begins an answer, where `waiting` bytes of output wait.
    pub(crate) fn begin(&mut self, mut answer: Answering, waiting: usize) {
        self.end(waiting);
        answer.ahead = (waiting as u64).saturating_sub(self.waiting());
        self.current = Some(Box::new(answer));
    }

    /// The answer that is still being made.
    pub(crate) fn current(&mut self) -> Option<&mut Answering> {
        self.current.as_deref_mut()
    }

    /// Ends the current answer, where `waiting` bytes of output wait, its last byte among them.
    pub(crate) fn end(&mut self, waiting: usize) {
        let Some(mut answer) = self.current.take() else { return };
        let ended = self.ended.get_or_insert_default();
        let rest = (waiting as u64).saturating_sub(ended.waiting);
        answer.ahead = answer.ahead.min(rest);
        answer.unsent = rest - answer.ahead;
        ended.waiting += rest;
        ended.answers.push_back(answer);
    }

    /// Notes that bytes have left.
    pub(crate) fn left(&mut self, mut n: u64) {
        if let Some(ended) = &mut self.ended {
            for answer in &mut ended.answers {
                if n == 0 {
                    break;
                }
                let rest = answer.take(n);
                ended.waiting -= n - rest;
                n = rest;
            }
        }
        if let Some(current) = &mut self.current {
            let ahead = current.ahead.min(n);
            current.ahead -= ahead;
            current.bytes += n - ahead;
        }
    }

    /// Returns the next answer whose last byte has left.
    pub(crate) fn pop_left(&mut self) -> Option<Box<Answering>> {
        let ended = self.ended.as_mut()?;
        let answer = match ended.answers.front() {
            Some(answer) if answer.has_left() => ended.answers.pop_front(),
            _ => None,
        };
        if ended.answers.is_empty() {
            self.ended = None;
        }
        answer
    }

    /// Returns the answers that a connection which is gone has cut, in order.
    pub(crate) fn cut(self) -> impl Iterator<Item = Box<Answering>> {
        let ended = self.ended.map(|ended| ended.answers).unwrap_or_default();
        ended.into_iter().chain(self.current)
    }

    fn waiting(&self) -> u64 {
        self.ended.as_ref().map_or(0, |ended| ended.waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::{HeadLimits, HeaderSlots};

    fn answer(target: &str) -> Answering {
        let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        let mut slots = HeaderSlots::new();
        let request = Request::parse(head.as_bytes(), &mut slots, &HeadLimits::default());
        Answering::new(&request.ok().unwrap(), None, Instant::now())
    }

    /// The paths and bytes of the answers that have left.
    fn left(answers: &mut Answers, n: u64) -> Vec<(String, u64)> {
        answers.left(n);
        let popped = std::iter::from_fn(|| answers.pop_left());
        popped.map(|answer| (answer.path().to_owned(), answer.bytes)).collect()
    }

    #[test]
    fn answers_leave_in_order_at_their_last_byte() {
        let mut answers = Answers::default();
        answers.begin(answer("/a"), 7); // 7 bytes of something else wait
        answers.end(17);
        answers.begin(answer("/b"), 20); // and 3 between
        answers.end(40);
        answers.begin(answer("/c"), 40);
        assert_eq!(left(&mut answers, 16), []);
        assert_eq!(left(&mut answers, 1), [("/a".into(), 10)]);
        assert_eq!(left(&mut answers, 22), []);
        answers.end(31); // 1 of /b, 30 of /c
        assert_eq!(left(&mut answers, 31), [("/b".into(), 20), ("/c".into(), 30)]);
        assert!(answers.current.is_none() && answers.ended.is_none());
    }

    #[test]
    fn answer_that_is_made_in_pieces_counts_them() {
        let mut answers = Answers::default();
        answers.begin(answer("/a"), 0);
        assert_eq!(left(&mut answers, 100), []);
        assert_eq!(left(&mut answers, 50), []);
        answers.end(0);
        assert_eq!(left(&mut answers, 0), [("/a".into(), 150)]);
    }

    #[test]
    fn answer_that_is_cut_has_the_bytes_that_left() {
        let mut answers = Answers::default();
        answers.begin(answer("/a"), 0);
        answers.end(10);
        answers.begin(answer("/b"), 10);
        answers.left(4);
        let cut: Vec<_> = answers.cut().map(|it| (it.path().to_owned(), it.bytes)).collect();
        assert_eq!(cut, [("/a".into(), 4), ("/b".into(), 0)]);
    }

    #[test]
    fn path_is_kept_as_it_was_sent_without_authority_and_query() {
        for (target, path) in [
            ("/a%20b?secret=1", "/a%20b"),
            ("/", "/"),
            ("/?", "/"),
            ("http://a", "/"),
            ("http://a?x=/y", "/"),
            ("http://a/b/c?d", "/b/c"),
        ] {
            assert_eq!(answer(target).path(), path, "{target}");
        }
        let cut = answer(&format!("/{}", "a".repeat(300)));
        assert_eq!((cut.method(), cut.text.len()), ("GET", TEXT));
        assert!(cut.path().ends_with("aaa..."));
        let whole = answer(&format!("/{}", "a".repeat(TEXT - 5)));
        assert_eq!((whole.text.len(), whole.path().ends_with('a')), (TEXT, true));
    }
}
