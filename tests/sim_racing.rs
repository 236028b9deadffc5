//! The race between the addresses of one name (RFC 8305), in a world with scripted names and
//! connections: which address is tried when, which one wins, and what becomes of the others.

mod common;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use common::dialling::{dialler, nothing_left};
use common::{Bytes, Client, Log, Recorder, World, millis, seconds};
use switchboard::{CloseCode, ConnId, Connect, Drain, Options, Readiness, ZoneId};

const NAME: &str = "feed.example";
const URL: &str = "ws://feed.example/chat?room=7";

/// Two of each family, as a resolver lists them.
const FOUR: [&str; 4] = ["2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"];

struct Race {
    world: World,
    zone: ZoneId<Recorder>,
    log: Log,
    id: ConnId,
}

impl Race {
    fn begin(addresses: &[&str]) -> Race {
        Race::with(addresses, Connect::to(URL))
    }

    fn with(addresses: &[&str], connect: Connect) -> Race {
        let log = Log::new();
        let (mut world, zone) = dialler(&log);
        world.host(NAME, addresses);
        let id = world.context().connect(zone, connect);
        world.settle();
        Race { world, zone, log, id }
    }

    /// The connections begun since the last call, by their IP addresses.
    fn begun(&mut self) -> Vec<(String, Client)> {
        let name = |address: SocketAddr| address.ip().to_string();
        self.world.dialled().into_iter().map(|(to, client)| (name(to), client)).collect()
    }

    #[track_caller]
    fn one(&mut self, address: &str) -> Client {
        let begun = self.begun();
        let names: Vec<&str> = begun.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, [address]);
        begun[0].1
    }

    fn assert_open(&mut self, client: Client) {
        assert!(self.world.accept(client).contains("Host: feed.example\r\n"));
        assert_eq!(self.log.take(), ["open /chat", "speaks None at Some(\"room=7\")"]);
        self.world.say(client, "echo");
        assert_eq!(self.world.hear(client), ["echo"]);
        assert_eq!(self.log.take(), ["text echo"]);
        let stats = self.world.stats();
        assert_eq!((stats.connections, stats.websockets, stats.accepted), (1, 1, 0));
    }
}

fn waits(world: &mut World) -> Option<Duration> {
    world.server.poll_timeout(world.now)
}

#[test]
fn families_alternate_every_250_ms_exactly() {
    let mut race = Race::begin(&FOUR);
    for address in ["2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2"] {
        race.one(address);
        race.world.advance(millis(249));
        assert_eq!(race.begun(), [], "after {address}");
        assert_eq!(race.world.stats().connections, 1, "rivals count as nothing");
        if address != "192.0.2.2" {
            assert_eq!(waits(&mut race.world), Some(millis(1)));
        }
        race.world.advance(millis(1));
    }
    assert_eq!(race.begun(), []);
    race.world.advance(seconds(11));
    assert_eq!(race.log.take(), ["close 1006 \"not open in time\""]);
    nothing_left(&mut race.world);
}

/// Whichever address stands first wins, and the others are closed.
#[test]
fn first_connection_that_stands_wins() {
    for winner in 0..4 {
        let mut race = Race::begin(&FOUR);
        race.world.advance(millis(750));
        let begun: Vec<Client> = race.begun().into_iter().map(|(_, client)| client).collect();
        assert_eq!(begun.len(), 4);
        race.world.establish(begun[winner]);
        for (at, &client) in begun.iter().enumerate() {
            assert_eq!(race.world.is_gone(client), at != winner, "{at} of {winner}");
        }
        race.assert_open(begun[winner]);
        // The WebSocket lives on in the attempt's slot, under the attempt's name.
        race.world.context().send(race.id, "by name");
        assert_eq!(race.world.hear(begun[winner]), ["by name"]);
        race.world.advance(seconds(60));
        race.world.close(begun[winner], CloseCode::NORMAL, "bye");
        assert_eq!(race.log.take(), ["close 1000 \"bye\" by peer"]);
        nothing_left(&mut race.world);
    }
}

#[test]
fn no_further_address_is_tried_once_one_stands() {
    for after in [0, 249] {
        let mut race = Race::begin(&FOUR);
        race.world.advance(millis(after));
        let first = race.one("2001:db8::1");
        race.world.establish(first);
        race.assert_open(first);
        race.world.advance(seconds(3));
        assert_eq!(race.begun(), []);
    }
}

#[test]
fn next_address_is_tried_at_once_when_one_fails() {
    let mut race = Race::begin(&FOUR);
    let first = race.one("2001:db8::1");
    race.world.advance(millis(100));
    race.world.refuse(first);
    let second = race.one("192.0.2.1");
    // Its head start begins anew.
    race.world.advance(millis(249));
    assert_eq!(race.begun(), []);
    race.world.advance(millis(1));
    let third = race.one("2001:db8::2");
    // A rival that fails is no different.
    race.world.refuse(third);
    let fourth = race.one("192.0.2.2");
    race.world.advance(seconds(1));
    race.world.establish(fourth);
    race.assert_open(fourth);
    assert!(race.world.is_gone(second) && race.world.is_gone(third));
}

#[test]
fn last_failure_is_reported_when_all_addresses_fail() {
    for together in [false, true] {
        let mut race = Race::begin(&FOUR);
        race.world.advance(millis(if together { 750 } else { 0 }));
        let mut failed = 0;
        while failed < 4 {
            let begun = race.begun();
            assert_eq!(begun.len(), if together { 4 } else { 1 });
            for (_, client) in begun {
                assert_eq!(race.log.take(), [""; 0]);
                race.world.refuse(client);
                failed += 1;
            }
        }
        assert_eq!(race.log.take(), ["close 1006 \"connection refused\""]);
        nothing_left(&mut race.world);
    }
}

