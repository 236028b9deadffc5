//! Messages that a store keeps: in a file, in a database, or in a service that several servers
//! share. The memory of the server then holds only the latest messages of each topic.
//!
//! [`Server::history`] keeps messages in memory, and a restart forgets them. [`Server::store`] puts
//! a [`Store`] of your own behind the topics of a prefix. Publishing, subscribing and resuming stay
//! the same calls. Three things differ:
//!
//! | | history in memory | a store |
//! | --- | --- | --- |
//! | what gives the id | the server, before the message is made | the store, once it has it |
//! | when a message is delivered | at once | once the store has it, in the order of ids |
//! | how the program learns the id | [`publish_with`] | [`publish_stored`] tells a closure |
//!
//! # What happens to a message
//!
//! 1. A handler publishes. The server gives the message to the store at the end of the turn.
//! 2. The store keeps it and answers with its id and the id before it, from any thread.
//! 3. The server delivers it to the subscribers, and keeps it in the ring of the topic. A message
//!    whose id does not follow the one that was delivered last waits until the store has been asked
//!    for what lies between.
//! 4. The closure of [`publish_stored`] gets the id. What it acknowledges is not lost by a crash.
//!
//! A subscriber that goes on from an id is served from the ring, and the store is not asked. Where
//! the ring does not reach back, the server asks the store, a page at a time. Messages that are
//! published meanwhile wait behind it. [`Handler::resumed`] is called when it is known whether
//! something is missing.
//!
//! An event stream begins with the block `id: X` as soon as the store has answered where the topic
//! stands; its messages wait behind it. A stream that asks to resume has no header
//! `Switchboard-Resume`, since its head leaves before the store answers. The event
//! `switchboard.resumed` or `switchboard.gap` follows. A long poll waits for the store. After a gap
//! it goes on at the oldest message of its topic, or of the rings where it has several topics.
//!
//! # What may go wrong
//!
//! | the store | a publish | a subscriber that goes on | the members of a topic |
//! | --- | --- | --- | --- |
//! | fails, or drops the question | an error | a gap | a gap, if something was missing |
//! | takes more than 10 seconds | [`TimedOut`] | a gap | a gap, if something was missing |
//! | answers after that | delivered, once the store was asked | nothing | nothing |
//! | has 1,024 appends, or 16 MiB | [`QueueFull`] | - | - |
//! | has 1,024 other questions | - | a gap | waits for its turn |
//! | has trimmed what is asked for | - | a gap, and on at what is left | a gap, and on there |
//! | reports a message twice | once | once | once |
//! | reports an id from the past | nothing | nothing | nothing |
//!
//! [`Stats::store_failed`] counts them, and [`Stats::store_waiting`] shows what waits. A message of
//! a plain [`publish`] that is not stored is not delivered either.
//!
//! # A store in a file
//!
//! One thread, one file to which lines are appended: the id, the topic and the message. A line that
//! a crash has cut is dropped. A program with much to keep takes a database in its place, and
//! commits once for all the questions that wait.
//!
//! ```
//! use std::collections::HashMap;
//! use std::fmt::Write as _;
//! use std::fs::{File, OpenOptions};
//! use std::io::{self, Read as _, Write as _};
//! use std::path::Path;
//! use std::sync::mpsc::{Receiver, Sender, channel};
//! use std::thread::{self, JoinHandle};
//! use std::time::{Duration, Instant};
//! use switchboard::{
//!     Appended, Handler, History, MessageId, Reactor, Store, StoreAnswer, StoreBounds, StorePage,
//!     StoredMessage,
//! };
//!
//! type Kept = HashMap<String, Vec<(MessageId, StoredMessage)>>;
//!
//! enum Question {
//!     Append(String, StoredMessage, StoreAnswer<Appended>),
//!     After(String, MessageId, StoreAnswer<StorePage>),
//!     Bounds(String, StoreAnswer<StoreBounds>),
//! }
//!
//! struct Lines { file: File, kept: Kept, latest: u64 }
//!
//! fn hex(bytes: &[u8]) -> String {
//!     bytes.iter().fold(String::new(), |mut text, byte| {
//!         let _infallible = write!(text, "{byte:02x}");
//!         text
//!     })
//! }
//!
//! fn unhex(text: &str) -> Option<Vec<u8>> {
//!     let pairs = (0..text.len()).step_by(2);
//!     pairs.map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
//! }
//!
//! fn read(line: &str) -> Option<(MessageId, String, StoredMessage)> {
//!     let mut words = line.split(' ');
//!     let (id, topic, message) = (words.next()?, words.next()?, words.next()?);
//!     let message = StoredMessage::from_bytes(&unhex(message)?).ok()?;
//!     Some((id.parse().ok()?, String::from_utf8(unhex(topic)?).ok()?, message))
//! }
//!
//! impl Lines {
//!     fn open(path: &Path) -> io::Result<Lines> {
//!         let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
//!         let mut text = String::new();
//!         file.read_to_string(&mut text)?;
//!         let whole = text.rfind('\n').map_or(0, |end| end + 1);
//!         file.set_len(whole as u64)?;
//!         let (mut kept, mut latest) = (Kept::new(), 0);
//!         for line in text[..whole].lines() {
//!             let damaged = || io::Error::other(format!("{}: a line is damaged", path.display()));
//!             let (id, topic, message) = read(line).ok_or_else(damaged)?;
//!             kept.entry(topic).or_default().push((id, message));
//!             latest = latest.max(id.b());
//!         }
//!         Ok(Lines { file, kept, latest })
//!     }
//!
//!     fn append(&mut self, topic: String, message: StoredMessage) -> io::Result<Appended> {
//!         let id = MessageId::new(1, self.latest + 1);
//!         let (name, bytes) = (hex(topic.as_bytes()), hex(&message.to_bytes()));
//!         self.file.write_all(format!("{id} {name} {bytes}\n").as_bytes())?;
//!         self.file.sync_data()?;
//!         self.latest += 1;
//!         let messages = self.kept.entry(topic).or_default();
//!         let before = messages.last().map_or(MessageId::default(), |(id, _)| *id);
//!         messages.push((id, message));
//!         Ok(Appended { id, before })
//!     }
//!
//!     fn bounds(&self, topic: &str) -> StoreBounds {
//!         let latest = self.kept.get(topic).and_then(|messages| Some(messages.last()?.0));
//!         StoreBounds { trimmed: MessageId::default(), latest: latest.unwrap_or_default() }
//!     }
//!
//!     fn page(&self, topic: &str, after: MessageId) -> StorePage {
//!         let messages = self.kept.get(topic).into_iter().flatten();
//!         let messages = messages.filter(|(id, _)| *id > after).take(100).cloned().collect();
//!         StorePage { messages, bounds: self.bounds(topic) }
//!     }
//!
//!     fn serve(mut self, questions: Receiver<Question>) {
//!         for question in questions {
//!             match question {
//!                 Question::Append(topic, message, answer) => match self.append(topic, message) {
//!                     Ok(appended) => answer.give(appended),
//!                     Err(error) => answer.fail(error.to_string()),
//!                 },
//!                 Question::After(topic, after, answer) => answer.give(self.page(&topic, after)),
//!                 Question::Bounds(topic, answer) => answer.give(self.bounds(&topic)),
//!             }
//!         }
//!     }
//! }
//!
//! /// The store, as the server sees it: a way to its thread.
//! struct FileStore { questions: Option<Sender<Question>>, thread: Option<JoinHandle<()>> }
//!
//! impl FileStore {
//!     fn open(path: &Path) -> io::Result<FileStore> {
//!         let lines = Lines::open(path)?;
//!         let (questions, received) = channel(); // the server bounds what waits
//!         let thread = thread::spawn(move || lines.serve(received));
//!         Ok(FileStore { questions: Some(questions), thread: Some(thread) })
//!     }
//!     fn ask(&self, question: Question) {
//!         let _ = self.questions.as_ref().map(|questions| questions.send(question));
//!     }
//! }
//!
//! impl Store for FileStore {
//!     fn append(&mut self, topic: &str, message: StoredMessage, answer: StoreAnswer<Appended>) {
//!         self.ask(Question::Append(topic.to_owned(), message, answer));
//!     }
//!     fn after(&mut self, topic: &str, after: MessageId, answer: StoreAnswer<StorePage>) {
//!         self.ask(Question::After(topic.to_owned(), after, answer));
//!     }
//!     fn bounds(&mut self, topic: &str, answer: StoreAnswer<StoreBounds>) {
//!         self.ask(Question::Bounds(topic.to_owned(), answer));
//!     }
//! }
//!
//! impl Drop for FileStore {
//!     fn drop(&mut self) {
//!         drop(self.questions.take()); // the thread keeps what waits, and ends
//!         self.thread.take().map(JoinHandle::join);
//!     }
//! }
//!
//! #[derive(Default)]
//! struct Room { stored: Vec<MessageId> }
//! impl Handler for Room {}
//!
//! // One run of a program: it publishes a message, and returns its id.
//! fn run(path: &Path, text: &str) -> io::Result<MessageId> {
//!     let mut reactor = Reactor::new()?;
//!     reactor.server.store("room/", FileStore::open(path)?, History::new());
//!     let room = reactor.server.zone("/", Room::default());
//!     let cx = reactor.server.context(Instant::now());
//!     cx.publish_stored("room/1", text, room, |room, _, result| room.stored.extend(result));
//!     loop {
//!         reactor.turn(Some(Duration::from_secs(10)))?;
//!         let stored = reactor.server.with(room, Instant::now(), |room, _| room.stored.pop());
//!         if let Some(id) = stored {
//!             return Ok(id);
//!         }
//!     }
//! }
//!
//! # let name = format!("switchboard-guide-{}", std::process::id());
//! # let path = &std::env::temp_dir().join(name);
//! assert_eq!(run(path, "before the restart")?, MessageId::new(1, 1));
//! assert_eq!(run(path, "after it")?, MessageId::new(1, 2));
//! let kept = Lines::open(path)?.page("room/1", MessageId::default());
//! assert_eq!(kept.messages.len(), 2);
//! # std::fs::remove_file(path)?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Several servers
//!
//! A service such as Redis has the messages of all servers. A thread of each server hears of new
//! ones, and passes them on by [`Remote::call`] to [`Context::stored`], with the id and the id
//! before it. That is a bell, not the delivery: what the bell misses is read from the store, since
//! the next message says which one comes before it. After the thread was cut off and is back, it
//! has the server look for what it missed by [`Context::ask_store`].
//!
//! A server may be told of its own messages too: what has been delivered is not delivered again.
//! But [`publish_to_others`] reaches the publisher as well, where the bell is faster than the
//! answer. Programs whose users must not see a message twice put a mark of their own into it.
//!
//! An id that another server has given is good here, too. A client that comes from a server that
//! is ahead misses nothing and gets nothing twice.
//!
//! # A cluster
//!
//! In a [`Cluster`](crate::Cluster) each reactor counts as such a server. Each one has rings of its
//! own, and asks the store by itself. So register the prefix at each, with stores that lead to the
//! same service. A publish is delivered at its own reactor. One thread of the program hears of new
//! messages, and passes each on to all reactors by their
//! [`remote`](crate::ClusterHandle::remote). One that hears of its own message does nothing.
//!
//! ```
//! # use switchboard::{ClusterHandle, Context, Handler, MessageId, StoredMessage, ZoneId};
//! # struct Room;
//! # impl Handler for Room {}
//! /// A message that the service reports, with its id and the id before it.
//! struct News { topic: String, id: MessageId, before: MessageId, message: StoredMessage }
//!
//! fn ring(cluster: &ClusterHandle, room: ZoneId<Room>, news: &News) {
//!     let remotes = (0..).map_while(|reactor| cluster.remote(reactor));
//!     for remote in remotes {
//!         let News { topic, id, before, message } = news;
//!         let (topic, id, before, message) = (topic.clone(), *id, *before, message.clone());
//!         // A reactor that has ended hears of nothing.
//!         let _ended = remote.call(room, move |_: &mut Room, cx: &mut Context| {
//!             cx.stored(&topic, id, before, message);
//!         });
//!     }
//! }
//! # let cluster = switchboard::Cluster::new(2).handle();
//! # let mut server = switchboard::Server::detached();
//! # let room = server.zone("/", Room);
//! # let (id, before) = (MessageId::new(1, 1), MessageId::default());
//! # ring(&cluster, room, &News { topic: "room/1".into(), id, before, message: "a".into() });
//! ```
//!
//! [`ClusterHandle::publish`](crate::ClusterHandle::publish) reaches one reactor alone for such a
//! topic: its [`home`](crate::ClusterHandle::home), which has the message stored once. Topics with
//! [`Server::history`] beside it are those of all reactors, as ever.
//!
//! # What ids must be
//!
//! An id of a topic is greater than all before it, also after a restart. A store that has lost its
//! data gives ids that are greater than those it lost, and answers with
//! [`trimmed`](crate::StoreBounds::trimmed) at or above them: then a client with an old id learns
//! of a gap. Milliseconds since 1970 and a counter do, and so does a sequence that is kept.
//!
//! One event stream over several topics resumes by one id. With a store this misses nothing only
//! if the ids of all its topics are in one order, as with one sequence for all. Where each topic
//! has ids of its own, as streams of Redis do, open one event stream for each topic. Do so also
//! beside a topic with history in memory, whose ids are of another order.
//!
//! [`Server::history`]: crate::Server::history
//! [`Server::store`]: crate::Server::store
//! [`Store`]: crate::Store
//! [`Handler::resumed`]: crate::Handler::resumed
//! [`publish`]: crate::Context::publish
//! [`publish_with`]: crate::Context::publish_with
//! [`publish_stored`]: crate::Context::publish_stored
//! [`publish_to_others`]: crate::Conn::publish_to_others
//! [`TimedOut`]: crate::StoreError::TimedOut
//! [`QueueFull`]: crate::StoreError::QueueFull
//! [`Stats::store_failed`]: crate::Stats::store_failed
//! [`Stats::store_waiting`]: crate::Stats::store_waiting
//! [`Remote::call`]: crate::Remote::call
//! [`Context::stored`]: crate::Context::stored
//! [`Context::ask_store`]: crate::Context::ask_store
