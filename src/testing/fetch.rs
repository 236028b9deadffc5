//! The HTTP requests of a world's clients, and the answers.

use std::collections::VecDeque;

use http::Request;

use super::answer::Answer;
use super::client::{Client, Link, Speech};
use super::request::{ClientRequest, encode};
use super::world::World;

/// Requests and answers.
impl World {
    /// Gets a page over a connection of its own.
    ///
    /// ```
    /// # let mut world = switchboard::testing::World::new();
    /// world.server.http("/page", |_, _| "hello");
    /// assert_eq!(world.get("/page").text(), "hello");
    /// assert_eq!(world.get("/elsewhere").status, 404);
    /// ```
    ///
    /// # Panics
    /// As [`fetch`](World::fetch).
    #[track_caller]
    pub fn get(&mut self, path: &str) -> Answer {
        self.fetch(path)
    }

    /// Posts a body over a connection of its own.
    ///
    /// ```
    /// use switchboard::{Conn, Handler, Reply, Request};
    /// # let mut world = switchboard::testing::World::new();
    ///
    /// struct Length;
    /// impl Handler for Length {
    ///     fn request(&mut self, _: &mut Conn<'_>, _: &mut Request<'_>) -> Reply {
    ///         Reply::Body(100)
    ///     }
    ///     fn body(&mut self, _: &mut Conn<'_>, _: &mut Request<'_>, body: &[u8]) -> Reply {
    ///         body.len().to_string().into()
    ///     }
    /// }
    /// world.server.zone("/length", Length);
    /// assert_eq!(world.post("/length", "12345").text(), "5");
    /// assert_eq!(world.post("/length", [0; 101]).status, 413);
    /// ```
    ///
    /// # Panics
    /// As [`fetch`](World::fetch).
    #[track_caller]
    pub fn post(&mut self, path: &str, body: impl Into<Vec<u8>>) -> Answer {
        let builder = Request::post(path);
        match builder.body(body.into()) {
            Ok(request) => self.fetch(request),
            Err(error) => panic!("a client cannot post to {path}: {error}"),
        }
    }

    /// Sends any request over a connection of its own, which ends after the answer.
    ///
    /// ```
    /// use switchboard::http::Request;
    /// # let mut world = switchboard::testing::World::new();
    /// world.server.http("/", |_, request| request.cookie("user").unwrap_or("nobody").to_owned());
    /// let answer = world.fetch(Request::get("/").header("Cookie", "user=ada"));
    /// assert_eq!(answer.text(), "ada");
    /// ```
    ///
    /// # Panics
    /// If the request cannot be built, or if the server does not answer at once, whole and only
    /// once. The message tells what to use instead.
    #[track_caller]
    pub fn fetch(&mut self, request: impl Into<ClientRequest>) -> Answer {
        let client = self.connect();
        self.request(client, request);
        let answer = self.answer(client);
        self.end(client);
        let rest = self.read(client);
        assert!(rest.is_empty(), "\"{}\" follows the answer\n{answer}", rest.escape_ascii());
        answer
    }

    /// Sends a request over a connection that is there. [`answer`](World::answer) reads the answer,
    /// which may come later.
    ///
    /// ```
    /// use switchboard::{Conn, ConnId, Handler, Reply, Request};
    /// # let mut world = switchboard::testing::World::new();
    ///
    /// #[derive(Default)]
    /// struct Bell(Option<ConnId>);
    /// impl Handler for Bell {
    ///     fn request(&mut self, conn: &mut Conn<'_>, _: &mut Request<'_>) -> Reply {
    ///         self.0 = Some(conn.id());
    ///         Reply::Later
    ///     }
    /// }
    /// let zone = world.server.zone("/bell", Bell::default());
    /// let ada = world.connect();
    /// world.request(ada, "/bell");
    /// assert!(world.try_answer(ada).is_none());
    /// world.with(zone, |bell, cx| cx.respond(bell.0.take().unwrap(), "ding"));
    /// assert_eq!(world.answer(ada).text(), "ding");
    /// ```
    ///
    /// # Panics
    /// If the request cannot be built, or if the connection no longer speaks HTTP.
    #[track_caller]
    pub fn request(&mut self, client: Client, request: impl Into<ClientRequest>) {
        let request = request.into().build();
        self.methods(client, "request").push_back(request.method().clone());
        self.write(client, encode(&request));
    }

    /// The next answer on this connection. Interim answers such as 100 are skipped.
    ///
    /// ```
    /// # let mut world = switchboard::testing::World::new();
    /// # world.server.http("/", |_, request| request.path().to_owned());
    /// let ada = world.connect();
    /// world.request(ada, "/one");
    /// world.request(ada, "/two");
    /// assert_eq!(world.answer(ada).text(), "/one");
    /// assert_eq!(world.answer(ada).text(), "/two");
    /// ```
    ///
    /// # Panics
    /// If there is no whole answer yet. The message shows what has arrived and tells what to do.
    #[track_caller]
    pub fn answer(&mut self, client: Client) -> Answer {
        match self.try_answer(client) {
            Some(answer) => answer,
            None => panic!("{}", no_answer(self.link(client))),
        }
    }

    /// The next answer on this connection; `None` while it is not whole.
    ///
    /// ```
    /// # let mut world = switchboard::testing::World::new();
    /// # world.server.http("/", |_, _| "hello");
    /// let ada = world.connect();
    /// world.write(ada, "GET / HTTP/1.1\r\n");
    /// assert!(world.try_answer(ada).is_none());
    /// world.write(ada, "Host: example.com\r\n\r\n");
    /// assert_eq!(world.try_answer(ada).unwrap().text(), "hello");
    /// ```
    ///
    /// # Panics
    /// If the connection no longer speaks HTTP, or if the server's bytes are not HTTP.
    #[track_caller]
    pub fn try_answer(&mut self, client: Client) -> Option<Answer> {
        self.settle();
        self.methods(client, "answer");
        self.link(client).answer()
    }

    #[track_caller]
    fn methods(&mut self, client: Client, method: &str) -> &mut VecDeque<http::Method> {
        let link = self.link(client);
        let state = link.describe();
        match &mut link.speech {
            Speech::Http(methods) => methods,
            _ => panic!("`{method}` is for HTTP, but the client {state}: open another connection"),
        }
    }
}

/// Why there is no whole answer, and what to do.
fn no_answer(link: &Link) -> String {
    let received = link.inbox.escape_ascii();
    match (link.inbox.is_empty(), link.peer.is_ended()) {
        (_, true) => format!("no answer: the server ended the connection after \"{received}\""),
        (true, false) => "no answer yet: the handler answers later, or waits for a body. Make it \
                          answer with `world.with`, or let time pass with `advance`"
            .to_owned(),
        (false, false) => format!(
            "no whole answer yet: use `events` for an event stream, `advance`, or take what has \
             arrived with `read`. It is \"{received}\""
        ),
    }
}
