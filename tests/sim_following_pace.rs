//! The pace of a replay over memory: what one turn replays, what waits for a slow reader, and that
//! the others are served meanwhile.

mod common;

use std::time::Duration;

use common::frames::{frames, text};
use common::{Bytes, Client, World};
use switchboard::{
    Conn, ConnId, Context, EventStream, Handler, History, Message, MessageId, Options, Reply,
    Request, Resume, Upgrade, ZoneId,
};

/// The most that one follower, and that all, may get in a turn.
const PER_TURN: usize = 64 << 10;
const ALL_PER_TURN: usize = 1 << 20;

/// Follows the topics of the query from the beginning, and echoes.
#[derive(Default)]
struct Reader {
    opened: Vec<ConnId>,
    gaps: usize,
    resumed: usize,
}

impl Handler for Reader {
    fn request(&mut self, _: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        match request.is_websocket() {
            true => Upgrade::new().into(),
            false => EventStream::new().into(),
        }
    }
    fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
        self.opened.push(conn.id());
        for topic in request.query().unwrap_or("").split('&').filter(|topic| !topic.is_empty()) {
            conn.subscribe_from(topic, MessageId::default());
        }
    }
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        conn.send(message);
    }
    fn resumed(&mut self, _: &mut Conn<'_>, _: &str, resume: Resume) {
        match resume {
            Resume::Resumed => self.resumed += 1,
            _ => self.gaps += 1,
        }
    }
}

/// Topics that begin with `h` keep much.
fn world(options: Options) -> (World, ZoneId<Reader>) {
    World::set_up(|server| {
        server.options(options);
        server.history("h", History::new().messages(100_000).bytes(64 << 20));
        server.zone("/", Reader::default())
    })
}

/// Publishes one message of each length, which begins with its number.
fn publish(cx: &mut Context, topic: &str, lens: impl IntoIterator<Item = usize>) -> Vec<String> {
    let mut all = Vec::new();
    for (n, len) in lens.into_iter().enumerate() {
        let text = format!("{n}:{}", "x".repeat(len.saturating_sub(n.to_string().len() + 1)));
        cx.publish(topic, &*text);
        all.push(text);
    }
    all
}

/// Whole frames at the front of these bytes, as texts.
fn take_texts(bytes: &mut Vec<u8>) -> Vec<String> {
    let mut end = 0;
    while let Some(len) = frame_len(&bytes[end..]).filter(|len| end + len <= bytes.len()) {
        end += len;
    }
    let whole: Vec<u8> = bytes.drain(..end).collect();
    frames(&whole).into_iter().map(|frame| String::from_utf8(frame.payload).unwrap()).collect()
}

fn frame_len(bytes: &[u8]) -> Option<usize> {
    Some(match *bytes.get(1)? {
        len @ 0..126 => 2 + usize::from(len),
        126 => 4 + usize::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?)),
        _ => 10 + u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?) as usize,
    })
}

fn is_busy(world: &mut World) -> bool {
    world.server.poll_timeout(world.now) == Some(Duration::ZERO)
}

fn waiting(world: &mut World, id: ConnId) -> usize {
    world.context().conn(id).unwrap().buffered()
}

/// Whatever the reader takes at once, all messages come in order, no more waits than half of the
/// limit or one message, and the server rests while the reader does.
#[test]
fn replay_comes_whole_through_every_window() {
    let lens = [5, 60, 200, 10, 126, 1_000, 7, 7, 7, 90, 300, 65_600, 4];
    for max in [1, 20, 130, 1_000, 200_000] {
        let sizes =
            if max == 1 { vec![1_000, 7_777] } else { vec![1, 2, 13, 150, 4_000, usize::MAX] };
        for size in sizes.into_iter().filter(|size| *size > 1 || max == 130) {
            let (mut world, zone) = world(Options::new().max_buffered(max));
            let mut expected = publish(world.context(), "h", lens);
            let client = world.raw_websocket("/");
            let id = world.with(zone, |reader, _| reader.opened[0]);
            world.window(client, 0);
            world.context().conn(id).unwrap().subscribe_from("h", MessageId::default());
            world.settle();
            let (mut received, mut heard, mut live) = (Vec::new(), Vec::new(), 0);
            loop {
                assert!(!is_busy(&mut world), "max {max}, window {size}");
                received.extend(world.receive(client));
                heard.extend(take_texts(&mut received));
                if live < 3 && heard.len() > 3 * live {
                    live += 1;
                    let text = format!("live {live}");
                    world.context().publish("h", &*text);
                    world.settle();
                    expected.push(text);
                    continue;
                }
                if heard.len() == expected.len() {
                    break;
                }
                let waits = waiting(&mut world, id);
                let next = expected[heard.len()].len();
                let header = if next < 126 { 2 } else { 4 + 6 * usize::from(next > 0xFFFF) };
                let alone = header + next - received.len();
                assert!(waits > 0 && (waits <= max / 2 || waits <= alone), "{waits} wait");
                world.window(client, size);
            }
            assert_eq!(heard, expected, "max {max}, window {size}");
            assert_eq!((waiting(&mut world, id), received.len()), (0, 0));
            assert!(!is_busy(&mut world));
            world.window(client, usize::MAX);
            world.context().publish("h", "last");
            world.settle();
            assert_eq!(world.words(client), ["text last"]);
        }
    }
}

