//! A site whose exchanges end in every way, and what its handler and the server tell of each end.
#![allow(dead_code, reason = "no test binary uses all of it")]

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;

use switchboard::testing::{Client, World};
use switchboard::{
    Cause, Close, CloseCode, Conn, ConnId, EventStream, Handler, Message, Options, Reply, Request,
    Response, Server, Stream, Upgrade, ZoneId,
};

use crate::common::{Bytes, http, seconds};

/// The callback that tells of an end, and its cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Close(Cause),
    Cancelled(Cause),
}

/// A handler with an exchange of every kind, by path.
#[derive(Default)]
pub struct Ends {
    told: Rc<RefCell<Vec<Told>>>,
    /// The exchange of the latest request.
    pub last: Option<ConnId>,
    /// Whether `writable` panics.
    pub panics: bool,
}

impl Handler for Ends {
    fn request(&mut self, conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        self.last = Some(conn.id());
        match request.path() {
            "/ws" => Upgrade::new().into(),
            "/ws-after-close" => {
                conn.close(CloseCode::NORMAL, "");
                Upgrade::new().into()
            }
            "/events" => EventStream::new().into(),
            "/upload" => Reply::Body(1_000),
            "/later" => Reply::Later,
            "/stream" => Stream::new(Response::new(200)).into(),
            "/short" => Stream::new(Response::new(200)).length(100).into(),
            "/take" => Reply::Takeover(Response::empty(101)),
            "/panic" => panic!("in request"),
            "/big" => "x".repeat(100_000).into(),
            "/last" => Response::text("last").close().into(),
            "/closed" => {
                conn.close(CloseCode::NORMAL, "");
                "closed".into()
            }
            path => path.to_owned().into(),
        }
    }

    fn body(&mut self, _: &mut Conn<'_>, _: &mut Request<'_>, body: &[u8]) -> Reply {
        assert_ne!(body, b"panic", "in body");
        body.len().to_string().into()
    }

    fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
        assert_ne!(request.query(), Some("panic"), "in open");
        self.last = Some(conn.id());
        conn.subscribe("all");
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        match message.as_bytes() {
            b"panic" => panic!("in message"),
            b"write" => conn.want_writable(),
            b"wait" => conn.set_timeout(Some(seconds(1))),
            b"close" => conn.close(CloseCode::NORMAL, "bye"),
            b"flood" => conn.send(Message::Binary(&[7; 100_000])),
            _ => conn.send(message),
        }
    }

    fn input(&mut self, conn: &mut Conn<'_>, bytes: &[u8]) -> usize {
        match bytes {
            b"panic" => panic!("in input"),
            b"release" => conn.release(),
            b"close" => conn.close(CloseCode::NORMAL, ""),
            b"flood" => conn.write(&[7; 100_000]),
            b"wait" => conn.write(&[7; 10_000]),
            b"refuse" => {
                conn.write(b"refused");
                conn.release();
            }
            _ if bytes.starts_with(b"unused") => return 0,
            _ => {}
        }
        bytes.len()
    }

    fn pong(&mut self, _: &mut Conn<'_>, payload: &[u8]) {
        assert_ne!(payload, b"panic", "in pong");
    }

    fn writable(&mut self, _: &mut Conn<'_>) {
        assert!(!self.panics, "in writable");
    }

    fn timeout(&mut self, _: &mut Conn<'_>) {
        panic!("in timeout");
    }

    fn close(&mut self, _: &mut Conn<'_>, close: Close<'_>) {
        self.told.borrow_mut().push(Told::Close(close.cause));
    }

    fn cancelled(&mut self, _: &mut Conn<'_>, cause: Cause) {
        self.told.borrow_mut().push(Told::Cancelled(cause));
    }
}

/// A world with such a handler.
pub struct Site {
    pub world: World,
    pub zone: ZoneId<Ends>,
    told: Rc<RefCell<Vec<Told>>>,
}

impl Site {
    pub fn new(options: Options) -> Site {
        Site::over(Server::detached(), options)
    }

    pub fn over(server: Server, options: Options) -> Site {
        let told = Rc::default();
        let ends = Ends { told: Rc::clone(&told), last: None, panics: false };
        let mut world = World::over(server);
        world.server.options(options);
        let zone = world.server.zone("/", ends);
        Site { world, zone, told }
    }

    /// A client that has sent these bytes.
    pub fn sent(&mut self, bytes: impl AsRef<[u8]>) -> Client {
        let client = self.world.connect();
        self.world.send(client, bytes);
        client
    }

    /// A client that has asked for a path.
    pub fn asked(&mut self, path: &str) -> Client {
        self.sent(http::get(path))
    }

    pub fn reset(&mut self, client: Client) {
        self.world.fail(client, ErrorKind::ConnectionReset);
    }

    /// Acts on the exchange of the latest request.
    pub fn with_last(&mut self, act: impl FnOnce(&mut Conn<'_>)) {
        let id = self.world.with(self.zone, |ends, _| ends.last).expect("an exchange");
        if let Some(mut conn) = self.world.context().conn(id) {
            act(&mut conn);
        }
        self.world.settle();
    }

    /// Lets time pass until no connection is left, and returns what the handler was told.
    #[track_caller]
    pub fn finish(&mut self, what: &str) -> Vec<Told> {
        for _ in 0..2_000 {
            if self.world.server.context(self.world.now).stats().connections == 0 {
                break;
            }
            self.world.advance(seconds(1));
        }
        let stats = self.world.stats();
        assert_eq!(stats.connections, 0, "{what}: never ends");
        assert_eq!(stats.ends.total(), stats.accepted + stats.dialled, "{what}: {stats:?}");
        self.told.take()
    }
}

/// The causes that the server counted, each with its count.
pub fn counted(world: &mut World) -> Vec<(Cause, u64)> {
    world.stats().ends.iter().filter(|&(_, count)| count > 0).collect()
}
