//! HTTP input: heads and bodies, the walk through the zones, and what is refused before any of them is asked. What is
//! answered is the business of `reply`.

use std::mem;

use http::Method;

use super::drive::Consumed;
use super::server::Server;
use crate::connection::{
    Conn, ConnId, Exchange, Flags, Incoming, Kind, Phase, Progress, Reply, Terms,
};
use crate::http1::{
    self, BodyLength, HeadLimits, HeaderSlots, Request, RequestError, Response, Scan,
};

/// Where the walk through the zones came to.
pub(super) enum Walk {
    /// An entry has answered.
    Answered { entry: usize, reply: Reply },
    /// An entry wants the body, of so many bytes at most, and it is not all here.
    WantsBody { entry: usize, limit: usize },
}

/// What follows a head on the wire.
#[derive(Clone, Copy)]
pub(super) enum Body<'b> {
    /// All of it; nothing if there is none.
    Whole(&'b [u8]),
    /// Only a part of it, or it has not been asked for.
    Unread,
}

impl Server {
    /// Looks for a whole request head.
    ///
    /// It usually came in one piece: then it is read at once. What does not succeed so is looked at again by the scanner, which
    /// says whether more bytes will help and, where they come one by one, looks at none of them twice.
    pub(super) fn head(&mut self, slot: u32, input: &[u8]) -> Consumed {
        let Some(connection) = self.context.slots.at(slot) else {
            return Consumed::More(input.len());
        };
        let limits = self.context.options_of(connection).head;
        let scanned = connection.held.as_ref().map_or(0, |held| held.scanned);
        if scanned == 0 {
            let mut slots = HeaderSlots::new();
            // By reference: a request is large.
            if let Ok(request) =
                &mut Request::parse(&input[..input.len().min(limits.head)], &mut slots, &limits)
            {
                return self.request(slot, request, input);
            }
        }
        self.scan(slot, input, scanned, &limits)
    }

    fn scan(&mut self, slot: u32, input: &[u8], scanned: usize, limits: &HeadLimits) -> Consumed {
        let refusal = match http1::scan(input, scanned, limits) {
            Scan::Complete(len) => {
                self.scanned(slot, 0);
                let mut slots = HeaderSlots::new();
                match Request::parse(&input[..len], &mut slots, limits) {
                    Ok(mut request) => return self.request(slot, &mut request, input),
                    Err(refusal) => refusal,
                }
            }
            Scan::Partial(scanned) => {
                self.scanned(slot, scanned);
                let begun = self
                    .context
                    .slots
                    .at_mut(slot)
                    .is_some_and(|at| at.flags.mark(Flags::HEAD_BEGUN));
                if begun && let Some(connection) = self.context.slots.at(slot) {
                    let head_timeout = self.context.options_of(connection).head_timeout;
                    self.context.arm(slot, head_timeout);
                }
                return Consumed::Stuck(0);
            }
            Scan::Refused(refusal) => {
                self.scanned(slot, 0);
                refusal
            }
        };
        self.refuse(slot, refusal);
        Consumed::More(input.len())
    }

    pub(super) fn scanned(&mut self, slot: u32, scanned: usize) {
        let holds = self.context.slots.at(slot).is_some_and(|connection| connection.held.is_some());
        if (holds || scanned > 0)
            && let Some(held) = self.context.held(slot)
        {
            held.scanned = scanned;
        }
    }

