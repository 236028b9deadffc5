//! How the server opens a WebSocket, over memory: its request and the answers that it accepts.
//! Every failure arrives as one `close`, never from within the call that caused it.

mod common;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use common::dialling::{URL, dialler, nothing_left, request};
use common::frames::{masked_frames, plain};
use common::{Bytes, Log, Recorder, World, millis, seconds};
use switchboard::proto::http1::ResponseError;
use switchboard::{CloseCode, Connect, ZoneId};

#[test]
fn client_asks_as_section_4_1_says() {
    let (mut sim, zone) = dialler(&Log::new());
    let (one, _) = sim.dial(
        zone,
        Connect::to("ws://Example.com:8080/a?b")
            .subprotocols(["x", "y"])
            .header("Cookie", "c=1")
            .origin("http://o"),
    );
    let (two, _) = sim.dial(zone, Connect::to("ws://example.com"));
    sim.settle();
    let (first, _) = request(&mut sim, one);
    let (second, _) = request(&mut sim, two);
    let lines: Vec<_> = first.split("\r\n").collect();
    assert_eq!(lines[0], "GET /a?b HTTP/1.1");
    for line in [
        "Host: example.com:8080",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: x, y",
        "Cookie: c=1",
        "Origin: http://o",
    ] {
        assert_eq!(lines.iter().filter(|other| **other == line).count(), 1, "{line} in {first}");
    }
    assert!(
        second.starts_with("GET / HTTP/1.1\r\nHost: example.com\r\n")
            && !second.contains("Protocol:"),
        "{second}"
    );
    let key = |head: &str| {
        head.lines().find(|line| line.starts_with("Sec-WebSocket-Key")).map(str::to_owned)
    };
    assert_ne!(key(&first), key(&second), "a nonce for each");
}

/// The answer and the first frames, cut in two at every point: heard the same.
#[test]
fn client_hears_frames_behind_the_answer_wherever_it_is_cut() {
    let frames = [
        plain(0x81, "one"),
        plain(0x89, "?"),
        plain(0x01, "t"),
        plain(0x80, "wo"),
        plain(0x82, [1; 200]),
    ]
    .concat();
    let expected = [
        "open /chat".into(),
        "speaks None at Some(\"room=7\")".into(),
        "text one".into(),
        "text two".into(),
        format!("binary {}", [1u8; 200].escape_ascii()),
    ];
    for cut in 0..320 {
        let log = Log::new();
        let (mut sim, zone) = dialler(&log);
        let (client, _) = sim.dial(zone, Connect::to(URL));
        sim.settle();
        let (_, answer) = request(&mut sim, client);
        let bytes = [answer.as_bytes(), &frames].concat();
        let cut = cut.min(bytes.len());
        sim.send(client, &bytes[..cut]);
        sim.send(client, &bytes[cut..]);
        assert_eq!(log.take(), expected, "cut at {cut}");
        let (said, _) = masked_frames(&sim.receive(client));
        assert_eq!(
            said.iter().map(common::frames::Frame::word).collect::<Vec<_>>(),
            ["pong ?"],
            "cut at {cut}"
        );
    }
}

#[test]
fn client_lets_interim_answers_pass() {
    let log = Log::new();
    let (mut sim, zone) = dialler(&log);
    let (client, _) = sim.dial(zone, Connect::to(URL));
    sim.settle();
    let (_, answer) = request(&mut sim, client);
    sim.send(
        client,
        format!(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n{answer}"
        ),
    );
    assert_eq!(log.take()[0], "open /chat");
}

/// A 101 has no body, whatever its headers say (RFC 9112 section 6.3, item 1), and many servers
/// leave out the space in front of an empty reason.
#[test]
fn client_takes_the_answers_of_real_servers() {
    type Change = fn(String) -> String;
    fn add(answer: &str, line: &str) -> String {
        answer.replace("\r\n\r\n", &format!("\r\n{line}\r\n\r\n"))
    }
    let rows: &[Change] = &[
        |good| good.replace(" Switching Protocols", ""),
        |good| good.replace("Switching Protocols", ""),
        |good| add(&good, "Transfer-Encoding: chunked"),
        |good| add(&good, "Content-Length: 0"),
        |good| add(&good, "Content-Length: 5"),
        |good| add(&good, "Content-Length: 99999\r\nTransfer-Encoding: gzip"),
        |good| add(&good, "Sec-WebSocket-Extensions:"),
        |good| good.replace("Connection: Upgrade", "Connection: , upgrade,"),
        |good| good.replace("Upgrade: websocket", "Upgrade: WebSocket, "),
        |good| format!("HTTP/1.1 103\r\nContent-Length: 9\r\n\r\n{good}"),
    ];
    for change in rows {
        for trickles in [false, true] {
            let log = Log::new();
            let (mut sim, zone) = dialler(&log);
            let (client, _) = sim.dial(zone, Connect::to(URL));
            sim.settle();
            let answer = change(request(&mut sim, client).1);
            let bytes = [answer.as_bytes(), &plain(0x81, "hello")].concat();
            let piece = if trickles { 1 } else { usize::MAX };
            bytes.chunks(piece).for_each(|bytes| sim.send(client, bytes));
            assert_eq!(log.take().last().map(String::as_str), Some("text hello"), "{answer}");
        }
    }
}

