//! The fast path for whole messages gives what the other path gives: messages that arrive together
//! are answered like messages that arrive one by one, whatever a handler does in between.

mod common;

use common::frames::{BINARY, Frame, PING, PONG, TEXT, frame, frames, header, ping, text};
use common::{Bytes, World};
use proptest::prelude::*;
use switchboard::proto::websocket::{Opcode, encode_frame};
use switchboard::{CloseCode, Conn, ConnId, Handler, Message, Options, Request};

/// Does what its first member says, and echoes the others.
#[derive(Default)]
struct Obedient {
    members: Vec<ConnId>,
    fragmented: bool,
}

impl Handler for Obedient {
    fn open(&mut self, conn: &mut Conn<'_>, _request: &Request<'_>) {
        conn.subscribe("all");
        self.members.push(conn.id());
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let Message::Text(order) = message else { return conn.send(message) };
        let other = self.members[1];
        match order {
            "other" => conn.context().send(other, "to the other"),
            "close" => {
                if let Some(mut other) = conn.context().conn(other) {
                    other.close(CloseCode::NORMAL, "told to");
                }
                conn.send("done");
            }
            "fragment" => {
                conn.send_fragment("piece", self.fragmented);
                self.fragmented = !self.fragmented;
            }
            "publish" => conn.publish("all", "to all"),
            "ping" => conn.ping(b"?"),
            "large" => conn.send(&*"x".repeat(9_000)),
            "leave" => conn.close(CloseCode::NORMAL, "leaving"),
            other => conn.send(other),
        }
    }
}

/// What the three members receive when the first sends these frames, `at_once` at a time, and the
/// third sends a message at the end.
fn heard(sent: &[Vec<u8>], at_once: usize) -> Vec<Vec<Frame>> {
    let mut sim = World::serving(|server| {
        server.zone("/", Obedient::default());
    });
    let members: Vec<_> = (0..3).map(|_| sim.raw_websocket("/")).collect();
    for some in sent.chunks(at_once) {
        sim.send(members[0], some.concat());
    }
    sim.send(members[2], text("and I"));
    members.iter().map(|&member| frames(&sim.receive(member))).collect()
}

/// The frames without pings and pongs. These may overtake data between any two frames, and of
/// several pongs the latest is enough (RFC 6455 sections 5.4 and 5.5.3).
fn said(mut heard: Vec<Vec<Frame>>) -> Vec<Vec<Frame>> {
    heard
        .iter_mut()
        .for_each(|frames| frames.retain(|frame| ![PING, PONG].contains(&frame.opcode)));
    heard
}

fn order() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => "[a-z]{0,20}".prop_map(|word| text(&word)),
        1 => Just(text("other")),
        1 => Just(text("close")),
        2 => Just(text("fragment")),
        2 => Just(text("publish")),
        1 => Just(text("ping")),
        1 => Just(text("large")),
        1 => Just(frame(true, BINARY, [0xFF; 30])),
        1 => Just(frame(true, TEXT, "y".repeat(9_000))),
        1 => Just(ping("!")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn server_answers_what_comes_together_as_what_comes_one_by_one(
        orders in prop::collection::vec(order(), 1..40),
        ending in prop::bool::weighted(0.2),
        at_once in 2..40usize,
    ) {
        let mut sent = orders;
        if ending {
            sent.push(text("leave"));
            sent.push(text("too late"));
        }
        let (together, one_by_one) = (heard(&sent, at_once), heard(&sent, 1));
        prop_assert_eq!(said(together), said(one_by_one));
    }
}

/// Output of one message's handler that does not go into the batch precedes the answer to the next
/// message. No other connection receives it.
#[test]
fn server_keeps_answers_in_order_when_a_handler_closes_another() {
    let sent =
        [text("close"), text("a"), text("b"), frame(true, TEXT, "y".repeat(9_000)), text("c")];
    let heard = heard(&sent, sent.len());
    let lengths =
        |frames: &[Frame]| frames.iter().map(|frame| frame.payload.len()).collect::<Vec<_>>();
    assert_eq!(lengths(&heard[0]), [4, 1, 1, 9_000, 1]);
    assert_eq!(lengths(&heard[2]), ["and I".len()]);
}

