//! Replay in every wire form: compressed with and without context takeover, masked in the client
//! role, and as events, through windows of every size and under every policy.

mod common;

use common::dialling::URL;
#[cfg(feature = "deflate")]
use common::http;
use common::{Bytes, Client, Log, Pair, Recorder, World, is_announcement};
use switchboard::testing::Received;
use switchboard::{
    Backpressure, Conn, ConnId, Connect, EventStream, Handler, History, MessageId, Options,
    Outgoing, Reply, Request, Upgrade, ZoneId,
};

const POLICIES: [Backpressure; 4] = [
    Backpressure::Close,
    Backpressure::DropNewest,
    Backpressure::DropOldest,
    Backpressure::KeepLatest,
];

/// Keeps the names of its exchanges.
#[derive(Default)]
struct Reader(Vec<ConnId>);

impl Handler for Reader {
    fn request(&mut self, _: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        match request.is_websocket() {
            true => Upgrade::new().into(),
            false => EventStream::new().into(),
        }
    }
    fn open(&mut self, conn: &mut Conn<'_>, _: &Request<'_>) {
        self.0.push(conn.id());
        conn.subscribe("x");
    }
}

fn world(options: &Options) -> (World, ZoneId<Reader>) {
    World::set_up(|server| {
        server.options(options.clone());
        server.history("h", History::new());
        server.zone("/", Reader::default())
    })
}

