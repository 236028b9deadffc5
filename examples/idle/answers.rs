//! The HTTP status with which a server refused a handshake. This file judges no status.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use switchboard::Close;
use switchboard::http::StatusCode;
use switchboard::proto::http1::{
    HeadLimits, HeaderSlots, ResponseError, ResponseHead, Scan, scan_response,
};

/// Headers of a refusal that say what to do, and the bytes shown of each.
const TELLING: [&str; 3] = ["Location", "Retry-After", "WWW-Authenticate"];
const SHOWN: usize = 200;

/// Bytes of an answer that are read at most.
const MOST: usize = 64 << 10;

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// The headers that say what to do.
    pub headers: Vec<String>,
}

impl Answer {
    /// Returns the answer with which an attempt was refused, where the client role reports it.
    ///
    /// A `Close` has words for a class of statuses, and no number: [`ask`] then asks once more,
    /// without the client role. Nothing else depends on what a `Close` carries.
    pub fn of_close(_close: &Close<'_>) -> Option<Answer> {
        None
    }

    /// Reads an answer from the bytes received so far, behind interim responses.
    ///
    /// # Errors
    ///
    /// When the bytes are no HTTP response.
    fn read(mut input: &[u8]) -> Result<Option<Answer>, ()> {
        let limits = HeadLimits::default();
        loop {
            let head = match scan_response(input, 0, &limits) {
                Scan::Complete(len) => &input[..len],
                Scan::Partial(_) => return Ok(None),
                Scan::Refused(_) => return Err(()),
            };
            let mut slots = HeaderSlots::new();
            let response = ResponseHead::parse(head, &mut slots, &limits).map_err(|_| ())?;
            if !response.is_interim() {
                return Ok(Some(Answer::of(&response)));
            }
            input = &input[head.len()..];
        }
    }

    fn of(response: &ResponseHead<'_>) -> Answer {
        let header = |name: &str| {
            let value = response.header_values(name).next()?;
            let value = String::from_utf8_lossy(&value[..value.len().min(SHOWN)]);
            Some(format!("{name}: {value}"))
        };
        Answer {
            status: response.status().as_u16(),
            headers: TELLING.iter().filter_map(|name| header(name)).collect(),
        }
    }

    /// Whether the client role reports such an answer in these words.
    pub fn fits(&self, reason: &str) -> bool {
        let words = match self.status {
            101 => return false,
            300..=399 => ResponseError::Redirected,
            401 | 407 => ResponseError::Unauthorized,
            426 => ResponseError::UpgradeRequired,
            _ => ResponseError::NotSwitched,
        };
        words.as_str() == reason
    }
}

/// Names a status, such as `404 Not Found`.
pub fn name(status: u16) -> String {
    let known = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    known.map_or_else(|| status.to_string(), |name| format!("{status} {name}"))
}

/// Sends a request on a connection of its own, and reads the head of the answer; `None` if there is
/// no whole one in time.
pub fn ask(address: SocketAddr, request: &[u8], patience: Duration) -> Option<Answer> {
    let deadline = Instant::now() + patience;
    let mut stream = TcpStream::connect_timeout(&address, patience).ok()?;
    stream.set_write_timeout(Some(patience)).ok()?;
    stream.write_all(request).ok()?;
    let (mut input, mut part) = (Vec::new(), [0; 4 << 10]);
    while input.len() < MOST {
        let left = deadline.checked_duration_since(Instant::now())?;
        stream.set_read_timeout(Some(left.max(Duration::from_millis(1)))).ok()?;
        match stream.read(&mut part).ok()? {
            0 => return None,
            len => input.extend_from_slice(&part[..len]),
        }
        if let Some(answer) = Answer::read(&input).ok()? {
            return Some(answer);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[&str]) -> Answer {
        Answer { status, headers: headers.iter().map(|&header| header.to_owned()).collect() }
    }

    #[test]
    fn answer_is_read_behind_interim_responses() {
        let whole = b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n\
                      HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nX: y\r\n\r\nbody";
        assert_eq!(Answer::read(whole), Ok(Some(answer(401, &["WWW-Authenticate: Basic"]))));
        for len in 0..whole.len() - 4 {
            assert_eq!(Answer::read(&whole[..len]), Ok(None), "{len}");
        }
        assert_eq!(Answer::read(b"220 mail.example ESMTP\r\n\r\n"), Err(()));
    }

    #[test]
    fn answer_fits_the_words_of_the_client_role() {
        for (status, reason, fits) in [
            (302, ResponseError::Redirected, true),
            (401, ResponseError::Unauthorized, true),
            (407, ResponseError::Unauthorized, true),
            (426, ResponseError::UpgradeRequired, true),
            (200, ResponseError::NotSwitched, true),
            (503, ResponseError::NotSwitched, true),
            (503, ResponseError::Redirected, false),
            (101, ResponseError::NotSwitched, false),
        ] {
            assert_eq!(answer(status, &[]).fits(reason.as_str()), fits, "{status} {reason}");
        }
        assert_eq!([404, 599].map(name), ["404 Not Found", "599"]);
    }
}
