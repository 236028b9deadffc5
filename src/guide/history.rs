//! History and resume: a client whose connection broke gets what it missed, in order and once, over
//! a WebSocket, an event stream, `fetch` or long polling. Who is at a room, and not what was said
//! there, is the matter of [`presence`](super::presence).
//!
//! # What a user sees without it
//!
//! A phone changes from Wi-Fi to mobile, a lid closes, a proxy restarts. The page connects again
//! within a second, and looks alive. The messages of that second are missing, and nothing on the
//! page tells. To load everything anew after each loss is no remedy: the page jumps, and a thousand
//! pages that return at once ask for everything at once. What is published between that load and
//! the subscription is lost even then.
//!
//! # Three lines turn it on
//!
//! Register a prefix: its topics keep their messages, each with a [`MessageId`](crate::MessageId).
//! A page says the last id that it has seen, and goes on from there.
//!
//! ```
//! use switchboard::testing::World;
//! use switchboard::{Conn, Handler, History, Request, Resume};
//!
//! struct Room;
//!
//! impl Handler for Room {
//!     fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
//!         let after = request.query_value("after").and_then(|id| id.parse().ok());
//!         conn.subscribe_from("room/7", after.unwrap_or_default()); // line 2
//!     }
//!     fn resumed(&mut self, conn: &mut Conn<'_>, _topic: &str, resume: Resume) {
//!         conn.send(if resume == Resume::Resumed { "resumed" } else { "gap" });
//!     }
//! }
//!
//! let mut world = World::new();
//! world.server.history("room/", History::new()); // line 1
//! world.server.zone("/ws", Room);
//! let say = |world: &mut World, text: &str| {
//!     world.context().publish_with("room/7", |id| format!("{id} {text}")) // line 3
//! };
//!
//! let first = say(&mut world, "one");
//! let ada = world.websocket(&*format!("/ws?after={first}"));
//! let second = say(&mut world, "two");
//! assert_eq!(world.hear(ada), ["resumed".into(), format!("{second} two")]);
//! world.end(ada); // the line breaks
//! let third = say(&mut world, "three");
//!
//! let ada = world.websocket(&*format!("/ws?after={second}"));
//! assert_eq!(world.hear(ada), ["resumed".into(), format!("{third} three")]);
//! ```
//!
//! 1. [`Server::history`](crate::Server::history) registers the prefix. Topics outside of the
//!    registered prefixes keep nothing, so a client that invents names owns no memory.
//! 2. [`Conn::subscribe_from`](crate::Conn::subscribe_from) subscribes. First comes
//!    [`Handler::resumed`](crate::Handler::resumed), then what the client missed, then what is
//!    published from now on. Between the two nothing is lost, and nothing comes twice.
//! 3. [`publish_with`](crate::Context::publish_with) hands the id out before it encodes.
//!    A WebSocket carries nothing but the message, so the message must name its id. For an event
//!    stream or a long poll a plain [`publish`](crate::Context::publish) is enough: there the
//!    server sends the id beside the message.
//!
//! What is missed comes at the pace of the reader: see
//! [`subscribe_from`](crate::Conn::subscribe_from). So a thousand pages that return at once hold
//! no other connection up.
//!
//! An event stream and a long poll need no handler, since they subscribe by themselves:
//!
//! ```
//! use switchboard::http::Request;
//! use switchboard::testing::World;
//! use switchboard::{EventStream, History, LongPoll};
//!
//! let mut world = World::new();
//! world.server.history("room/", History::new());
//! world.server.http("/events", |_, _| EventStream::new().topic("room/7"));
//! world.server.http("/poll", |_, _| LongPoll::new().topic("room/7"));
//!
//! let ada = world.events("/events");
//! world.context().publish("room/7", "one");
//! assert_eq!(world.hear(ada), ["one"]);
//! let last = world.last_event_id(ada).to_owned();
//! world.end(ada);
//! world.context().publish("room/7", "two");
//!
//! let again = Request::get("/events").header("Last-Event-ID", &last);
//! let ada = world.events(again);
//! assert_eq!(world.head(ada).header("Switchboard-Resume"), Some("resumed"));
//! assert_eq!(world.hear(ada).last().unwrap(), "two");
//!
//! let answer = world.get(&format!("/poll?after={last}"));
//! assert!(answer.text().contains(r#""data":"two""#));
//! assert!(answer.text().contains(r#""gap":false"#));
//! ```
//!
//! # The page's code
//!
//! The files below are those of the example `history`; its server is `examples/history/main.rs`.
//! `cargo run --example history -- --every 1000` shows them at work. Each file exports one
//! function with the same arguments, so a page can change its way without other changes. A browser
//! runs them as they are, and so does node.
//!
//! `after` is the id to begin after. A page begins with the oldest message that is kept by the id
//! `0-0`, which no message has. Or the server renders the page with what the topic
//! [`kept`](crate::Context::kept) and with [`latest_id`](crate::Context::latest_id). The page then
//! begins after that id, and no message falls between the two.
//!
//! ## WebSocket
//!
//! ```js
#![doc = include_str!("../../examples/history/websocket.js")]
//! ```
//!
//! ## EventSource
//!
//! The browser itself keeps the last id and opens the stream again.
//! [`EventStream::retry`](crate::EventStream::retry) says after how long; each stream gets a time
//! of its own, up to a quarter less or more. `last_event_id` in the query counts for the first
//! attempt. An EventSource repeats its URL later, so the header, which is newer, wins.
//!
//! ```js
#![doc = include_str!("../../examples/history/events.js")]
//! ```
//!
//! ## fetch
//!
//! For a page that sends a header such as `Authorization`, which an EventSource cannot. A client
//! that looks at the head alone reads `Switchboard-Resume: resumed` or `gap` there.
//!
//! ```js
#![doc = include_str!("../../examples/history/fetch.js")]
//! ```
//!
//! ## Long polling
//!
//! For a place where nothing else passes. A [`LongPoll`](crate::LongPoll) answers at once with what
//! is newer, at most 64 KiB; else as soon as there is something, or after 25 s with an empty list.
//!
//! ```js
#![doc = include_str!("../../examples/history/polling.js")]
//! ```
//!
//! # A gap, and what a page does
//!
//! A gap means: messages may be missing between the last one that the page has and the next one
//! that comes. There is a gap when
//!
//! - a message after the id is no longer kept, since a bound was reached or its age;
//! - the server has started again, and so has other ids;
//! - the id was never given: it is forged, or malformed;
//! - the reader is so slow that messages were forgotten before it could take them.
//!
//! The server tells the gap before the next message, and goes on with the oldest message that it
//! keeps. A page that shows a list forgets it, and shows what comes now, as the page of the example
//! does. A page that shows a state, such as a board of prices, loads that state anew. It comes with
//! an id, and the page subscribes from there. A page that only adds up may go on as if nothing had
//! been.
//!
//! ```
//! use switchboard::testing::World;
//! use switchboard::{History, LongPoll};
//!
//! let mut world = World::new();
//! world.server.history("room/", History::new().messages(2));
//! world.server.http("/poll", |_, _| LongPoll::new().topic("room/7"));
//! let first = world.context().publish_with("room/7", |_| "one");
//! for text in ["two", "three", "four"] {
//!     world.context().publish("room/7", text);
//! }
//! let answer = world.get(&format!("/poll?after={first}"));
//! assert!(!answer.text().contains(r#""data":"two""#), "no longer kept");
//! assert!(answer.text().contains(r#""data":"three""#));
//! assert!(answer.text().contains(r#""gap":true"#));
//! ```
//!
//! # What an id is not
//!
//! **An id is no permission.** A client can send any id: that of another user, of another topic, or
//! an invented one. The id says from where, and never what. Which topic a client reads is for the
//! handler to decide, each time it subscribes:
//!
//! ```
//! use switchboard::testing::World;
//! use switchboard::{Conn, Handler, History, Request};
//!
//! struct Inbox;
//!
//! impl Handler for Inbox {
//!     fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
//!         // A real server looks the session up.
//!         let user = request.cookie("user").unwrap_or("nobody").to_owned();
//!         let after = request.query_value("after").and_then(|id| id.parse().ok());
//!         conn.subscribe_from(&format!("inbox/{user}"), after.unwrap_or_default());
//!     }
//! }
//!
//! let mut world = World::new();
//! world.server.history("inbox/", History::new());
//! world.server.zone("/inbox", Inbox);
//! let for_bob = world.context().publish_with("inbox/bob", |_| "for Bob alone");
//! world.context().publish("inbox/bob", "for Bob again");
//! world.context().publish("inbox/eve", "for Eve");
//!
//! use switchboard::http::Request as Ask;
//! let ask = Ask::get(format!("/inbox?after={for_bob}")).header("Cookie", "user=eve");
//! let eve = world.websocket(ask);
//! assert_eq!(world.hear(eve), ["for Eve"]); // Bob's id, and nothing of Bob
//! ```
//!
//! An id is no secret either: it shows how many messages the server has published between two ids.
//! And it is no name that lasts: after a start of the server, ids begin anew. A mark that must
//! last, such as the key of a row, belongs into the message.
//!
//! One id stands for all topics of a server. So a stream over several topics resumes by one id, and
//! their messages come in the order in which they were published.
//!
//! # Memory and bounds
//!
//! | what | bound | by default |
//! | --- | --- | --- |
//! | messages of a topic | [`History::messages`](crate::History::messages) | 200 |
//! | bytes of a topic | [`History::bytes`](crate::History::bytes) | 256 KiB |
//! | age of a message | [`History::age`](crate::History::age) | 1 hour |
//! | bytes of all topics | [`Server::history_memory`](crate::Server::history_memory) | 64 MiB |
//!
//! Topics of a [store](super::stores) have the same bounds here, and a second 64 MiB.
//!
//! At the first bound that is reached, the oldest message goes. When all topics together reach
//! theirs, the topic that was published to least recently goes as a whole. A topic without
//! subscribers goes after the age of its prefix.
//!
//! A message is kept once, in the form of a WebSocket frame, which its live delivery has made
//! anyway. A message that is forgotten while slow readers wait for it counts until the last of
//! them has it. [`Stats`](crate::Stats) counts all of this. An idle connection keeps nothing for
//! it.
//!
//! A resume sends at most 64 KiB to one client in a turn, and 1 MiB to all. It never fills more
//! than half of what may wait for a client. So a client that reads slowly gets its history slowly,
//! and no policy of [`slow_readers`](super::slow_readers) drops any of it.
//!
//! # A cluster
//!
//! All reactors of a [`Cluster`](crate::Cluster) have one history: one order, one sequence of ids,
//! one bound. A client resumes at any reactor that its new connection reaches. The example has
//! several with `--threads 4`. Several clusters, such as two machines behind a proxy, have a
//! history each. An id of the one is a gap for the other.
//!
//! # What a start of the server does
//!
//! The history lives in the memory of the process, and ends with it. Each start draws a new first
//! half of the ids by chance. So an id of before is a gap, and never the wrong place: each page
//! renders anew, and all of them know it. The example's page shows a line that says so. Pages come
//! back spread over time, because each one waits for a time of its own.
//!
//! Messages that must outlast the process go to a store: see [`stores`](super::stores). Clients
//! resume in the same ways there, and an id holds after a start.
//!
//! # Streams of language models and tools
//!
//! The Model Context Protocol streams the answers of tools over event streams, and lets a client
//! resume by `Last-Event-ID`. Its clients take an id only from an event with data, so
//! [`EventStream::mcp`](crate::EventStream::mcp) gives the first block an empty `data` field. With
//! it, a client that is cut before the first event can resume too. Make one topic for each stream,
//! and let the handler check that the session in the request owns it.
//!
//! ```
//! use switchboard::http::Request;
//! use switchboard::testing::World;
//! use switchboard::{EventStream, History, Reply, Response};
//!
//! let mut world = World::new();
//! world.server.history("mcp/", History::new());
//! world.server.http("/mcp", |_, request| match request.header("Mcp-Session-Id") {
//!     Some("7f3a") => Reply::from(EventStream::new().topic("mcp/7f3a").mcp(true)),
//!     _ => Response::new(404).into(),
//! });
//! let ask = || Request::get("/mcp").header("Mcp-Session-Id", "7f3a");
//! let client = world.events(ask());
//! assert_eq!(world.hear(client), [""]); // the first id, without an event yet
//! let first = world.last_event_id(client).to_owned();
//! world.end(client);
//!
//! let token = |text: &str| format!(r#"{{"jsonrpc":"2.0","method":"token","params":"{text}"}}"#);
//! world.context().publish("mcp/7f3a", &*token("Hel"));
//! world.context().publish("mcp/7f3a", &*token("lo"));
//! let client = world.events(ask().header("Last-Event-ID", first));
//! let events = world.hear(client); // the first block, and that nothing is missing, come before
//! assert_eq!(events[2..], [token("Hel"), token("lo")]);
//! ```
