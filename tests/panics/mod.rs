//! A server whose handler panics in one callback, between two connections that go on.
#![allow(dead_code, reason = "no test binary uses all of it")]

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use switchboard::{
    Cause, Chunk, Close, Conn, EventStream, Handler, History, Message, MessageId, Options,
    OptionsId, Reply, Request, Response, Resume, Stream, Upgrade, ZoneId,
};

use crate::common::frames::{close, ping, pong, text};
use crate::common::{Bytes, Client, Log, World, http, seconds, words};

/// A handler of all kinds of exchanges, by path, that panics in one callback.
pub struct Fragile {
    log: Log,
    panics_in: Rc<Cell<&'static str>>,
    chunks: OptionsId,
    /// What the handler promises at the beginning of each exchange.
    timeout: Option<Duration>,
}

impl Fragile {
    fn enter(&mut self, conn: &mut Conn<'_>, callback: &'static str) {
        self.log.note(conn.id(), callback);
        if self.panics_in.get() == callback {
            // All that a callback can leave behind.
            conn.subscribe("topic");
            conn.want_writable();
            conn.publish("others", "before the panic");
            let id = conn.id();
            conn.context().respond(id, "an answer before the panic");
            panic!("in {callback}: \u{1b}[31m");
        }
    }
}

impl Handler for Fragile {
    fn request(&mut self, conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        conn.set_timeout(self.timeout);
        self.enter(conn, "request");
        match request.path() {
            "/ws" => Upgrade::new().into(),
            "/chunks" => Upgrade::new().options(self.chunks).into(),
            "/events" | "/resume" => EventStream::new().into(),
            "/take" => Reply::Takeover(Response::empty(200)),
            "/later" => Reply::Later,
            "/stream" => Stream::new(Response::empty(200)).into(),
            "/body" => Reply::Body(1_000),
            _ => "hello".into(),
        }
    }

    fn body(&mut self, conn: &mut Conn<'_>, _request: &mut Request<'_>, _body: &[u8]) -> Reply {
        self.enter(conn, "body");
        "thanks".into()
    }

    fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
        conn.subscribe("topic");
        if request.path() == "/resume" {
            conn.subscribe_from("kept", MessageId::default());
        }
        self.enter(conn, "open");
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        match message {
            Message::Text("write") => conn.want_writable(),
            Message::Text("resume") => {
                conn.subscribe_from("kept", MessageId::default());
                conn.subscribe_from("kept too", MessageId::default());
                return;
            }
            Message::Text("good") => {
                self.log.note(conn.id(), "good");
                return conn.send("good");
            }
            _ => {}
        }
        self.enter(conn, "message");
        conn.send(message);
    }

    fn chunk(&mut self, conn: &mut Conn<'_>, _chunk: Chunk<'_>) {
        self.enter(conn, "chunk");
    }

    fn pong(&mut self, conn: &mut Conn<'_>, _payload: &[u8]) {
        self.enter(conn, "pong");
    }

    fn input(&mut self, conn: &mut Conn<'_>, bytes: &[u8]) -> usize {
        conn.write(bytes);
        self.enter(conn, "input");
        bytes.len()
    }

    fn writable(&mut self, conn: &mut Conn<'_>) {
        conn.write(b"a piece");
        self.enter(conn, "writable");
    }

    fn resumed(&mut self, conn: &mut Conn<'_>, _topic: &str, _resume: Resume) {
        self.enter(conn, "resumed");
    }

    fn timeout(&mut self, conn: &mut Conn<'_>) {
        self.enter(conn, "timeout");
    }

    fn close(&mut self, conn: &mut Conn<'_>, close: Close<'_>) {
        self.log.note(conn.id(), format!("close {} {}", close.code.as_u16(), close.reason));
        if self.panics_in.get() == "close" {
            panic!("in close");
        }
    }

    fn cancelled(&mut self, conn: &mut Conn<'_>, _cause: Cause) {
        self.enter(conn, "cancelled");
    }
}

/// What the peer gets after a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// 500, after which the connection serves on.
    Status500,
    /// 500, and the end of the connection.
    LastStatus500,
    Close1011,
    /// What was sent before, and the end of the connection.
    Cut,
    /// The exchange had ended before.
    Over,
}

/// One way into a callback.
pub struct Row {
    pub callback: &'static str,
    /// The bytes that begin the exchange.
    pub begins: String,
    pub timeout: Option<Duration>,
    /// What brings about the callback; it may let the server run.
    pub act: fn(&mut World, Client),
    pub ends: Ends,
}