    /// A request, and all that has arrived from its head on.
    fn request(&mut self, slot: u32, request: &mut Request<'_>, input: &[u8]) -> Consumed {
        let (head, after) = input.split_at(request.head().len());
        self.context.stats.requests += 1;
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
                Consumed::More(
                    head.len() + if let Body::Whole(body) = body { body.len() } else { 0 },
                )
            }
            Walk::WantsBody { entry, limit } => {
                self.await_body(slot, entry, limit, request, !after.is_empty());
                Consumed::More(head.len())
            }
        }
    }

    /// Asks the zones that match, from an entry on, until one answers.
    fn walk(&mut self, slot: u32, request: &mut Request<'_>, body: Body<'_>, from: usize) -> Walk {
        let mut from = from;
        while let Some(entry) = self.zones.next(request.path(), from) {
            from = entry + 1;
            if self.zones.entries[entry].refuses(request.method()).is_some() {
                continue;
            }
            match self.ask(slot, entry, request, body) {
                Walk::Answered { reply: Reply::Pass, .. } => {}
                other => return other,
            }
        }
        Walk::Answered { entry: usize::MAX, reply: self.unanswered(request).into() }
    }

    /// Nobody has answered: 405 with the methods of every zone that would have taken another one, else 404.
    fn unanswered(&self, request: &Request<'_>) -> Response {
        let mut allowed: Vec<Method> = Vec::new();
        let mut from = 0;
        while let Some(entry) = self.zones.next(request.path(), from) {
            from = entry + 1;
            for method in self.zones.entries[entry].refuses(request.method()).unwrap_or_default() {
                if !allowed.contains(method) {
                    allowed.push(method.clone());
                }
            }
        }
        match allowed.is_empty() {
            true => Response::text("not found").with_status(404),
            false => Response::method_not_allowed(&allowed),
        }
    }

    /// Asks one entry's handler, and hands it the body if it wants one that is all here.
    fn ask(&mut self, slot: u32, entry: usize, request: &mut Request<'_>, body: Body<'_>) -> Walk {
        let Some(id) = self.enter_zone(slot, entry, request) else {
            return Walk::Answered { entry, reply: Reply::Pass };
        };
        let zone = self.zones.entries[entry].handler;
        let reply =
            self.zones.handler(zone).request(&mut Conn { cx: &mut self.context, id }, request);
        // By reference: a reply is large, and most are handed on as they are.
        match (&reply, body) {
            (&Reply::Body(limit), Body::Unread) => Walk::WantsBody { entry, limit },
            (&Reply::Body(limit), Body::Whole(body)) if body.len() > limit => Walk::Answered {
                entry,
                reply: Response::from(RequestError::BodyTooLarge).close().into(),
            },
            (Reply::Body(_), Body::Whole(body)) => self.ask_with_body(slot, entry, request, body),
            // What had not arrived yet of the body would be taken for the new protocol.
            (Reply::Takeover(_), _)
                if !matches!(request.body_length(), BodyLength::None | BodyLength::Known(0)) =>
            {
                let refused =
                    Response::text("a request with a body cannot be taken over").with_status(400);
                Walk::Answered { entry, reply: refused.close().into() }
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
        let Some(id) = self.enter_zone(slot, entry, request) else {
            return Walk::Answered { entry, reply: Reply::Pass };
        };
        let zone = self.zones.entries[entry].handler;
        let reply =
            self.zones.handler(zone).body(&mut Conn { cx: &mut self.context, id }, request, body);
        Walk::Answered { entry, reply }
    }

    /// The request is with this entry now: its prefix is what matched, its handler is the connection's.
    fn enter_zone(&mut self, slot: u32, entry: usize, request: &mut Request<'_>) -> Option<ConnId> {
        let connection = self.context.slots.at_mut(slot)?;
        let entry = &self.zones.entries[entry];
        connection.zone = entry.handler;
        request.set_zone(entry.prefix_len());
        Some(connection.id)
    }

    /// Keeps the request until its body is here.
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
            return self.refuse_with(slot, terms, RequestError::BodyTooLarge);
        }
        let Some(incoming) = Incoming::new(request.body_length(), limit) else { return };
        if request.expects_continue()
            && !begun
            && let Some(output) = self.context.output(slot)
        {
            output.push(Kind::Bytes, |own| own.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n"));
        }
        self.keep_request(slot, entry, request, Progress::Body(incoming));
        self.context.enter(slot, Phase::Body);
    }

    /// Keeps a request for as long as its body or its answer is to come.
    pub(super) fn keep_request(
        &mut self,
        slot: u32,
        entry: usize,
        request: &mut Request<'_>,
        progress: Progress,
    ) {
        let (head, terms) = (request.head().to_vec(), Terms::of(request));
        let extensions = mem::take(request.extensions_mut());
        if let Some(held) = self.context.held(slot) {
            held.exchange = Some(Box::new(Exchange { head, extensions, entry, terms, progress }));
        }
    }

    /// More of a body.
    pub(super) fn body(&mut self, slot: u32, input: &[u8]) -> Consumed {
        let exchange = self.context.held(slot).and_then(|held| held.exchange.take());
        let Some(mut exchange) = exchange else { return Consumed::More(input.len()) };
        let (discard, taken) = match &mut exchange.progress {
            Progress::Body(incoming) => (false, incoming.take(input)),
            Progress::Discard(incoming) => {
                let taken = incoming.take(input);
                incoming.forget();
                (true, taken)
            }
            Progress::Owed | Progress::Connecting(_) | Progress::Stream(_) => {
                return Consumed::More(input.len());
            }
        };
        match taken {
            Err(refusal) if discard => {
                // It has its answer; there is no room for a second one.
                let _ = refusal;
                self.context.linger(slot);
                Consumed::More(input.len())
            }
            Err(refusal) => {
                self.refuse_with(slot, exchange.terms, refusal);
                Consumed::More(input.len())
            }
            Ok((used, true)) => {
                self.body_complete(slot, *exchange);
                Consumed::More(used)
            }
            Ok((used, false)) => {
                if let Some(held) = self.context.held(slot) {
                    held.exchange = Some(exchange);
                }
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

    /// Reads a kept head again: it was sound when it came, so it is now.
    pub(super) fn with_request(
        &mut self,
        slot: u32,
        head: Vec<u8>,
        extensions: http1::Extensions,
        act: impl FnOnce(&mut Server, &mut Request<'_>),
    ) {
        let Some(connection) = self.context.slots.at(slot) else { return };
        let limits = self.context.options_of(connection).head;
        let mut slots = HeaderSlots::new();
        match Request::parse(&head, &mut slots, &limits) {
            Ok(request) => act(self, &mut request.with_extensions(extensions)),
            Err(refusal) => self.refuse(slot, refusal),
        }
    }

    /// Refuses what no handler has seen: the peer hears why, and the connection ends.
    pub(super) fn refuse(&mut self, slot: u32, refusal: RequestError) {
        let terms = Terms { version: http1::Version::Http11, head_only: false, keep_alive: false };
        self.refuse_with(slot, terms, refusal);
    }

    pub(super) fn refuse_with(&mut self, slot: u32, terms: Terms, refusal: RequestError) {
        self.context.stats.refused += 1;
        self.respond(slot, Terms { keep_alive: false, ..terms }, &refusal.into());
    }

    /// The exchange is over and another may come.
    pub(super) fn next_request(&mut self, slot: u32) {
        self.context.end_exchange(slot);
        self.context.after_response(slot);
    }
}
