//! Long polls: answers at once what is newer, or has the request wait as a member of its topics. A
//! delivery wakes a poll (connection/polls.rs); `flush` answers those that are woken.

use std::mem;
use std::time::Duration;

use super::server::Server;
use crate::connection::{Exchange, Flags, Phase, Polling, Progress, Terms, ticks};
use crate::context::{Answer, BEHIND_ALL, Context, LongPoll, NO_ID, PollAnswer, poll_response};
use crate::history::MessageId;
use crate::http1::{self, Extensions, Request, Response};

/// The most polls that one turn answers, and the bytes of all their answers.
const ANSWERS: usize = 1 << 10;
const BYTES: usize = 1 << 20;

/// The last question of a turn and its answer: many wait for the same.
struct Asked {
    topics: Vec<Box<str>>,
    after: (u64, u64),
    has_gap: bool,
    answer: PollAnswer,
    body: Vec<u8>,
}

/// The polls that a turn may still answer.
pub(super) struct Polls {
    answers: usize,
    bytes: usize,
    asked: Option<Asked>,
}

impl Polls {
    pub(super) fn new() -> Polls {
        Polls { answers: ANSWERS, bytes: BYTES, asked: None }
    }
}

impl Server {
    /// Performs a reply that is a long poll.
    pub(super) fn long_poll(
        &mut self,
        slot: u32,
        terms: Terms,
        poll: LongPoll,
        request: &mut Request<'_>,
    ) {
        if let Some(spoiled) = poll.headers.as_ref().filter(|headers| headers.status() != 200) {
            return self.respond_to(slot, terms, spoiled, request.head());
        }
        let topics = poll.topics.iter().map(|topic| &**topic);
        let topics: Vec<&str> = topics.filter(|topic| self.context.keeps_history(topic)).collect();
        if topics.is_empty() {
            return self.respond_to(slot, terms, &without_history(), request.head());
        }
        if terms.head_only {
            // GET has no Content-Length before its answer is made (RFC 9110 8.6).
            let response = poll_response(poll.headers.as_deref(), Vec::new());
            self.write_response(slot, terms, &response, Some(http1::Framing::None));
            return self.next_request(slot);
        }
        let after = request.query_value("after").filter(|after| !after.is_empty());
        let after = after.map(|after| after.parse::<MessageId>().ok());
        let answer = match after {
            _ if topics.iter().any(|topic| self.context.has_store(topic)) => {
                self.stored_answer(slot, &topics, after, poll.wait.is_zero())
            }
            None => PollAnswer::empty(self.context.latest_id()),
            Some(after) => self.context.poll_answer(&topics, after),
        };
        let is_latest = after.is_none() && answer.next != NO_ID;
        if is_latest || !answer.is_empty() || poll.wait.is_zero() || self.may_not_wait(slot) {
            let response = poll_response(poll.headers.as_deref(), answer.body());
            return self.respond_to(slot, terms, &response, request.head());
        }
        // Neither its head nor what zones put beside it is needed again.
        drop(mem::take(request.extensions_mut()));
        self.begin_poll((slot, terms), &topics, answer.next, (poll.headers, poll.wait));
    }

    /// Has a request wait for a message of its topics behind an id.
    fn begin_poll(
        &mut self,
        (slot, terms): (u32, Terms),
        topics: &[&str],
        next: MessageId,
        (headers, wait): (Option<Box<Response>>, Duration),
    ) {
        let polling = Polling {
            after: (next.a(), next.b()),
            is_woken: false,
            is_due: false,
            has_gap: false,
            headers,
        };
        let exchange = Exchange {
            head: Vec::new(),
            extensions: Extensions::new(),
            entry: usize::MAX,
            terms,
            progress: Progress::Polling(Box::new(polling)),
        };
        let Some(mut at) = self.context.table.lease(slot) else { return };
        for topic in topics {
            self.context.topics.join(topic, slot, &mut at.connection.memberships);
        }
        at.held().exchange = Some(Box::new(exchange));
        at.enter(Phase::Deferred);
        at.arm(ticks(wait));
        if self.context.shares_history() {
            // Another reactor may have published before this one was a reader of the topics.
            self.context.catch_up();
            self.context.table.with(slot, |at| at.wake_poll());
        }
        self.context.ask_stores_for_poll(slot, topics, next);
    }

    /// Answers a poll over topics of stores. It waits with an empty answer for what is not here.
    #[cold]
    fn stored_answer(
        &mut self,
        slot: u32,
        topics: &[&str],
        after: Option<Option<MessageId>>,
        is_due: bool,
    ) -> PollAnswer {
        // A client that sends the id which stands for none has sent one that no store has given.
        let given = after.map(|after| after.filter(|after| *after != NO_ID));
        let after = given.map_or(NO_ID, |after| after.unwrap_or(BEHIND_ALL));
        let is_due = is_due || self.may_not_wait(slot);
        topics.iter().for_each(|topic| self.context.open_stored(topic));
        match self.context.ready_for_poll(topics, after, is_due) {
            None => PollAnswer::empty(after),
            Some(Some(next)) => PollAnswer::empty(next),
            Some(None) => self.context.poll_answer(topics, Context::known_id(after)),
        }
    }

