//! Every option by its name, on a clock moved by hand: its default, what passes at the limit, and
//! what the peer receives beyond it.

mod common;

use std::time::Duration;

use common::frames::{BINARY, CONTINUATION, frame, header, pong, text};
use common::http::{self, only};
use common::serving::{patient, serving};
use common::{Bytes, Client, World, millis, seconds};
use switchboard::{Connect, EventStream, Handler, Options, RequestError, Upgrade, Zone};

/// A deadline is kept in steps of this much: it strikes at most so much late.
const STEP: Duration = Duration::from_millis(250);

/// One deadline: the option that sets it, its default, a connection for which it runs, and what
/// shows that it has struck.
struct Deadline {
    name: &'static str,
    set: fn(Options, Duration) -> Options,
    default: u64,
    begin: fn(&mut World) -> Client,
    struck: fn(&mut World, Client) -> bool,
}

fn asking(sim: &mut World, request: impl AsRef<[u8]>) -> Client {
    let client = sim.connect();
    sim.send(client, request);
    client
}

fn said_something(sim: &mut World, client: Client) -> bool {
    !sim.receive(client).is_empty()
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn deadlines() -> Vec<Deadline> {
    let gone: fn(&mut World, Client) -> bool = World::is_gone;
    let refused: fn(&mut World, Client) -> bool = |sim, client| {
        let bytes = sim.receive(client);
        !bytes.is_empty() && only(&bytes).status == 408
    };
    vec![
        Deadline {
            name: "first byte",
            set: Options::first_byte_timeout,
            default: 10,
            begin: World::connect,
            struck: gone,
        },
        Deadline {
            name: "keep-alive",
            set: Options::keep_alive_timeout,
            default: 75,
            begin: |sim| asking(sim, http::get("/a")),
            struck: gone,
        },
        Deadline {
            name: "head",
            set: Options::head_timeout,
            default: 10,
            begin: |sim| asking(sim, "GET /a HT"),
            struck: refused,
        },
        Deadline {
            name: "body",
            set: Options::body_timeout,
            default: 30,
            begin: |sim| asking(sim, http::request("POST", "/upload", "Content-Length: 5\r\n", "")),
            struck: refused,
        },
        Deadline {
            name: "answer",
            set: Options::answer_timeout,
            default: 60,
            begin: |sim| asking(sim, http::get("/later")),
            struck: |sim, client| {
                let bytes = sim.receive(client);
                !bytes.is_empty() && only(&bytes).status == 503
            },
        },
        Deadline {
            name: "write",
            set: Options::write_timeout,
            default: 30,
            begin: |sim| {
                let client = sim.connect();
                sim.window(client, 1_000);
                sim.send(client, http::get("/big"));
                client
            },
            struck: gone,
        },
        Deadline {
            name: "close",
            set: Options::close_timeout,
            default: 5,
            begin: |sim| {
                let client = sim.raw_websocket("/socket");
                sim.send(client, text("close"));
                client
            },
            struck: gone,
        },
        Deadline {
            name: "linger",
            // Without its limit, which has tests of its own.
            set: |options, time| options.linger_timeout(time).linger_limit(Duration::MAX),
            default: 5,
            begin: |sim| asking(sim, http::request("GET", "/a", "Connection: close\r\n", "")),
            struck: gone,
        },
        Deadline {
            name: "event stream",
            set: Options::event_stream_interval,
            default: 15,
            begin: |sim| sim.raw_events("/events"),
            struck: said_something,
        },
    ]
}

/// Within a step after the deadline, and not before it.
fn assert_strikes(row: &Deadline, options: Options, deadline: Duration) {
    for offset in [0, 1, 130, 249] {
        let (mut sim, _) = serving(options.clone());
        sim.advance(millis(offset));
        let client = (row.begin)(&mut sim);
        sim.advance(deadline - millis(1));
        assert!(!(row.struck)(&mut sim, client), "{}: before {deadline:?}", row.name);
        sim.advance(STEP + millis(1));
        assert!((row.struck)(&mut sim, client), "{}: not by {deadline:?}", row.name);
    }
}

#[test]
fn deadline_strikes_by_default_when_the_documentation_says() {
    for row in deadlines() {
        assert_strikes(&row, Options::new(), seconds(row.default));
    }
}

#[test]
fn deadline_is_set_by_its_own_option_alone() {
    for row in deadlines() {
        for deadline in [millis(250), millis(3_000), millis(3_001), seconds(1_000)] {
            let rounded = millis((deadline.as_millis() as u64).div_ceil(250) * 250);
            assert_strikes(&row, (row.set)(patient(), deadline), rounded);
        }
        // All others are short: this one, which is not, is the only one that counts.
        let short = deadlines().iter().fold(Options::new(), |options, other| match other.name {
            name if name == row.name => options,
            _ => (other.set)(options, seconds(1)),
        });
        let (mut sim, _) = serving((row.set)(short, Duration::MAX));
        let client = (row.begin)(&mut sim);
        sim.receive(client);
        sim.advance(seconds(10_000));
        assert!(!(row.struck)(&mut sim, client), "{}: though it is endless", row.name);
    }
}

#[test]
fn idle_websocket_is_pinged_by_default_after_50_seconds_and_dropped_20_seconds_later() {
    let (mut sim, log) = serving(Options::new());
    let client = sim.raw_websocket("/socket");
    log.take();
    sim.advance(seconds(45) - millis(1));
    assert_eq!(sim.words(client), [""; 0], "up to a tenth sooner");
    sim.advance(seconds(5) + STEP + millis(1));
    assert_eq!(sim.words(client), ["ping"]);
    sim.advance(seconds(4));
    assert_eq!(log.take(), [""; 0]);
    sim.advance(seconds(17));
    assert_eq!(log.take(), ["close 1006 \"\""]);
    assert!(sim.is_gone(client) && sim.receive(client).is_empty());
}

/// Every message gives the connection the whole time again, whether it is handled alone, with
/// others, or as a pong.
#[test]
fn websocket_that_says_something_is_not_pinged() {
    for said in [text("a"), text("a").repeat(3), pong("")] {
        let (mut sim, _) = serving(Options::new().idle_timeout(seconds(80)));
        let client = sim.raw_websocket("/socket");
        for _ in 0..20 {
            sim.advance(seconds(71));
            let heard = sim.ask_words(client, &said);
            assert!(!heard.contains(&"ping".to_owned()), "{heard:?}");
        }
        sim.advance(seconds(72) - millis(1));
        assert_eq!(sim.words(client), [""; 0], "up to a tenth sooner");
        sim.advance(seconds(8) + STEP + millis(1));
        assert_eq!(sim.words(client), ["ping"]);
    }
}

#[test]
fn pong_is_waited_for_as_long_as_its_option_says() {
    for pong_timeout in [1, 7, 50] {
        let options = Options::new().idle_timeout(millis(500)).pong_timeout(seconds(pong_timeout));
        let (mut sim, log) = serving(options);
        let client = sim.raw_websocket("/socket");
        while sim.words(client).is_empty() {
            sim.advance(millis(1));
        }
        sim.advance(seconds(pong_timeout) - millis(2));
        assert!(!sim.is_gone(client), "before {pong_timeout} s");
        sim.advance(STEP + millis(2));
        assert!(sim.is_gone(client), "not by {pong_timeout} s");
        assert_eq!(log.take().pop().as_deref(), Some("close 1006 \"\""));
    }
}

/// Many that fell silent together are not pinged together.
#[test]
fn idle_websockets_are_pinged_one_after_the_other() {
    let (mut sim, _) =
        serving(Options::new().idle_timeout(seconds(80)).first_byte_timeout(seconds(1_000)));
    let clients: Vec<_> = (0..200).map(|_| sim.raw_websocket("/socket")).collect();
    sim.advance(seconds(72) - STEP);
    let mut at_once = Vec::new();
    for _ in 0..36 {
        sim.advance(STEP);
        at_once.push(clients.iter().filter(|client| !sim.receive(**client).is_empty()).count());
    }
    assert_eq!(at_once.iter().sum::<usize>(), 200, "each once, within the last tenth");
    assert!(at_once.iter().all(|pinged| *pinged <= 20), "{at_once:?}");
}

/// A head of so many bytes.
fn head_of(len: usize) -> String {
    let head = http::request("GET", "/a", "X: \r\n", "");
    head.replace("X: ", &format!("X: {}", "x".repeat(len - head.len())))
}

#[test]
fn head_has_its_limit() {
    for (options, limit) in [(Options::new(), 16 << 10), (Options::new().max_head(200), 200)] {
        for (len, status) in [(limit - 1, 200), (limit, 200), (limit + 1, 431), (limit * 3, 431)] {
            for piece in [usize::MAX, 1_000, limit / 100] {
                let (mut sim, log) = serving(options.clone());
                let client = sim.connect();
                head_of(len).as_bytes().chunks(piece).for_each(|bytes| sim.send(client, bytes));
                let answer = only(&sim.receive(client));
                assert_eq!(answer.status, status, "{len} bytes of {limit}");
                if status == 431 {
                    assert_eq!(
                        (answer.text(), answer.closes()),
                        (RequestError::HeadTooLarge.as_str(), true)
                    );
                    assert_eq!(log.take(), [""; 0]);
                    assert!(sim.is_ended(client));
                }
            }
        }
    }
}

#[test]
fn headers_have_their_limit() {
    let rows = [
        (Options::new(), 100),
        (Options::new().max_headers(3), 3),
        (Options::new().max_headers(1_000), 128),
    ];
    for (options, limit) in rows {
        for (fields, status) in [(limit, 200), (limit + 1, 431), (limit + 200, 431)] {
            let (mut sim, _) = serving(options.clone());
            let client = sim.connect();
            // One of them is Host.
            let answer = only(
                &sim.ask(client, http::request("GET", "/a", &"A: b\r\n".repeat(fields - 1), "")),
            );
            assert_eq!(answer.status, status, "{fields} of {limit}");
            if status == 431 {
                assert_eq!(
                    (answer.text(), answer.closes()),
                    (RequestError::TooManyHeaders.as_str(), true)
                );
            }
        }
    }
}

#[test]
fn target_has_its_limit() {
    for (options, limit) in [(Options::new(), 8 << 10), (Options::new().max_target(10), 10)] {
        for (len, status) in [(limit, 200), (limit + 1, 414), (limit + 100, 414), (limit * 50, 414)]
        {
            for piece in [usize::MAX, limit / 10] {
                let (mut sim, _) = serving(options.clone().max_head(1 << 20));
                let client = sim.connect();
                let request = http::get(&format!("/{}", "a".repeat(len - 1)));
                request.as_bytes().chunks(piece).for_each(|bytes| sim.send(client, bytes));
                let answer = only(&sim.receive(client));
                assert_eq!(answer.status, status, "{len} bytes of {limit}");
                if status == 414 {
                    assert_eq!(
                        (answer.text(), answer.closes()),
                        (RequestError::TargetTooLong.as_str(), true)
                    );
                }
            }
        }
    }
}

#[test]
fn body_has_the_limit_that_its_handler_names() {
    let chunked = |len: usize| {
        http::post_chunked("/upload", &[&*"x".repeat(len / 2), &*"x".repeat(len - len / 2)])
    };
    for (len, status) in [(999, 200), (1_000, 200), (1_001, 413), (100_000, 413)] {
        for request in [http::post("/upload", &"x".repeat(len)), chunked(len)] {
            for piece in [usize::MAX, 100] {
                let (mut sim, log) = serving(Options::new());
                let client = sim.connect();
                for bytes in request.as_bytes().chunks(piece) {
                    sim.send(client, bytes);
                }
                let answer = only(&sim.receive(client));
                assert_eq!(answer.status, status, "{len} bytes");
                let heard = log.take().iter().any(|entry| entry.starts_with("body "));
                assert_eq!((heard, answer.closes()), (status == 200, status != 200));
            }
        }
    }
}

#[test]
fn message_has_its_limit() {
    for (options, limit) in [(Options::new(), 16 << 20), (Options::new().max_message(1_000), 1_000)]
    {
        let rows = [
            // By its header alone, before a byte of it has come.
            (header(true, BINARY, limit), false),
            (header(true, BINARY, limit + 1), true),
            (header(false, BINARY, limit + 1), true),
            (header(true, BINARY, u64::MAX >> 1), true),
            ([frame(false, BINARY, "x"), header(true, CONTINUATION, limit - 1)].concat(), false),
            ([frame(false, BINARY, "x"), header(true, CONTINUATION, limit)].concat(), true),
            (
                [frame(false, BINARY, "x"), header(false, CONTINUATION, u64::MAX >> 1)].concat(),
                true,
            ),
        ];
        for (bytes, refused) in rows {
            let (mut sim, log) = serving(options.clone());
            let client = sim.raw_websocket("/socket");
            log.take();
            let said = sim.ask_words(client, bytes);
            match refused {
                true => {
                    assert_eq!(said, ["close 1009 message too big"]);
                    assert_eq!(log.take(), ["close 1009 \"message too big\""]);
                }
                false => assert_eq!((said.len(), log.take().len()), (0, 0)),
            }
        }
    }
}

#[test]
fn outbox_holds_17_mebibytes_by_default() {
    for (len, closes) in [((17 << 20) - 10, false), ((17 << 20) - 9, true)] {
        let (mut sim, log) = serving(Options::new());
        let client = sim.raw_websocket("/socket");
        let id = log.last_id();
        log.take();
        sim.window(client, 0);
        let now = sim.now;
        sim.server.context(now).send(id, &vec![7; len][..]);
        sim.settle();
        assert_eq!(log.take().len(), usize::from(closes), "{len} bytes and a header of 10");
        assert_eq!(sim.stats().overflowed, u64::from(closes));
    }
}

/// A set of options of another server means the default set, on every way that one is named.
#[test]
fn options_of_another_server_are_the_default_set() {
    struct Silent;
    impl Handler for Silent {}
    let mut other = switchboard::Server::detached();
    let foreign = other.context(std::time::Instant::now()).add_options(Options::new().chunks(true));
    let mut world = switchboard::testing::World::new();
    let socket = Zone::new("/socket").upgrades(true);
    world.server.http(socket, move |_, _| Upgrade::new().options(foreign));
    world.server.http("/events", move |_, _| EventStream::new().options(foreign));
    let (socket, events) = (world.websocket("/socket"), world.events("/events"));
    let dialed = world.server.zone("/dialed", Silent);
    world.dial(dialed, Connect::to("ws://example.com/").options(foreign));
    assert!(world.is_open(socket) && world.is_open(events));
}
