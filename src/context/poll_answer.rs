//! The answer to a long poll: the messages behind an id, of some topics in one order, as JSON. This
//! file knows no connection.

use super::context::Context;
use super::json;
use super::reading::KeptMessage;
use crate::history::{Forgotten, MessageId, Resume};
use crate::websocket::Message;

/// The most bytes that the messages of one answer have in JSON, unless its only one is longer. What
/// stands around them takes at most 80 more, and all together at most 64 KiB.
const BYTES: usize = (64 << 10) - 80;
/// The most messages that one answer looks at. Binary messages add no bytes to it.
const LOOKS: usize = 4 << 10;

/// What one poll gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PollAnswer {
    /// The array of messages in JSON.
    messages: Vec<u8>,
    /// The id to ask with next.
    pub(crate) next: MessageId,
    gap: bool,
    /// More waits than one answer holds.
    more: bool,
}

impl PollAnswer {
    /// Makes an answer without messages.
    pub(crate) fn empty(next: MessageId) -> PollAnswer {
        PollAnswer { messages: b"[]".to_vec(), next, gap: false, more: false }
    }

    /// Has the answer say that messages may be missing, if so.
    pub(crate) fn with_gap(mut self, gap: bool) -> PollAnswer {
        self.gap |= gap;
        self
    }

    /// Whether the answer says nothing that its client does not know: it may wait.
    pub(crate) fn is_empty(&self) -> bool {
        self.messages == b"[]" && !self.gap && !self.more
    }

    /// Returns the body of the response.
    pub(crate) fn body(&self) -> Vec<u8> {
        let PollAnswer { messages, next, gap, .. } = self;
        let rest = format!(",\"next\":\"{next}\",\"gap\":{gap}}}");
        [b"{\"messages\":", &**messages, rest.as_bytes()].concat()
    }
}

/// The next message of one topic.
struct Head<'t> {
    topic: &'t str,
    kept: KeptMessage,
}

impl Context {
    /// Answers what is newer than an id in some topics with history; `None` is an id that nothing
    /// can be newer than, such as a malformed one: a gap.
    pub(crate) fn poll_answer(&self, topics: &[&str], after: Option<MessageId>) -> PollAnswer {
        // Taken first: in a cluster others publish meanwhile.
        let latest = self.latest_of(topics.iter().copied()).unwrap_or_default();
        let mut gap = false;
        let mut heads = Vec::with_capacity(topics.len());
        for &topic in topics {
            let goes_on = after.filter(|&after| self.resume(topic, after) == Resume::Resumed);
            let first = goes_on.map(|after| self.next_kept(topic, after));
            let first = first.unwrap_or(Err(Forgotten)).unwrap_or_else(|Forgotten| {
                gap = true;
                self.kept_after(topic, self.start_of(topic))
            });
            heads.extend(first.map(|kept| Head { topic, kept }));
        }
        // Behind a gap without messages, the latest id is where the client goes on.
        let start = if gap { None } else { after };
        let mut answer = PollAnswer::empty(start.unwrap_or(latest));
        answer.gap = gap;
        answer.messages.pop();
        self.merge(heads, &mut answer);
        answer.messages.push(b']');
        answer
    }

    /// Appends the messages of all topics in the order of their ids, as many as one answer has.
    fn merge(&self, mut heads: Vec<Head<'_>>, answer: &mut PollAnswer) {
        for _ in 0..LOOKS {
            let first = heads.iter().enumerate().min_by_key(|(_, head)| head.kept.id());
            let Some(at) = first.map(|(at, _)| at) else { return };
            let Head { topic, kept } = &heads[at];
            // Two topics of a store may have messages with one id: `next` stands for both.
            let must = kept.id() == answer.next;
            if !push_message(&mut answer.messages, kept, must) {
                break;
            }
            answer.next = kept.id();
            match self.next_kept(topic, kept.id()) {
                Ok(Some(kept)) => heads[at].kept = kept,
                Ok(None) => _ = heads.swap_remove(at),
                // The next question finds the gap.
                Err(Forgotten) => break,
            }
        }
        answer.more = !heads.is_empty();
    }
}

/// Appends one message to an array, and returns whether there was room for it. A binary message
/// needs none, and one that `must` leave takes what it needs.
fn push_message(out: &mut Vec<u8>, kept: &KeptMessage, must: bool) -> bool {
    let outgoing = kept.outgoing();
    let Message::Text(data) = outgoing.message else { return true };
    let before = out.len();
    let is_first = before == 1;
    // A longer message is alone, whatever its escapes add.
    let is_bound = !is_first && !must;
    if is_bound && before + data.len() > BYTES {
        return false;
    }
    let separator = if is_first { "" } else { "," };
    out.extend_from_slice(format!("{separator}{{\"id\":\"{}\"", kept.id()).as_bytes());
    if let Some(event) = outgoing.event {
        out.extend_from_slice(b",\"event\":");
        json::push_string(out, event);
    }
    out.extend_from_slice(b",\"data\":");
    json::push_string(out, data);
    out.push(b'}');
    if is_bound && out.len() > BYTES {
        out.truncate(before);
        return false;
    }
    true
}
