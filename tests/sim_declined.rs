//! What a handler learns of a server that answers its handshake in HTTP: status, headers and the
//! beginning of the body, however they arrive and however they end.

mod common;

use std::io::ErrorKind;

use common::dialling::nothing_left;
use common::{Bytes, Client, World, millis, seconds};
use switchboard::{Close, CloseCode, Conn, ConnId, Connect, Declined, Drain, Handler, ZoneId};

#[derive(Default)]
struct Reader {
    ends: Vec<(ConnId, String, Option<Declined>)>,
}

impl Handler for Reader {
    fn close(&mut self, conn: &mut Conn<'_>, close: Close<'_>) {
        let told = format!("{} {}", close.code.as_u16(), close.reason);
        self.ends.push((conn.id(), told, close.declined.cloned()));
    }
}

struct Attempt {
    world: World,
    zone: ZoneId<Reader>,
    far: Client,
    id: ConnId,
}

impl Attempt {
    fn begin(connect: Connect) -> Attempt {
        let mut world = World::new();
        let zone = world.server.zone("/", Reader::default());
        let (far, id) = world.dial(zone, connect);
        world.settle();
        world.receive(far);
        Attempt { world, zone, far, id }
    }

    fn ends(&mut self) -> Vec<(ConnId, String, Option<Declined>)> {
        self.world.with(self.zone, |reader, _| std::mem::take(&mut reader.ends))
    }

    /// The one end of the attempt.
    #[track_caller]
    fn end(&mut self) -> (String, Option<Declined>) {
        let mut ends = self.ends();
        assert_eq!(ends.len(), 1, "{ends:?}");
        let (id, told, declined) = ends.remove(0);
        assert_eq!(id, self.id);
        assert!(self.world.is_gone(self.far));
        nothing_left(&mut self.world);
        (told, declined)
    }
}

const URL: &str = "ws://example.com/";
const OTHER: &str = "1006 a status other than 101";

#[test]
fn status_headers_and_body_come_with_the_close() {
    let long = "x".repeat(5_000);
    let rows = [
        (
            "401 Unauthorized",
            "WWW-Authenticate: Basic realm=\"a\"\r\nContent-Length: 2",
            "no",
            "no",
        ),
        ("404 Not Found", "Content-Length: 0", "", ""),
        (
            "503 Busy",
            "Retry-After: 7\r\nTransfer-Encoding: chunked",
            "2\r\nno\r\n1\r\nw\r\n0\r\n\r\n",
            "now",
        ),
        ("302 Found", "Location: /there\r\nContent-Length: 4", "gone", "gone"),
        ("200 OK", "Content-Length: 5000", &long, &long[..4096]),
        ("200 OK", "Content-Length: 4096", &long[..4096], &long[..4096]),
        (
            "200 OK",
            "Transfer-Encoding: chunked",
            &format!("1388\r\n{long}\r\n0\r\n\r\n"),
            &long[..4096],
        ),
        ("200 OK", "A: b", &long, &long[..4096]),
        ("204 No Content", "A: b", "", ""),
        ("304 Not Modified", "Content-Length: 9", "", ""),
        // A length that has two readings has none.
        ("400 Bad", "Content-Length: 2\r\nContent-Length: 3", "", ""),
        ("400 Bad", "Content-Length: +2", "", ""),
        ("400 Bad", "Transfer-Encoding: chunked", "x", ""),
    ];
    for (status, headers, sent, body) in rows {
        let answer = format!("HTTP/1.1 {status}\r\n{headers}\r\n\r\n{sent}");
        for size in [1, 7, usize::MAX] {
            let mut attempt = Attempt::begin(Connect::to(URL));
            for piece in answer.as_bytes().chunks(size) {
                if !attempt.world.is_gone(attempt.far) {
                    attempt.world.write(attempt.far, piece);
                }
            }
            let (_, declined) = attempt.end();
            let declined = declined.expect("a response");
            assert_eq!(format!("{} ", declined.status().as_u16()), status[..4]);
            let first = headers.lines().next().and_then(|line| line.split_once(": "));
            let (name, value) = first.expect("a header");
            assert_eq!(declined.header(&name.to_uppercase()), Some(value));
            assert_eq!(declined.headers().count(), headers.lines().count());
            assert_eq!(declined.body(), body.as_bytes(), "{status} in pieces of {size}");
        }
    }
}

/// What ends a body that would go on: its end, a reset, one second, the attempt's deadline.
#[test]
fn body_ends_with_the_connection_or_after_a_second() {
    let head = "HTTP/1.1 503 Busy\r\nContent-Length: 10\r\n\r\nhalf";
    type End = fn(&mut Attempt);
    let ends: [End; 5] = [
        |attempt| attempt.world.end(attempt.far),
        |attempt| attempt.world.end_quietly(attempt.far),
        |attempt| attempt.world.fail(attempt.far, ErrorKind::ConnectionReset),
        |attempt| {
            attempt.world.advance(millis(999));
            assert_eq!(attempt.ends(), []);
            attempt.world.advance(millis(251));
        },
        |attempt| attempt.world.server.drain(Drain::within(seconds(5))).unwrap(),
    ];
    for end in ends {
        let mut attempt = Attempt::begin(Connect::to(URL));
        attempt.world.write(attempt.far, head);
        assert_eq!(attempt.ends(), []);
        end(&mut attempt);
        attempt.world.settle();
        let (told, declined) = attempt.end();
        assert_eq!(told, OTHER);
        assert_eq!(declined.expect("a response").body(), b"half");
    }
    // A body that trickles has no more time than the attempt.
    let mut attempt = Attempt::begin(Connect::to(URL).timeout(seconds(2)));
    attempt.world.advance(millis(1_750));
    attempt.world.write(attempt.far, head);
    attempt.world.advance(millis(499));
    attempt.world.write(attempt.far, "!");
    attempt.world.advance(millis(1));
    let (told, declined) = attempt.end();
    assert_eq!((&*told, declined.expect("a response").body()), (OTHER, &b"half!"[..]));
}

/// A 101 that is not right carries its head, too. What is no HTTP carries nothing.
#[test]
fn close_has_no_response_where_none_came() {
    let rows = [
        (
            "HTTP/1.1 101 Switching\r\nUpgrade: web\r\n\r\nframes",
            "1006 an Upgrade that is not websocket alone",
            Some(101),
        ),
        ("SSH-2.0\r\n", "1006 a response that is not HTTP/1.0 or HTTP/1.1", None),
        ("HTTP/1.1 4", "1006 the peer ended without an answer", None),
        ("", "1006 the peer ended without an answer", None),
    ];
    for (answer, told, status) in rows {
        let mut attempt = Attempt::begin(Connect::to(URL));
        attempt.world.write(attempt.far, answer);
        if !attempt.world.is_gone(attempt.far) {
            attempt.world.end(attempt.far);
        }
        let (end, declined) = attempt.end();
        assert_eq!((&*end, declined.as_ref().map(|it| it.status().as_u16())), (told, status));
        assert!(declined.is_none_or(|declined| declined.body().is_empty()));
    }
}

/// The handler's own close during the body counts as its own.
#[test]
fn attempt_that_is_given_up_ends_with_its_own_reason() {
    let mut attempt = Attempt::begin(Connect::to(URL));
    attempt.world.write(attempt.far, "HTTP/1.1 503 Busy\r\n\r\n");
    let mut conn = attempt.world.context().conn(attempt.id).expect("an attempt");
    conn.close(CloseCode::GOING_AWAY, "enough");
    attempt.world.settle();
    assert_eq!(attempt.end(), ("1001 enough".to_owned(), None));
}
