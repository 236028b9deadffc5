//! WebSocket handshakes as real clients send them, and the zones that they reach. Each is sent
//! whole and byte by byte.

mod common;

use common::http::{self, Answer};
use common::{Bytes, Log, Recorder, World};
use switchboard::http::{Method, Request};
use switchboard::{Reply, RequestError, Response, Server, Upgrade, Zone};

/// The bytes that answer a request, the same whether it arrives whole or byte by byte.
fn bytes_to(set_up: &dyn Fn(&mut Server), wire: &str) -> String {
    let ask = |trickles: bool| {
        let mut sim = World::serving(|server| set_up(server));
        let client = sim.connect();
        let bytes = match trickles {
            false => sim.ask(client, wire),
            true => {
                sim.trickle(client, wire.as_bytes());
                sim.receive(client)
            }
        };
        String::from_utf8(bytes).expect("ASCII")
    };
    // The clock of the machine may go on between the two.
    let dateless = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !line.starts_with("Date: ")).map(str::to_owned).collect()
    };
    let whole = ask(false);
    assert_eq!(dateless(&whole), dateless(&ask(true)), "byte by byte: {wire}");
    whole
}

/// A refusal, or any other answer than 101.
fn answer_to(set_up: &dyn Fn(&mut Server), wire: &str) -> Answer {
    http::only(bytes_to(set_up, wire).as_bytes())
}

fn is_switched(bytes: &str) -> bool {
    bytes.starts_with("HTTP/1.1 101 ")
}

/// Speaks `echo`, and is registered in the way that a row names.
fn echoing(server: &mut Server) {
    let log = Log::new();
    server.zone("/", Recorder::new(&log).request(|_, _| Upgrade::new().subprotocols(["echo"])));
}

