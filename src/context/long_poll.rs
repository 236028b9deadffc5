//! A handler's consent to a long poll, as a value: its topics and how long it waits. This file
//! knows no connection: server/polling.rs performs it.

use std::time::Duration;

use crate::http1::Response;

/// A handler's consent to a long poll over topics with history, for [`Reply::LongPoll`].
///
/// Long polling is for pages behind a proxy that lets neither WebSockets nor event streams pass,
/// and for programs without a client for these. A page asks again and again:
///
/// ```text
/// let after = "";                                   // or the id that the page was rendered with
/// for (;;) {
///     const answer = await fetch(`/poll?after=${after}`);
///     const { messages, next, gap } = await answer.json();
///     if (gap) renderAnew();                        // messages are missing before the first one
///     messages.forEach(({ data }) => show(data));
///     after = next;
/// }
/// ```
///
/// The answer is JSON, with `Cache-Control: no-store`:
/// `{"messages":[{"id":"a-b","data":".."}],"next":"a-b","gap":false}`
///
/// - **`messages`** are those that are newer than the id in the query field `after`. The messages
///   of all topics stand in the order of their ids. A message with an
///   [event name](crate::Outgoing::event) has it as `event`. Binary messages are left out, as they
///   are in event streams.
/// - **`next`** is the id to ask with next. It is the id of the last message given, also where
///   more wait: one answer has at most 64 KiB, or a single longer message.
/// - **`gap`** is true if messages are missing. The answer goes on at the oldest one that is kept.
///   An `after` that is malformed, forged, or from before the last start of the server is a gap
///   too: so a page needs one way to recover, and no second one for a 400.
///
/// Where nothing is newer, the answer waits for the next message: 25 s by default, then the list
/// is empty and `next` is the `after` of the request. Binary messages alone do not end the wait,
/// but `next` moves on past them. Without `after`, or with an empty one, the answer comes at once:
/// an empty list, and `next` is the latest id.
///
/// An id is no permission. Whether the client may read a topic is for the handler to decide, before
/// it names the topic here.
///
/// ```
/// use std::time::Duration;
/// use switchboard::testing::World;
/// use switchboard::{History, LongPoll};
///
/// let mut world = World::new();
/// world.server.history("room/", History::new());
/// world.server.http("/poll", |_conn, _request| LongPoll::new().topic("room/7"));
///
/// let first = world.get("/poll").text().to_owned();
/// let next = first.split('"').nth(5).unwrap(); // a page uses JSON.parse
/// assert_eq!(first, format!(r#"{{"messages":[],"next":"{next}","gap":false}}"#));
///
/// let ada = world.connect();
/// world.request(ada, &*format!("/poll?after={next}"));
/// world.advance(Duration::from_secs(10));
/// assert!(world.try_answer(ada).is_none(), "nothing is newer");
/// world.context().publish("room/7", "hello");
/// let answer = world.answer(ada);
/// assert!(answer.text().contains(r#""data":"hello"}],"next":""#));
/// assert_eq!(answer.header("Cache-Control"), Some("no-store"));
/// ```
///
/// # What a waiting poll costs, and how it ends
///
/// It keeps no copy of its request, and some 300 bytes. It counts among the
/// [subscribers](crate::Context::subscribers) of its topics and in
/// [`Stats::deferred`](crate::Stats::deferred), and no callback follows. Polls with equal questions
/// share one encoded answer. [`Options::answer_timeout`](crate::Options::answer_timeout) does not
/// concern it: its own wait is its deadline.
///
/// | what happens | the poll |
/// | --- | --- |
/// | its client breaks the connection off | ends without an answer |
/// | its client ends its side (FIN), as a page that leaves | is answered at once: an empty list |
/// | the window of a [drain](crate::Drain) begins | is answered at once, as the last |
/// | the connection reaches its [lifetime](crate::Options::lifetime) | likewise |
/// | [`Context::respond`](crate::Context::respond) with its id | gets that answer instead |
///
/// HEAD gets the head at once, without `Content-Length` (RFC 9110 8.6). A poll without a topic
/// that has history is answered with 500: no message could ever reach it.
///
/// [`Reply::LongPoll`]: crate::Reply::LongPoll
#[derive(Debug)]
pub struct LongPoll {
    pub(crate) topics: Vec<Box<str>>,
    pub(crate) wait: Duration,
    pub(crate) headers: Option<Box<Response>>,
}

/// Less than the idle timeout of common proxies, which is 30 s or more.
const WAIT: Duration = Duration::from_secs(25);

impl LongPoll {
    /// Makes a consent without topics, which waits for 25 s.
    #[must_use]
    pub fn new() -> LongPoll {
        LongPoll { topics: Vec::new(), wait: WAIT, headers: None }
    }

    /// Adds a topic. A second call with the same topic changes nothing. A topic without
    /// [history](crate::Server::history) is left out.
    #[must_use]
    pub fn topic(mut self, name: impl Into<Box<str>>) -> LongPoll {
        let name = name.into();
        if !self.topics.contains(&name) {
            self.topics.push(name);
        }
        self
    }

    /// Sets how long the answer waits for a message (default 25 s), rounded up to steps of 250 ms.
    /// Zero is no wait: the answer comes at once.
    ///
    /// ```
    /// use std::time::Duration;
    /// use switchboard::testing::World;
    /// use switchboard::{History, LongPoll};
    ///
    /// let mut world = World::new();
    /// world.server.history("room/", History::new());
    /// let poll = || LongPoll::new().topic("room/7").wait(Duration::from_secs(5));
    /// world.server.http("/poll", move |_, _| poll());
    /// let latest = world.context().latest_id().to_string();
    ///
    /// let ada = world.connect();
    /// world.request(ada, &*format!("/poll?after={latest}"));
    /// world.advance(Duration::from_secs(6));
    /// let expected = format!(r#"{{"messages":[],"next":"{latest}","gap":false}}"#);
    /// assert_eq!(world.answer(ada).text(), expected);
    /// ```
    #[must_use]
    pub fn wait(mut self, duration: Duration) -> LongPoll {
        self.wait = duration;
        self
    }

    /// Adds a header field to the answer, such as `Access-Control-Allow-Origin`. `Cache-Control`
    /// replaces the poll's own. A malformed field turns the answer into a 500 that names the field.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<str>) -> LongPoll {
        let response = self.headers.take().map_or_else(json, |headers| *headers);
        let response = match name.eq_ignore_ascii_case("cache-control") {
            true => response.replace(name, value.as_ref()),
            false => response.header(name, value),
        };
        self.headers = Some(Box::new(response));
        self
    }
}

impl Default for LongPoll {
    fn default() -> LongPoll {
        LongPoll::new()
    }
}

/// Makes the answer without its body.
fn json() -> Response {
    Response::json("").header("Cache-Control", "no-store")
}

/// Makes the answer of a poll, given its own header fields if it has any.
pub(crate) fn poll_response(headers: Option<&Response>, body: Vec<u8>) -> Response {
    headers.map_or_else(json, Response::clone).body(body)
}
