//! What a program brings to keep messages elsewhere. This file asks no store.

use super::message_id::MessageId;
use super::store_answer::StoreAnswer;
use super::store_data::{Appended, StoreBounds, StorePage};
use super::stored_message::StoredMessage;

/// A place that keeps the messages of topics beyond the memory of the server: a file, a database, a
/// service that several servers share.
///
/// [`Server::store`](crate::Server::store) puts it behind the topics of a prefix. The store gives
/// the ids. The server calls it at the end of a turn, on the loop's own thread, and a method must
/// not block: it hands the question over, to a thread in most cases, and returns. The
/// [`StoreAnswer`] may be used on any thread, at once or later, in any order. One that is dropped
/// counts as a failure.
///
/// # What a store promises
/// - An id is greater than all ids before it in its topic, also after a restart and after a loss of
///   all data. Two topics may have equal ids.
/// - An append is answered once the message is kept. From then on
///   [`after`](Store::after) has it, until it is trimmed.
/// - A page has all messages after the id that was asked, without a hole, up to its last one.
///
/// # What the server does
/// - A published message is delivered once the append is answered, in the order of ids, each once.
/// - An answer that takes more than 10 seconds is late. A late append still counts: the server asks
///   for the message. A late page or late bounds are dropped.
/// - At most 1,024 appends of 16 MiB in all wait, those included that are late: a further publish
///   fails. At most 64 questions for pages and bounds are with the store at once, and 1,024 wait.
///
/// ```
/// use std::sync::mpsc::{Receiver, Sender, channel};
/// use std::thread::{self, JoinHandle};
/// use std::time::{Duration, Instant};
/// use switchboard::{
///     Appended, Handler, History, MessageId, Reactor, Store, StoreAnswer, StoreBounds, StorePage,
///     StoredMessage,
/// };
///
/// /// A store of one topic, in a thread.
/// struct Threaded { thread: Option<JoinHandle<()>>, questions: Option<Sender<Question>> }
///
/// enum Question {
///     Append(StoredMessage, StoreAnswer<Appended>),
///     After(MessageId, StoreAnswer<StorePage>),
///     Bounds(StoreAnswer<StoreBounds>),
/// }
///
/// fn serve(questions: Receiver<Question>) {
///     let mut kept: Vec<(MessageId, StoredMessage)> = Vec::new();
///     for question in questions {
///         let latest = kept.last().map_or(MessageId::default(), |(id, _)| *id);
///         let bounds = StoreBounds { trimmed: MessageId::default(), latest };
///         match question {
///             Question::Append(message, answer) => {
///                 let id = MessageId::new(1, kept.len() as u64 + 1);
///                 kept.push((id, message));
///                 answer.give(Appended { id, before: latest });
///             }
///             Question::After(after, answer) => {
///                 let later = kept.iter().filter(|(id, _)| *id > after).take(100);
///                 answer.give(StorePage { messages: later.cloned().collect(), bounds });
///             }
///             Question::Bounds(answer) => answer.give(bounds),
///         }
///     }
/// }
///
/// impl Threaded {
///     fn new() -> Threaded {
///         let (questions, received) = channel();
///         Threaded { thread: Some(thread::spawn(|| serve(received))), questions: Some(questions) }
///     }
///     fn ask(&self, question: Question) {
///         // A question that is not taken is dropped, so its answer says that the store failed.
///         let _ = self.questions.as_ref().map(|questions| questions.send(question));
///     }
/// }
///
/// impl Store for Threaded {
///     fn append(&mut self, _: &str, message: StoredMessage, answer: StoreAnswer<Appended>) {
///         self.ask(Question::Append(message, answer));
///     }
///     fn after(&mut self, _: &str, after: MessageId, answer: StoreAnswer<StorePage>) {
///         self.ask(Question::After(after, answer));
///     }
///     fn bounds(&mut self, _: &str, answer: StoreAnswer<StoreBounds>) {
///         self.ask(Question::Bounds(answer));
///     }
/// }
///
/// impl Drop for Threaded {
///     fn drop(&mut self) {
///         drop(self.questions.take()); // the thread ends behind the last question
///         self.thread.take().map(JoinHandle::join);
///     }
/// }
///
/// #[derive(Default)]
/// struct Room { stored: Vec<MessageId> }
/// impl Handler for Room {}
///
/// let mut reactor = Reactor::new()?;
/// reactor.server.store("room/", Threaded::new(), History::new());
/// let room = reactor.server.zone("/", Room::default());
/// let cx = reactor.server.context(Instant::now());
/// cx.publish_stored("room/1", "hello", room, |room, _cx, result| room.stored.extend(result));
/// loop {
///     reactor.turn(Some(Duration::from_secs(10)))?; // the answer wakes it
///     let stored = reactor.server.with(room, Instant::now(), |room, _cx| room.stored.clone());
///     if !stored.is_empty() {
///         assert_eq!(stored, [MessageId::new(1, 1)]);
///         break;
///     }
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Store: 'static {
    /// Keeps a message, and answers with its id and the id before it.
    fn append(&mut self, topic: &str, message: StoredMessage, answer: StoreAnswer<Appended>);

    /// Reads the messages of a topic after an id, in the order of their ids: at least one if there
    /// is any, and some 64 KiB at most. The server asks again for what follows.
    fn after(&mut self, topic: &str, after: MessageId, answer: StoreAnswer<StorePage>);

    /// Returns what the store has of a topic. A topic that it does not know has the bounds of an
    /// empty one.
    fn bounds(&mut self, topic: &str, answer: StoreAnswer<StoreBounds>);
}