/// Lines instead of the handshake's own of their names, and the fault if there is one.
type Row = (&'static str, Option<RequestError>);

const REAL: &[Row] = &[
    // Empty list elements count for nothing (RFC 9110 section 5.6.1). React Native sends the first.
    ("Sec-WebSocket-Protocol:", None),
    ("Sec-WebSocket-Protocol: ,", None),
    ("Sec-WebSocket-Protocol: , ,\t,", None),
    ("Sec-WebSocket-Protocol: other,,", None),
    ("Sec-WebSocket-Protocol:\r\nSec-WebSocket-Protocol:", None),
    ("Connection: , Upgrade,", None),
    ("Connection: keep-alive,, Upgrade", None),
    ("Connection:\r\nConnection: Upgrade", None),
    ("Upgrade: websocket,", None),
    ("Upgrade: ,\t, websocket", None),
    ("Upgrade:\r\nUpgrade: websocket", None),
    ("Sec-WebSocket-Extensions:", None),
    ("Sec-WebSocket-Extensions: , ,", None),
    ("Sec-WebSocket-Extensions: permessage-deflate,", None),
    ("Sec-WebSocket-Extensions: ,permessage-deflate ,, x-other", None),
    ("Expect: ,", None),
    ("Expect:", None),
    ("Expect: 100-continue,", None),
    // What is no list stays one value.
    ("Sec-WebSocket-Version: 13,", Some(RequestError::MissingWebSocketVersion)),
    ("Sec-WebSocket-Version: ,13", Some(RequestError::MissingWebSocketVersion)),
    ("Sec-WebSocket-Protocol: a b,", Some(RequestError::MalformedSubprotocol)),
    ("Sec-WebSocket-Protocol: a,,a", Some(RequestError::MalformedSubprotocol)),
    ("Sec-WebSocket-Protocol: \"\"", Some(RequestError::MalformedSubprotocol)),
    ("Connection: ,", Some(RequestError::MissingConnectionUpgrade)),
    ("Upgrade: ,", Some(RequestError::MissingUpgrade)),
    // The example of RFC 6455 section 4.1 has bits behind its 16 bytes.
    ("Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEC==", None),
    ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==", None),
    ("Sec-WebSocket-Key: ////////////////////////", Some(RequestError::MalformedKey)),
    ("Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEC", Some(RequestError::MalformedKey)),
    ("Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEC=", Some(RequestError::MalformedKey)),
    ("Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEBF=", Some(RequestError::MalformedKey)),
    ("Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEC==,", Some(RequestError::MalformedKey)),
    // RFC 6455 section 9.1: what does not follow the grammar fails the handshake.
    ("Sec-WebSocket-Extensions: permessage-deflate; =", Some(RequestError::MalformedExtensions)),
    ("Sec-WebSocket-Extensions: permessage-deflate; a b", Some(RequestError::MalformedExtensions)),
    ("Sec-WebSocket-Extensions: permessage-deflate;", Some(RequestError::MalformedExtensions)),
    ("Sec-WebSocket-Extensions: permessage-deflate; a=\"", Some(RequestError::MalformedExtensions)),
    ("Sec-WebSocket-Extensions: \"permessage", Some(RequestError::MalformedExtensions)),
    ("Sec-WebSocket-Extensions: ;", Some(RequestError::MalformedExtensions)),
    ("Sec-WebSocket-Extensions: ; a", Some(RequestError::MalformedExtensions)),
    ("Sec-WebSocket-Extensions: a b", Some(RequestError::MalformedExtensions)),
    ("Sec-WebSocket-Extensions: a/b", Some(RequestError::MalformedExtensions)),
    ("Sec-WebSocket-Extensions: a; b=", Some(RequestError::MalformedExtensions)),
    ("Sec-WebSocket-Extensions: a; b=\"\"", Some(RequestError::MalformedExtensions)),
    ("Sec-WebSocket-Extensions: a; b=\"c d\"", Some(RequestError::MalformedExtensions)),
    ("Sec-WebSocket-Extensions: a; b=c=d", Some(RequestError::MalformedExtensions)),
    ("Sec-WebSocket-Extensions: a;; b", Some(RequestError::MalformedExtensions)),
    ("Sec-WebSocket-Extensions: x, a; b=\"c", Some(RequestError::MalformedExtensions)),
    (
        "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Extensions: ;",
        Some(RequestError::MalformedExtensions),
    ),
    // What follows it and is not known is declined.
    ("Sec-WebSocket-Extensions: permessage-deflate; a=b", None),
    ("Sec-WebSocket-Extensions: x-webkit-deflate-frame; no_context_takeover", None),
    ("Sec-WebSocket-Extensions: a ;\tb = \"\\c\" ; d, e", None),
    ("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=7", None),
];

/// The handshake, with lines instead of its own of their name.
fn with_lines(lines: &str) -> String {
    let name = lines.split(':').next().unwrap_or_default();
    let handshake = http::handshake("/");
    let (kept, _): (Vec<_>, Vec<_>) = handshake
        .trim_end()
        .split("\r\n")
        .partition(|line| !line.split(':').next().unwrap_or_default().eq_ignore_ascii_case(name));
    format!("{}\r\n{lines}\r\n\r\n", kept.join("\r\n"))
}

#[test]
fn server_accepts_what_real_clients_send_and_refuses_the_malformed() {
    for &(lines, fault) in REAL {
        let bytes = bytes_to(&echoing, &with_lines(lines));
        let Some(fault) = fault else {
            assert!(is_switched(&bytes), "{lines}: {bytes}");
            assert!(!bytes.contains("Sec-WebSocket-Protocol"), "nothing was selected: {bytes}");
            continue;
        };
        let answer = http::only(bytes.as_bytes());
        assert_eq!((answer.status, answer.text()), (400, fault.as_str()), "{lines}");
        assert!(answer.closes(), "{lines}");
    }
    let bytes = bytes_to(&echoing, &with_lines("Sec-WebSocket-Protocol: echo, "));
    assert!(is_switched(&bytes) && bytes.contains("\r\nSec-WebSocket-Protocol: echo\r\n"));
}

/// Whether compression is on has no influence on what is malformed.
#[cfg(feature = "deflate")]
#[test]
fn server_judges_extensions_alike_with_compression() {
    use switchboard::{DeflateConfig, Options};
    let compressing = |server: &mut Server| {
        server.options(Options::new().deflate(DeflateConfig::shared()));
        echoing(server);
    };
    for &(lines, fault) in REAL.iter().filter(|(lines, _)| lines.contains("Extensions")) {
        let bytes = bytes_to(&compressing, &with_lines(lines));
        assert_eq!(is_switched(&bytes), fault.is_none(), "{lines}: {bytes}");
    }
}

const PAGE: &str = "the page";

#[test]
fn server_passes_a_handshake_on_from_a_closure_for_plain_http() {
    let set_up = |server: &mut Server| {
        server.http("/", |_, _| PAGE);
        server.http(Zone::new("/").methods(&[Method::GET]), |_, _| PAGE);
        server.websocket("/", |conn, message| conn.send(message));
    };
    assert!(is_switched(&bytes_to(&set_up, &http::handshake("/x"))));
    assert_eq!(answer_to(&set_up, &http::get("/x")).text(), PAGE);
    // An upgrade to another protocol is ignored (RFC 9110 section 7.8).
    for lines in ["Upgrade: h2c\r\n", "Upgrade: TLS/1.0, h2c\r\n", "Upgrade: websockets\r\n"] {
        let wire = http::request("GET", "/", &format!("Connection: Upgrade\r\n{lines}"), "");
        assert_eq!(answer_to(&set_up, &wire).text(), PAGE, "{lines}");
    }
    let wire = with_lines("Upgrade: h2c, websocket");
    assert!(is_switched(&bytes_to(&set_up, &wire)));
    // A part of a handshake is passed on too, so that the answer names what is missing.
    let wire = http::request("GET", "/", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "");
    assert_eq!(answer_to(&set_up, &wire).text(), RequestError::MissingUpgrade.as_str());
}

#[test]
fn server_says_that_no_zone_takes_a_websocket() {
    type SetUp = fn(&mut Server);
    let rows: [SetUp; 4] = [
        |_| {},
        |server| {
            server.http("/", |_, _| PAGE);
        },
        |server| {
            server.http(Zone::new("/").methods(&[Method::GET]), |_, _| PAGE);
        },
        |server| {
            server.http(Zone::new("/").upgrades(true), |_, _| Reply::Pass);
            server.http("/", |_, _| PAGE);
            server.websocket("/elsewhere", |_, _| {});
        },
    ];
    for set_up in rows {
        for wire in [
            http::handshake("/x"),
            http::handshake("/x").replacen("GET", "POST", 1),
            http::handshake("/x").replace("HTTP/1.1", "HTTP/1.0"),
        ] {
            let answer = answer_to(&set_up, &wire);
            assert_eq!(answer.status, 404, "{wire}");
            assert!(answer.text().contains("no zone at this path takes a WebSocket"), "{answer:?}");
        }
        let answer = answer_to(&set_up, &http::get("/nowhere"));
        assert!(answer.text() == "not found" || answer.text() == PAGE, "{answer:?}");
    }
    // Other methods are no matter of upgrades.
    let putting = |server: &mut Server| {
        server.http(Zone::new("/").methods(&[Method::PUT]), |_, _| PAGE);
    };
    let answer = answer_to(&putting, &http::get("/"));
    assert_eq!((answer.status, answer.header("allow")), (405, Some("PUT")));
}

#[test]
fn zone_says_whether_it_wants_to_see_handshakes() {
    // A closure that sees them may answer, pass or upgrade.
    let page = |server: &mut Server| {
        server.http(Zone::new("/").upgrades(true), |_, _| PAGE);
        server.websocket("/", |_, _| {});
    };
    assert_eq!(answer_to(&page, &http::handshake("/")).text(), PAGE);
    let guard = |server: &mut Server| {
        server.http(Zone::new("/").upgrades(true), |_, request| match request.cookie("user") {
            Some(_) => Reply::Pass,
            None => Response::text("who are you?").with_status(401).into(),
        });
        server.websocket("/", |_, _| {});
    };
    assert_eq!(answer_to(&guard, &http::handshake("/")).status, 401);
    assert!(is_switched(&bytes_to(&guard, &http::handshake_with("/", "Cookie: user=ada\r\n"))));
    let upgrading = |server: &mut Server| {
        server.http(Zone::new("/").upgrades(true), |_, _| Upgrade::new());
    };
    assert!(is_switched(&bytes_to(&upgrading, &http::handshake("/"))));

    // A handler sees them, unless its zone says otherwise, and its own answer stands.
    let handler = |server: &mut Server| {
        let log = Log::new();
        server.zone("/", Recorder::new(&log).request(|_, _| PAGE));
        server.websocket("/", |_, _| {});
    };
    assert_eq!(answer_to(&handler, &http::handshake("/")).text(), PAGE);
    let blind = |server: &mut Server| {
        let log = Log::new();
        server.zone(Zone::new("/").upgrades(false), Recorder::new(&log).request(|_, _| PAGE));
        server.websocket("/", |_, _| {});
    };
    assert!(is_switched(&bytes_to(&blind, &http::handshake("/"))));
}

#[test]
fn closure_is_not_called_for_a_handshake() {
    let log = Log::new();
    let mut sim = World::serving(|server| {
        let log = log.clone();
        server.http("/", move |conn, _| {
            log.note(conn.id(), "asked");
            PAGE
        });
    });
    let client = sim.connect();
    sim.upgrade(client, Request::get("/"));
    assert_eq!(sim.answer(client).status, 404);
    assert_eq!(log.take(), [""; 0]);
    assert_eq!(sim.get("/").text(), PAGE);
    assert_eq!(log.take(), ["asked"]);
}
