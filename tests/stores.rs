//! A store in a thread of its own, which keeps its messages in a file: a server in a reactor, and
//! the same again after a restart. What it keeps and what it is asked are those of the chapter
//! `stores` of the manual.

#[path = "stores/file.rs"]
mod file;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use file::FileStore;
use switchboard::testing::{Client, World};
use switchboard::{
    Conn, Handler, History, Message, MessageId, Request, Resume, StoreError, ZoneId,
};

#[derive(Default)]
struct Room {
    stored: Vec<Result<MessageId, StoreError>>,
}

impl Handler for Room {
    fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
        match request.query() {
            Some(id) => conn.subscribe_from("room/1", id.parse().unwrap()),
            None => conn.subscribe("room/1"),
        }
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        conn.publish("room/1", message);
    }

    fn resumed(&mut self, conn: &mut Conn<'_>, _: &str, resume: Resume) {
        conn.send(if resume == Resume::Resumed { "resumed" } else { "gap" });
    }
}

/// A file that goes with its test.
struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str) -> TempFile {
        let name = format!("switchboard-stores-{name}-{}", std::process::id());
        TempFile(std::env::temp_dir().join(name))
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn world(path: &Path) -> (World, ZoneId<Room>) {
    World::set_up(|server| {
        server.store("room/", FileStore::open(path).unwrap(), History::new());
        server.zone("/", Room::default())
    })
}

/// Runs turns until a client has received so many texts. The thread answers when it will.
fn hear(world: &mut World, client: Client, count: usize) -> Vec<String> {
    let (mut heard, end) = (Vec::new(), Instant::now() + Duration::from_secs(30));
    while heard.len() < count {
        assert!(Instant::now() < end, "{heard:?} of {count}");
        std::thread::yield_now();
        heard.extend(world.hear(client).iter().map(|received| received.text().to_owned()));
    }
    heard
}

#[test]
fn restart_keeps_ids_and_a_client_goes_on() {
    let file = TempFile::new("restart");
    let (mut first, room) = world(&file.0);
    let ada = first.websocket("/");
    for text in ["one", "two", "three"] {
        first.say(ada, text);
    }
    assert_eq!(hear(&mut first, ada, 3), ["one", "two", "three"]);
    first.context().publish_stored("room/1", "four", room, |room, _, id| room.stored.push(id));
    assert_eq!(hear(&mut first, ada, 1), ["four"]);
    let stored = first.with(room, |room, _| std::mem::take(&mut room.stored));
    assert_eq!(stored, [Ok(MessageId::new(1, 4))]);
    drop(first); // the thread ends with the server

    let (mut second, room) = world(&file.0);
    let ada = second.websocket("/?1-2");
    let bob = second.websocket("/?1-9");
    assert_eq!(hear(&mut second, ada, 3), ["resumed", "three", "four"]);
    assert_eq!(hear(&mut second, bob, 1), ["gap"]);
    second.context().publish_stored("room/1", "five", room, |room, _, id| room.stored.push(id));
    assert_eq!(hear(&mut second, ada, 1), ["five"]);
    assert_eq!(hear(&mut second, bob, 1), ["five"]);
    let stored = second.with(room, |room, _| std::mem::take(&mut room.stored));
    assert_eq!(stored, [Ok(MessageId::new(1, 5))]);
}

#[test]
fn line_that_a_crash_has_cut_is_dropped_and_a_damaged_one_is_an_error() {
    let file = TempFile::new("cut");
    let (mut first, _) = world(&file.0);
    let ada = first.websocket("/");
    first.say(ada, "one");
    first.say(ada, "two");
    hear(&mut first, ada, 2);
    drop(first);
    let whole = std::fs::read(&file.0).unwrap();
    std::fs::write(&file.0, &whole[..whole.len() - 3]).unwrap();
    let (mut second, _) = world(&file.0);
    let ada = second.websocket("/?0-0");
    assert_eq!(hear(&mut second, ada, 2), ["resumed", "one"]);
    second.say(ada, "again");
    assert_eq!(hear(&mut second, ada, 1), ["again"]);
    drop(second);
    std::fs::write(&file.0, b"1-1 zz 00\n").unwrap();
    let error = FileStore::open(&file.0).map(drop).unwrap_err();
    assert!(error.to_string().ends_with("a line is damaged"), "{error}");
}

#[test]
fn answers_of_a_thread_wake_a_reactor_that_sleeps() {
    let file = TempFile::new("wake");
    let mut reactor = switchboard::Reactor::new().unwrap();
    reactor.server.store("room/", FileStore::open(&file.0).unwrap(), History::new());
    let room = reactor.server.zone("/", Room::default());
    let start = Instant::now();
    for count in 1..=20 {
        let cx = reactor.server.context(Instant::now());
        cx.publish_stored("room/1", "text", room, |room, _, id| room.stored.push(id));
        loop {
            reactor.turn(Some(Duration::from_secs(9))).unwrap();
            let stored = reactor.server.with(room, Instant::now(), |room, _| room.stored.len());
            if stored == count {
                break;
            }
        }
    }
    assert!(start.elapsed() < Duration::from_secs(9), "no answer waited for a turn");
}
