//! A hundred peers that flood the server in every way there is, and a quiet peer among them, over
//! memory. In each turn every flooder gets its share and no more, and the quiet peer is answered in
//! the same turn or the next.

mod common;

use common::frames::{binary, frame, ping, pong, text};
use common::{Bytes, Client, World, http, millis};
use switchboard::{Connect, Reply, Upgrade, Zone};

const FLOODERS: usize = 100;
/// So much of a flood is under way at least.
const AHEAD: usize = 40 << 10;
/// Steps that one connection is given in one turn.
const SHARE: u64 = 256;

/// An echo at `/`, and plain HTTP under `/page`.
fn server() -> World {
    World::serving(|server| {
        server.http("/page", |_, request| Reply::from(request.path().to_owned()));
        server.websocket("/", |conn, message| conn.send(message));
    })
}

/// What one flooder says, over and over, and whether it says it in HTTP.
fn floods() -> Vec<(&'static str, Vec<u8>, bool)> {
    let fragments =
        [frame(false, 2, ""), frame(false, 0, "").repeat(50), frame(true, 0, "")].concat();
    vec![
        ("pings", ping(""), false),
        ("full pings", ping([7; 125]), false),
        ("pongs", pong(""), false),
        ("empty frames", text(""), false),
        ("tiny frames", text("x"), false),
        ("frames of a kilobyte", binary([7; 1 << 10]), false),
        ("big frames", binary(vec![7; 300 << 10]), false),
        ("empty fragments", fragments, false),
        ("pipelined requests", http::get("/page/x").into_bytes(), true),
        ("pipelined requests with bodies", http::post("/page/x", "hello").into_bytes(), true),
        ("pipelined requests for nothing", http::get("/page/../page/%41").into_bytes(), true),
    ]
}

/// A hundred connections over which so much of a flood is under way.
fn flooded(sim: &mut World, flood: &[u8], is_http: bool) -> Vec<Client> {
    let flooders: Vec<_> = (0..FLOODERS)
        .map(|_| if is_http { sim.connect() } else { sim.raw_websocket("/") })
        .collect();
    for client in &flooders {
        // More would only make the test slow: it is more than a share as it is.
        sim.peer(*client).read_at_most(8 << 10);
        sim.push(*client, flood.repeat(AHEAD / flood.len() + 2));
    }
    flooders
}

/// So many turns until the quiet one has its answer.
fn turns_until(sim: &mut World, quiet: Client, answer: &str) -> usize {
    for turn in 1.. {
        sim.turn();
        let said = sim.words(quiet);
        if !said.is_empty() {
            assert_eq!(said, [answer]);
            return turn;
        }
        assert!(turn < 10, "no answer");
    }
    0
}

#[test]
fn quiet_peer_is_answered_within_a_turn_of_every_flood() {
    for (name, flood, is_http) in floods() {
        // The quiet one came before the others, or after them.
        for is_late in [false, true] {
            let mut sim = server();
            let early = sim.raw_websocket("/");
            let flooders = flooded(&mut sim, &flood, is_http);
            let quiet = if is_late { sim.raw_websocket("/") } else { early };
            for round in 0..2 {
                sim.push(quiet, text(&round.to_string()));
                assert!(turns_until(&mut sim, quiet, &format!("text {round}")) <= 2, "{name}");
                // The flood goes on.
                flooders.iter().for_each(|client| sim.push(*client, &flood));
            }
        }
    }
}

/// A flooder's share is bounded in every turn, whatever it says.
#[test]
fn flooders_get_their_share_and_no_more() {
    for (name, flood, is_http) in floods() {
        let mut sim = server();
        let flooders = flooded(&mut sim, &flood, is_http);
        let handled = |sim: &mut World| sim.stats().messages + sim.stats().requests;
        let mut before = handled(&mut sim);
        let mut turns = 0u64;
        while sim.server.poll_timeout(sim.now) == Some(millis(0)) || turns == 0 {
            if turns < 5 {
                // Told of more before it has had what is there: that earns nobody a second share.
                flooders.iter().for_each(|client| sim.push(*client, &flood));
            }
            sim.turn();
            turns += 1;
            let now = handled(&mut sim);
            assert!(
                now - before <= SHARE * FLOODERS as u64,
                "{name}: {} in one turn",
                now - before
            );
            before = now;
            assert!(turns < 20_000, "{name}: no end");
        }
        // All of it was heard in the end, by pieces.
        let sent = (AHEAD / flood.len() + 2) as u64;
        assert!(turns >= sent / SHARE, "{name}: {sent} frames in {turns} turns");
        for client in flooders {
            assert!(!sim.receive(client).is_empty() || name == "pongs", "{name}");
            assert!(!sim.is_gone(client), "{name}");
        }
    }
}