/// Gathered answers, and answers that are written from where they are, go on byte for byte where
/// the transport stopped.
#[test]
fn server_goes_on_where_the_transport_stopped() {
    let body =
        |n: usize, len: usize| -> Vec<u8> { (0..len).map(|at| (at * 31 + n * 7) as u8).collect() };
    for (len, messages) in
        [(0, 64), (20, 64), (125, 3), (126, 3), (1_000, 250), (9_000, 1), (9_000, 3), (140_000, 2)]
    {
        let mut whole = Vec::new();
        (0..messages).for_each(|n| encode_frame(&mut whole, true, Opcode::Binary, &body(n, len)));
        let sent: Vec<u8> = (0..messages).flat_map(|n| text(&n.to_string())).collect();
        let mut ends: Vec<usize> =
            (0..30).chain([5_000, 131_071, 131_072, 131_073, 135_000]).collect();
        // About the end of each of the first frames, and of all.
        let frame = whole.len() / messages;
        ends.extend(
            [frame, 2 * frame, whole.len()].iter().flat_map(|end| end.saturating_sub(6)..end + 12),
        );
        for end in ends.into_iter().map(|end| end.min(whole.len())) {
            let mut sim = World::serving(|server| {
                server.websocket("/", move |conn, message: Message<'_>| {
                    let Message::Text(number) = message else { return };
                    conn.send(&body(number.parse().unwrap(), len));
                });
            });
            let client = sim.raw_websocket("/");
            sim.window(client, end);
            sim.send(client, sent.clone());
            let mut heard = sim.receive(client);
            assert_eq!(heard.len(), end, "{messages} messages of {len} bytes");
            sim.window(client, usize::MAX);
            sim.settle();
            heard.extend(sim.receive(client));
            assert!(heard == whole, "{messages} messages of {len} bytes, stopped after {end}");
        }
    }
}

/// Pings, of which too much is cut, and pongs lie in their places between the answers.
#[test]
fn server_answers_between_control_frames_of_every_length() {
    for len in [0, 1, 15, 16, 124, 125, 200] {
        let mut sim = World::serving(move |server| {
            server.websocket("/", move |conn, message| {
                conn.ping(&vec![9; len]);
                conn.send(message);
            });
        });
        let client = sim.raw_websocket("/");
        let pinged = frame(true, PING, vec![5; len.min(125)]);
        sim.send(client, [text("a"), text("b"), pinged, text("c")].concat());
        let heard: Vec<_> = frames(&sim.receive(client))
            .iter()
            .map(|frame| (frame.opcode, frame.payload.len()))
            .collect();
        let (pings, pongs) = ((PING, len.min(125)), (PONG, len.min(125)));
        assert_eq!(heard, [pings, (TEXT, 1), pings, (TEXT, 1), pongs, pings, (TEXT, 1)]);
    }
}

/// A large message that arrives behind a refused answer waits, and is not forgotten.
#[test]
fn server_goes_on_with_a_large_message_once_its_answers_are_taken() {
    let mut sim = World::serving(|server| {
        server.websocket("/", |conn, message| conn.send(&*message.len().to_string()));
    });
    let client = sim.raw_websocket("/");
    sim.window(client, 0);
    let mut sent = text("hello");
    sent.extend(header(true, BINARY, 900_000));
    sent.extend(vec![7; 900_000]);
    sim.push(client, &sent);
    sim.settle();
    assert!(sim.receive(client).is_empty());
    sim.window(client, usize::MAX);
    sim.settle();
    let said: Vec<_> =
        frames(&sim.receive(client)).into_iter().map(|frame| frame.payload).collect();
    assert_eq!(said, [b"5".to_vec(), b"900000".to_vec()]);
}

/// What a handler asks for besides its answer is done for one message as for several, with an
/// answer or without.
#[test]
fn server_tells_that_output_may_go_on_after_one_message_or_more() {
    for (together, answer) in [(1, true), (2, true), (1, false), (2, false)] {
        let mut sim = World::serving(|server| {
            server.zone("/", Eager { answer });
        });
        let client = sim.raw_websocket("/");
        sim.send(client, text("a").repeat(together));
        let heard: Vec<_> =
            frames(&sim.receive(client)).into_iter().map(|frame| frame.payload).collect();
        let mut expected = if answer { vec![b"a".to_vec(); together] } else { Vec::new() };
        expected.push(b"go on".to_vec());
        assert_eq!(heard, expected);
        assert_eq!(sim.stats().messages, together as u64);
    }
}

struct Eager {
    answer: bool,
}

impl Handler for Eager {
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        if self.answer {
            conn.send(message);
        }
        conn.want_writable();
    }

    fn writable(&mut self, conn: &mut Conn<'_>) {
        conn.send("go on");
    }
}

/// The limit is the same for a message that comes alone, whatever its length.
#[test]
fn server_refuses_a_message_beyond_its_limit_alone_or_behind_another() {
    for (limit, len) in [(20, 20), (20, 21), (0, 0), (0, 1), (125, 125), (125, 126), (124, 125)] {
        let mut sim = World::serving(|server| {
            server.options(Options::new().max_message(limit));
            server.websocket("/", |conn, message| conn.send(message));
        });
        for before in [Vec::new(), text("")] {
            let client = sim.raw_websocket("/");
            let answers = usize::from(!before.is_empty());
            sim.send(client, [before, text(&"x".repeat(len))].concat());
            let heard = frames(&sim.receive(client));
            assert_eq!(heard.len(), answers + 1, "{len} bytes of {limit}");
            match len > limit {
                true => assert_eq!(heard[answers].close().0, 1009, "{len} bytes of {limit}"),
                false => {
                    assert_eq!((heard[answers].opcode, heard[answers].payload.len()), (TEXT, len))
                }
            }
        }
    }
}