/// What is wrong with an answer, and what the handler is told.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn client_refuses_every_answer_that_is_not_right() {
    let good = |sim: &mut World, client| request(sim, client).1;
    type Spoil = fn(String) -> String;
    let rows: &[(Spoil, ResponseError)] = &[
        (
            |_| {
                "HTTP/1.1 302 Found\r\nLocation: ws://elsewhere/\r\nContent-Length: 0\r\n\r\n"
                    .into()
            },
            ResponseError::Redirected,
        ),
        (
            |_| "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n".into(),
            ResponseError::Unauthorized,
        ),
        (
            |_| "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n".into(),
            ResponseError::UpgradeRequired,
        ),
        (|_| "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".into(), ResponseError::NotSwitched),
        (|_| "SSH-2.0-OpenSSH\r\n\r\n".into(), ResponseError::NotHttp),
        (|good| good.replace("101 Switching", "503 Switching"), ResponseError::NotSwitched),
        (|good| good.replace("Upgrade: websocket", "Upgrade: web"), ResponseError::WrongUpgrade),
        (
            |good| good.replace("Connection: Upgrade", "Connection: close"),
            ResponseError::MissingConnectionUpgrade,
        ),
        (|good| good.replace("Accept: ", "Accept: A"), ResponseError::WrongAccept),
        (|good| good.replace("Sec-WebSocket-Accept", "X"), ResponseError::MissingAccept),
        (
            |good| good.replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: v1\r\n\r\n"),
            ResponseError::UnaskedSubprotocol,
        ),
        (
            |good| good.replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: x\r\n\r\n"),
            ResponseError::UnofferedExtension,
        ),
        (
            |good| good.replace("\r\n\r\n", &format!("\r\nA: {}\r\n\r\n", "x".repeat(16 << 10))),
            ResponseError::HeadTooLarge,
        ),
        (
            |good| good.replace("\r\n\r\n", &format!("{}\r\n\r\n", "\r\nA: b".repeat(100))),
            ResponseError::TooManyHeaders,
        ),
        (|good| good.replace("\r\n", "\n"), ResponseError::BareLineFeed),
    ];
    for (spoil, rejection) in rows {
        for trickles in [false, true] {
            let log = Log::new();
            let (mut sim, zone) = dialler(&log);
            let (client, id) = sim.dial(zone, Connect::to(URL));
            sim.settle();
            let answer = spoil(good(&mut sim, client));
            let piece = if trickles { 1 } else { usize::MAX };
            for bytes in [answer.as_bytes(), &plain(0x81, "unheard")].concat().chunks(piece) {
                if !sim.is_gone(client) {
                    sim.send(client, bytes);
                }
            }
            // A body without a length has a second to arrive.
            sim.advance(millis(1_250));
            assert_eq!(log.take_all(), [(id, format!("close 1006 {:?}", rejection.as_str()))]);
            assert!(
                sim.is_gone(client) && sim.receive(client).is_empty(),
                "nothing is sent (7.1.7)"
            );
            nothing_left(&mut sim);
        }
    }
}

