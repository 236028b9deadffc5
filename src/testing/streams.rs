//! WebSockets and event streams of a world's clients: how they open, and what they send and
//! receive.

use http::header::{
    ACCEPT, CONNECTION, HeaderValue, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};

use super::answer::{self, Answer};
use super::client::{Client, Link, Speech};
use super::events::Events;
use super::received::Received;
use super::request::{ClientRequest, add, encode};
use super::socket::Socket;
use super::world::World;
use crate::websocket::{AcceptKey, CloseCode, Message};

/// The key of every handshake; RFC 6455 section 1.3 has it as an example.
const KEY: HeaderValue = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");

/// WebSockets and event streams.
impl World {
    /// Opens a WebSocket over a connection of its own. From then on the client does by itself what
    /// a browser does: it answers pings and Close frames, and ends its side after the server has.
    ///
    /// ```
    /// use switchboard::http::Request;
    /// use switchboard::{Upgrade, Zone};
    /// # let mut world = switchboard::testing::World::new();
    /// let chat = Zone::new("/chat").upgrades(true);
    /// world.server.http(chat, |_, _| Upgrade::new().subprotocols(["chat.v1"]));
    /// let handshake = Request::get("/chat")
    ///     .header("Origin", "http://example.com")
    ///     .header("Sec-WebSocket-Protocol", "chat.v1");
    /// let ada = world.websocket(handshake);
    /// assert_eq!(world.head(ada).header("Sec-WebSocket-Protocol"), Some("chat.v1"));
    /// ```
    ///
    /// # Panics
    /// If the server does not answer 101 at once. The message shows its answer. To expect another
    /// answer, use [`upgrade`](World::upgrade) and [`answer`](World::answer).
    #[track_caller]
    pub fn websocket(&mut self, request: impl Into<ClientRequest>) -> Client {
        let client = self.connect();
        self.upgrade(client, request);
        let link = self.link(client);
        match link.speech {
            Speech::WebSocket(_) => client,
            _ => panic!(
                "no WebSocket: {}\nTo expect this, use `connect`, `upgrade` and `answer`",
                refusal(link)
            ),
        }
    }

    /// Sends a WebSocket handshake over a connection that is there. The server may accept it later,
    /// or refuse it: then [`answer`](World::answer) reads its answer.
    ///
    /// ```
    /// use switchboard::http::Request;
    /// # let mut world = switchboard::testing::World::new();
    /// # world.server.websocket("/", |_, _| {});
    /// let eve = world.connect();
    /// world.upgrade(eve, Request::get("/").header("Origin", "https://evil.example"));
    /// assert_eq!(world.answer(eve).status, 403);
    /// ```
    ///
    /// # Panics
    /// If the request cannot be built, or if the connection no longer speaks HTTP.
    #[track_caller]
    pub fn upgrade(&mut self, client: Client, request: impl Into<ClientRequest>) {
        let mut request = request.into().build();
        add(&mut request, CONNECTION, HeaderValue::from_static("Upgrade"));
        add(&mut request, UPGRADE, HeaderValue::from_static("websocket"));
        add(&mut request, SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        add(&mut request, SEC_WEBSOCKET_KEY, KEY);
        let link = self.link(client);
        assert!(
            matches!(&link.speech, Speech::Http(methods) if methods.is_empty()),
            "`upgrade` is for a connection without an unread answer, but the client {}",
            link.describe()
        );
        let key = &request.headers()[SEC_WEBSOCKET_KEY];
        link.speech = Speech::Handshake(AcceptKey::from_key(key.as_bytes()));
        self.write(client, encode(&request));
    }

    /// Opens an event stream over a connection of its own. [`hear`](World::hear) returns the
    /// events.
    ///
    /// ```
    /// use switchboard::testing::Received;
    /// use switchboard::{EventStream, Outgoing};
    /// # use switchboard::{Conn, Handler, Reply, Request};
    /// # struct News;
    /// # impl Handler for News {
    /// #     fn request(&mut self, _: &mut Conn<'_>, _: &mut Request<'_>) -> Reply {
    /// #         EventStream::new().into()
    /// #     }
    /// #     fn open(&mut self, conn: &mut Conn<'_>, _: &Request<'_>) {
    /// #         conn.subscribe("news");
    /// #     }
    /// # }
    /// # let mut world = switchboard::testing::World::new();
    /// # world.server.zone("/news", News);
    /// let ada = world.events("/news");
    /// world.context().publish("news", "plain");
    /// world.context().publish("news", Outgoing::text("rain").event("weather").id("7"));
    /// let events = world.hear(ada);
    /// assert_eq!(events, ["plain", "rain"]);
    /// let (event, id) = (Some("weather".to_owned()), Some("7".to_owned()));
    /// assert_eq!(events[1], Received::Event { event, id, data: "rain".to_owned() });
    /// ```
    ///
    /// # Panics
    /// If the server does not begin an event stream at once. The message shows its answer.
    #[track_caller]
    pub fn events(&mut self, request: impl Into<ClientRequest>) -> Client {
        let client = self.connect();
        let mut request = request.into().build();
        add(&mut request, ACCEPT, HeaderValue::from_static("text/event-stream"));
        self.write(client, encode(&request));
        let link = self.link(client);
        link.receive();
        let begun = answer::head(&link.inbox)
            .and_then(|(head, len)| Events::after(&head).map(|events| (head, len, events)));
        let Some((head, len, events)) = begun else {
            panic!("no event stream: {}\nTo expect this, use `fetch`", refusal(link))
        };
        link.inbox.drain(..len);
        link.head = Some(head);
        link.speech = Speech::Events(Box::new(events));
        link.take_in();
        client
    }

    /// The head with which the server began a WebSocket or an event stream. Its body is empty.
    ///
    /// ```
    /// # let mut world = switchboard::testing::World::new();
    /// # world.server.websocket("/", |_, _| {});
    /// let ada = world.websocket("/");
    /// assert_eq!(world.head(ada).status, 101);
    /// ```
    ///
    /// # Panics
    /// If none has begun on this connection.
    #[track_caller]
    pub fn head(&mut self, client: Client) -> &Answer {
        let link = self.link(client);
        let state = link.describe();
        match &link.head {
            Some(head) => head,
            None => panic!("no stream has begun: the client {state}"),
        }
    }

    /// Sends a message as a single frame: text from a `&str`, binary from a `&[u8]`.
    ///
    /// ```
    /// # let mut world = switchboard::testing::World::new();
    /// # world.server.websocket("/", |conn, message| conn.send(message));
    /// # let ada = world.websocket("/");
    /// world.say(ada, "text");
    /// world.say(ada, b"binary");
    /// assert_eq!(world.hear(ada).len(), 2);
    /// ```
    ///
    /// # Panics
    /// If the client has no WebSocket, or none that is open still.
    #[track_caller]
    pub fn say<'m>(&mut self, client: Client, message: impl Into<Message<'m>>) {
        let bytes = self.open_socket(client, "say").message(message.into());
        self.write(client, bytes);
    }

