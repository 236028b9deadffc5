//! The answer to a client's request, and its strict reader (RFC 9112 sections 4 to 7). This file
//! knows bytes, and of the request only the method.

use std::fmt;

use http::header::DATE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::http1::scan_response;
use crate::http1::{Chunked, HeadLimits, HeaderSlots, MAX_HEADERS, ResponseHead, Scan};

/// An HTTP response, whole.
///
/// ```
/// use switchboard::testing::World;
///
/// let mut world = World::new();
/// world.server.http("/", |_, request| format!("you asked for {}", request.path()));
/// let answer = world.get("/page");
/// assert_eq!(answer.status, 200);
/// assert_eq!(answer.header("content-length"), Some("19"));
/// assert_eq!(answer.text(), "you asked for /page");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status. It compares with a number.
    pub status: StatusCode,
    /// The header lines, `Date` included. Names compare without regard to case.
    pub headers: HeaderMap,
    /// The body without its transfer coding. It is empty for HEAD, 1xx, 204 and 304.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of this name; `None` if it is absent or not ASCII.
    ///
    /// ```
    /// # let mut world = switchboard::testing::World::new();
    /// # world.server.http("/", |_, _| "hello");
    /// let answer = world.get("/");
    /// assert_eq!(answer.header("Content-Type"), Some("text/plain; charset=utf-8"));
    /// assert_eq!(answer.header("Set-Cookie"), None);
    /// ```
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as text.
    ///
    /// ```
    /// # let mut world = switchboard::testing::World::new();
    /// # world.server.http("/", |_, _| "hello");
    /// assert_eq!(world.get("/").text(), "hello");
    /// ```
    ///
    /// # Panics
    /// If the body is not UTF-8.
    #[track_caller]
    pub fn text(&self) -> &str {
        match std::str::from_utf8(&self.body) {
            Ok(text) => text,
            Err(error) => {
                panic!("the body is no text ({error}): look at the bytes in `body` instead")
            }
        }
    }
}

/// The status, the header lines and the body, as a reader of a failed test wants them.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {}", value.as_bytes().escape_ascii())?;
        }
        write!(f, "\n{}", String::from_utf8_lossy(&self.body))
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A test's answers may be of any size.
const LIMITS: HeadLimits =
    HeadLimits { head: usize::MAX, headers: MAX_HEADERS, target: usize::MAX };

/// The head that some bytes begin with, and its length; `None` while it is not whole.
#[track_caller]
pub(super) fn head(bytes: &[u8]) -> Option<(Answer, usize)> {
    let len = match scan_response(bytes, 0, &LIMITS) {
        Scan::Complete(len) => len,
        Scan::Partial(_) => return None,
        Scan::Refused(fault) => no_http(bytes, fault.as_str()),
    };
    let mut slots = HeaderSlots::new();
    let head = match ResponseHead::parse(&bytes[..len], &mut slots, &LIMITS) {
        Ok(head) => head,
        Err(fault) => no_http(bytes, fault.as_str()),
    };
    let header = |(name, value): (&str, &[u8])| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_bytes(value).ok()?))
    };
    let headers =
        head.headers().filter_map(header).fold(HeaderMap::new(), |mut map, (name, value)| {
            map.append(name, value);
            map
        });
    let answer = Answer { status: head.status(), headers, body: Vec::new() };
    check_date(&answer);
    Some((answer, len))
}

/// RFC 9110 section 6.6.1: a server with a clock sends a `Date` in each answer that is not 1xx.
#[track_caller]
fn check_date(head: &Answer) {
    let mut dates = head.headers.get_all(DATE).iter();
    let has_date = dates.next().is_some_and(is_date) && dates.next().is_none();
    assert!(
        has_date || head.status.is_informational(),
        "the server's answer has not one sound Date:\n{head}"
    );
}

fn is_date(value: &HeaderValue) -> bool {
    value.to_str().is_ok_and(|date| httpdate::parse_http_date(date).is_ok())
}

/// The first answer in some bytes to a request with this method, and how many bytes the answer and
/// the interim responses before it take (RFC 9110 section 15.2). `None` while it is not whole.
///
/// A body without a length is whole once the server has `ended` its side.
#[track_caller]
pub(super) fn read(bytes: &[u8], method: &Method, ended: bool) -> Option<(Answer, usize)> {
    let (mut answer, start) = head(bytes)?;
    let rest = &bytes[start..];
    if answer.status.is_informational() && answer.status != StatusCode::SWITCHING_PROTOCOLS {
        let (answer, len) = read(rest, method, ended)?;
        return Some((answer, start + len));
    }
    let (body, len) = body(&answer, method, rest, ended)?;
    answer.body = body;
    Some((answer, start + len))
}

/// The body and its length on the wire (RFC 9112 section 6.3).
#[track_caller]
fn body(answer: &Answer, method: &Method, rest: &[u8], ended: bool) -> Option<(Vec<u8>, usize)> {
    let (length, coding) = (answer.header("content-length"), answer.header("transfer-encoding"));
    let status = answer.status;
    let has_none = status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
    if method == Method::HEAD || has_none || status.is_informational() {
        return Some((Vec::new(), 0));
    }
    match (length, coding) {
        (Some(length), None) => {
            let Ok(len) = length.parse() else { no_http(rest, "a malformed Content-Length") };
            Some((rest.get(..len)?.to_vec(), len))
        }
        (None, Some("chunked")) => {
            let mut body = Vec::new();
            match Chunked::new().decode(rest, &mut body, usize::MAX) {
                Ok(progress) => progress.done.then_some((body, progress.consumed)),
                Err(fault) => no_http(rest, fault.as_str()),
            }
        }
        (None, None) => ended.then(|| (rest.to_vec(), rest.len())),
        _ => no_http(rest, "a body whose length is stated in two ways"),
    }
}

#[track_caller]
fn no_http(bytes: &[u8], fault: &str) -> ! {
    panic!(
        "the server's bytes are no HTTP response ({fault}): \"{}\". \
         A handler that speaks a protocol of its own is tested with `write` and `read`",
        bytes.escape_ascii()
    )
}