/// Whatever cannot even be asked is told by `close` as well, after the call has returned.
#[test]
fn client_hears_what_it_may_not_ask_by_close() {
    let rows = [
        (Connect::to("http://127.0.0.1/"), "the URL does not begin with ws:// or wss://"),
        (Connect::to("ws://example.com/#a"), "the URL has a fragment"),
        (
            Connect::to("ws://us er@example.com/"),
            "the user or password in the URL has a character that must be percent-encoded",
        ),
        #[cfg(not(feature = "tls"))]
        (
            Connect::to("wss://example.com/"),
            "wss needs TLS: build switchboard with the feature `tls`",
        ),
        #[cfg(feature = "tls")]
        (Connect::to("wss://example..com/"), "the URL has a host that no certificate can name"),
        (
            Connect::to("ws://example.com/").proxy("socks5://example.com"),
            "a proxy whose URL does not begin with http://",
        ),
        (
            Connect::to("ws://127.0.0.1/").header("Host", "b"),
            "a header that is the handshake's own",
        ),
        (Connect::to("ws://127.0.0.1/").header("A", "b\r\nC: d"), "a malformed header"),
        (
            Connect::to("ws://127.0.0.1/").subprotocols(["a", "a"]),
            "a subprotocol that is asked for twice",
        ),
        (Connect::to("ws://127.0.0.1/").origin(""), "a malformed origin"),
    ];
    for (connect, reason) in rows {
        let log = Log::new();
        let (mut sim, zone) = dialler(&log);
        let (client, id) = sim.dial(zone, connect.clone());
        assert_eq!(log.take(), [""; 0], "not inline");
        sim.settle();
        assert_eq!(log.take_all(), [(id, format!("close 1006 {reason:?}"))]);
        assert!(sim.is_gone(client));
        nothing_left(&mut sim);

        // From a callback: the one that asks ends first.
        let (mut sim, zone) = dialler(&log);
        let seen = log.clone();
        sim.server.context(sim.now).call(zone, move |_: &mut Recorder, cx| {
            let id = cx.connect(zone, connect);
            seen.note(id, "asked");
        });
        sim.settle();
        assert_eq!(log.take(), ["asked".to_owned(), format!("close 1006 {reason:?}")]);
        nothing_left(&mut sim);
    }
}

#[test]
fn client_without_sockets_is_told_so() {
    let log = Log::new();
    let (mut sim, zone) = dialler(&log);
    let now = sim.now;
    sim.server.context(now).connect(zone, Connect::to("ws://127.0.0.1:1/"));
    sim.settle();
    assert_eq!(log.take(), ["close 1006 \"a detached server opens no socket: use connect_over\""]);
    nothing_left(&mut sim);
}

#[test]
fn client_gives_up_at_its_deadline() {
    for (connect, deadline) in [(Connect::to(URL), 10), (Connect::to(URL).timeout(seconds(3)), 3)] {
        for said in ["", "HTTP/1.1 101 Switching"] {
            let log = Log::new();
            let (mut sim, zone) = dialler(&log);
            let (client, _) = sim.dial(zone, connect.clone());
            for byte in said.bytes() {
                sim.send(client, [byte]);
            }
            sim.advance(seconds(deadline) - millis(1));
            assert_eq!(log.take(), [""; 0]);
            sim.advance(millis(252));
            assert_eq!(log.take(), ["close 1006 \"not open in time\""]);
            assert!(sim.is_gone(client));
            nothing_left(&mut sim);
        }
    }
}

/// A handler that is asked to try again does so from `close`, with another name each time.
#[test]
fn client_tries_again_from_close() {
    let log = Log::new();
    let mut sim = World::new();
    let zone: Rc<RefCell<Option<ZoneId<Recorder>>>> = Rc::default();
    let own = Rc::clone(&zone);
    let recorder = Recorder::new(&log).close(move |conn, _| {
        if let Some(zone) = *own.borrow() {
            conn.context().after(zone, seconds(1), move |_: &mut Recorder, cx| {
                cx.connect(zone, Connect::to("ws://127.0.0.1:1/"));
            });
        }
    });
    let id = sim.server.zone("/", recorder);
    *zone.borrow_mut() = Some(id);
    let now = sim.now;
    sim.server.context(now).connect(id, Connect::to("ws://127.0.0.1:1/"));
    sim.advance(millis(5_500));
    let ids: BTreeSet<_> = log.take_all().into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids.len(), 6, "each attempt has a name of its own");
    zone.borrow_mut().take();
    sim.advance(seconds(5));
    log.take();
    nothing_left(&mut sim);
}

/// Nothing reaches a WebSocket that is not open yet, and its id means nothing once the attempt is
/// over.
#[test]
fn client_can_be_closed_before_it_is_open() {
    let log = Log::new();
    let (mut sim, zone) = dialler(&log);
    let (client, id) = sim.dial(zone, Connect::to(URL));
    sim.settle();
    sim.receive(client);
    let now = sim.now;
    let cx = sim.server.context(now);
    cx.send(id, "too early");
    let mut conn = cx.conn(id).expect("an attempt");
    conn.ping(b"too early");
    conn.subscribe("all");
    conn.close(CloseCode::GOING_AWAY, "changed my mind");
    assert_eq!(log.take(), [""; 0]);
    sim.settle();
    assert_eq!(log.take(), ["close 1001 \"changed my mind\""]);
    assert!(sim.receive(client).is_empty() && sim.is_gone(client));
    let cx = sim.server.context(now);
    assert!(cx.conn(id).is_none() && cx.subscribers("all") == 0);
    nothing_left(&mut sim);
}
