//! A handler's consent to an event stream, as a value: its head, its topics, and how it resumes.
//! This file knows no connection: server/event_stream.rs performs it.

use std::time::Duration;

use crate::connection::OptionsId;
use crate::http1::Response;

/// A handler's consent to an event stream (HTML standard, section 9.2), for [`Reply::EventStream`].
///
/// The answer is 200 with `text/event-stream`, `Cache-Control: no-cache, no-transform` and
/// `X-Accel-Buffering: no`, so that no proxy holds events back. Each text message that is sent to
/// the stream, or published to one of its topics, is one event. A comment every
/// [`event_stream_interval`] keeps the stream alive. A HEAD request gets the head alone, without
/// `Content-Length` (RFC 9110 8.6), and no stream opens.
///
/// A client that ends its side (FIN) ends the stream: a browser that leaves sends nothing else.
/// [`close`](crate::Handler::close) then gets 1006.
///
/// A stream over topics with [history](crate::History) resumes where its client left off: see
/// [`topic`](EventStream::topic).
///
/// [`Reply::EventStream`]: crate::Reply::EventStream
/// [`event_stream_interval`]: crate::Options::event_stream_interval
///
/// ```
/// use std::time::Duration;
/// use switchboard::testing::World;
/// use switchboard::{Conn, EventStream, Handler, Reply, Request};
///
/// struct News;
/// impl Handler for News {
///     fn request(&mut self, _conn: &mut Conn<'_>, _request: &mut Request<'_>) -> Reply {
///         EventStream::new().retry(Duration::from_secs(2)).header("X-Node", "7").into()
///     }
///     fn open(&mut self, conn: &mut Conn<'_>, _request: &Request<'_>) {
///         conn.subscribe("news");
///     }
/// }
///
/// let mut world = World::new();
/// world.server.zone("/news", News);
/// let ada = world.events("/news");
/// assert_eq!(world.head(ada).header("X-Node"), Some("7"));
/// world.context().publish("news", "rain");
/// assert_eq!(world.hear(ada), ["rain"]);
/// ```
#[derive(Debug)]
pub struct EventStream {
    pub(crate) response: Response,
    pub(crate) retry: Option<Duration>,
    pub(crate) options: OptionsId,
    pub(crate) topics: Vec<Box<str>>,
    pub(crate) mcp: bool,
}

impl Default for EventStream {
    fn default() -> EventStream {
        let response = Response::empty(200)
            .header("Content-Type", "text/event-stream")
            .header("Cache-Control", "no-cache, no-transform")
            .header("X-Accel-Buffering", "no");
        let options = OptionsId::default();
        EventStream { response, retry: None, options, topics: Vec::new(), mcp: false }
    }
}

impl EventStream {
    /// Makes a consent without further header fields, under the server's default options.
    #[must_use]
    pub fn new() -> EventStream {
        EventStream::default()
    }