fn row(callback: &'static str, path: &str, act: fn(&mut World, Client), ends: Ends) -> Row {
    let begins = match path {
        "" => String::new(),
        "/ws" | "/chunks" => http::handshake(path),
        "/body" => http::request("POST", "/body", "Content-Length: 10\r\n", "half "),
        path => http::get(path),
    };
    let timeout = (callback == "timeout").then_some(seconds(1));
    Row { callback, begins, timeout, act, ends }
}

fn push(world: &mut World, client: Client, bytes: impl AsRef<[u8]>) {
    world.push(client, bytes);
    world.settle();
}

fn wait(world: &mut World, _client: Client) {
    world.advance(seconds(2));
}

fn reset(world: &mut World, client: Client) {
    world.fail(client, std::io::ErrorKind::ConnectionReset);
}

/// Every callback in every phase that has it.
pub fn rows() -> Vec<Row> {
    use Ends::{Close1011, Cut, LastStatus500, Over, Status500};
    vec![
        row("request", "", |w, c| push(w, c, http::get("/")), Status500),
        row("request", "", |w, c| push(w, c, http::handshake("/ws")), Status500),
        row("request", "", |w, c| push(w, c, http::post("/", "a body")), Status500),
        row("body", "", |w, c| push(w, c, http::post("/body", "all of it")), Status500),
        row("body", "/body", |w, c| push(w, c, "other"), Status500),
        row("open", "", |w, c| push(w, c, http::handshake("/ws")), Close1011),
        row("open", "", |w, c| push(w, c, http::get("/events")), Cut),
        row("open", "", |w, c| push(w, c, http::get("/take")), Cut),
        row("message", "/ws", |w, c| push(w, c, text("short")), Close1011),
        row("message", "/ws", |w, c| push(w, c, text(&"long".repeat(40_000))), Close1011),
        row("chunk", "/chunks", |w, c| push(w, c, text("a chunk")), Close1011),
        row("pong", "/ws", |w, c| push(w, c, pong("a pong")), Close1011),
        row("pong", "/ws", |w, c| push(w, c, [ping("1"), pong("2")].concat()), Close1011),
        row("input", "/take", |w, c| push(w, c, "some bytes"), Cut),
        row("writable", "/ws", |w, c| push(w, c, text("write")), Close1011),
        row("writable", "", |w, c| push(w, c, http::get("/stream")), Cut),
        row("resumed", "/ws", |w, c| push(w, c, text("resume")), Close1011),
        row("resumed", "", |w, c| push(w, c, http::get("/resume")), Cut),
        row("timeout", "/ws", wait, Close1011),
        row("timeout", "/chunks", wait, Close1011),
        row("timeout", "/events", wait, Cut),
        row("timeout", "/take", wait, Cut),
        row("timeout", "/stream", wait, Cut),
        row("timeout", "/later", wait, Status500),
        row("timeout", "/body", wait, LastStatus500),
        row("close", "/ws", |w, c| push(w, c, close(1000, "")), Over),
        row("close", "/ws", reset, Over),
        row("close", "/events", reset, Over),
        row("close", "/take", reset, Over),
        row("cancelled", "/later", reset, Over),
        row("cancelled", "/stream", reset, Over),
    ]
}

/// A world with the fragile handler, and an echo that must go on.
pub struct Site {
    pub world: World,
    pub panics_in: Rc<Cell<&'static str>>,
    pub log: Log,
    pub zone: ZoneId<Fragile>,
}

impl Site {
    pub fn new(catches: bool, timeout: Option<Duration>) -> Site {
        let mut world = World::new();
        let (log, panics_in) = (Log::new(), Rc::new(Cell::new("")));
        let chunks = world.context().add_options(Options::new().chunks(true));
        let fragile =
            Fragile { log: log.clone(), panics_in: Rc::clone(&panics_in), chunks, timeout };
        world.server.websocket("/echo", |conn, message| {
            conn.subscribe("others");
            conn.send(message);
        });
        world.server.history("kept", History::new());
        world.context().publish("kept", "a kept message");
        world.server.catch_panics(catches);
        // Handlers are guarded whether they stand before the call or after it.
        let zone = world.server.zone("/", fragile);
        Site { world, panics_in, log, zone }
    }

    /// A connection whose exchange has begun, and what it has received.
    pub fn begin(&mut self, row: &Row) -> (Client, Vec<u8>) {
        let client = self.world.connect();
        let received = self.world.ask(client, &row.begins);
        self.log.take();
        (client, received)
    }

    /// A WebSocket of the echo, which has subscribed to what the fragile handler publishes.
    pub fn neighbour(&mut self) -> Client {
        let client = self.world.raw_websocket("/echo");
        assert_eq!(words(&self.world.ask(client, text("hello"))), ["text hello"]);
        client
    }
}
