//! Opens event streams: the head, the first block, and where a stream over topics with history goes
//! on. The messages themselves follow from `flush`.

use super::server::Server;
use crate::connection::{Phase, Terms};
use crate::context::{Conn, EventStream, NO_ID};
use crate::history::{MessageId, Resume};
use crate::http1::{self, Request, event_stream};
use crate::outbox::Kind;

/// The answer to a client that asked to resume.
struct Told {
    /// The id that the client asked to go on from; 0-0 for a malformed one. The first block
    /// repeats it: a client that is cut off before it knows of a gap asks once more, and learns
    /// of it.
    from: MessageId,
    gap: bool,
    /// The oldest message that is kept, of all topics; else the latest id.
    oldest: MessageId,
    /// The id from which a client goes on that knows of the gap: all that follows is later.
    next: MessageId,
}

impl Told {
    /// The value of the header `Switchboard-Resume`.
    fn as_str(&self) -> &'static str {
        if self.gap { "gap" } else { "resumed" }
    }
}

impl Server {
    /// Performs a reply that is an event stream.
    pub(super) fn event_stream(
        &mut self,
        slot: u32,
        terms: Terms,
        mut stream: EventStream,
        request: &mut Request<'_>,
    ) {
        let resumes = stream.topics.iter().any(|topic| self.context.keeps_history(topic));
        let asked = asked(request).filter(|_| resumes);
        // The client is told once the store has answered.
        let later = asked.filter(|_| stream.topics.iter().any(|it| self.context.has_store(it)));
        let told = asked.filter(|_| later.is_none()).map(|asked| self.judge_resume(&stream, asked));
        if let Some(told) = &told {
            stream.response = stream.response.replace("Switchboard-Resume", told.as_str());
        }
        if stream.response.status() != 200 {
            return self.respond_to(slot, terms, &stream.response, request.head());
        }
        if terms.head_only {
            // GET has no Content-Length either (RFC 9110 8.6).
            self.write_response(slot, terms, &stream.response, Some(http1::Framing::None));
            return self.next_request(slot);
        }
        self.write_response(slot, terms, &stream.response, Some(http1::Framing::UntilClose));
        let latest = self.context.latest_of(stream.topics.iter().map(|topic| &**topic));
        let first = asked.map(Option::unwrap_or_default).or(latest.filter(|_| resumes));
        self.begin_stream(slot, &stream, first, told.as_ref());
        let options = self.context.table.books.number_of(stream.options);
        self.begin_open(slot, Phase::Streaming, options);
        match later {
            Some(from) => self.ask_stores_for(slot, &stream.topics, from.unwrap_or(NO_ID)),
            None => self.subscribe_stream(slot, &stream.topics, told.as_ref()),
        }
        if resumes && first.is_none() {
            self.context.begin_later(slot, stream.mcp);
        }
        self.tell_open(slot, request);
    }

    /// Sends what precedes all events: the first block, with the id from which the stream goes on,
    /// the time to wait, and what a client that asked to resume is told.
    fn begin_stream(
        &mut self,
        slot: u32,
        stream: &EventStream,
        first: Option<MessageId>,
        told: Option<&Told>,
    ) {
        let random = u32::from_ne_bytes(self.context.delivery.keys.next_key());
        let Some((mut at, delivery)) = self.context.lease(slot) else { return };
        delivery.output(&mut at).push(Kind::Bytes, |own| {
            match first {
                Some(id) => event_stream::encode_id(own, &id.to_string(), stream.mcp),
                // Some browsers and proxies open the stream with the first byte of its body.
                None => own.extend_from_slice(event_stream::KEEP_ALIVE),
            }
            if let Some(after) = stream.retry {
                event_stream::encode_retry(own, event_stream::jittered(after, random));
            }
            if let Some(told) = told {
                let next = told.gap.then_some(told.next);
                encode_resume(own, told.gap, told.oldest, next);
            }
        });
    }

    /// Sends the first block of a stream that has waited for stores.
    pub(super) fn send_first_block(&mut self, slot: u32, id: MessageId, mcp: bool) {
        if let Some((mut at, delivery)) = self.context.lease(slot) {
            let output = delivery.output(&mut at);
            output.push(Kind::Bytes, |own| event_stream::encode_id(own, &id.to_string(), mcp));
        }
    }

