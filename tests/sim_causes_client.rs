//! Why connections of the client role end: for each cause several ways into it, each with what
//! `close` gets and what the server counts. A property holds for both roles: of several ends, the
//! first decides.
#![expect(clippy::too_many_lines, reason = "tables")]

mod causes;
mod common;

use std::io::ErrorKind;

use causes::{Site, Told, counted};
use common::dialling::answer_to;
use common::frames::{self, frame, plain, text};
use common::{Bytes, cases, http, millis, seconds};
use proptest::prelude::*;
use switchboard::testing::Client;
use switchboard::{Cause, CloseCode, ConnId, Connect, Drain, Options, Rate};

use Told::Close;

const URL: &str = "ws://feed.example/chat";

/// A way to end one attempt: its name, and what is done.
type Way = (&'static str, fn(&mut Site));

/// Each way ends the attempt by the cause, which `close` gets once.
#[track_caller]
fn assert_ends(cause: Cause, options: &Options, ways: &[Way]) {
    for (name, act) in ways {
        let what = format!("{cause:?}: {name}");
        let mut site = Site::new(options.clone());
        act(&mut site);
        assert_eq!(site.finish(&what), [Close(cause)], "{what}");
        assert_eq!(counted(&mut site.world), [(cause, 1)], "{what}");
        let stats = site.world.stats();
        assert_eq!((stats.accepted, stats.dialled), (0, 1), "{what}");
    }
}

/// An attempt whose request has arrived at the far server.
fn dialled(site: &mut Site) -> (Client, ConnId) {
    let (far, id) = site.world.dial(site.zone, Connect::to(URL));
    site.world.settle();
    (far, id)
}

/// An attempt that has got this answer.
fn answered(site: &mut Site, answer: &str) -> Client {
    let (far, _) = dialled(site);
    site.world.send(far, answer);
    far
}

/// A WebSocket that is open, and whose frames are left to the test.
fn open(site: &mut Site) -> (Client, ConnId) {
    let (far, id) = dialled(site);
    let request = String::from_utf8(site.world.receive(far)).unwrap();
    site.world.send(far, answer_to(&request));
    (far, id)
}

/// An attempt of a name with these addresses.
fn named(site: &mut Site, addresses: &[&str]) -> ConnId {
    site.world.host("feed.example", addresses);
    let id = site.world.context().connect(site.zone, Connect::to(URL));
    site.world.settle();
    id
}

/// The connection that was begun last.
fn begun(site: &mut Site) -> Client {
    site.world.dialled().pop().expect("a connection").1
}

#[test]
fn open_websocket_ends_by_every_cause_of_a_websocket() {
    let options = Options::new();
    assert_ends(
        Cause::PeerClosed,
        &options,
        &[
            ("a Close frame", |site| {
                let (far, _) = open(site);
                site.world.send(far, plain(0x88, [0x03, 0xE8]));
            }),
            ("a Close frame, and no end", |site| {
                let (far, _) = open(site);
                site.world.send(far, plain(0x88, ""));
                site.world.advance(seconds(60));
            }),
        ],
    );
    assert_ends(
        Cause::Eof,
        &options,
        &[("without a Close frame", |site| {
            let (far, _) = open(site);
            site.world.end(far);
        })],
    );
    assert_ends(
        Cause::Reset,
        &options,
        &[
            ("read", |site| {
                let (far, _) = open(site);
                site.reset(far);
            }),
            ("written", |site| {
                let (far, id) = open(site);
                site.world.peer(far).fail(ErrorKind::BrokenPipe);
                site.world.context().send(id, "hello");
                site.world.settle();
            }),
        ],
    );
    assert_ends(
        Cause::PongTimeout,
        &options,
        &[("no pong", |site| {
            open(site);
        })],
    );
    assert_ends(
        Cause::TooSlow,
        &options.clone().max_buffered(1_000),
        &[("a far server that reads nothing", |site| {
            let (far, id) = open(site);
            site.world.window(far, 0);
            site.world.context().send(id, &*"x".repeat(2_000));
            site.world.settle();
        })],
    );
    assert_ends(
        Cause::Rate,
        &options.clone().message_rate(Rate::per_second(1).burst(2)),
        &[("messages", |site| {
            let (far, _) = open(site);
            (0..4).for_each(|_| site.world.send(far, plain(0x81, "news")));
        })],
    );
    assert_ends(
        Cause::TooBig,
        &options.clone().max_message(1_000),
        &[("a message", |site| {
            let (far, _) = open(site);
            site.world.send(far, plain(0x81, "x".repeat(1_001)));
        })],
    );
    assert_ends(
        Cause::Violation,
        &options,
        &[
            ("a masked frame", |site| {
                let (far, _) = open(site);
                site.world.send(far, text("hello"));
            }),
            ("behind the answer", |site| {
                let (far, _) = dialled(site);
                let request = String::from_utf8(site.world.receive(far)).unwrap();
                let bytes = [answer_to(&request).into_bytes(), plain(0x83, "")].concat();
                site.world.send(far, bytes);
            }),
        ],
    );
    assert_ends(
        Cause::Local,
        &options,
        &[
            ("closed", |site| {
                let (far, _) = open(site);
                site.world.send(far, plain(0x81, "close"));
                site.world.send(far, plain(0x88, [0x03, 0xE8]));
                site.world.end(far);
            }),
            ("closed without an answer", |site| {
                let (far, _) = open(site);
                site.world.send(far, plain(0x81, "close"));
            }),
        ],
    );
    assert_ends(
        Cause::Drain,
        &options,
        &[
            ("open", |site| {
                open(site);
                site.world.server.drain(Drain::within(seconds(20))).unwrap();
            }),
            ("under way", |site| {
                dialled(site);
                site.world.server.drain(Drain::within(seconds(20))).unwrap();
            }),
            ("begun too late", |site| {
                site.world.server.drain(Drain::within(seconds(20))).unwrap();
                site.world.context().connect(site.zone, Connect::to(URL));
            }),
        ],
    );
    assert_ends(
        Cause::Lifetime,
        &options.lifetime(seconds(32)),
        &[("open", |site| {
            open(site);
        })],
    );
}

#[test]
fn attempt_that_fails_has_a_cause() {
    let options = Options::new();
    assert_ends(
        Cause::HandshakeTimeout,
        &options,
        &[
            ("no answer", |site| {
                dialled(site);
            }),
            ("half an answer", |site| {
                answered(site, "HTTP/1.1 101 Swit");
            }),
            ("no connection", |site| {
                named(site, &["192.0.2.1"]);
            }),
            ("no connection to any of two", |site| {
                named(site, &["192.0.2.1", "192.0.2.2"]);
            }),
        ],
    );
    assert_ends(
        Cause::Eof,
        &options,
        &[
            ("without an answer", |site| {
                let (far, _) = dialled(site);
                site.world.end(far);
            }),
            ("in an answer", |site| {
                let far = answered(site, "HTTP/1.1 101 Swit");
                site.world.end(far);
            }),
        ],
    );
    assert_ends(
        Cause::Reset,
        &options,
        &[
            ("without an answer", |site| {
                let (far, _) = dialled(site);
                site.reset(far);
            }),
            ("before the request", |site| {
                let (far, _) = site.world.dial(site.zone, Connect::to(URL));
                site.world.peer(far).fail(ErrorKind::ConnectionReset);
                site.world.settle();
            }),
        ],
    );
    assert_ends(
        Cause::TooBig,
        &options,
        &[("a head", |site| {
            answered(site, &format!("HTTP/1.1 101 X\r\nA: {}", "x".repeat(30_000)));
        })],
    );
    assert_ends(
        Cause::Violation,
        &options,
        &[
            ("no HTTP", |site| {
                answered(site, "220 mail.example ESMTP\r\n\r\n");
            }),
            ("a wrong accept", |site| {
                answered(
                    site,
                    "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                     Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
                );
            }),
        ],
    );
    assert_ends(
        Cause::Refused,
        &options,
        &[
            ("a page", |site| {
                answered(site, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            }),
            ("no room", |site| {
                answered(site, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
            }),
            ("no room, and a body that ends with the connection", |site| {
                let far = answered(site, "HTTP/1.1 503 Busy\r\n\r\nbusy");
                site.world.end(far);
            }),
            ("no room, and a body that never ends", |site| {
                answered(site, "HTTP/1.1 503 Busy\r\n\r\nbusy");
            }),
            ("no room, and a reset in its body", |site| {
                let far = answered(site, "HTTP/1.1 503 Busy\r\n\r\nbusy");
                site.reset(far);
            }),
            ("a redirection that is not wanted", |site| {
                answered(site, "HTTP/1.1 302 X\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n");
            }),
            ("a proxy that opens no tunnel", |site| {
                let connect = Connect::to(URL).proxy("http://proxy.example:3128");
                let (far, _) = site.world.dial(site.zone, connect);
                site.world.send(far, "HTTP/1.1 407 X\r\nContent-Length: 0\r\n\r\n");
            }),
        ],
    );
    assert_ends(
        Cause::Local,
        &options,
        &[
            ("given up before the socket", |site| {
                let id = named(site, &["192.0.2.1"]);
                site.world.context().conn(id).unwrap().close(CloseCode::NORMAL, "");
            }),
            ("given up before the answer", |site| {
                let (_, id) = dialled(site);
                site.world.context().conn(id).unwrap().close(CloseCode::NORMAL, "");
            }),
            ("given up in a race", |site| {
                let id = named(site, &["192.0.2.1", "192.0.2.2"]);
                site.world.advance(millis(250));
                site.world.context().conn(id).unwrap().close(CloseCode::NORMAL, "");
            }),
        ],
    );
}

#[test]
fn dial_failed_is_no_way_to_a_server() {
    assert_ends(
        Cause::DialFailed,
        &Options::new(),
        &[
            ("an unknown name", |site| {
                site.world.host("other.example", &["192.0.2.1"]);
                site.world.context().connect(site.zone, Connect::to(URL));
                site.world.settle();
            }),
            ("a name without addresses", |site| {
                named(site, &[]);
            }),
            ("a refused connection", |site| {
                named(site, &["192.0.2.1"]);
                let far = begun(site);
                site.world.refuse(far);
            }),
            ("three refused connections, one after the other", |site| {
                named(site, &["192.0.2.1", "192.0.2.2", "2001:db8::1"]);
                for _ in 0..3 {
                    let far = begun(site);
                    site.world.refuse(far);
                }
            }),
            ("three refused connections, in a race", |site| {
                named(site, &["192.0.2.1", "192.0.2.2", "2001:db8::1"]);
                site.world.advance(millis(600));
                for (_, far) in site.world.dialled() {
                    site.world.refuse(far);
                }
            }),
            ("a URL that names no server", |site| {
                site.world.context().connect(site.zone, Connect::to("http://feed.example/"));
                site.world.settle();
            }),
            ("a header that may not be sent", |site| {
                let connect = Connect::to(URL).header("A\r\n", "b");
                site.world.context().connect(site.zone, connect);
                site.world.settle();
            }),
            ("a server without sockets", |site| {
                let connect = Connect::to("ws://192.0.2.1/");
                site.world.context().connect(site.zone, connect);
                site.world.settle();
            }),
        ],
    );
}

/// Each socket that was given up for another counts as dialled and as ended. The attempt has its
/// own end, and `close` comes once.
#[test]
fn replaced_is_a_socket_given_up_for_another() {
    let four = ["2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"];
    for sockets in 1..=4 {
        for winner in 0..sockets {
            let mut site = Site::new(Options::new());
            named(&mut site, &four);
            site.world.advance(millis(250 * (sockets - 1)));
            let begun: Vec<Client> = site.world.dialled().into_iter().map(|(_, far)| far).collect();
            assert_eq!(begun.len() as u64, sockets);
            let far = begun[winner as usize];
            site.world.establish(far);
            let replaced = site.world.stats().ends.get(Cause::Replaced);
            assert_eq!(replaced, sockets - 1, "{winner} of {sockets}");
            site.world.accept(far);
            assert_eq!(site.world.stats().dialled, sockets);
            site.world.end(far);
            assert_eq!(site.finish("a race"), [Close(Cause::Eof)]);
            assert_eq!(site.world.stats().ends.get(Cause::Eof), 1);
            assert_eq!(site.world.stats().ends.total(), sockets);
        }
    }
    let mut site = Site::new(Options::new());
    for (name, address) in [("feed.example", "192.0.2.1"), ("b.example", "192.0.2.2")] {
        site.world.host(name, &[address]);
    }
    let connect = Connect::to(URL).follow_redirects(true);
    site.world.context().connect(site.zone, connect);
    let first = begun(&mut site);
    site.world.establish(first);
    site.world.send(first, "HTTP/1.1 302 X\r\nLocation: ws://b.example/\r\n\r\n");
    let second = begun(&mut site);
    let stats = site.world.stats();
    assert_eq!((stats.dialled, stats.connections), (2, 1));
    assert_eq!(counted(&mut site.world), [(Cause::Replaced, 1)]);
    site.world.refuse(second);
    assert_eq!(site.finish("a redirection"), [Close(Cause::DialFailed)]);
    assert_eq!(counted(&mut site.world), [(Cause::Replaced, 1), (Cause::DialFailed, 1)]);
}

/// What may end a WebSocket, and what it ends it by. Each may come after any other.
#[derive(Clone, Copy, Debug)]
enum End {
    CloseFrame,
    Eof,
    Reset,
    Violation,
    TooBig,
    HandlerCloses,
    Drain,
    Lifetime,
    NoPong,
    TooSlow,
}

/// Every end, with its cause.
const ENDS: [(End, Cause); 10] = [
    (End::CloseFrame, Cause::PeerClosed),
    (End::Eof, Cause::Eof),
    (End::Reset, Cause::Reset),
    (End::Violation, Cause::Violation),
    (End::TooBig, Cause::TooBig),
    (End::HandlerCloses, Cause::Local),
    (End::Drain, Cause::Drain),
    (End::Lifetime, Cause::Lifetime),
    (End::NoPong, Cause::PongTimeout),
    (End::TooSlow, Cause::TooSlow),
];

impl End {
    fn act(self, site: &mut Site, peer: Client, id: ConnId, is_server: bool) {
        let world = &mut site.world;
        let mask = |bytes: Vec<u8>, plain: Vec<u8>| if is_server { bytes } else { plain };
        match self {
            End::CloseFrame => {
                world.send(peer, mask(frames::close(1000, ""), plain(0x88, [0x03, 0xE8])));
            }
            End::Eof => world.end(peer),
            End::Reset => world.fail(peer, ErrorKind::ConnectionReset),
            End::Violation => world.send(peer, mask(frame(true, 0x3, ""), plain(0x83, ""))),
            End::TooBig => {
                let long = "x".repeat(20_000);
                world.send(peer, mask(text(&long), plain(0x81, &long)));
            }
            End::HandlerCloses => {
                if let Some(mut conn) = world.context().conn(id) {
                    conn.close(CloseCode::NORMAL, "");
                }
                world.settle();
            }
            End::Drain => {
                world.server.drain(Drain::within(seconds(1_000))).unwrap();
                world.settle();
            }
            // With a sign of life before each ping is due.
            End::Lifetime => {
                for _ in 0..8 {
                    world.send(peer, mask(frames::pong(""), plain(0x8A, "")));
                    world.advance(seconds(40));
                }
            }
            End::NoPong => world.advance(seconds(90)),
            End::TooSlow => {
                world.window(peer, 0);
                world.context().send(id, &*"x".repeat(20_000));
                world.settle();
            }
        }
    }
}

fn ends() -> impl Strategy<Value = Vec<(End, Cause)>> {
    prop::collection::vec(prop::sample::select(&ENDS[..]), 1..6)
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn first_of_several_ends_decides(ends in ends(), is_server: bool) {
        let options =
            Options::new().max_message(10_000).max_buffered(10_000).lifetime(seconds(272));
        let mut site = Site::new(options);
        let (peer, id) = match is_server {
            true => {
                let peer = site.sent(http::handshake("/ws"));
                let id = site.world.with(site.zone, |ends, _| ends.last).expect("an exchange");
                (peer, id)
            }
            false => open(&mut site),
        };
        for (end, _) in &ends {
            end.act(&mut site, peer, id, is_server);
        }
        let (_, first) = ends[0];
        prop_assert_eq!(site.finish("the property"), [Close(first)]);
        prop_assert_eq!(counted(&mut site.world), [(first, 1)]);
    }
}
