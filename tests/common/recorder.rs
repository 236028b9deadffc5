//! A handler that records every callback and then calls a closure of the test's.

use std::sync::{Arc, Mutex};

use switchboard::{Cause, Close, Conn, ConnId, Handler, Message, Reply, Request, Upgrade};

/// What was called, in order, and for which exchange.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<(ConnId, String)>>>);

impl Log {
    pub fn new() -> Log {
        Log::default()
    }

    pub fn note(&self, id: ConnId, entry: impl Into<String>) {
        self.0.lock().expect("a log").push((id, entry.into()));
    }

    /// The callbacks since the last call.
    pub fn take(&self) -> Vec<String> {
        self.take_all().into_iter().map(|(_, entry)| entry).collect()
    }

    pub fn take_all(&self) -> Vec<(ConnId, String)> {
        std::mem::take(&mut *self.0.lock().expect("a log"))
    }

    /// The exchange of the latest callback.
    pub fn last_id(&self) -> ConnId {
        self.0.lock().expect("a log").last().expect("a callback").0
    }
}

type Act<A> = Box<dyn FnMut(&mut Conn<'_>, A)>;
type OnRequest = Box<dyn FnMut(&mut Conn<'_>, &mut Request<'_>) -> Reply>;
type OnBody = Box<dyn FnMut(&mut Conn<'_>, &mut Request<'_>, &[u8]) -> Reply>;
type OnInput = Box<dyn FnMut(&mut Conn<'_>, &[u8]) -> usize>;
type OnMessage = Box<dyn FnMut(&mut Conn<'_>, Message<'_>)>;
type OnOpen = Box<dyn FnMut(&mut Conn<'_>, &Request<'_>)>;

/// A handler that records its callbacks. By default it upgrades WebSocket handshakes, passes on
/// other requests and does nothing else.
pub struct Recorder {
    log: Log,
    request: OnRequest,
    body: OnBody,
    open: OnOpen,
    message: OnMessage,
    input: OnInput,
    writable: Act<()>,
    timeout: Act<()>,
    close: Act<u16>,
    cancelled: Act<()>,
}

impl Recorder {
    pub fn new(log: &Log) -> Recorder {
        Recorder {
            log: log.clone(),
            request: Box::new(|_, request| {
                if request.is_websocket() { Upgrade::new().into() } else { Reply::Pass }
            }),
            body: Box::new(|_, _, _| Reply::Pass),
            open: Box::new(|_, _| {}),
            message: Box::new(|_, _| {}),
            input: Box::new(|_, bytes| bytes.len()),
            writable: Box::new(|_, ()| {}),
            timeout: Box::new(|_, ()| {}),
            close: Box::new(|_, _| {}),
            cancelled: Box::new(|_, ()| {}),
        }
    }

    pub fn request<R: Into<Reply>>(
        mut self,
        mut act: impl FnMut(&mut Conn<'_>, &mut Request<'_>) -> R + 'static,
    ) -> Recorder {
        self.request = Box::new(move |conn, request| act(conn, request).into());
        self
    }

    pub fn body<R: Into<Reply>>(
        mut self,
        mut act: impl FnMut(&mut Conn<'_>, &mut Request<'_>, &[u8]) -> R + 'static,
    ) -> Recorder {
        self.body = Box::new(move |conn, request, body| act(conn, request, body).into());
        self
    }

    pub fn open(mut self, act: impl FnMut(&mut Conn<'_>, &Request<'_>) + 'static) -> Recorder {
        self.open = Box::new(act);
        self
    }

    pub fn message(mut self, act: impl FnMut(&mut Conn<'_>, Message<'_>) + 'static) -> Recorder {
        self.message = Box::new(act);
        self
    }

    pub fn input(mut self, act: impl FnMut(&mut Conn<'_>, &[u8]) -> usize + 'static) -> Recorder {
        self.input = Box::new(act);
        self
    }

    pub fn writable(mut self, mut act: impl FnMut(&mut Conn<'_>) + 'static) -> Recorder {
        self.writable = Box::new(move |conn, ()| act(conn));
        self
    }

    pub fn timeout(mut self, mut act: impl FnMut(&mut Conn<'_>) + 'static) -> Recorder {
        self.timeout = Box::new(move |conn, ()| act(conn));
        self
    }

    pub fn close(mut self, act: impl FnMut(&mut Conn<'_>, u16) + 'static) -> Recorder {
        self.close = Box::new(act);
        self
    }

    pub fn cancelled(mut self, mut act: impl FnMut(&mut Conn<'_>) + 'static) -> Recorder {
        self.cancelled = Box::new(move |conn, ()| act(conn));
        self
    }
}

impl Handler for Recorder {
    fn request(&mut self, conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        self.log.note(conn.id(), format!("request {} {}", request.method(), request.path()));
        (self.request)(conn, request)
    }

    fn body(&mut self, conn: &mut Conn<'_>, request: &mut Request<'_>, body: &[u8]) -> Reply {
        self.log.note(conn.id(), format!("body {}", body.escape_ascii()));
        (self.body)(conn, request, body)
    }

    fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
        self.log.note(conn.id(), format!("open {}", request.path()));
        (self.open)(conn, request);
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let entry = match message {
            Message::Text(text) => format!("text {text}"),
            Message::Binary(bytes) => format!("binary {}", bytes.escape_ascii()),
        };
        self.log.note(conn.id(), entry);
        (self.message)(conn, message);
    }

    fn input(&mut self, conn: &mut Conn<'_>, bytes: &[u8]) -> usize {
        self.log.note(conn.id(), format!("input {}", bytes.escape_ascii()));
        (self.input)(conn, bytes)
    }

    fn writable(&mut self, conn: &mut Conn<'_>) {
        self.log.note(conn.id(), "writable");
        (self.writable)(conn, ());
    }

    fn timeout(&mut self, conn: &mut Conn<'_>) {
        self.log.note(conn.id(), "timeout");
        (self.timeout)(conn, ());
    }

    fn close(&mut self, conn: &mut Conn<'_>, close: Close<'_>) {
        let by = if close.by_peer { " by peer" } else { "" };
        self.log.note(conn.id(), format!("close {} {:?}{by}", close.code, close.reason));
        (self.close)(conn, close.code.as_u16());
    }

    fn cancelled(&mut self, conn: &mut Conn<'_>, _cause: Cause) {
        self.log.note(conn.id(), "cancelled");
        (self.cancelled)(conn, ());
    }
}