    /// Subscribes a stream that has just opened: from now on, or from the id that its client named.
    fn subscribe_stream(&mut self, slot: u32, topics: &[Box<str>], told: Option<&Told>) {
        let latest = self.context.latest_id();
        let Some(connection) = self.context.table.slots.at(slot) else { return };
        let mut conn = Conn { id: connection.id, cx: &mut self.context };
        for topic in topics {
            match told {
                Some(told) => {
                    conn.subscribe_from(topic, told.from);
                    conn.cx.following.know(slot, topic, told.gap);
                }
                // Another reactor may have published since the first block was made.
                None if conn.cx.shares_history() && !conn.cx.has_store(topic) => {
                    conn.subscribe_from(topic, latest);
                    conn.cx.following.tell_nothing(slot, topic);
                }
                None => conn.subscribe(topic),
            }
        }
    }

    /// Sends the event that says whether messages are missing, to an event stream that does not
    /// know it: its handler has subscribed it, or it is so slow that messages are forgotten.
    pub(super) fn announce(&mut self, slot: u32, gap: bool, oldest: MessageId) {
        if let Some((mut at, delivery)) = self.context.lease(slot) {
            let output = delivery.output(&mut at);
            output.push(Kind::Bytes, |own| encode_resume(own, gap, oldest, None));
        }
    }

    /// Returns the id of the oldest message that a topic keeps, or the latest id if it keeps none.
    fn oldest(&self, topic: &str) -> MessageId {
        let first = self.context.kept_after(topic, self.context.start_of(topic));
        let latest = || self.context.latest_of([topic]).unwrap_or_default();
        first.map_or_else(latest, |kept| kept.id())
    }

    /// Subscribes a stream from an id that only a store knows. The client is told once it has
    /// answered.
    fn ask_stores_for(&mut self, slot: u32, topics: &[Box<str>], from: MessageId) {
        let Some(connection) = self.context.table.slots.at(slot) else { return };
        let mut conn = Conn { id: connection.id, cx: &mut self.context };
        topics.iter().for_each(|topic| conn.subscribe_from(topic, from));
    }

    /// Judges from where a stream goes on for a client that asked; `None` is a malformed id.
    fn judge_resume(&self, stream: &EventStream, asked: Option<MessageId>) -> Told {
        let cx = &self.context;
        let (latest, from) = (cx.latest_id(), asked.unwrap_or_default());
        let (mut gap, mut oldest, mut next) = (false, latest, latest);
        for topic in stream.topics.iter().filter(|topic| cx.keeps_history(topic)) {
            let goes_on = match (asked, cx.resume(topic, from)) {
                (Some(from), Resume::Resumed) => from,
                _ => {
                    gap = true;
                    cx.start_of(topic)
                }
            };
            if let Some(first) = cx.kept_after(topic, goes_on) {
                next = next.min(before(first.id()));
            }
            oldest = oldest.min(self.oldest(topic));
        }
        Told { from, gap, oldest, next }
    }
}

/// Returns the greatest id that is less than another one.
fn before(id: MessageId) -> MessageId {
    match id.b().checked_sub(1) {
        Some(b) => MessageId::new(id.a(), b),
        None => MessageId::new(id.a().saturating_sub(1), u64::MAX),
    }
}

/// Appends the event that says whether messages are missing, and the id to go on from, if any.
fn encode_resume(out: &mut Vec<u8>, gap: bool, oldest: MessageId, next: Option<MessageId>) {
    let event = if gap { "switchboard.gap" } else { "switchboard.resumed" };
    let (id, data) = (next.map(|id| id.to_string()), format!("{{\"oldest\":\"{oldest}\"}}"));
    event_stream::encode(out, Some(event), id.as_deref(), &data);
}

/// Returns the id that a client asks to go on from: outer `None` if it asks for nothing, inner
/// `None` for a malformed id. The header counts before the query, since `EventSource` repeats its
/// first URL. The HTML standard (9.2.3) never sends an empty id.
fn asked(request: &Request<'_>) -> Option<Option<MessageId>> {
    let mut lines = request.header_values("last-event-id");
    if let Some(line) = lines.next().filter(|line| !line.is_empty()) {
        let is_single = lines.next().is_none();
        let id = std::str::from_utf8(line).ok().and_then(|line| line.parse().ok());
        return Some(id.filter(|_| is_single));
    }
    let id = request.query_value("last_event_id").filter(|id| !id.is_empty())?;
    Some(id.parse().ok())
}