    /// The messages or events that the client has received since the last call, in their order.
    ///
    /// ```
    /// # let mut world = switchboard::testing::World::new();
    /// # world.server.websocket("/", |conn, message| conn.send(message));
    /// # let ada = world.websocket("/");
    /// world.say(ada, "one");
    /// world.say(ada, "two");
    /// assert_eq!(world.hear(ada), ["one", "two"]);
    /// assert!(world.hear(ada).is_empty());
    /// ```
    ///
    /// # Panics
    /// If the client has neither a WebSocket nor an event stream.
    #[track_caller]
    pub fn hear(&mut self, client: Client) -> Vec<Received> {
        self.settle();
        let link = self.link(client);
        link.take_in();
        let state = link.describe();
        match &mut link.speech {
            Speech::WebSocket(socket) => socket.messages(),
            Speech::Events(events) => events.received(),
            _ => panic!("nothing to `hear`: the client {state}. Use `answer` for HTTP"),
        }
    }

    /// The last event id of an event stream: what the client would send as `Last-Event-ID` when it
    /// reconnects (HTML standard, section 9.2.6). It is empty before the first id. It also stands
    /// once the stream has ended.
    ///
    /// ```
    /// use switchboard::{EventStream, History};
    /// # let mut world = switchboard::testing::World::new();
    /// world.server.history("news", History::new());
    /// world.server.http("/news", |_, _| EventStream::new().topic("news"));
    /// let ada = world.events("/news");
    /// let latest = world.context().latest_id().to_string();
    /// assert_eq!(world.last_event_id(ada), latest);
    /// ```
    ///
    /// # Panics
    /// If the client has no event stream.
    #[track_caller]
    pub fn last_event_id(&mut self, client: Client) -> &str {
        self.settle();
        let link = self.link(client);
        link.take_in();
        let state = link.describe();
        match &link.speech {
            Speech::Events(events) => events.last_id(),
            _ => panic!("`last_event_id` is for an event stream, but the client {state}"),
        }
    }

