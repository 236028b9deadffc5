//! Why connections of the server role end: for each cause several ways into it, each with what the
//! handler is told and what the server counts. tests/sim_causes_client.rs has the client role, and
//! tests/tls the causes that need TLS.
#![expect(clippy::too_many_lines, reason = "tables")]

mod causes;
mod common;

use std::sync::mpsc::{Receiver, channel};

use causes::{Site, Told, counted};
use common::frames::{self, frame, text};
use common::{Bytes, http, seconds};
use switchboard::mio::{Poll, Token};
use switchboard::testing::Client;
use switchboard::{
    Cause, CloseCode, Drain, Listener, ListenerId, MemoryPeer, Observed, Options, Rate, Readiness,
    Server, Transport, TrustedHeader,
};

use Told::{Cancelled, Close};

/// A way to end one connection: its name, what the handler is told, and what is done.
type Way = (&'static str, &'static [Told], fn(&mut Site));

#[track_caller]
fn assert_ends(cause: Cause, options: &Options, ways: &[Way]) {
    for (name, told, act) in ways {
        let what = format!("{cause:?}: {name}");
        let mut site = Site::new(options.clone());
        act(&mut site);
        assert_eq!(site.finish(&what), *told, "{what}");
        assert_eq!(counted(&mut site.world), [(cause, 1)], "{what}");
    }
}

const HALF_BODY: &str = "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345";
const UNWANTED: &str = "POST /other HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345";

/// A client that takes only the first bytes of what it asks for.
fn unread(site: &mut Site, path: &str) -> Client {
    let client = site.world.connect();
    site.world.window(client, 1_000);
    site.world.send(client, http::get(path));
    client
}

/// A takeover, for which a first message has come.
fn taken(site: &mut Site, first: &str) -> Client {
    let client = site.asked("/take");
    site.world.send(client, first);
    client
}

#[test]
fn peer_closed_is_a_close_frame() {
    assert_ends(
        Cause::PeerClosed,
        &Options::new(),
        &[
            ("with a code", &[Close(Cause::PeerClosed)], |site| {
                let ada = site.world.websocket("/ws");
                site.world.close(ada, CloseCode::NORMAL, "bye");
            }),
            ("without a code", &[Close(Cause::PeerClosed)], |site| {
                let ada = site.world.raw_websocket("/ws");
                site.world.send(ada, frame(true, frames::CLOSE, ""));
            }),
            ("and then silence", &[Close(Cause::PeerClosed)], |site| {
                let ada = site.world.raw_websocket("/ws");
                site.world.send(ada, frames::close(1001, ""));
                site.world.advance(seconds(60));
            }),
            ("and then a reset", &[Close(Cause::PeerClosed)], |site| {
                let ada = site.world.raw_websocket("/ws");
                site.world.send(ada, frames::close(1001, ""));
                site.reset(ada);
            }),
            ("from a reader who takes no answer", &[Close(Cause::PeerClosed)], |site| {
                let ada = site.world.raw_websocket("/ws");
                site.world.window(ada, 0);
                site.world.send(ada, frames::close(1001, ""));
            }),
        ],
    );
}

#[test]
fn eof_is_the_end_of_the_peers_side() {
    assert_ends(
        Cause::Eof,
        &Options::new().half_close(false),
        &[
            ("before a byte", &[], |site| {
                let ada = site.world.connect();
                site.world.end(ada);
            }),
            ("in a head", &[], |site| {
                let ada = site.sent("GET / HT");
                site.world.end(ada);
            }),
            ("in a body", &[], |site| {
                let ada = site.sent(HALF_BODY);
                site.world.end(ada);
            }),
            ("in an unwanted body", &[], |site| {
                let ada = site.sent(UNWANTED);
                site.world.end(ada);
            }),
            ("after an answer", &[], |site| {
                let ada = site.asked("/a");
                site.world.end(ada);
            }),
            ("behind a request", &[], |site| {
                let ada = site.world.connect();
                site.world.push(ada, http::get("/a"));
                site.world.end(ada);
            }),
            ("behind an answer that waits", &[], |site| {
                let ada = unread(site, "/big");
                site.world.end(ada);
                site.world.window(ada, usize::MAX);
            }),
            ("before a deferred answer", &[Cancelled(Cause::Eof)], |site| {
                let ada = site.asked("/later");
                site.world.end(ada);
            }),
            ("in a streamed answer", &[Cancelled(Cause::Eof)], |site| {
                let ada = site.asked("/stream");
                site.world.end(ada);
            }),
            ("of a WebSocket", &[Close(Cause::Eof)], |site| {
                let ada = site.world.raw_websocket("/ws");
                site.world.end(ada);
            }),
            ("in a frame", &[Close(Cause::Eof)], |site| {
                let ada = site.world.raw_websocket("/ws");
                site.world.send(ada, &text("hello")[..4]);
                site.world.end(ada);
            }),
            ("of an event stream", &[Close(Cause::Eof)], |site| {
                let ada = site.world.events("/events");
                site.world.end(ada);
            }),
            ("of a takeover", &[Close(Cause::Eof)], |site| {
                let ada = taken(site, "hello");
                site.world.end(ada);
            }),
            ("of a takeover whose client reads its answer late", &[Close(Cause::Eof)], |site| {
                let ada = taken(site, "hello");
                site.world.window(ada, 0);
                site.world.send(ada, "wait");
                site.world.end(ada);
                site.world.advance(seconds(25));
                site.world.window(ada, usize::MAX);
            }),
            ("of a takeover with output that waits", &[Close(Cause::Eof)], |site| {
                let ada = unread(site, "/take");
                site.with_last(|conn| conn.write(&[7; 10_000]));
                site.world.end(ada);
            }),
        ],
    );
}