/// Counts the messages in these bytes, which are whole frames or events.
fn count(bytes: &[u8], is_stream: bool) -> usize {
    match is_stream {
        true => bytes.windows(2).filter(|end| end == b"\n\n").count(),
        false => frames(bytes).len(),
    }
}

/// A turn gives a follower at most 64 KiB, and a longer message alone.
#[test]
fn follower_gets_its_share_of_each_turn() {
    for lens in [
        vec![100; 5_000],
        vec![3_000; 200],
        vec![60_000; 10],
        vec![70_000; 10],
        vec![0; 3_000],
        vec![65_526, 1, 65_527, 1, 65_532, 65_533],
    ] {
        for is_stream in [false, true] {
            let (mut world, zone) = world(Options::new());
            let expected = publish(world.context(), "h", lens.iter().copied());
            let client = match is_stream {
                false => world.raw_websocket("/"),
                true => world.raw_events("/"),
            };
            let id = world.with(zone, |reader, _| reader.opened[0]);
            subscribe(&mut world, &[id]);
            let (mut turns, mut total, mut messages) = (0, 0, 0);
            loop {
                world.turn();
                let mut received = world.receive(client);
                if is_stream && turns == 0 {
                    // The first event says that the stream goes on from the beginning.
                    let end = received.windows(2).position(|end| end == b"\n\n").unwrap() + 2;
                    assert!(received.drain(..end).as_slice().starts_with(b"event: switchboard."));
                }
                let several = count(&received, is_stream);
                assert!(received.len() <= PER_TURN || several == 1, "{} B", received.len());
                (turns, total, messages) = (turns + 1, total + received.len(), messages + several);
                if !is_busy(&mut world) {
                    break;
                }
                assert!(several > 0, "a turn for nothing");
            }
            let bytes: usize = expected.iter().map(String::len).sum();
            assert!(total > bytes && turns >= bytes / PER_TURN, "{total} B in {turns} turns");
            assert_eq!(messages, expected.len());
            assert_eq!(world.stats().messages_sent, expected.len() as u64);
        }
    }
}

/// Has connections follow `h` from the beginning, in the next turn.
fn subscribe(world: &mut World, ids: &[ConnId]) {
    let cx = world.server.context(world.now);
    for &id in ids {
        cx.conn(id).unwrap().subscribe_from("h", MessageId::default());
    }
}

/// A thousand followers at once: no turn replays more than 1 MiB, each has its share in its turn,
/// and a quiet peer is answered in the turn of its message.
#[test]
fn thousand_resumes_at_once_leave_room_for_others() {
    // 80 KB to each; a handful; one that is longer than the rest of a turn.
    for lens in [vec![1_000; 80], vec![100; 3], vec![60_000, 600_000, 60_000]] {
        let count = if lens.contains(&600_000) { 10 } else { 1_000 };
        let (mut world, zone) = world(Options::new());
        let expected = publish(world.context(), "h", lens.iter().copied());
        let clients: Vec<Client> = (0..count).map(|_| world.raw_websocket("/")).collect();
        let quiet = world.raw_websocket("/");
        let ids = world.with(zone, |reader, _| reader.opened.clone());
        subscribe(&mut world, &ids[..count]);
        let mut received = vec![Vec::new(); count];
        let mut last = vec![0; count];
        for turn in 1.. {
            world.push(quiet, text("hello"));
            world.turn();
            assert_eq!(world.words(quiet), ["text hello"]);
            let mut all = 0;
            for ((client, received), last) in clients.iter().zip(&mut received).zip(&mut last) {
                let bytes = world.receive(*client);
                assert!(bytes.len() <= PER_TURN || frames(&bytes).len() == 1);
                if !bytes.is_empty() {
                    *last = turn;
                }
                all += bytes.len();
                received.extend(bytes);
            }
            assert!(all <= ALL_PER_TURN, "{all} B in a turn");
            if !is_busy(&mut world) {
                break;
            }
            assert!(all > 0, "a turn for nothing");
        }
        for mut received in received {
            assert_eq!(take_texts(&mut received), expected);
        }
        // All finish within one round of each other.
        let total: usize = count * lens.iter().sum::<usize>();
        let round = (total / ALL_PER_TURN / lens.len().min(4)).max(1) * 2 + 2;
        let (first, end) = (*last.iter().min().unwrap(), *last.iter().max().unwrap());
        assert!(end - first <= round, "{first} to {end}, more than {round}");
        assert!(end <= total / (ALL_PER_TURN - PER_TURN) * 5 / 4 + 10, "{end} turns for {total} B");
        assert_eq!(world.with(zone, |reader, _| reader.gaps), count);
    }
}
