//! HTTP input: heads, bodies, the walk through the zones, and refusals without a handler. `reply`
//! performs a handler's reply.

use std::mem;

use http::{Method, StatusCode};

use super::input::Consumed;
use super::server::Server;
use super::zone::WHOLE_SERVER;
use crate::connection::{Cause, Exchange, Flags, Incoming, Phase, Progress, Terms};
use crate::context::Reply;
use crate::http1::{
    self, BodyLength, HeadLimits, HeaderSlots, Request, RequestError, Response, Scan, request_line,
};
use crate::outbox::Kind;

/// Where the walk through the zones ended.
pub(super) enum Walk {
    /// An entry has replied.
    Answered { entry: usize, reply: Reply },
    /// An entry wants the body, up to `limit` bytes, and a part of it is still to arrive.
    WantsBody { entry: usize, limit: usize },
}

/// What follows a head on the wire.
#[derive(Clone, Copy)]
pub(super) enum Body<'b> {
    /// All of the body; empty if there is none.
    Whole(&'b [u8]),
    /// A part of the body, or nothing of it.
    Unread,
}

impl Server {
    /// Looks for a whole request head.
    ///
    /// A head usually arrives whole, and is parsed at once. Otherwise the scanner says whether more
    /// bytes will help. It looks at no byte twice, even where bytes arrive one by one.
    pub(super) fn head(&mut self, slot: u32, input: &[u8]) -> Consumed {
        let Some(at) = self.context.table.lease(slot) else { return Consumed::More(input.len()) };
        let limits = at.options().head;
        let scanned = at.connection.held.as_ref().map_or(0, |held| held.scanned);
        if scanned == 0 {
            let mut slots = HeaderSlots::new();
            let head = &input[..input.len().min(limits.head)];
            // By reference: a request is large.
            if let Ok(request) = &mut Request::parse(head, &mut slots, &limits) {
                return self.request(slot, request, input);
            }
        }
        self.scan(slot, input, scanned, &limits)
    }

    fn scan(&mut self, slot: u32, input: &[u8], scanned: usize, limits: &HeadLimits) -> Consumed {
        let error = match http1::scan(input, scanned, limits) {
            Scan::Complete(len) => {
                self.set_scanned(slot, 0);
                let mut slots = HeaderSlots::new();
                match Request::parse(&input[..len], &mut slots, limits) {
                    Ok(mut request) => return self.request(slot, &mut request, input),
                    Err(error) => error,
                }
            }
            Scan::Partial(scanned) => {
                self.set_scanned(slot, scanned);
                self.context.table.with(slot, |at| {
                    if at.connection.phase == Phase::Idle {
                        at.begin_head();
                    }
                });
                return Consumed::Stuck(0);
            }
            Scan::Refused(error) => {
                self.set_scanned(slot, 0);
                error
            }
        };
        self.refuse(slot, error, input);
        Consumed::More(input.len())
    }

    pub(super) fn set_scanned(&mut self, slot: u32, scanned: usize) {
        self.context.table.with(slot, |at| {
            if scanned > 0 || at.connection.held.is_some() {
                at.held().scanned = scanned;
            }
        });
    }

    /// Handles a request, given all input from its head on.
    fn request(&mut self, slot: u32, request: &mut Request<'_>, input: &[u8]) -> Consumed {
        let (head, after) = input.split_at(request.head().len());
        self.context.table.books.stats.requests += 1;
        self.introduce(slot, request);
        self.note_request(slot, request);
        if let Some(text) = self.hosts.refusal(request) {
            let terms = Terms::of(request);
            self.refuse_with_text(slot, terms, RequestError::HostRefused, text, request.head());
            return Consumed::More(input.len());
        }
        let body = match request.body_length() {
            BodyLength::None => Body::Whole(&[]),
            BodyLength::Known(n) => usize::try_from(n)
                .ok()
                .and_then(|n| after.get(..n))
                .map_or(Body::Unread, Body::Whole),
            BodyLength::Chunked => Body::Unread,
        };
        match self.walk(slot, request, body, 0) {
            Walk::Answered { entry, reply } => {
                self.perform(slot, entry, reply, request, matches!(body, Body::Unread));
                let read = if let Body::Whole(body) = body { body.len() } else { 0 };
                Consumed::More(head.len() + read)
            }
            Walk::WantsBody { entry, limit } => {
                self.await_body(slot, entry, limit, request, !after.is_empty());
                Consumed::More(head.len())
            }
        }
    }