fn news(n: usize) -> String {
    format!(r#"{{"n":{n},"about":"the weather","text":"rain, and then more rain, rain, rain"}}"#)
}

fn start(world: &mut World) -> Vec<String> {
    let all: Vec<String> = (0..30).map(news).collect();
    for text in &all {
        world.context().publish("h", &**text);
    }
    world.settle();
    all
}

/// Follows the topic with a reader that takes so many bytes at a time, while messages of the topic,
/// of another one, and for it alone come. `take` takes what the reader has received since.
fn follow(
    world: &mut World,
    (client, id): (Client, ConnId),
    window: usize,
    mut take: impl FnMut(&mut World) -> Vec<String>,
) -> (Vec<String>, Vec<String>) {
    let mut kept = start(world);
    world.window(client, 0);
    world.context().conn(id).unwrap().subscribe_from("h", MessageId::default());
    let mut heard = Vec::new();
    for n in 30.. {
        if n < 40 {
            kept.push(news(n));
            world.context().publish("h", &*news(n));
            world.context().publish("x", "a short one");
            world.context().send(id, "a short one");
        }
        world.settle();
        world.window(client, window);
        heard.extend(take(world));
        let waits = world.context().conn(id).unwrap().buffered();
        if n > 40 && waits == 0 {
            break;
        }
        assert!(n < 100_000, "the replay stalls");
    }
    world.window(client, usize::MAX);
    heard.extend(take(world));
    heard.retain(|text| text != "a short one");
    (heard, kept)
}

#[cfg(feature = "deflate")]
mod compressed {
    use switchboard::DeflateConfig;
    use switchboard::proto::websocket::{Decoded, Header, Inflater};

    use super::*;

    /// The texts of whole frames at the front of these bytes, and how many were compressed.
    fn texts(bytes: &mut Vec<u8>, inflater: &mut Inflater, takeover: bool) -> (Vec<String>, usize) {
        let (mut texts, mut count) = (Vec::new(), 0);
        while let Decoded::Header(header, at) = Header::decode_with(bytes, true) {
            let end = at + header.len as usize;
            if end > bytes.len() {
                break;
            }
            let payload: Vec<u8> = bytes.drain(..end).skip(at).collect();
            let mut out = payload.clone();
            if header.rsv1 {
                count += 1;
                out.clear();
                inflater.inflate(&payload, &mut out, 1 << 20, takeover).unwrap();
            }
            texts.push(String::from_utf8(out).unwrap());
        }
        (texts, count)
    }

    #[test]
    fn compressed_replay_keeps_the_window_of_the_peer() {
        for (takeover, config) in
            [(true, DeflateConfig::dedicated()), (false, DeflateConfig::shared())]
        {
            for policy in POLICIES {
                for window in [1, 9, 100, 1_000, usize::MAX] {
                    let options = Options::new().max_buffered(2_000).backpressure(policy);
                    let (mut world, zone) = world(&options.deflate(config.threshold(16)));
                    let client = world.connect();
                    let offer = "Sec-WebSocket-Extensions: permessage-deflate";
                    let request = http::handshake("/");
                    let request = request.replacen("\r\n", &format!("\r\n{offer}\r\n"), 1);
                    let answer = String::from_utf8(world.ask(client, request)).unwrap();
                    assert!(answer.contains("permessage-deflate"), "{answer}");
                    let id = world.with(zone, |reader, _| reader.0[0]);
                    let (mut bytes, mut inflater, mut count) = (Vec::new(), Inflater::new(), 0);
                    let (heard, kept) = follow(&mut world, (client, id), window, |world| {
                        bytes.extend(world.receive(client));
                        let (texts, compressed) = texts(&mut bytes, &mut inflater, takeover);
                        count += compressed;
                        texts
                    });
                    assert_eq!(heard, kept, "{policy:?}, window {window}, takeover {takeover}");
                    assert!(count >= 30, "{count} are compressed");
                    assert_eq!(world.stats().overflowed, 0);
                }
            }
        }
    }
}

/// In the client role every frame is masked, and this program's own server reads it.
#[test]
fn client_role_follows_topics_as_the_server_role_does() {
    for policy in POLICIES {
        for window in [1, 100, 1_000, usize::MAX] {
            let options = Options::new().max_buffered(2_000).backpressure(policy);
            #[cfg(feature = "deflate")]
            let options = options.deflate(switchboard::DeflateConfig::dedicated().threshold(16));
            let (near, zone) = world(&options);
            let log = Log::new();
            let seen = log.clone();
            let far = Recorder::new(&Log::new()).message(move |conn, message| {
                seen.note(conn.id(), String::from_utf8_lossy(message.as_bytes()));
            });
            let far = World::serving(|server| {
                server.options(options.clone());
                server.zone("/", far);
            });
            let mut pair = Pair::new(near, zone, Connect::to(URL), far);
            pair.pump();
            let Pair { mut client, mut server, near, far, id, .. } = pair;
            let (heard, kept) = follow(&mut client, (near, id), window, |world| {
                let bytes = world.receive(near);
                server.send(far, bytes);
                log.take()
            });
            assert_eq!(heard, kept, "{policy:?}, window {window}");
        }
    }
}

#[test]
fn event_stream_follows_topics_through_every_window() {
    for policy in POLICIES {
        for window in [1, 100, 1_000, usize::MAX] {
            let options = Options::new().max_buffered(2_000).backpressure(policy);
            let (mut world, zone) = world(&options);
            let client = world.events("/");
            let id = world.with(zone, |reader, _| reader.0[0]);
            // A stream carries no binary message.
            world.context().publish("h", &[0xFF][..]);
            world.context().publish("h", Outgoing::text("named").event("name"));
            let mut events = Vec::new();
            let (heard, mut kept) = follow(&mut world, (client, id), window, |world| {
                let mut heard = world.hear(client);
                // The first event says that the stream goes on from where it asked.
                heard.retain(|event| !is_announcement(event));
                let texts = heard.iter().map(|event| event.text().to_owned()).collect();
                events.extend(heard);
                texts
            });
            kept.insert(0, "named".to_owned());
            assert_eq!(heard, kept, "{policy:?}, window {window}");
            let ids: Vec<MessageId> = events.iter().filter_map(id_of).collect();
            assert!(ids.len() == kept.len() && ids.is_sorted_by(|one, two| one < two));
            let named = events.iter().find(|event| event.text() == "named");
            let has_name = matches!(
                named, Some(Received::Event { event: Some(name), .. }) if name == "name"
            );
            assert!(has_name, "{named:?}");
        }
    }
}

fn id_of(event: &Received) -> Option<MessageId> {
    let Received::Event { id: Some(id), .. } = event else { return None };
    Some(id.parse().unwrap())
}