/// A client that has ended its side still gets its answer. The connection ends by its end.
#[test]
fn eof_is_also_the_end_of_a_half_closed_client() {
    assert_ends(
        Cause::Eof,
        &Options::new(),
        &[
            ("with a deferred answer", &[], |site| {
                let ada = site.asked("/later");
                site.world.end(ada);
                let id = site.world.with(site.zone, |ends, _| ends.last).unwrap();
                site.world.context().respond(id, "late");
                assert_eq!(site.world.answer(ada).text(), "late");
            }),
            ("with a streamed answer", &[], |site| {
                let ada = site.asked("/stream");
                site.world.end(ada);
                site.with_last(|conn| conn.finish());
            }),
        ],
    );
}

#[test]
fn reset_is_a_broken_transport() {
    assert_ends(
        Cause::Reset,
        &Options::new(),
        &[
            ("before a byte", &[], |site| {
                let ada = site.world.connect();
                site.reset(ada);
            }),
            ("in a head", &[], |site| {
                let ada = site.sent("GET / HT");
                site.reset(ada);
            }),
            ("in a body", &[], |site| {
                let ada = site.sent(HALF_BODY);
                site.reset(ada);
            }),
            ("after an answer", &[], |site| {
                let ada = site.asked("/a");
                site.reset(ada);
            }),
            ("in an answer", &[], |site| {
                let ada = unread(site, "/big");
                site.reset(ada);
            }),
            ("of a client that wants no further answer", &[Cancelled(Cause::Reset)], |site| {
                let ada = site.sent(http::request("GET", "/later", "Connection: close\r\n", ""));
                site.reset(ada);
            }),
            ("before a deferred answer", &[Cancelled(Cause::Reset)], |site| {
                let ada = site.asked("/later");
                site.reset(ada);
            }),
            ("in a streamed answer", &[Cancelled(Cause::Reset)], |site| {
                let ada = site.asked("/stream");
                site.reset(ada);
            }),
            ("of a WebSocket", &[Close(Cause::Reset)], |site| {
                let ada = site.world.raw_websocket("/ws");
                site.reset(ada);
            }),
            ("seen by a write", &[Close(Cause::Reset)], |site| {
                let ada = site.world.raw_websocket("/ws");
                site.world.peer(ada).fail(std::io::ErrorKind::BrokenPipe);
                site.world.context().publish("all", "news");
                site.world.settle();
            }),
            ("seen by the answer to a message", &[Close(Cause::Reset)], |site| {
                let ada = site.world.raw_websocket("/ws");
                site.world.peer(ada).send(text("hello"));
                site.world.fail(ada, std::io::ErrorKind::BrokenPipe);
            }),
            ("of an event stream", &[Close(Cause::Reset)], |site| {
                let ada = site.world.events("/events");
                site.reset(ada);
            }),
            ("of a takeover", &[Close(Cause::Reset)], |site| {
                let ada = taken(site, "hello");
                site.reset(ada);
            }),
        ],
    );
}

#[test]
fn deadlines_of_http_have_a_cause_each() {
    let options = Options::new();
    assert_ends(
        Cause::HeadTimeout,
        &options,
        &[
            ("a head that stops", &[], |site| {
                site.sent("GET / HT");
            }),
            ("a second head that stops", &[], |site| {
                let ada = site.asked("/a");
                site.world.send(ada, "GET");
            }),
            ("a head that trickles", &[], |site| {
                let ada = site.sent("GET / HTTP/1.1\r\nA: ");
                for _ in 0..20 {
                    site.world.advance(seconds(1));
                    site.world.send(ada, "x");
                }
            }),
        ],
    );
    assert_ends(
        Cause::BodyTimeout,
        &options,
        &[
            ("a body that stops", &[], |site| {
                site.sent(HALF_BODY);
            }),
            ("a chunked body that stops", &[], |site| {
                let line = "Transfer-Encoding: chunked\r\n";
                site.sent(http::request("POST", "/upload", line, "5\r\n123"));
            }),
            ("an unwanted body that stops", &[], |site| {
                site.sent(UNWANTED);
            }),
            ("and a reset behind the 408", &[], |site| {
                let ada = site.sent(HALF_BODY);
                site.world.advance(seconds(31));
                site.reset(ada);
            }),
        ],
    );
    assert_ends(
        Cause::Silence,
        &options,
        &[
            ("no byte", &[], |site| {
                site.world.connect();
            }),
            ("no further request", &[], |site| {
                site.asked("/a");
            }),
            ("no request after a takeover", &[Close(Cause::Local)], |site| {
                taken(site, "release");
            }),
        ],
    );
    assert_ends(
        Cause::AnswerTimeout,
        &options,
        &[
            ("a deferred answer", &[Cancelled(Cause::AnswerTimeout)], |site| {
                site.asked("/later");
            }),
            ("and a reset behind the 503", &[Cancelled(Cause::AnswerTimeout)], |site| {
                let ada = site.asked("/later");
                site.world.advance(seconds(61));
                site.reset(ada);
            }),
        ],
    );
}

