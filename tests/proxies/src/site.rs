//! The server behind the proxies: its zones, on a thread of its own. It writes down what its
//! callbacks are told.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use switchboard::{
    Cause, Close, Conn, Drain, EventStream, Handler, Listener, Message, Options, Reactor, Remote,
    Reply, Request, Response, Server, Stream, Upgrade, Zone,
};

/// A server on a loopback port.
pub struct Site {
    pub address: SocketAddr,
    remote: Remote,
    thread: Option<JoinHandle<()>>,
    notes: Receiver<String>,
}

impl Site {
    pub fn start(options: Options) -> Site {
        Site::with(options, |_server| {})
    }

    /// Starts a server; `set` sets what the options do not.
    pub fn with(options: Options, set: impl FnOnce(&mut Server) + Send + 'static) -> Site {
        Site::at("127.0.0.1:0", options, set)
    }

    /// Starts a server with its own listener.
    pub fn at(
        listener: impl Into<Listener>,
        options: Options,
        set: impl FnOnce(&mut Server) + Send + 'static,
    ) -> Site {
        let listener = listener.into();
        let (started, start) = channel();
        let (sender, notes) = channel();
        let thread = std::thread::spawn(move || {
            let mut reactor = Reactor::new().unwrap();
            let server = &mut reactor.server;
            server.options(options);
            zones(server, &sender);
            set(server);
            let listener = server.listen(listener).unwrap();
            // A Unix socket has none.
            let address = server.local_addr(listener).unwrap_or(([127, 0, 0, 1], 0).into());
            started.send((address, reactor.remote())).unwrap();
            reactor.run().unwrap();
        });
        let (address, remote) = start.recv().unwrap();
        Site { address, remote, thread: Some(thread), notes }
    }

    /// Waits for a note that begins with some text, and passes over others.
    pub fn note(&self, start: &str) -> Result<String, String> {
        let end = Instant::now() + Duration::from_secs(10);
        let mut seen = Vec::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.notes.recv_timeout(left) {
                Ok(note) if note.starts_with(start) => return Ok(note),
                Ok(note) => seen.push(note),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("the server noted {seen:?}, and not {start:?}"));
                }
                Err(RecvTimeoutError::Disconnected) => return Err("the server is gone".into()),
            }
        }
    }

    /// The notes so far, without waiting.
    pub fn noted(&self) -> Vec<String> {
        self.notes.try_iter().collect()
    }

    pub fn drain(&self) {
        let _ended = self.remote.drain(Drain::within(Duration::from_secs(2)));
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ended = self.remote.drain(Drain::within(Duration::ZERO));
        let thread = self.thread.take().unwrap();
        if thread.join().is_err() && !std::thread::panicking() {
            panic!("the server panicked");
        }
    }
}

/// Where a WebSocket, an event stream and a deferred answer end, each is noted.
struct Noted {
    notes: Sender<String>,
    /// A name for the notes.
    what: &'static str,
}

impl Handler for Noted {
    fn request(&mut self, _conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        match self.what {
            "websocket" if request.is_websocket() => Upgrade::new().into(),
            "events" => EventStream::new().into(),
            "later" => {
                self.note("asked");
                Reply::Later
            }
            _ => Reply::Pass,
        }
    }

    fn open(&mut self, conn: &mut Conn<'_>, _request: &Request<'_>) {
        self.note("open");
        if self.what == "events" {
            conn.subscribe("news");
            conn.send("the first event");
        }
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        conn.send(message);
    }

    fn close(&mut self, _conn: &mut Conn<'_>, close: Close<'_>) {
        self.note(&format!("close {}", close.code.as_u16()));
    }

    fn cancelled(&mut self, _conn: &mut Conn<'_>, _cause: Cause) {
        self.note("cancelled");
    }
}

impl Noted {
    fn note(&self, what: &str) {
        let _checked = self.notes.send(format!("{} {what}", self.what));
    }
}

/// Takes bodies up to a limit, and answers with the length and the sum of the bytes.
struct Upload(usize);

impl Handler for Upload {
    fn request(&mut self, _conn: &mut Conn<'_>, _request: &mut Request<'_>) -> Reply {
        Reply::Body(self.0)
    }

    fn body(&mut self, _: &mut Conn<'_>, _: &mut Request<'_>, body: &[u8]) -> Reply {
        let sum: u64 = body.iter().map(|byte| u64::from(*byte)).sum();
        format!("{} bytes, sum {sum}", body.len()).into()
    }
}

/// Publishes each body to the event streams.
struct Publish;

impl Handler for Publish {
    fn request(&mut self, _conn: &mut Conn<'_>, _request: &mut Request<'_>) -> Reply {
        Reply::Body(1 << 10)
    }

    fn body(&mut self, conn: &mut Conn<'_>, _: &mut Request<'_>, body: &[u8]) -> Reply {
        conn.context().publish("news", std::str::from_utf8(body).unwrap());
        Response::empty(204).into()
    }
}

/// Sends a first piece, and stays open.
struct Pieces;

impl Handler for Pieces {
    fn request(&mut self, _conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        let response = Response::text("");
        Stream::new(match request.query() {
            Some("unbuffered") => response.header("X-Accel-Buffering", "no"),
            _ => response,
        })
        .into()
    }

    fn writable(&mut self, conn: &mut Conn<'_>) {
        conn.write(b"the first piece");
    }
}

/// Tells a client its address.
struct WhoAmI;

impl Handler for WhoAmI {
    fn request(&mut self, conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        if request.is_websocket() {
            return Upgrade::new().into();
        }
        // A request knows an address where proxies are trusted.
        match request.client_addr().or(conn.client_addr()) {
            Some(address) => format!("{address} {}", request.scheme()).into(),
            None => "no address".into(),
        }
    }

    fn message(&mut self, conn: &mut Conn<'_>, _message: Message<'_>) {
        let address = conn.client_addr().expect("an address");
        conn.send(address.to_string().as_str());
    }
}

fn zones(server: &mut Server, notes: &Sender<String>) {
    let noted = |what| Noted { notes: notes.clone(), what };
    for prefix in ["/ws", "/app/ws"] {
        server.zone(prefix, noted("websocket"));
    }
    server.zone("/events", noted("events"));
    server.zone("/later", noted("later"));
    server.zone("/upload", Upload(64 << 20));
    server.zone("/small", Upload(1 << 10));
    server.zone("/publish", Publish);
    server.zone("/client", WhoAmI);
    server.zone("/pieces", Pieces);
    server.http("/head", |_conn, request| String::from_utf8_lossy(request.head()).into_owned());
    server.http("/app/page", |_conn, _request| "the page below /app/");
    server.http("/page", |_conn, _request| "the page at the root");
    server.http(Zone::new("/why"), |conn, request| match conn.context().check_origin(request) {
        Ok(()) => Reply::from(Response::empty(204)),
        Err(refusal) => refusal.into(),
    });
    let notes = notes.clone();
    server.observe(move |event| {
        let _checked = notes.send(format!("observed {event}"));
    });
}