    /// Asks the zones that match, from an entry on, until one replies something else than `Pass`.
    fn walk(
        &mut self,
        slot: u32,
        request: &mut Request<'_>,
        body: Body<'_>,
        mut from: usize,
    ) -> Walk {
        while let Some(entry) = self.next_zone(slot, request.path(), from) {
            from = entry + 1;
            let zone = &self.zones.entries[entry];
            if zone.refuses(request.method()).is_some() {
                continue;
            }
            if !zone.upgrades && request.is_websocket() {
                continue;
            }
            match self.ask(slot, entry, request, body) {
                Walk::Answered { reply: Reply::Pass, .. } => {}
                other => return other,
            }
        }
        let (response, reason) = self.unanswered(slot, request);
        if response.status().is_client_error() {
            self.observe_refusal(slot, response.status(), reason, request.head());
        }
        Walk::Answered { entry: usize::MAX, reply: response.into() }
    }

    /// Makes the answer where no zone replied, and the reason of a refusal: 405 with the methods of
    /// every zone that takes others, else 404; 204 for the server as a whole (RFC 9110 9.3.7).
    fn unanswered(&self, slot: u32, request: &Request<'_>) -> (Response, &'static str) {
        if request.path() == WHOLE_SERVER {
            return (Response::empty(204), "");
        }
        if request.is_websocket() {
            let reason = "no zone at this path takes a WebSocket";
            return (Response::text(format!("not found: {reason}")).with_status(404), reason);
        }
        let mut allowed: Vec<Method> = Vec::new();
        let mut from = 0;
        while let Some(entry) = self.next_zone(slot, request.path(), from) {
            from = entry + 1;
            let methods = self.zones.entries[entry].refuses(request.method());
            for method in methods.unwrap_or_default() {
                if !allowed.contains(method) {
                    allowed.push(method.clone());
                }
            }
        }
        match allowed.is_empty() {
            true => (Response::text("not found").with_status(404), "no zone answers this path"),
            false => (Response::method_not_allowed(&allowed), "no zone takes this method"),
        }
    }

    /// Asks the handler of one entry, and hands over a wanted body that has arrived whole.
    fn ask(&mut self, slot: u32, entry: usize, request: &mut Request<'_>, body: Body<'_>) -> Walk {
        self.enter_zone(slot, entry, request);
        let reply = self.tell(slot, |handler, conn| handler.request(conn, request));
        let reply = reply.unwrap_or(Reply::Pass);
        // By reference: a reply is large, and most are handed on as they are.
        match (&reply, body) {
            (&Reply::Body(limit), Body::Unread) => Walk::WantsBody { entry, limit },
            (&Reply::Body(limit), Body::Whole(body)) if body.len() > limit => {
                let error = RequestError::BodyTooLarge;
                self.refuse_for(slot, error, error.as_str(), request.head());
                let response = Response::from(error).close();
                Walk::Answered { entry, reply: response.into() }
            }
            (Reply::Body(_), Body::Whole(body)) => self.ask_with_body(slot, entry, request, body),
            // The new protocol would get the bytes of a body that is still to arrive.
            (Reply::Takeover(_), _)
                if !matches!(request.body_length(), BodyLength::None | BodyLength::Known(0)) =>
            {
                let text = "a request with a body cannot be taken over";
                self.observe_refusal(slot, StatusCode::BAD_REQUEST, text, request.head());
                let response = Response::text(text).with_status(400).close();
                Walk::Answered { entry, reply: response.into() }
            }
            _ => Walk::Answered { entry, reply },
        }
    }

    fn ask_with_body(
        &mut self,
        slot: u32,
        entry: usize,
        request: &mut Request<'_>,
        body: &[u8],
    ) -> Walk {
        self.enter_zone(slot, entry, request);
        let reply = self.tell(slot, |handler, conn| handler.body(conn, request, body));
        Walk::Answered { entry, reply: reply.unwrap_or(Reply::Pass) }
    }

    /// Makes an entry the request's zone, and its handler the connection's.
    fn enter_zone(&mut self, slot: u32, entry: usize, request: &mut Request<'_>) {
        let entry = &self.zones.entries[entry];
        if let Some(connection) = self.context.table.slots.at_mut(slot) {
            connection.zone = entry.handler;
        }
        request.set_zone(entry.prefix_len());
    }

    /// Keeps the request until its body has arrived.
    fn await_body(
        &mut self,
        slot: u32,
        entry: usize,
        limit: usize,
        request: &mut Request<'_>,
        begun: bool,
    ) {
        let terms = Terms::of(request);
        if matches!(request.body_length(), BodyLength::Known(n) if n > limit as u64) {
            return self.refuse_with(slot, terms, RequestError::BodyTooLarge, request.head());
        }
        let Some(incoming) = Incoming::new(request.body_length(), limit) else { return };
        if request.expects_continue()
            && !begun
            && let Some((mut at, delivery)) = self.context.lease(slot)
        {
            delivery.output(&mut at).push(Kind::Bytes, |own| {
                own.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            });
        }
        self.keep_request(slot, entry, request, Progress::Body(incoming));
        self.context.table.with(slot, |at| at.enter(Phase::Body));
    }

