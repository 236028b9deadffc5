//! Opens event streams: the head, the first block, and where a stream over topics with history goes
//! on. The messages themselves follow from `flush`.

use super::server::Server;
use crate::connection::{Phase, Terms};
use crate::context::{Conn, EventStream, NO_ID};
use crate::history::{MessageId, Resume};
use crate::http1::{self, Request, event_stream};
use crate::outbox::Kind;

/// Where a stream over topics with history begins.
struct Start {
    /// The id of the first block.
    id: MessageId,
    /// What a client that asked to resume is told.
    resume: Option<Told>,
    /// The id to go on from, of which the client is told once a store has answered.
    later: Option<MessageId>,
}

/// The answer to a client that asked to resume.
struct Told {
    /// The id that the client asked to go on from; 0-0 for a malformed one.
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
        let start = self.start_of(&stream, request);
        if let Some(told) = start.as_ref().and_then(|start| start.resume.as_ref()) {
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
        let random = u32::from_ne_bytes(self.context.delivery.keys.next_key());
        if let Some((mut at, delivery)) = self.context.lease(slot) {
            delivery.output(&mut at).push(Kind::Bytes, |own| {
                match &start {
                    Some(start) => event_stream::encode_id(own, &start.id.to_string(), stream.mcp),
                    // Some browsers and proxies open the stream with the first byte of its body.
                    None => own.extend_from_slice(event_stream::KEEP_ALIVE),
                }
                if let Some(after) = stream.retry {
                    event_stream::encode_retry(own, event_stream::jittered(after, random));
                }
                if let Some(told) = start.as_ref().and_then(|start| start.resume.as_ref()) {
                    let next = told.gap.then_some(told.next);
                    encode_resume(own, told.gap, told.oldest, next);
                }
            });
        }
        let options = self.context.table.books.number_of(stream.options);
        self.begin_open(slot, Phase::Streaming, options);
        match start {
            Some(Start { later: Some(from), .. }) => {
                self.ask_stores_for(slot, &stream.topics, from)
            }
            start => self.subscribe_stream(slot, &stream.topics, start.and_then(|it| it.resume)),
        }
        self.tell_open(slot, request);
    }

    /// Subscribes a stream that has just opened: from now on, or from the id that its client named.
    fn subscribe_stream(&mut self, slot: u32, topics: &[Box<str>], told: Option<Told>) {
        let Some(connection) = self.context.table.slots.at(slot) else { return };
        let mut conn = Conn { id: connection.id, cx: &mut self.context };
        let Some(Told { from, gap, .. }) = told else {
            return topics.iter().for_each(|topic| conn.subscribe(topic));
        };
        for topic in topics {
            conn.subscribe_from(topic, from);
            conn.cx.following.know(slot, topic, gap);
        }
    }

    /// Sends the event that says from where a topic goes on, to an event stream that does not know
    /// it: its handler has subscribed it, or it is so slow that messages are forgotten.
    pub(super) fn announce(&mut self, slot: u32, topic: &str, resume: Resume) {
        let (gap, oldest) = match resume {
            Resume::Resumed => (false, self.oldest(topic)),
            Resume::Gap { oldest } => (true, oldest),
        };
        if let Some((mut at, delivery)) = self.context.lease(slot)
            && at.connection.phase == Phase::Streaming
        {
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

    /// Decides where a stream begins; `None` if none of its topics has history.
    fn start_of(&self, stream: &EventStream, request: &Request<'_>) -> Option<Start> {
        let cx = &self.context;
        let mut topics = stream.topics.iter().filter(|topic| cx.keeps_history(topic)).peekable();
        topics.peek()?;
        let latest = cx.latest_of(stream.topics.iter().map(|topic| &**topic));
        let Some(asked) = asked(request) else {
            return Some(Start { id: latest?, resume: None, later: None });
        };
        if stream.topics.iter().any(|topic| cx.has_store(topic)) {
            let (id, later) = (asked.unwrap_or_default(), Some(asked.unwrap_or(NO_ID)));
            return Some(Start { id, resume: None, later });
        }
        let latest = cx.latest_id();
        let from = asked.unwrap_or_default();
        let (mut gap, mut oldest, mut next) = (false, latest, latest);
        for topic in topics {
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
        // A client that is cut off before it knows of the gap asks from here, and learns of it.
        Some(Start { id: from, resume: Some(Told { from, gap, oldest, next }), later: None })
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