    /// Sends a ping of at most 125 bytes (RFC 6455 section 5.5.2).
    ///
    /// ```
    /// # let mut world = switchboard::testing::World::new();
    /// # world.server.websocket("/", |_, _| {});
    /// # let ada = world.websocket("/");
    /// world.ping(ada, b"are you there");
    /// assert_eq!(world.pongs(ada), [b"are you there"]);
    /// ```
    ///
    /// # Panics
    /// As [`say`](World::say), and if the payload is longer.
    #[track_caller]
    pub fn ping(&mut self, client: Client, payload: &[u8]) {
        assert!(payload.len() <= 125, "a ping holds at most 125 bytes, not {}", payload.len());
        let bytes = self.open_socket(client, "ping").ping(payload);
        self.write(client, bytes);
    }

    /// The payloads of the pings that the client has received since the last call.
    ///
    /// ```
    /// # let mut world = switchboard::testing::World::new();
    /// world.server.websocket("/", |conn, _| conn.ping(b"still there?"));
    /// let ada = world.websocket("/");
    /// world.say(ada, "hello");
    /// assert_eq!(world.pings(ada), [b"still there?"]);
    /// ```
    ///
    /// # Panics
    /// If the client has no WebSocket.
    #[track_caller]
    pub fn pings(&mut self, client: Client) -> Vec<Vec<u8>> {
        self.socket(client, "pings").pings()
    }

    /// The payloads of the pongs that the client has received since the last call; see
    /// [`ping`](World::ping).
    ///
    /// # Panics
    /// If the client has no WebSocket.
    #[track_caller]
    pub fn pongs(&mut self, client: Client) -> Vec<Vec<u8>> {
        self.socket(client, "pongs").pongs()
    }

    /// Closes the WebSocket from the client's side, with a code and a reason of at most 123 bytes.
    ///
    /// ```
    /// use switchboard::CloseCode;
    /// # let mut world = switchboard::testing::World::new();
    /// # world.server.websocket("/", |_, _| {});
    /// # let ada = world.websocket("/");
    /// world.close(ada, CloseCode::NORMAL, "bye");
    /// assert_eq!(world.closed(ada), Some((CloseCode::NORMAL, String::new())));
    /// assert!(!world.is_open(ada));
    /// ```
    ///
    /// # Panics
    /// As [`say`](World::say).
    #[track_caller]
    pub fn close(&mut self, client: Client, code: CloseCode, reason: &str) {
        let bytes = self.open_socket(client, "close").close(code, reason);
        self.write(client, bytes);
    }

    /// How the server closed the WebSocket: the code and the reason of its Close frame. `None`
    /// means that the WebSocket is open. [`CloseCode::NO_STATUS`] is a Close frame without a code,
    /// and [`CloseCode::ABNORMAL`] an end of the connection without a Close frame.
    ///
    /// ```
    /// use switchboard::CloseCode;
    /// # let mut world = switchboard::testing::World::new();
    /// world.server.websocket("/", |conn, _| conn.close(CloseCode::POLICY, "not here"));
    /// let ada = world.websocket("/");
    /// assert_eq!(world.closed(ada), None);
    /// world.say(ada, "hello");
    /// assert_eq!(world.closed(ada), Some((CloseCode::POLICY, "not here".to_owned())));
    /// ```
    ///
    /// # Panics
    /// If the client has no WebSocket.
    #[track_caller]
    pub fn closed(&mut self, client: Client) -> Option<(CloseCode, String)> {
        let closed = self.socket(client, "closed").closed().cloned();
        let ended = self.link(client).peer.is_ended();
        closed.or_else(|| ended.then(|| (CloseCode::ABNORMAL, String::new())))
    }

    /// The client's WebSocket, with all that has arrived.
    #[track_caller]
    fn socket(&mut self, client: Client, method: &str) -> &mut Socket {
        self.settle();
        let link = self.link(client);
        link.take_in();
        let state = link.describe();
        match &mut link.speech {
            Speech::WebSocket(socket) => socket,
            _ => panic!("`{method}` is for a WebSocket, but the client {state}"),
        }
    }

    /// The client's WebSocket, over which it may still send.
    #[track_caller]
    fn open_socket(&mut self, client: Client, method: &str) -> &mut Socket {
        self.socket(client, method);
        if let Some((code, reason)) = self.closed(client) {
            panic!("`{method}` after the WebSocket was closed: {code} \"{reason}\"");
        }
        let socket = self.socket(client, method);
        assert!(!socket.has_sent_close(), "`{method}` after the client has sent a Close frame");
        socket
    }
}

/// What the server answered instead of beginning a stream.
fn refusal(link: &mut Link) -> String {
    if matches!(link.speech, Speech::Handshake(_)) && link.inbox.is_empty() {
        return "the server has not answered yet".to_owned();
    }
    match link.answer() {
        Some(answer) => format!("the server answered\n{answer}"),
        None => format!("the server sent \"{}\" so far", link.inbox.escape_ascii()),
    }
}