    /// Keeps a request while its body or its answer is still to come.
    pub(super) fn keep_request(
        &mut self,
        slot: u32,
        entry: usize,
        request: &mut Request<'_>,
        progress: Progress,
    ) {
        let (head, terms) = (request.head().to_vec(), Terms::of(request));
        let extensions = mem::take(request.extensions_mut());
        self.context.table.with(slot, |at| {
            let exchange = Exchange { head, extensions, entry, terms, progress };
            at.held().exchange = Some(Box::new(exchange));
        });
    }

    /// Handles more of a body.
    pub(super) fn body(&mut self, slot: u32, input: &[u8]) -> Consumed {
        let all = Consumed::More(input.len());
        let Some(mut at) = self.context.table.lease(slot) else { return all };
        let Some(exchange) = &mut at.held().exchange else { return all };
        let (discard, taken) = match &mut exchange.progress {
            Progress::Body(incoming) => (false, incoming.take(input)),
            Progress::Discard(incoming) => {
                let taken = incoming.take(input);
                incoming.forget();
                (true, taken)
            }
            Progress::Owed
            | Progress::Polling(_)
            | Progress::Connecting(_)
            | Progress::Rival(_)
            | Progress::Stream(_) => return all,
        };
        if let Ok((used, false)) = taken {
            return Consumed::More(used);
        }
        let Some(exchange) = at.held().exchange.take() else { return all };
        match taken {
            // The request has its answer, and there is no room for a second one.
            Err(error) if discard => {
                at.linger(Cause::of_request(error));
                all
            }
            Err(error) => {
                self.refuse_with(slot, exchange.terms, error, &exchange.head);
                all
            }
            Ok((used, _)) => {
                self.body_complete(slot, *exchange);
                Consumed::More(used)
            }
        }
    }

    fn body_complete(&mut self, slot: u32, exchange: Exchange) {
        let Progress::Body(incoming) = exchange.progress else { return self.next_request(slot) };
        let body = incoming.bytes;
        self.with_request(slot, exchange.head, exchange.extensions, |server, request| {
            let walk = match server.ask_with_body(slot, exchange.entry, request, &body) {
                Walk::Answered { reply: Reply::Pass, .. } => {
                    server.walk(slot, request, Body::Whole(&body), exchange.entry + 1)
                }
                other => other,
            };
            if let Walk::Answered { entry, reply } = walk {
                server.perform(slot, entry, reply, request, false);
            }
        });
    }

    /// Parses a kept head again. The head was sound when it arrived, so parsing succeeds.
    pub(super) fn with_request(
        &mut self,
        slot: u32,
        head: Vec<u8>,
        extensions: http1::Extensions,
        act: impl FnOnce(&mut Server, &mut Request<'_>),
    ) {
        let Some(at) = self.context.table.lease(slot) else { return };
        let limits = at.options().head;
        let mut slots = HeaderSlots::new();
        match Request::parse(&head, &mut slots, &limits) {
            Ok(request) => {
                let mut request = request.with_extensions(extensions);
                self.introduce(slot, &mut request);
                act(self, &mut request);
            }
            Err(error) => self.refuse(slot, error, &head),
        }
    }

    /// Refuses a request that no handler has seen, with the status of the error. The connection
    /// ends. `head` holds what has arrived; if empty, the bytes that wait do.
    pub(super) fn refuse(&mut self, slot: u32, error: RequestError, head: &[u8]) {
        let version = http1::Version::Http11;
        let line = request_line(self.refused_head(slot, head));
        // The first byte of a TLS handshake (RFC 8446 section 5.1), which no request begins with.
        let error = if line.starts_with(&[22]) { RequestError::TlsHandshake } else { error };
        let head_only = line.starts_with(b"HEAD ");
        let terms = Terms { version, head_only, keep_alive: false };
        self.refuse_with(slot, terms, error, head);
    }

    pub(super) fn refuse_with(
        &mut self,
        slot: u32,
        terms: Terms,
        error: RequestError,
        head: &[u8],
    ) {
        self.refuse_for(slot, error, error.as_str(), head);
        self.respond(slot, Terms { keep_alive: false, ..terms }, &error.into());
    }

    /// Refuses a request with a text that names what the error is about, and what to do.
    pub(super) fn refuse_with_text(
        &mut self,
        slot: u32,
        terms: Terms,
        error: RequestError,
        text: String,
        head: &[u8],
    ) {
        self.refuse_for(slot, error, text.clone(), head);
        let response = Response::from(error).body(text.into_bytes());
        self.respond(slot, Terms { keep_alive: false, ..terms }, &response);
    }

    /// Ends the exchange, and reads the next request unless this one was the last.
    pub(super) fn next_request(&mut self, slot: u32) {
        self.context.note_answer(slot);
        self.context.end_exchange(slot);
        self.context.table.with(slot, |at| at.after_response());
    }

    /// Makes this request the connection's last.
    pub(super) fn set_last(&mut self, slot: u32) {
        if let Some(connection) = self.context.table.slots.at_mut(slot) {
            connection.flags.insert(Flags::LAST);
        }
    }
}
