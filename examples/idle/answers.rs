//! The HTTP answer with which a server refused a handshake. This file judges no status.

use switchboard::http::StatusCode;
use switchboard::{Close, Declined};

/// Headers of a refusal that say what to do, and the bytes shown of each.
const TELLING: [&str; 3] = ["Location", "Retry-After", "WWW-Authenticate"];
const SHOWN: usize = 200;

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// The headers that say what to do.
    pub headers: Vec<String>,
}

impl Answer {
    /// Returns the answer with which an attempt was refused. A 101 refuses nothing: what is wrong
    /// with it stands in the reason of the `Close`.
    pub fn of_close(close: &Close<'_>) -> Option<Answer> {
        let declined = close.declined?;
        let status = declined.status();
        (status != StatusCode::SWITCHING_PROTOCOLS).then(|| Answer {
            status: status.as_u16(),
            headers: TELLING.iter().filter_map(|name| shown(declined, name)).collect(),
        })
    }
}

/// The first header of this name, as a line that a terminal can show.
fn shown(declined: &Declined, name: &str) -> Option<String> {
    let (_, value) = declined.headers().find(|(other, _)| other.eq_ignore_ascii_case(name))?;
    let value = String::from_utf8_lossy(&value[..value.len().min(SHOWN)]);
    Some(format!("{name}: {}", value.replace(char::is_control, "\u{fffd}")))
}

/// Names a status, such as `404 Not Found`.
pub fn name(status: u16) -> String {
    let known = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    known.map_or_else(|| status.to_string(), |name| format!("{status} {name}"))
}

#[cfg(test)]
mod tests {
    use switchboard::testing::World;
    use switchboard::{Conn, Connect, Handler};

    use super::*;

    #[derive(Default)]
    struct Reader {
        reason: String,
        answer: Option<Answer>,
    }

    impl Handler for Reader {
        fn close(&mut self, _conn: &mut Conn<'_>, close: Close<'_>) {
            self.reason = close.reason.to_owned();
            self.answer = Answer::of_close(&close);
        }
    }

    /// The reason and the answer of an attempt whose server sends these bytes.
    fn refused(response: &str) -> (String, Option<Answer>) {
        let mut world = World::new();
        let zone = world.server.zone("/", Reader::default());
        let (far, _id) = world.dial(zone, Connect::to("ws://feed.example/"));
        world.write(far, response);
        world.with(zone, |reader, _cx| (reader.reason.clone(), reader.answer.clone()))
    }

    fn answer(status: u16, headers: &[&str]) -> Option<Answer> {
        let headers = headers.iter().map(|&header| header.to_owned()).collect();
        Some(Answer { status, headers })
    }

    #[test]
    fn answer_of_an_attempt_has_its_status_and_the_headers_that_say_what_to_do() {
        for (head, expected) in [
            ("404 No\r\nX: y", answer(404, &[])),
            ("302 Found\r\nlocation: /a\r\nLocation: /b", answer(302, &["Location: /a"])),
            ("503 Busy\r\nRETRY-AFTER: 7", answer(503, &["Retry-After: 7"])),
            ("599 New\r\nServer: a", answer(599, &[])),
            (
                "401 No\r\nWWW-Authenticate: Basic \u{9b}2J",
                answer(401, &["WWW-Authenticate: Basic \u{fffd}2J"]),
            ),
        ] {
            let response = format!("HTTP/1.1 {head}\r\nContent-Length: 4\r\n\r\nbody");
            assert_eq!(refused(&response).1, expected, "{head}");
            let interim = format!("HTTP/1.1 103 Early Hints\r\nLocation: /x\r\n\r\n{response}");
            assert_eq!(refused(&interim).1, expected, "behind an interim response: {head}");
        }
        let long =
            format!("HTTP/1.1 301 No\r\nLocation: {:a<300}\r\nContent-Length: 0\r\n\r\n", "/");
        let headers = refused(&long).1.unwrap().headers;
        assert_eq!(headers[0].len(), "Location: ".len() + SHOWN);
        assert_eq!([404, 599].map(name), ["404 Not Found", "599"]);
    }

    #[test]
    fn answer_that_is_no_refusal_has_no_status() {
        for (response, reason) in [
            ("HTTP/1.1 101 Yes\r\n\r\n", "a 101 without Upgrade"),
            ("220 mail.example ESMTP\r\n\r\n", "a response that is not HTTP/1.0 or HTTP/1.1"),
        ] {
            assert_eq!(refused(response), (reason.to_owned(), None));
        }
    }
}
