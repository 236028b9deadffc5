//! Requests as they are sent, and answers as a strict client reads them.

/// An answer, without its `Date`, which is checked and left out so that answers can be compared.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| &**value)
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a text")
    }

    pub fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.contains("close"))
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?} {:?}", self.status, self.headers, String::from_utf8_lossy(&self.body))
    }
}

/// All answers in these bytes to requests that were not HEAD. Panics if an answer is cut.
pub fn answers(bytes: &[u8]) -> Vec<Answer> {
    answers_to(&[], bytes)
}

/// All answers in these bytes; the requests' methods say which have no body.
pub fn answers_to(methods: &[&str], bytes: &[u8]) -> Vec<Answer> {
    let mut methods = methods.iter();
    let mut rest = bytes;
    let mut answers = Vec::new();
    while !rest.is_empty() {
        let interim = rest.starts_with(b"HTTP/1.1 100");
        let method = if interim { "GET" } else { methods.next().unwrap_or(&"GET") };
        let (answer, len) = answer(rest, method);
        answers.push(answer);
        rest = &rest[len..];
    }
    answers
}

/// The one answer in these bytes.
pub fn only(bytes: &[u8]) -> Answer {
    let mut answers = answers(bytes);
    assert_eq!(answers.len(), 1, "{answers:?}");
    answers.remove(0)
}

pub fn statuses(bytes: &[u8]) -> Vec<u16> {
    answers(bytes).iter().map(|answer| answer.status).collect()
}

/// The bodies of answers, joined by spaces.
pub fn bodies(bytes: &[u8]) -> String {
    answers(bytes).iter().map(Answer::text).collect::<Vec<_>>().join(" ")
}

/// The first answer and its length.
pub fn answer(bytes: &[u8], method: &str) -> (Answer, usize) {
    let shown = || String::from_utf8_lossy(bytes).into_owned();
    let end = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap_or_else(|| panic!("half a head: {}", shown()))
        + 4;
    let head = std::str::from_utf8(&bytes[..end - 4]).expect("a head in ASCII");
    let mut lines = head.split("\r\n");
    let status_line = lines.next().unwrap_or_default();
    assert!(
        status_line.starts_with("HTTP/1.1 ") && status_line.as_bytes()[12] == b' ',
        "{status_line}"
    );
    let status: u16 = status_line[9..12].parse().expect("a status");
    let split =
        |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut headers: Vec<_> = lines
        .map(|line| split(line).unwrap_or_else(|| panic!("a line without name: {line}")))
        .collect();
    let dated = headers.len();
    headers
        .retain(|(name, value)| name != "Date" || !(value.len() == 29 && value.ends_with(" GMT")));
    assert_eq!(
        dated - headers.len(),
        usize::from(status >= 200),
        "one Date, and a sound one: {head}"
    );
    let mut answer = Answer { status, headers, body: Vec::new() };
    let len = body(&mut answer, method, &bytes[end..])
        .unwrap_or_else(|| panic!("half a body: {}", shown()));
    (answer, end + len)
}

fn body(answer: &mut Answer, method: &str, rest: &[u8]) -> Option<usize> {
    let (length, coding) = (answer.header("content-length"), answer.header("transfer-encoding"));
    assert!(length.is_none() || coding.is_none(), "two lengths: {answer:?}");
    if method == "HEAD" || matches!(answer.status, 100..=199 | 204 | 304) {
        return Some(0);
    }
    if let Some(length) = length {
        let len = length.parse().expect("a length");
        answer.body = rest.get(..len)?.to_vec();
        return Some(len);
    }
    if coding == Some("chunked") {
        return dechunk(rest).map(|(body, len)| {
            answer.body = body;
            len
        });
    }
    assert!(answer.closes(), "a body without an end: {answer:?}");
    answer.body = rest.to_vec();
    Some(rest.len())
}

/// A whole chunked body and its length on the wire.
pub fn dechunk(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let line = bytes[at..].windows(2).position(|window| window == b"\r\n")?;
        let size =
            usize::from_str_radix(std::str::from_utf8(&bytes[at..at + line]).ok()?, 16).ok()?;
        at += line + 2;
        let chunk = bytes.get(at..at + size + 2)?;
        assert_eq!(&chunk[size..], b"\r\n");
        body.extend_from_slice(&chunk[..size]);
        at += size + 2;
        if size == 0 {
            return Some((body, at));
        }
    }
}

pub fn get(path: &str) -> String {
    request("GET", path, "", "")
}

/// A request with further header lines, each with its CRLF, and a body as it is.
pub fn request(method: &str, path: &str, lines: &str, body: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: example.com\r\n{lines}\r\n{body}")
}

/// A request with a body of known length.
pub fn post(path: &str, body: &str) -> String {
    request("POST", path, &format!("Content-Length: {}\r\n", body.len()), body)
}

/// A request whose body comes in these chunks.
pub fn post_chunked(path: &str, chunks: &[&str]) -> String {
    let body: String =
        chunks.iter().map(|chunk| format!("{:x}\r\n{chunk}\r\n", chunk.len())).collect();
    request("POST", path, "Transfer-Encoding: chunked\r\n", &format!("{body}0\r\n\r\n"))
}

/// The handshake of RFC 6455 section 1.2.
pub fn handshake(path: &str) -> String {
    handshake_with(path, "")
}

/// The handshake with further header lines, each with its CRLF.
pub fn handshake_with(path: &str, lines: &str) -> String {
    let handshake = "Upgrade: websocket\r\nConnection: Upgrade\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
    request("GET", path, &format!("{handshake}{lines}"), "")
}