/// The server stops reading from flooders that never take their answers; the quiet peer does not
/// notice.
#[test]
fn quiet_peer_is_answered_while_flooders_do_not_read() {
    for (name, flood, is_http) in floods() {
        let mut sim = server();
        let quiet = sim.raw_websocket("/");
        let flooders: Vec<_> = (0..FLOODERS)
            .map(|_| if is_http { sim.connect() } else { sim.raw_websocket("/") })
            .collect();
        for client in &flooders {
            sim.window(*client, 0);
            sim.push(*client, flood.repeat(AHEAD / flood.len() + 2));
        }
        for round in 0..4 {
            sim.push(quiet, text(&round.to_string()));
            assert!(turns_until(&mut sim, quiet, &format!("text {round}")) <= 2, "{name}");
        }
        sim.settle();
        sim.push(quiet, text("after"));
        assert_eq!(turns_until(&mut sim, quiet, "text after"), 1, "{name}");
    }
}

/// Newcomers, and those who only connect and leave, cost the quiet one nothing.
#[test]
fn quiet_peer_is_answered_while_connections_come_and_go() {
    let mut sim = server();
    let quiet = sim.raw_websocket("/");
    for round in 0..20 {
        let comers: Vec<_> = (0..FLOODERS).map(|_| sim.connect()).collect();
        for (n, client) in comers.iter().enumerate() {
            match n % 3 {
                0 => sim.push(*client, http::handshake("/")),
                1 => sim.push(*client, "GET / nonsense\r\n\r\n"),
                _ => sim.peer(*client).fail(std::io::ErrorKind::ConnectionReset),
            }
        }
        sim.push(quiet, text(&round.to_string()));
        assert!(turns_until(&mut sim, quiet, &format!("text {round}")) <= 2);
        comers.into_iter().for_each(|client| sim.peer(client).end());
    }
}

/// The same in the client role: a hundred servers flood us, one is quiet.
#[test]
fn quiet_server_is_heard_within_a_turn() {
    let mut sim = World::new();
    let zone = sim.server.websocket("/", |conn, message| conn.send(message));
    let dial = |sim: &mut World| {
        let mut far = World::serving(|server| {
            server.http(Zone::new("/").upgrades(true), |_, _| Upgrade::new());
        });
        let mut pair =
            Pairing { near: sim.dial(zone, Connect::to("ws://a/")).0, far: far.connect() };
        pair.shake_hands(sim, &mut far);
        pair.near
    };
    let quiet = dial(&mut sim);
    let flooders: Vec<_> = (0..FLOODERS).map(|_| dial(&mut sim)).collect();
    let flood = common::frames::plain(0x81, "x");
    flooders.iter().for_each(|client| sim.push(*client, flood.repeat(AHEAD)));
    for round in 0..4 {
        sim.push(quiet, common::frames::plain(0x81, round.to_string()));
        let answered = (1..=2).any(|_| {
            sim.turn();
            !sim.receive(quiet).is_empty()
        });
        assert!(answered, "round {round}");
    }
}

/// The two ends of a handshake between simulations.
struct Pairing {
    near: Client,
    far: Client,
}

impl Pairing {
    fn shake_hands(&mut self, near: &mut World, far: &mut World) {
        near.settle();
        let request = near.receive(self.near);
        let answer = far.ask(self.far, request);
        near.send(self.near, answer);
        assert_eq!(near.stats().websockets, near.stats().connections);
    }
}

/// A large message that has arrived whole is delivered in that turn, however little is left of it
/// behind its pieces.
#[test]
fn large_message_that_is_there_is_heard_at_once() {
    // The first read gives 128 KiB, header included. The memory of the first message grows; that of
    // the others is there already.
    for rest in [0, 1, 1_000, (16 << 10) - 1, 16 << 10, (16 << 10) + 1, 100_000] {
        let mut sim = server();
        let sender = sim.raw_websocket("/");
        for round in 1..=3 {
            sim.push(sender, binary(vec![7; (128 << 10) - 14 + (1 << 20) + rest]));
            sim.turn();
            assert_eq!(sim.stats().messages, round, "{rest} bytes more than whole pieces");
            sim.settle();
        }
    }
}

/// Senders of large messages share 32 MiB of a turn. Beyond that each gets what one read gives.
#[test]
fn large_messages_share_a_turn() {
    const SIZE: usize = 500_000;
    let mut sim = server();
    let senders: Vec<_> = (0..100).map(|_| sim.raw_websocket("/")).collect();
    for &sender in &senders {
        sim.push(sender, binary(vec![7; SIZE]));
    }
    sim.turn();
    let at_once = sim.stats().messages;
    assert!((64..=92).contains(&at_once), "{at_once} of {} in the first turn", senders.len());
    sim.settle();
    assert_eq!(sim.stats().messages, senders.len() as u64);
}