#[test]
fn readers_and_silent_peers_have_a_cause_each() {
    assert_ends(
        Cause::PongTimeout,
        &Options::new(),
        &[
            ("no pong", &[Close(Cause::PongTimeout)], |site| {
                site.world.raw_websocket("/ws");
            }),
            ("half a frame, and no pong", &[Close(Cause::PongTimeout)], |site| {
                let ada = site.world.raw_websocket("/ws");
                site.world.send(ada, &text("hello")[..4]);
            }),
            ("a reader that does not even take the ping", &[Close(Cause::PongTimeout)], |site| {
                let ada = site.world.raw_websocket("/ws");
                site.world.window(ada, 0);
            }),
        ],
    );
    assert_ends(
        Cause::WriteTimeout,
        &Options::new(),
        &[
            ("an answer", &[], |site| {
                unread(site, "/big");
            }),
            ("a streamed answer", &[Cancelled(Cause::WriteTimeout)], |site| {
                unread(site, "/stream");
                site.with_last(|conn| conn.write(&[7; 10_000]));
            }),
            ("an event stream", &[Close(Cause::WriteTimeout)], |site| {
                let ada = site.world.events("/events");
                site.world.window(ada, 0);
                site.world.context().publish("all", "news");
            }),
            ("a takeover whose client has ended its side", &[Close(Cause::WriteTimeout)], |site| {
                let ada = taken(site, "hello");
                site.world.window(ada, 0);
                site.world.send(ada, "wait");
                site.world.end(ada);
            }),
            ("one whose client reads for a while", &[Close(Cause::WriteTimeout)], |site| {
                let ada = taken(site, "hello");
                site.world.window(ada, 0);
                site.world.send(ada, "flood");
                site.world.end(ada);
                for _ in 0..8 {
                    site.world.advance(seconds(10));
                    site.world.window(ada, 6_000);
                }
                assert_eq!(site.world.stats().takeovers, 1, "it reads fast enough");
            }),
        ],
    );
    assert_ends(
        Cause::TooSlow,
        &Options::new().max_buffered(20_000),
        &[
            ("a WebSocket", &[Close(Cause::TooSlow)], |site| {
                let ada = site.world.raw_websocket("/ws");
                site.world.window(ada, 0);
                site.world.send(ada, text("flood"));
            }),
            ("a subscriber", &[Close(Cause::TooSlow)], |site| {
                let ada = site.world.raw_websocket("/ws");
                site.world.window(ada, 0);
                site.world.context().publish("all", &*"x".repeat(30_000));
                site.world.settle();
            }),
            ("an event stream", &[Close(Cause::TooSlow)], |site| {
                let ada = site.world.events("/events");
                site.world.window(ada, 0);
                site.world.context().publish("all", &*"x".repeat(30_000));
                site.world.settle();
            }),
            ("a takeover", &[Close(Cause::TooSlow)], |site| {
                let ada = unread(site, "/take");
                site.world.send(ada, "flood");
            }),
        ],
    );
}

#[test]
fn rate_is_too_much_input() {
    let twice = Rate::per_second(1);
    assert_ends(
        Cause::Rate,
        &Options::new().message_rate(twice.burst(2)),
        &[
            ("messages", &[Close(Cause::Rate)], |site| {
                let ada = site.world.raw_websocket("/ws");
                (0..4).for_each(|_| site.world.send(ada, text("hello")));
            }),
            ("pings", &[Close(Cause::Rate)], |site| {
                let ada = site.world.raw_websocket("/ws");
                (0..4).for_each(|_| site.world.send(ada, frames::ping("")));
            }),
        ],
    );
    assert_ends(
        Cause::Rate,
        &Options::new().byte_rate(twice.burst(100)),
        &[("bytes", &[Close(Cause::Rate)], |site| {
            let ada = site.world.raw_websocket("/ws");
            site.world.send(ada, text(&"x".repeat(5_000)));
        })],
    );
}

#[test]
fn too_big_is_beyond_a_limit() {
    assert_ends(
        Cause::TooBig,
        &Options::new().max_message(1_000),
        &[
            ("a message", &[Close(Cause::TooBig)], |site| {
                let ada = site.world.raw_websocket("/ws");
                site.world.send(ada, text(&"x".repeat(1_001)));
            }),
            ("a message announced", &[Close(Cause::TooBig)], |site| {
                let ada = site.world.raw_websocket("/ws");
                site.world.send(ada, frames::header(true, frames::BINARY, 1 << 40));
            }),
            ("a message in fragments", &[Close(Cause::TooBig)], |site| {
                let ada = site.world.raw_websocket("/ws");
                site.world.send(ada, frame(false, frames::TEXT, [b'x'; 900]));
                site.world.send(ada, frame(true, frames::CONTINUATION, [b'x'; 900]));
            }),
            ("a head", &[], |site| {
                site.sent(format!("GET / HTTP/1.1\r\nA: {}", "x".repeat(30_000)));
            }),
            ("a target", &[], |site| {
                site.asked(&format!("/{}", "x".repeat(9_000)));
            }),
            ("many headers", &[], |site| {
                site.sent(http::request("GET", "/", &"A: b\r\n".repeat(200), ""));
            }),
            ("a body announced", &[], |site| {
                site.sent(http::request("POST", "/upload", "Content-Length: 1001\r\n", ""));
            }),
            ("a body that is whole", &[], |site| {
                let body = "x".repeat(1_001);
                site.sent(http::request("POST", "/upload", "Content-Length: 1001\r\n", &body));
            }),
            ("a chunked body", &[], |site| {
                let line = "Transfer-Encoding: chunked\r\n";
                site.sent(http::request("POST", "/upload", line, "400\r\n"));
            }),
            ("an unwanted chunked body", &[], |site| {
                let line = "Transfer-Encoding: chunked\r\n";
                let ada = site.sent(http::request("POST", "/other", line, ""));
                site.world.send(ada, "fffffff\r\n");
            }),
            ("a takeover that uses nothing", &[Close(Cause::TooBig)], |site| {
                let ada = taken(site, "unused");
                (0..300).for_each(|_| site.world.send(ada, [b'x'; 10_000]));
            }),
        ],
    );
}

