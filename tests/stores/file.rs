//! The store of the chapter `stores` of the manual: a thread, and a file of lines.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use switchboard::{Appended, MessageId, Store, StoreAnswer, StoreBounds, StorePage, StoredMessage};

type Kept = HashMap<String, Vec<(MessageId, StoredMessage)>>;

enum Question {
    Append(String, StoredMessage, StoreAnswer<Appended>),
    After(String, MessageId, StoreAnswer<StorePage>),
    Bounds(String, StoreAnswer<StoreBounds>),
}

struct Lines {
    file: File,
    kept: Kept,
    latest: u64,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = (0..text.len()).step_by(2);
    pairs.map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

fn read(line: &str) -> Option<(MessageId, String, StoredMessage)> {
    let mut words = line.split(' ');
    let (id, topic, message) = (words.next()?, words.next()?, words.next()?);
    let message = StoredMessage::from_bytes(&unhex(message)?).ok()?;
    Some((id.parse().ok()?, String::from_utf8(unhex(topic)?).ok()?, message))
}

impl Lines {
    fn open(path: &Path) -> io::Result<Lines> {
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64)?;
        let (mut kept, mut latest) = (Kept::new(), 0);
        for line in text[..whole].lines() {
            let damaged = || io::Error::other(format!("{}: a line is damaged", path.display()));
            let (id, topic, message) = read(line).ok_or_else(damaged)?;
            kept.entry(topic).or_default().push((id, message));
            latest = latest.max(id.b());
        }
        Ok(Lines { file, kept, latest })
    }

    fn append(&mut self, topic: String, message: StoredMessage) -> io::Result<Appended> {
        let id = MessageId::new(1, self.latest + 1);
        let (name, bytes) = (hex(topic.as_bytes()), hex(&message.to_bytes()));
        self.file.write_all(format!("{id} {name} {bytes}\n").as_bytes())?;
        self.file.sync_data()?;
        self.latest += 1;
        let messages = self.kept.entry(topic).or_default();
        let before = messages.last().map_or(MessageId::default(), |(id, _)| *id);
        messages.push((id, message));
        Ok(Appended { id, before })
    }

    fn bounds(&self, topic: &str) -> StoreBounds {
        let latest = self.kept.get(topic).and_then(|messages| Some(messages.last()?.0));
        StoreBounds { trimmed: MessageId::default(), latest: latest.unwrap_or_default() }
    }

    fn page(&self, topic: &str, after: MessageId) -> StorePage {
        let messages = self.kept.get(topic).into_iter().flatten();
        let messages = messages.filter(|(id, _)| *id > after).take(100).cloned().collect();
        StorePage { messages, bounds: self.bounds(topic) }
    }

    fn serve(mut self, questions: Receiver<Question>) {
        for question in questions {
            match question {
                Question::Append(topic, message, answer) => match self.append(topic, message) {
                    Ok(appended) => answer.give(appended),
                    Err(error) => answer.fail(error.to_string()),
                },
                Question::After(topic, after, answer) => answer.give(self.page(&topic, after)),
                Question::Bounds(topic, answer) => answer.give(self.bounds(&topic)),
            }
        }
    }
}

/// The store, as the server sees it: a way to its thread.
pub struct FileStore {
    questions: Option<Sender<Question>>,
    thread: Option<JoinHandle<()>>,
}

impl FileStore {
    pub fn open(path: &Path) -> io::Result<FileStore> {
        let lines = Lines::open(path)?;
        let (questions, received) = channel(); // the server bounds what waits
        let thread = thread::spawn(move || lines.serve(received));
        Ok(FileStore { questions: Some(questions), thread: Some(thread) })
    }
    fn ask(&self, question: Question) {
        let _ = self.questions.as_ref().map(|questions| questions.send(question));
    }
}

impl Store for FileStore {
    fn append(&mut self, topic: &str, message: StoredMessage, answer: StoreAnswer<Appended>) {
        self.ask(Question::Append(topic.to_owned(), message, answer));
    }
    fn after(&mut self, topic: &str, after: MessageId, answer: StoreAnswer<StorePage>) {
        self.ask(Question::After(topic.to_owned(), after, answer));
    }
    fn bounds(&mut self, topic: &str, answer: StoreAnswer<StoreBounds>) {
        self.ask(Question::Bounds(topic.to_owned(), answer));
    }
}

impl Drop for FileStore {
    fn drop(&mut self) {
        drop(self.questions.take()); // the thread keeps what waits, and ends
        self.thread.take().map(JoinHandle::join);
    }
}
