//! Followers over memory: what a subscriber gets that goes on from an id, in which order and at
//! which pace, whatever it, its topics and the others do meanwhile.

mod common;

use common::World;
use switchboard::testing::Received;
use switchboard::{
    Close, CloseCode, Conn, Context, EventStream, Handler, History, Message, MessageId, Options,
    Reply, Request, Resume, Upgrade, ZoneId,
};

/// What a test does in `resumed`.
type OnResumed = Box<dyn FnMut(&mut Conn<'_>, &str, Resume)>;

/// Does what messages say, and sends what `resumed` says: `resumed a` or `gap a`.
struct Reader {
    resumed: Option<OnResumed>,
    closed: usize,
}

/// The words of a command: `from a ID`, `join a`, `leave a`, `all a TEXT`, `others a TEXT`,
/// `say TEXT`, `part TEXT`, `last TEXT`, `topics`, `close`.
fn obey(conn: &mut Conn<'_>, words: &str) {
    let mut words = words.splitn(3, ' ');
    let (verb, topic, what) =
        (words.next().unwrap_or(""), words.next().unwrap_or(""), words.next().unwrap_or(""));
    match verb {
        "from" => conn.subscribe_from(topic, what.parse().unwrap()),
        "join" => conn.subscribe(topic),
        "leave" => conn.unsubscribe(topic),
        "all" => conn.publish(topic, what),
        "others" => conn.publish_to_others(topic, what),
        "say" => conn.send(topic),
        "part" => conn.send_fragment(topic, false),
        "last" => conn.send_fragment(topic, true),
        "topics" => {
            let topics = conn.topics().collect::<Vec<_>>().join(" ");
            conn.send(&topics);
        }
        _ => conn.close(CloseCode::NORMAL, ""),
    }
}

impl Handler for Reader {
    fn request(&mut self, _: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        match request.is_websocket() {
            true => Upgrade::new().into(),
            false => EventStream::new().into(),
        }
    }
    /// Each `a=ID` of the query is a topic to follow.
    fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
        for pair in request.query().unwrap_or("").split('&').filter(|pair| !pair.is_empty()) {
            let (topic, id) = pair.split_once('=').unwrap();
            conn.subscribe_from(topic, id.parse().unwrap());
        }
    }
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let Message::Text(text) = message else { return };
        text.split(';').for_each(|words| obey(conn, words));
    }
    fn resumed(&mut self, conn: &mut Conn<'_>, topic: &str, resume: Resume) {
        if let Some(act) = &mut self.resumed {
            return act(conn, topic, resume);
        }
        conn.send(&*format!("{} {topic}", word(resume)));
    }
    fn close(&mut self, _: &mut Conn<'_>, _: Close<'_>) {
        self.closed += 1;
    }
}

fn word(resume: Resume) -> &'static str {
    match resume {
        Resume::Resumed => "resumed",
        _ => "gap",
    }
}

fn reader() -> Reader {
    Reader { resumed: None, closed: 0 }
}

/// Topics that begin with `h` keep messages.
fn world_with(options: Options, history: History, reader: Reader) -> (World, ZoneId<Reader>) {
    World::set_up(|server| {
        server.options(options);
        server.history("h", history);
        server.zone("/", reader)
    })
}

fn world() -> World {
    world_with(Options::new(), History::new(), reader()).0
}

/// Publishes texts, and returns the id before each, and the last.
fn publish<'t>(
    cx: &mut Context,
    topic: &str,
    texts: impl IntoIterator<Item = &'t str>,
) -> Vec<MessageId> {
    let mut ids = vec![cx.latest_id()];
    for text in texts {
        ids.push(cx.publish_with(topic, |_| text));
    }
    ids
}

fn from(topic: &str, id: MessageId) -> String {
    format!("from {topic} {id}")
}

fn texts(received: &[Received]) -> Vec<&str> {
    received.iter().map(Received::text).collect()
}

#[test]
fn follower_gets_what_came_after_its_id_and_then_live_messages() {
    let texts = ["one", "two", "three"];
    for missed in 0..=3 {
        let mut world = world();
        let ids = publish(world.context(), "h", texts);
        // The first id of all is none: nothing had been published.
        let from_id = ids[3 - missed];
        let client = world.websocket("/");
        world.say(client, &*from("h", from_id));
        let expected = ["resumed h"]
            .into_iter()
            .chain(texts[3 - missed..].iter().copied())
            .collect::<Vec<_>>();
        assert_eq!(world.hear(client), expected[..]);
        world.context().publish("h", "live");
        assert_eq!(world.hear(client), ["live"]);
        assert_eq!(world.context().subscribers("h"), 1);
    }
}

#[test]
fn follower_of_a_strange_id_gets_a_gap_and_all_that_is_kept() {
    let mut world = world();
    let ids = publish(world.context(), "h", ["one", "two"]);
    let later = MessageId::new(ids[2].a(), ids[2].b() + 1);
    let strange = [
        MessageId::default(),
        MessageId::new(ids[2].a() ^ 1, ids[2].b()),
        later,
        MessageId::new(u64::MAX, u64::MAX),
    ];
    for id in strange {
        let client = world.websocket("/");
        world.say(client, &*from("h", id));
        assert_eq!(world.hear(client), ["gap h", "one", "two"], "{id}");
    }
    // Of a topic without a message nothing is missing.
    let client = world.websocket("/");
    world.say(client, &*format!("{};{}", from("h9", ids[1]), from("h8", later)));
    assert_eq!(world.hear(client), ["resumed h9", "gap h8"]);
    world.context().publish("h8", "first");
    assert_eq!(world.hear(client), ["first"]);
}

#[test]
fn follower_of_several_topics_gets_messages_in_the_order_of_their_ids() {
    let mut world = world();
    let start = publish(world.context(), "h1", ["0"])[1];
    for n in 1..60 {
        let topic = ["h1", "h2", "h3", "x"][n * n % 7 % 4];
        world.context().publish(topic, &*n.to_string());
    }
    let all = |skip: &str| {
        let mut all = Vec::new();
        for n in 1..60_usize {
            let topic = ["h1", "h2", "h3", "x"][n * n % 7 % 4];
            if topic != skip && topic != "x" {
                all.push(n.to_string());
            }
        }
        all
    };
    let client = world.events(&*format!("/?h1={start}&h2={start}&h3={start}"));
    let heard = world.hear(client);
    let mut expected = vec!["resumed h1".to_owned(), "resumed h2".into(), "resumed h3".into()];
    expected.extend(all(""));
    assert_eq!(texts(&heard), expected);
    // A topic that it was a member of goes on from here.
    let client = world.websocket("/");
    world.say(client, &*format!("join h2;from h1 {start};from h3 {start}"));
    assert_eq!(
        texts(&world.hear(client)),
        [&["resumed h1".to_owned(), "resumed h3".into()][..], &all("h2")[..]].concat()
    );
    world.context().publish("h2", "live");
    assert_eq!(world.hear(client), ["live"]);
}