#[test]
fn violation_is_a_breach_of_a_protocol() {
    assert_ends(
        Cause::Violation,
        &Options::new(),
        &[
            ("an unmasked frame", &[Close(Cause::Violation)], |site| {
                let ada = site.world.raw_websocket("/ws");
                site.world.send(ada, frames::plain(0x81, "hello"));
            }),
            ("a reserved bit", &[Close(Cause::Violation)], |site| {
                let ada = site.world.raw_websocket("/ws");
                let mut bytes = text("hello");
                bytes[0] |= 0x40;
                site.world.send(ada, bytes);
            }),
            ("text that is not UTF-8", &[Close(Cause::Violation)], |site| {
                let ada = site.world.raw_websocket("/ws");
                site.world.send(ada, frame(true, frames::TEXT, [0xFF]));
            }),
            ("fragments that are not UTF-8", &[Close(Cause::Violation)], |site| {
                let ada = site.world.raw_websocket("/ws");
                site.world.send(ada, frame(false, frames::TEXT, [0xFF]));
                site.world.send(ada, frame(true, frames::CONTINUATION, [0xFF]));
            }),
            ("behind other messages", &[Close(Cause::Violation)], |site| {
                let ada = site.world.raw_websocket("/ws");
                let bytes = [text("one"), text("two"), frame(true, 0x3, "")].concat();
                site.world.send(ada, bytes);
            }),
            ("a close code of one byte", &[Close(Cause::Violation)], |site| {
                let ada = site.world.raw_websocket("/ws");
                site.world.send(ada, frame(true, frames::CLOSE, "x"));
            }),
            ("a malformed head", &[], |site| {
                site.sent("GET / HTTP/1.1\r\nHost a\r\n\r\n");
            }),
            ("another version", &[], |site| {
                site.sent("GET / HTTP/9.1\r\nHost: a\r\n\r\n");
            }),
            ("another method", &[], |site| {
                site.sent(format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", "M".repeat(60)));
            }),
            ("another coding", &[], |site| {
                site.sent(http::request("POST", "/", "Transfer-Encoding: gzip, chunked\r\n", ""));
            }),
            ("a handshake of another version", &[], |site| {
                site.sent(http::handshake("/ws").replace("Version: 13", "Version: 25"));
            }),
            ("a malformed chunk", &[], |site| {
                let line = "Transfer-Encoding: chunked\r\n";
                site.sent(http::request("POST", "/upload", line, "x\r\n"));
            }),
            ("a malformed chunk of an unwanted body", &[], |site| {
                let line = "Transfer-Encoding: chunked\r\n";
                let ada = site.sent(http::request("POST", "/other", line, ""));
                site.world.send(ada, "x\r\n");
            }),
        ],
    );
}

#[test]
fn refused_is_a_rule() {
    assert_ends(
        Cause::Refused,
        &Options::new(),
        &[
            ("a foreign page", &[], |site| {
                site.sent(http::handshake_with("/ws", "Origin: http://elsewhere.example\r\n"));
            }),
            ("another host", &[], |site| {
                site.world.server.hosts(["example.org"]);
                site.asked("/a");
            }),
        ],
    );
    assert_ends(
        Cause::TlsFault,
        &Options::new(),
        &[("TLS at a port for plain HTTP", &[], |site| {
            site.sent([22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3]);
        })],
    );
}

#[test]
fn lifetime_ends_every_exchange() {
    assert_ends(
        Cause::Lifetime,
        &Options::new().lifetime(seconds(32)),
        &[
            ("an idle connection", &[], |site| {
                site.asked("/a");
            }),
            ("a WebSocket", &[Close(Cause::Lifetime)], |site| {
                site.world.websocket("/ws");
            }),
            ("a WebSocket whose client does not answer", &[Close(Cause::Lifetime)], |site| {
                site.world.raw_websocket("/ws");
            }),
            ("an event stream", &[Close(Cause::Lifetime)], |site| {
                site.world.events("/events");
            }),
            ("a takeover", &[Close(Cause::Lifetime)], |site| {
                taken(site, "hello");
            }),
            ("a deferred answer", &[], |site| {
                site.asked("/later");
                site.world.advance(seconds(58));
                let id = site.world.with(site.zone, |ends, _| ends.last).unwrap();
                site.world.context().respond(id, "late");
            }),
        ],
    );
}

fn drain(site: &mut Site) {
    site.world.server.drain(Drain::within(seconds(20))).unwrap();
    site.world.settle();
}

#[test]
fn drain_ends_every_exchange() {
    assert_ends(
        Cause::Drain,
        &Options::new(),
        &[
            ("a new connection", &[], |site| {
                site.world.connect();
                drain(site);
            }),
            ("half a head", &[], |site| {
                site.sent("GET");
                drain(site);
            }),
            ("an idle connection", &[], |site| {
                site.asked("/a");
                drain(site);
            }),
            ("a body", &[], |site| {
                let ada = site.sent(HALF_BODY);
                drain(site);
                site.world.send(ada, "67890");
            }),
            ("an answer that waits", &[], |site| {
                let ada = unread(site, "/big");
                drain(site);
                site.world.window(ada, usize::MAX);
            }),
            ("a deferred answer in time", &[], |site| {
                site.asked("/later");
                drain(site);
                let id = site.world.with(site.zone, |ends, _| ends.last).unwrap();
                site.world.context().respond(id, "in time");
            }),
            ("a deferred answer at the deadline", &[Cancelled(Cause::Drain)], |site| {
                site.asked("/later");
                drain(site);
            }),
            ("a streamed answer at the deadline", &[Cancelled(Cause::Drain)], |site| {
                site.asked("/stream");
                drain(site);
            }),
            ("a WebSocket", &[Close(Cause::Drain)], |site| {
                site.world.websocket("/ws");
                drain(site);
            }),
            ("a WebSocket whose client does not answer", &[Close(Cause::Drain)], |site| {
                site.world.raw_websocket("/ws");
                drain(site);
            }),
            ("a WebSocket whose client then breaks", &[Close(Cause::Drain)], |site| {
                let ada = site.world.raw_websocket("/ws");
                drain(site);
                site.reset(ada);
            }),
            ("an event stream", &[Close(Cause::Drain)], |site| {
                site.world.events("/events");
                drain(site);
            }),
            ("a takeover", &[Close(Cause::Drain)], |site| {
                taken(site, "hello");
                drain(site);
            }),
            ("a WebSocket that opens while it drains", &[Close(Cause::Drain)], |site| {
                let ada = site.sent(http::handshake("/later"));
                let id = site.world.with(site.zone, |ends, _| ends.last).unwrap();
                drain(site);
                site.world.context().upgrade(id, switchboard::Upgrade::new());
                site.world.settle();
                assert!(site.world.receive(ada).starts_with(b"HTTP/1.1 101 "));
            }),
        ],
    );
}

#[test]
fn local_is_the_handler_or_the_last_answer() {
    assert_ends(
        Cause::Local,
        &Options::new(),
        &[
            ("a WebSocket", &[Close(Cause::Local)], |site| {
                let ada = site.world.websocket("/ws");
                site.world.say(ada, "close");
            }),
            ("a WebSocket whose client does not answer", &[Close(Cause::Local)], |site| {
                let ada = site.world.raw_websocket("/ws");
                site.world.send(ada, text("close"));
            }),
            ("a WebSocket whose client then ends", &[Close(Cause::Local)], |site| {
                let ada = site.world.raw_websocket("/ws");
                site.world.send(ada, text("close"));
                site.world.end(ada);
            }),
            ("a WebSocket whose client then errs", &[Close(Cause::Local)], |site| {
                let ada = site.world.raw_websocket("/ws");
                site.world.send(ada, text("close"));
                site.world.send(ada, frames::plain(0x81, "hello"));
            }),
            ("an event stream", &[Close(Cause::Local)], |site| {
                site.world.events("/events");
                site.with_last(|conn| conn.close(CloseCode::NORMAL, ""));
            }),
            ("an event stream that is not read then", &[Close(Cause::Local)], |site| {
                let ada = site.world.events("/events");
                site.world.window(ada, 0);
                site.with_last(|conn| {
                    conn.send("news");
                    conn.close(CloseCode::NORMAL, "");
                });
            }),
            ("a takeover", &[Close(Cause::Local)], |site| {
                taken(site, "close");
            }),
            ("an answer that is said to be the last", &[], |site| {
                site.asked("/last");
            }),
            ("a connection that the handler closes", &[], |site| {
                site.asked("/closed");
            }),
            ("a deferred answer behind a close", &[], |site| {
                site.asked("/later");
                site.with_last(|conn| conn.close(CloseCode::NORMAL, ""));
                let id = site.world.with(site.zone, |ends, _| ends.last).unwrap();
                site.world.context().respond(id, "late");
            }),
            ("a client that asks for it", &[], |site| {
                site.sent(http::request("GET", "/a", "Connection: close\r\n", ""));
            }),
            ("HTTP/1.0", &[], |site| {
                site.sent("GET /a HTTP/1.0\r\n\r\n");
            }),
            ("a body that is too long to discard", &[], |site| {
                site.sent(http::request("POST", "/other", "Content-Length: 400000000\r\n", ""));
            }),
            ("a streamed body shorter than declared", &[], |site| {
                site.asked("/short");
                site.with_last(|conn| conn.finish());
            }),
            ("a takeover of a request with a body", &[], |site| {
                site.sent(http::request("POST", "/take", "Content-Length: 5\r\n", "12345"));
            }),
        ],
    );
}

/// A connection that goes on forgets the cause that its last exchange had.
#[test]
fn exchange_that_follows_has_a_cause_of_its_own() {
    let mut site = Site::new(Options::new());
    let ada = taken(&mut site, "release");
    site.reset(ada);
    assert_eq!(site.finish("released"), [Close(Cause::Local)]);
    assert_eq!(counted(&mut site.world), [(Cause::Reset, 1)]);

    let mut site = Site::new(Options::new());
    let ada = site.sent(http::handshake("/ws-after-close"));
    site.world.send(ada, text("hello"));
    assert!(site.world.receive(ada).ends_with(b"hello"), "the upgrade counts, not the close");
    site.world.end(ada);
    assert_eq!(site.finish("upgraded"), [Close(Cause::Eof)]);
    assert_eq!(counted(&mut site.world), [(Cause::Eof, 1)]);
}

/// An answer that ends while its connection goes on has a cause, and nothing is counted.
#[test]
fn cancelled_answer_leaves_its_connection() {
    let mut site = Site::new(Options::new());
    site.world.server.trusted_proxies(["10.0.0.0/8"], TrustedHeader::XForwardedFor).unwrap();
    site.world.server.max_connections_per_address(1);
    let ada = site.world.connect_from("10.0.0.1:1");
    let bob = site.world.connect_from("10.0.0.1:2");
    let request = http::request("GET", "/later", "X-Forwarded-For: 192.0.2.1\r\n", "");
    site.world.send(ada, &request);
    site.world.send(bob, &request);
    assert!(site.world.receive(bob).starts_with(b"HTTP/1.1 429 "));
    assert!(site.world.is_open(bob));
    assert_eq!(counted(&mut site.world), []);
    site.reset(ada);
    site.world.end(bob);
    let told = site.finish("behind a proxy");
    assert_eq!(told, [Cancelled(Cause::Refused), Cancelled(Cause::Reset)]);
    assert_eq!(counted(&mut site.world), [(Cause::Eof, 1), (Cause::Reset, 1)]);
}

/// A listener whose connections begin with a PROXY header.
struct Edge {
    site: Site,
    listener: ListenerId,
}

impl Edge {
    fn new() -> Edge {
        let mut server = Server::new(Poll::new().unwrap().registry()).unwrap();
        let listener = Listener::from("127.0.0.1:0").proxy_protocol(["10.0.0.0/8", "unix"]);
        let listener = server.listen(listener).unwrap();
        Edge { site: Site::over(server, Options::new()), listener }
    }

    /// A peer that has sent these bytes; `None` if it was turned away.
    fn sent(&mut self, bytes: &str) -> Option<(Token, MemoryPeer)> {
        let Site { world, .. } = &mut self.site;
        let (transport, mut peer) = Transport::memory();
        let token = world.server.adopt_at(self.listener, transport, world.now).ok()?;
        peer.send(bytes);
        self.ready(token);
        Some((token, peer))
    }

    fn ready(&mut self, token: Token) {
        let Site { world, .. } = &mut self.site;
        world.server.ready(token, Readiness::READABLE, world.now);
        world.settle();
    }
}

const FROM_ADA: &str = "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n";
const FROM_BOB: &str = "PROXY TCP4 192.0.2.2 198.51.100.1 56324 443\r\n";

#[test]
fn arriving_connections_have_a_cause_each() {
    type Way = (&'static str, Cause, fn(&mut Edge));
    let ways: [Way; 10] = [
        ("malformed", Cause::ProxyFault, |edge| {
            edge.sent("PROXY TCP4 192.0.2.1\r\n").unwrap();
        }),
        ("absent", Cause::ProxyFault, |edge| {
            edge.sent("GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        }),
        ("cut", Cause::HandshakeTimeout, |edge| {
            edge.sent("PROXY TCP4 192").unwrap();
        }),
        ("no byte", Cause::HandshakeTimeout, |edge| {
            edge.sent("").unwrap();
        }),
        ("ended", Cause::Eof, |edge| {
            let (token, mut peer) = edge.sent("PROXY TCP4 192").unwrap();
            peer.end();
            edge.ready(token);
        }),
        ("broken", Cause::Reset, |edge| {
            let (token, mut peer) = edge.sent("PROXY TCP4 192").unwrap();
            peer.fail(std::io::ErrorKind::ConnectionReset);
            edge.ready(token);
        }),
        ("whole, and no request", Cause::HeadTimeout, |edge| {
            edge.sent(&format!("{FROM_ADA}GET")).unwrap();
        }),
        ("whole, and then silence", Cause::Silence, |edge| {
            edge.sent(FROM_ADA).unwrap();
        }),
        ("drained", Cause::Drain, |edge| {
            edge.sent("PROXY TCP4 192").unwrap();
            drain(&mut edge.site);
        }),
        ("whole, and a request that is the last", Cause::Local, |edge| {
            let request = http::request("GET", "/a", "Connection: close\r\n", "");
            edge.sent(&format!("{FROM_ADA}{request}")).unwrap();
        }),
    ];
    for (name, cause, act) in ways {
        let mut edge = Edge::new();
        act(&mut edge);
        assert_eq!(edge.site.finish(name), [], "{name}");
        assert_eq!(counted(&mut edge.site.world), [(cause, 1)], "{name}");
    }
}

/// An address beyond the limit ends its connection at once, while it lingers with its 429.
#[test]
fn address_in_a_header_is_refused() {
    let mut edge = Edge::new();
    edge.site.world.server.max_connections_per_address(1);
    let (ada, _peer) = edge.sent(FROM_ADA).unwrap();
    let (eve, peer) = edge.sent(FROM_ADA).unwrap();
    edge.sent(FROM_BOB).unwrap();
    let stats = edge.site.world.stats();
    assert_eq!((stats.accepted, stats.connections, stats.turned_away), (3, 2, 1));
    assert_eq!(counted(&mut edge.site.world), [(Cause::Refused, 1)]);
    assert!(!peer.is_gone(), "it lingers");
    edge.site.world.advance(seconds(8));
    assert!(peer.is_gone());
    edge.ready(ada);
    edge.ready(eve);
    edge.site.finish("all");
    assert_eq!(counted(&mut edge.site.world), [(Cause::Silence, 2), (Cause::Refused, 1)]);
}

/// A connection that is turned away before it is taken in is neither accepted nor an end.
#[test]
fn connections_that_are_turned_away_are_no_ends() {
    let mut edge = Edge::new();
    edge.site.world.server.max_connections(1);
    edge.sent(FROM_ADA).unwrap();
    for _ in 0..300 {
        assert!(edge.sent(FROM_BOB).is_none());
    }
    let stats = edge.site.world.stats();
    assert_eq!((stats.accepted, stats.connections, stats.turned_away), (1, 1, 300));
    assert_eq!(stats.ends.total(), 0);
    edge.site.finish("the one");
    assert_eq!(counted(&mut edge.site.world), [(Cause::Silence, 1)]);
    edge.site.world.advance(seconds(60));
    assert_eq!(edge.site.world.stats().ends.total(), 1, "those that lingered count as nothing");
}

/// A peer that may not send a header is closed before it is taken in.
#[test]
fn stranger_is_no_end() {
    let mut server = Server::new(Poll::new().unwrap().registry()).unwrap();
    let listener = Listener::from("127.0.0.1:0").proxy_protocol(["10.0.0.0/8"]);
    let listener = server.listen(listener).unwrap();
    let mut edge = Edge { site: Site::over(server, Options::new()), listener };
    assert!(edge.sent(FROM_ADA).is_none());
    let stats = edge.site.world.stats();
    assert_eq!((stats.accepted, stats.rejected, stats.ends.total()), (0, 1, 0));
}

/// What the observer of such a server tells of ends and refusals: the first words of each.
fn observed(edge: &mut Edge) -> Receiver<String> {
    let (sender, events) = channel();
    edge.site.world.server.observe(move |event| {
        if matches!(event, Observed::Refused(_) | Observed::Ended(_)) {
            let line = event.to_string();
            let end = line.find(" after ").or(line.find(',')).unwrap();
            sender.send(line[..end].to_owned()).unwrap();
        }
    });
    events
}

#[test]
fn observer_hears_of_the_client_in_a_header_at_the_end() {
    let mut edge = Edge::new();
    let events = observed(&mut edge);
    let (token, mut peer) = edge.sent(FROM_ADA).unwrap();
    peer.end();
    edge.ready(token);
    assert_eq!(events.try_iter().collect::<Vec<_>>(), ["192.0.2.1 ended"]);
    edge.sent(&format!("{FROM_BOB}{}", http::get("/a"))).unwrap();
    edge.site.world.advance(seconds(80));
    let lines: Vec<_> = events.try_iter().collect();
    assert_eq!(lines, ["192.0.2.2 ended"]);
}

/// A client that a limit refuses is named by both events, although no place is kept for it.
#[test]
fn observer_hears_of_the_client_that_is_refused_for_its_header() {
    let mut edge = Edge::new();
    edge.site.world.server.max_connections_per_address(1);
    let events = observed(&mut edge);
    edge.sent(FROM_ADA).unwrap();
    let (token, mut eve) = edge.sent(FROM_ADA).unwrap();
    eve.end();
    edge.ready(token);
    let lines: Vec<_> = events.try_iter().collect();
    assert_eq!(lines, ["192.0.2.1 refused with 429", "192.0.2.1 ended"]);
    let stats = edge.site.world.stats();
    assert_eq!(stats.refusals.iter().collect::<Vec<_>>(), [(429, 1)]);
    assert_eq!((stats.turned_away, stats.refused, stats.rejected), (1, 0, 0));
}

/// A takeover, event stream or WebSocket that has asked with this query.
fn opened(site: &mut Site, path: &str) {
    site.sent(match path.starts_with("/ws") {
        true => http::handshake(path),
        false => http::get(path),
    });
}

#[test]
fn panic_ends_every_open_exchange() {
    /// The callback that panics, the protocol, and what is done.
    type Panics = (&'static str, &'static str, fn(&mut Site));
    let ways: [Panics; 9] = [
        ("open", "websocket", |site| opened(site, "/ws?panic")),
        ("open", "event stream", |site| opened(site, "/events?panic")),
        ("open", "takeover", |site| opened(site, "/take?panic")),
        ("message", "websocket", |site| {
            let ada = site.world.raw_websocket("/ws");
            site.world.send(ada, text("panic"));
        }),
        ("pong", "websocket", |site| {
            let ada = site.world.raw_websocket("/ws");
            site.world.send(ada, frames::pong("panic"));
        }),
        ("writable", "websocket", |site| {
            let ada = site.world.raw_websocket("/ws");
            site.world.with(site.zone, |ends, _| ends.panics = true);
            site.world.send(ada, text("write"));
        }),
        ("timeout", "websocket", |site| {
            let ada = site.world.raw_websocket("/ws");
            site.world.send(ada, text("wait"));
            site.world.advance(seconds(2));
        }),
        ("input", "takeover", |site| {
            taken(site, "panic");
        }),
        ("input", "takeover", |site| {
            let ada = taken(site, "panic");
            site.reset(ada);
        }),
    ];
    for (callback, protocol, act) in ways {
        let what = format!("{callback} of a {protocol}");
        let mut site = Site::new(Options::new());
        site.world.server.catch_panics(true);
        let (sender, events) = channel();
        site.world.server.observe(move |event| match event {
            Observed::Panicked(it) => sender.send(it.callback.to_owned()).unwrap(),
            Observed::Ended(it) => {
                let code = it.code.map_or(0, CloseCode::as_u16);
                sender.send(format!("{} {} {code}", it.protocol, it.cause.as_str())).unwrap();
            }
            _ => {}
        });
        act(&mut site);
        assert_eq!(site.finish(&what), [Close(Cause::Panic)], "{what}");
        assert_eq!(counted(&mut site.world), [(Cause::Panic, 1)], "{what}");
        let expected = [callback.to_owned(), format!("{protocol} panic 1011")];
        assert_eq!(events.try_iter().collect::<Vec<_>>(), expected, "{what}");
        let text = site.world.stats().to_prometheus();
        let line = "\nswitchboard_connections_ended_total{cause=\"panic\"} 1\n";
        assert!(text.contains(line) && text.contains("\nswitchboard_panics_total 1\n"), "{text}");
    }
}

/// A 500 after a panic is an answer like any other.
#[test]
fn panic_of_a_request_ends_no_connection() {
    let mut site = Site::new(Options::new());
    site.world.server.catch_panics(true);
    let ada = site.asked("/panic");
    site.world.send(ada, http::request("POST", "/upload", "Content-Length: 5\r\n", "panic"));
    site.world.send(ada, http::get("/a"));
    let answers = site.world.receive(ada);
    assert_eq!(String::from_utf8_lossy(&answers).matches("HTTP/1.1 500 ").count(), 2);
    assert!(answers.ends_with(b"/a"));
    site.world.end(ada);
    assert_eq!(site.finish("two panics"), []);
    assert_eq!(counted(&mut site.world), [(Cause::Eof, 1)]);
    assert_eq!(site.world.stats().panics, 2);
}

#[cfg(feature = "deflate")]
mod compressed {
    use super::*;
    use switchboard::proto::websocket::{DeflateConfig, Deflater, encode_compressed};

    /// A compressed message of this many zeros.
    fn zeros(count: usize) -> Vec<u8> {
        let (mut deflated, mut out) = (Vec::new(), Vec::new());
        let payload = vec![0; count];
        Deflater::new(&DeflateConfig::shared(), 15).deflate(&payload, &mut deflated, false);
        encode_compressed(&mut out, false, &deflated, Some([1, 2, 3, 4]));
        out
    }

    /// A WebSocket that may send compressed messages.
    fn compressing(site: &mut Site) -> Client {
        let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
        let ada = site.sent(http::handshake_with("/ws", offer));
        let answer = String::from_utf8(site.world.receive(ada)).unwrap();
        assert!(answer.contains("permessage-deflate"), "{answer}");
        ada
    }

    #[test]
    fn compressed_messages_have_a_cause_each() {
        let options = Options::new().max_message(1_000).deflate(DeflateConfig::shared());
        assert_ends(
            Cause::TooBig,
            &options,
            &[("a bomb", &[Close(Cause::TooBig)], |site| {
                let ada = compressing(site);
                site.world.send(ada, zeros(1 << 20));
            })],
        );
        assert_ends(
            Cause::Violation,
            &options,
            &[
                ("a corrupt message", &[Close(Cause::Violation)], |site| {
                    let ada = compressing(site);
                    let mut corrupt = zeros(500);
                    corrupt.pop();
                    corrupt[1] -= 1;
                    site.world.send(ada, corrupt);
                }),
                ("a message that nobody agreed to compress", &[Close(Cause::Violation)], |site| {
                    let ada = site.world.raw_websocket("/ws");
                    site.world.send(ada, zeros(100));
                }),
            ],
        );
    }
}

/// The head of an event stream or a takeover may be the output that finds its connection broken.
#[test]
fn exchange_that_opens_on_a_broken_connection_ends_by_its_first_cause() {
    use std::cell::RefCell;
    use std::io::ErrorKind;
    use std::rc::Rc;
    use std::time::Instant;

    use switchboard::{EventStream, MemoryPeer, Readiness, Reply, Response, Server, Transport};

    struct Breaker(Rc<RefCell<MemoryPeer>>, Rc<RefCell<Vec<Cause>>>);
    impl switchboard::Handler for Breaker {
        fn request(
            &mut self,
            _conn: &mut switchboard::Conn<'_>,
            request: &mut switchboard::Request<'_>,
        ) -> Reply {
            let length = request.path()[1..].parse();
            if let Ok(length) = length {
                return "x".repeat(length).into();
            }
            self.0.borrow_mut().fail(ErrorKind::ConnectionReset);
            match request.path() {
                "/events" => EventStream::new().into(),
                _ => Reply::Takeover(Response::empty(101)),
            }
        }
        fn close(&mut self, _conn: &mut switchboard::Conn<'_>, close: switchboard::Close<'_>) {
            self.1.borrow_mut().push(close.cause);
        }
    }

    for path in ["/events", "/take"] {
        // Among these lengths are some at which the second head is written before `open`.
        for length in ((128 << 10) - 400..128 << 10).step_by(10) {
            let (transport, peer) = Transport::memory();
            let (peer, causes) = (Rc::new(RefCell::new(peer)), Rc::default());
            let (mut server, now) = (Server::detached(), Instant::now());
            server.zone("/", Breaker(Rc::clone(&peer), Rc::clone(&causes)));
            let token = server.adopt(transport, now).unwrap();
            let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
            peer.borrow_mut().send(get(&format!("/{length}")) + &get(path));
            server.ready(token, Readiness::READABLE, now);
            server.flush(now);
            assert_eq!(causes.take(), [Cause::Reset], "{path} after {length} bytes");
            let stats = server.context(now).stats();
            assert_eq!((stats.connections, stats.ends.get(Cause::Reset)), (0, 1), "{path}");
        }
    }
}