/// One address: no timer but the attempt's deadline, and no second slot.
#[test]
fn one_address_runs_no_race() {
    for addresses in [&["192.0.2.1"][..], &["192.0.2.1", "192.0.2.1"]] {
        let mut race = Race::begin(addresses);
        let only = race.one("192.0.2.1");
        assert!(waits(&mut race.world).is_some_and(|wait| wait > seconds(9)));
        race.world.advance(seconds(5));
        assert_eq!(race.begun(), []);
        race.world.establish(only);
        race.assert_open(only);
    }
    let mut race = Race::begin(&["192.0.2.1"]);
    let only = race.one("192.0.2.1");
    race.world.refuse(only);
    assert_eq!(race.log.take(), ["close 1006 \"connection refused\""]);
    nothing_left(&mut race.world);
}

/// Two connections stand in one turn, or one stands as another fails: one WebSocket.
#[test]
fn events_of_one_turn_make_one_winner() {
    for (first, second) in [(0, 1), (1, 0), (1, 2), (2, 1)] {
        for fails in [false, true] {
            let mut race = Race::begin(&FOUR);
            race.world.advance(millis(500));
            let begun: Vec<Client> = race.begun().into_iter().map(|(_, client)| client).collect();
            let ready = |race: &mut Race, at: usize| {
                let peer = race.world.peer(begun[at]);
                match fails && at == second {
                    true => peer.fail(ErrorKind::ConnectionRefused),
                    false => peer.establish(),
                }
                let token = race.world.token(begun[at]);
                let news = Readiness { read_closed: fails, ..Readiness::WRITABLE };
                race.world.server.ready(token, news, race.world.now);
            };
            ready(&mut race, first);
            ready(&mut race, second);
            race.world.settle();
            let alive: Vec<Client> =
                begun.iter().copied().filter(|&client| !race.world.is_gone(client)).collect();
            assert_eq!(alive.len(), 1, "{first} then {second}, fails: {fails}");
            race.assert_open(alive[0]);
            assert_eq!(race.begun(), []);
        }
    }
}

/// Whatever ends an attempt ends its rivals.
#[test]
fn end_of_an_attempt_closes_its_rivals() {
    type End = fn(&mut Race);
    let ends: [(End, &str); 3] = [
        (
            |race| {
                let mut conn = race.world.context().conn(race.id).expect("an attempt");
                conn.close(CloseCode::GOING_AWAY, "changed my mind");
            },
            "close 1001 \"changed my mind\"",
        ),
        (|race| race.world.server.drain(Drain::within(seconds(5))).unwrap(), "close 1006 \"\""),
        (|race| race.world.advance(seconds(10)), "close 1006 \"not open in time\""),
    ];
    for (end, told) in ends {
        let mut race = Race::begin(&FOUR);
        race.world.advance(millis(500));
        let begun = race.begun();
        assert_eq!(begun.len(), 3);
        end(&mut race);
        race.world.settle();
        assert_eq!(race.log.take(), [told]);
        for (address, client) in race.begun().into_iter().chain(begun) {
            assert!(race.world.is_gone(client), "{address} after {told}");
        }
        nothing_left(&mut race.world);
    }
}

/// A handler counts its attempts alone, and its options bound the WebSocket alone.
#[test]
fn rivals_have_no_lifetime_and_no_count() {
    let options = Options::new().lifetime(seconds(1));
    let log = Log::new();
    let (mut world, zone) = dialler(&log);
    world.server.options(options);
    world.host(NAME, &FOUR);
    let own = world.server.context(world.now).add_options(Options::new());
    world.context().connect(zone, Connect::to(URL).options(own).timeout(seconds(300)));
    world.advance(seconds(200));
    assert_eq!((log.take(), world.stats().connections), (Vec::new(), 1));
    let (_, last) = *world.dialled().last().expect("four addresses");
    world.establish(last);
    world.accept(last);
    assert_eq!(log.take()[0], "open /chat");
}

/// Many names at a time, each with a race of its own.
#[test]
fn races_do_not_meet() {
    let mut race = Race::begin(&FOUR);
    let zone = race.zone;
    let ids: Vec<ConnId> =
        (0..50).map(|_| race.world.context().connect(zone, Connect::to(URL))).collect();
    race.world.advance(millis(750));
    let begun = race.begun();
    assert_eq!(begun.len(), 51 * 4);
    assert_eq!(race.world.stats().connections, 51);
    let mut winners = Vec::new();
    for (at, (_, client)) in begun.iter().enumerate() {
        // Each address of a round has 51 connections: every attempt gets another winner.
        if (at % 51) % 4 == at / 51 {
            race.world.establish(*client);
            winners.push(*client);
        }
    }
    assert_eq!(winners.len(), 51);
    for winner in winners {
        race.world.accept(winner);
    }
    assert_eq!(race.world.stats().websockets, 51);
    for id in ids {
        race.world.context().send(id, "hello");
    }
    race.world.settle();
    let alive = begun.iter().filter(|(_, client)| !race.world.is_gone(*client)).count();
    assert_eq!(alive, 51);
    assert_eq!(race.world.stats().connections, 51);
}

#[test]
fn connection_that_breaks_after_it_won_ends_the_attempt() {
    let mut race = Race::begin(&FOUR);
    race.world.advance(millis(250));
    let second = race.begun()[1].1;
    race.world.establish(second);
    race.world.fail(second, ErrorKind::ConnectionReset);
    assert_eq!(race.log.take(), ["close 1006 \"connection reset\""]);
    assert_eq!(race.begun(), [], "what stood once is the server's answer");
    nothing_left(&mut race.world);
}