    /// Subscribes the stream to a topic, before [`Handler::open`](crate::Handler::open). Each call
    /// adds one; a second call with the same topic changes nothing.
    ///
    /// Over topics with [history](crate::Server::history), the stream resumes. Each event has the
    /// [`MessageId`](crate::MessageId) of its message as `id`. A client that reconnects sends the
    /// last id that it has, and the messages behind this id come first. One id stands for all
    /// topics of the stream. So a program sets no [`Outgoing::id`](crate::Outgoing::id) here.
    ///
    /// - The first block of the stream is `id: X`, where X is the id from which the stream goes on.
    ///   So a client can resume before its first event has come. A block without data dispatches
    ///   no event (HTML standard, section 9.2.6).
    /// - A client asks to resume with the header `Last-Event-ID`. A page asks with `last_event_id`
    ///   in the query, such as with the id at which the server rendered it. The header counts
    ///   where both are there: `EventSource` repeats its first URL when it reconnects. An empty id
    ///   asks for nothing.
    /// - A client that asked gets the header `Switchboard-Resume`: `resumed`, or `gap` if messages
    ///   are missing. The event `switchboard.resumed` or `switchboard.gap` says the same, before
    ///   all messages. Its data is `{"oldest":"a-b"}`, the id of the oldest message that is kept,
    ///   or the latest id if none is. Behind a gap the stream goes on at the oldest message.
    /// - An id that is malformed, forged, or from before the last start of the server is a gap.
    /// - For topics of a [store](crate::Server::store) the first block of a stream that does not
    ///   ask to resume may wait for the store, and the messages wait behind it. One that asks has
    ///   no header `Switchboard-Resume`: the store answers after the head has left.
    ///
    /// An id is no permission. Whether the client may read a topic is for the handler to decide,
    /// before it names the topic here. Topics without history are subscribed to as by
    /// [`Conn::subscribe`](crate::Conn::subscribe); they change nothing else.
    ///
    /// ```
    /// use switchboard::http::Request;
    /// use switchboard::testing::{Received, World};
    /// use switchboard::{EventStream, History};
    ///
    /// let mut world = World::new();
    /// world.server.history("room/", History::new());
    /// world.server.http("/events", |_, _| EventStream::new().topic("room/7"));
    /// let ada = world.events("/events");
    /// world.context().publish("room/7", "one");
    /// assert_eq!(world.hear(ada), ["one"]);
    /// let last = world.last_event_id(ada).to_owned();
    /// world.end(ada);
    /// world.context().publish("room/7", "two");
    ///
    /// let ada = world.events(Request::get("/events").header("Last-Event-ID", last));
    /// assert_eq!(world.head(ada).header("Switchboard-Resume"), Some("resumed"));
    /// let events = world.hear(ada);
    /// assert!(matches!(&events[0],
    ///     Received::Event { event: Some(name), .. } if name == "switchboard.resumed"));
    /// assert_eq!(events[1..], ["two"]);
    /// ```
    ///
    /// A page can be rendered with the last id, and subscribe from it. So nothing is lost between
    /// the two, and nothing comes twice:
    ///
    /// ```
    /// use switchboard::testing::World;
    /// use switchboard::{EventStream, History, Reply};
    ///
    /// let mut world = World::new();
    /// world.server.history("room/", History::new());
    /// world.server.http("/", |conn, request| match request.path() {
    ///     "/events" => Reply::from(EventStream::new().topic("room/7")),
    ///     _ => format!("/events?last_event_id={}", conn.context().latest_id()).into(),
    /// });
    /// let page = world.get("/").text().to_owned(); // the page has what was published so far
    /// world.context().publish("room/7", "while the page loads");
    /// let ada = world.events(&page);
    /// assert_eq!(world.hear(ada)[1..], ["while the page loads"]);
    /// ```
    #[must_use]
    pub fn topic(mut self, name: impl Into<Box<str>>) -> EventStream {
        let name = name.into();
        if !self.topics.contains(&name) {
            self.topics.push(name);
        }
        self
    }

    /// Sets whether the first block has an empty `data` field, as the Model Context Protocol asks
    /// of a stream that resumes. Its clients take no id from a block without data. The default is
    /// false: a browser would dispatch an event without text.
    ///
    /// ```
    /// use switchboard::testing::World;
    /// use switchboard::{EventStream, History};
    ///
    /// let mut world = World::new();
    /// world.server.history("session/", History::new());
    /// world.server.http("/mcp", |_, _| EventStream::new().topic("session/7").mcp(true));
    /// let client = world.events("/mcp");
    /// assert_eq!(world.hear(client), [""]);
    /// assert_ne!(world.last_event_id(client), "");
    /// ```
    #[must_use]
    pub fn mcp(mut self, yes: bool) -> EventStream {
        self.mcp = yes;
        self
    }

    /// Sets the `retry` field: the time that the client waits before it reconnects, in whole
    /// milliseconds. Each stream gets a time of its own, up to a quarter less or more, so that the
    /// clients of a server that starts again do not all come back at once.
    #[must_use]
    pub fn retry(mut self, after: Duration) -> EventStream {
        self.retry = Some(after);
        self
    }

    /// Adds a header field to the response. `Cache-Control` and `X-Accel-Buffering` replace the
    /// stream's own. A malformed field turns the answer into a 500 that names the field.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<str>) -> EventStream {
        let own = ["cache-control", "x-accel-buffering"];
        self.response = match own.iter().any(|own| name.eq_ignore_ascii_case(own)) {
            true => self.response.replace(name, value.as_ref()),
            false => self.response.header(name, value),
        };
        self
    }

    /// Sets the options of this stream, registered with
    /// [`Context::add_options`](crate::Context::add_options).
    #[must_use]
    pub fn options(mut self, options: OptionsId) -> EventStream {
        self.options = options;
        self
    }
}