    /// Answers a poll without messages, or has it wait for a store; false if all is here.
    #[cold]
    fn waits_for_store(&mut self, slot: u32, topics: &[&str], after: MessageId) -> bool {
        let Some(at) = self.context.table.lease(slot) else { return true };
        let id = at.connection.id;
        let Some(polling) = at.connection.polling() else { return true };
        let (is_due, has_gap) = (polling.is_due, polling.has_gap);
        let headers = polling.headers.clone();
        match self.context.ready_for_poll(topics, after, is_due) {
            Some(None) => return false,
            Some(Some(next)) => {
                let body = PollAnswer::empty(next).with_gap(has_gap).body();
                self.answer(id, Answer::Respond(poll_response(headers.as_deref(), body)));
            }
            None => self.context.ask_stores_for_poll(slot, topics, after),
        }
        true
    }

    /// Whether a poll that begins now is answered at once: its client has ended its side, or the
    /// server is ending.
    fn may_not_wait(&self, slot: u32) -> bool {
        let ended = |flags: Flags| flags.has(Flags::READ_CLOSED);
        self.context.table.slots.at(slot).is_none_or(|connection| ended(connection.flags))
            || self.context.draining.as_ref().is_some_and(|draining| draining.ends_newcomers())
    }

    /// Answers the polls that were woken, as many as one turn may.
    #[cold]
    pub(super) fn run_polls(&mut self, polls: &mut Polls) {
        while polls.answers > 0
            && polls.bytes > 0
            && let Some(slot) = self.context.table.books.work.polls.pop_front()
        {
            polls.answers -= 1;
            self.look_at_poll(slot, polls);
            if self.is_time_spent() {
                polls.answers = 0;
            }
        }
        let work = &mut self.context.table.books.work.polls;
        if work.is_empty() && work.capacity() > 0 {
            *work = Default::default();
        }
    }

    /// Answers one poll, if there is something to answer. The entry may be that of an earlier poll.
    fn look_at_poll(&mut self, slot: u32, polls: &mut Polls) {
        let Some(at) = self.context.table.lease(slot).filter(|at| !at.is_gone()) else { return };
        let (id, memberships) = (at.connection.id, at.connection.memberships);
        let Some(polling) = at.connection.polling().filter(|polling| polling.is_woken) else {
            return;
        };
        polling.is_woken = false;
        let (after, is_due, has_gap) = (polling.after, polling.is_due, polling.has_gap);
        let behind = MessageId::new(after.0, after.1);
        let topics: Vec<&str> = self.context.topics.names(memberships).collect();
        if topics.iter().any(|topic| self.context.has_store(topic)) {
            let topics: Vec<String> = topics.iter().map(|topic| topic.to_string()).collect();
            let topics: Vec<&str> = topics.iter().map(|topic| &**topic).collect();
            if self.waits_for_store(slot, &topics, behind) {
                return;
            }
        }
        let topics: Vec<&str> = self.context.topics.names(memberships).collect();
        let is_same = |asked: &Asked| {
            (asked.after, asked.has_gap) == (after, has_gap)
                && asked.topics.iter().map(|topic| &**topic).eq(topics.iter().copied())
        };
        if !polls.asked.as_ref().is_some_and(is_same) {
            let answer = self.context.poll_answer(&topics, Context::known_id(behind));
            let answer = answer.with_gap(has_gap);
            let topics = topics.into_iter().map(Box::from).collect();
            let body = answer.body();
            polls.asked = Some(Asked { topics, after, has_gap, answer, body });
        }
        let Some(Asked { answer, body, .. }) = &polls.asked else { return };
        let Some(at) = self.context.table.lease(slot) else { return };
        let Some(polling) = at.connection.polling() else { return };
        if answer.is_empty() && !is_due {
            // Binary messages alone: the client need not hear of them now.
            polling.after = (answer.next.a(), answer.next.b());
            return;
        }
        polls.bytes = polls.bytes.saturating_sub(body.len());
        let response = poll_response(polling.headers.as_deref(), body.clone());
        self.answer(id, Answer::Respond(response));
    }

    /// Answers a poll whose wait is over, or whose connection ends.
    pub(super) fn poll_is_over(&mut self, slot: u32) {
        self.context.table.with(slot, |at| at.end_poll());
        self.look_at_poll(slot, &mut Polls::new());
    }
}

/// Makes the answer to a poll that no message could ever end.
#[cold]
fn without_history() -> Response {
    let text = "a long poll needs a topic with history: name one with LongPoll::topic, and have \
                Server::history keep the messages of its prefix";
    Response::text(text).with_status(500)
}
