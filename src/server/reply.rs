//! Performs a handler's reply: responses, upgrades, deferred and streamed answers, takeovers.
//! `request` chooses the zone that replies; `event_stream` and `polling` have two replies more.
//!
//! A new variant of `Reply` (context/reply.rs) gets an arm in `perform`. `upgrade` checks the
//! `Origin` of a WebSocket with `AllowedOrigins` (context/origins.rs).

use http::StatusCode;

use super::server::Server;
use crate::connection::{Cause, ConnId, Flags, Incoming, Phase, Progress, Terms};
use crate::context::{Answer, Reply, Stream, Upgrade};
use crate::http1::{self, BodyLength, Encoding, Request, RequestError, Response, Version};
use crate::outbox::Kind;
use crate::websocket::{self, Origins, State};

/// The longest unwanted body that is read to its end, so that the connection may be used again.
const MAX_DISCARDED: usize = 64 << 10;

impl Server {
    /// Performs a reply. `unread` means that the request has a body of which a part is still to
    /// arrive.
    pub(super) fn perform(
        &mut self,
        slot: u32,
        entry: usize,
        reply: Reply,
        request: &mut Request<'_>,
        unread: bool,
    ) {
        if let Some(refusal) = self.over_limit(slot, &reply, request) {
            return self.perform(slot, entry, refusal.into(), request, unread);
        }
        let terms = Terms::of(request);
        if unread && !matches!(reply, Reply::Respond(_)) {
            self.set_last(slot);
        }
        match reply {
            Reply::Respond(response) if unread => {
                self.respond_unread(slot, entry, terms, &response, request)
            }
            Reply::Respond(response) => self.respond_to(slot, terms, &response, request.head()),
            Reply::Upgrade(upgrade) => self.upgrade(slot, entry, &upgrade, request),
            Reply::EventStream(stream) => self.event_stream(slot, terms, stream, request),
            Reply::LongPoll(poll) => self.long_poll(slot, terms, poll, request),
            Reply::Later => {
                self.keep_request(slot, entry, request, Progress::Owed);
                self.context.table.with(slot, |at| at.enter(Phase::Deferred));
            }
            Reply::Stream(stream) => self.stream(slot, entry, terms, &stream, request),
            Reply::Takeover(response) => self.takeover(slot, terms, &response, request),
            Reply::Pass | Reply::Body(_) => {
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                let text = "the handler asked for the body twice";
                self.observe_refusal(slot, status, text, request.head());
                self.respond(slot, terms, &Response::text(text).with_status(status));
            }
        }
    }

    /// Writes a handler's whole response to a request with this head.
    pub(super) fn respond_to(&mut self, slot: u32, terms: Terms, response: &Response, head: &[u8]) {
        self.observe_replaced(slot, response, head);
        self.respond(slot, terms, response);
    }

    /// Records for the observer that `write_response` replaces a response.
    fn observe_replaced(&mut self, slot: u32, response: &Response, head: &[u8]) {
        if response.status().is_informational() {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            self.observe_refusal(slot, status, NOT_FINAL, head);
        }
    }

    /// Writes a whole response.
    pub(super) fn respond(&mut self, slot: u32, terms: Terms, response: &Response) {
        self.write_response(slot, terms, response, None);
        self.next_request(slot);
    }

    /// Writes a whole response to a request with an unread body. A short body is discarded; for a
    /// long one the connection closes.
    fn respond_unread(
        &mut self,
        slot: u32,
        entry: usize,
        terms: Terms,
        response: &Response,
        request: &mut Request<'_>,
    ) {
        let short = request.body_length() != BodyLength::Known(0)
            && request.content_length().is_none_or(|n| n <= MAX_DISCARDED as u64)
            && !request.expects_continue();
        let incoming = Incoming::new(request.body_length(), MAX_DISCARDED);
        self.observe_replaced(slot, response, request.head());
        let (Some(incoming), true) = (incoming, short) else {
            return self.respond(slot, Terms { keep_alive: false, ..terms }, response);
        };
        self.write_response(slot, terms, response, None);
        self.context.note_answer(slot);
        let slots = &self.context.table.slots;
        if slots.at(slot).is_some_and(|at| at.flags.has(Flags::LAST)) {
            return self.next_request(slot);
        }
        self.keep_request(slot, entry, request, Progress::Discard(incoming));
        self.context.table.with(slot, |at| at.enter(Phase::Body));
    }

    /// Encodes a response, or only its head where the body comes later. Decides whether the
    /// response is the connection's last.
    pub(super) fn write_response(
        &mut self,
        slot: u32,
        terms: Terms,
        response: &Response,
        framing: Option<http1::Framing>,
    ) {
        let draining = self.context.draining.is_some();
        let Some((mut at, delivery)) = self.context.lease(slot) else { return };
        // Behind a 101 a takeover speaks its own protocol. All else must be final, or the client
        // takes the next answer for this one (RFC 9110 15.2).
        let mended;
        let response = match response.status().is_informational() {
            true if framing != Some(http1::Framing::None) => {
                mended = not_final();
                &mended
            }
            _ => response,
        };
        at.note_status(response.status());
        let date = at.books.clock.date();
        let last = !terms.keep_alive
            || draining
            || response.is_close()
            || framing == Some(http1::Framing::UntilClose)
            || at.connection.flags.has(Flags::LAST);
        if last {
            at.connection.flags.insert(Flags::LAST);
        }
        // An answer that goes on for some time may end for another cause.
        if draining && framing.is_none() {
            at.connection.flags.end_by(Cause::Drain);
        }
        let encoding = Encoding {
            date: &date,
            version: terms.version,
            keep_alive: !last,
            keep_alive_header: at.keep_alive_header(),
            head_only: terms.head_only,
        };
        delivery.output(&mut at).push(Kind::Bytes, |own| match framing {
            None => response.encode(own, &encoding),
            Some(framing) => response.encode_head(own, &encoding, framing),
        });
        delivery.enforce_bounds(&mut at);
    }

    /// Makes a WebSocket of a request (RFC 6455 4.2.2) that passes the checks of 4.2.1 and the
    /// check of its Origin (10.2).
    fn upgrade(&mut self, slot: u32, entry: usize, upgrade: &Upgrade, request: &mut Request<'_>) {
        let terms = Terms::of(request);
        let origins =
            self.zones.entries.get(entry).map_or(&Origins::SameHost, |entry| &entry.origins);
        let books = &self.context.table.books;
        let number = books.number_of(upgrade.options);
        let options = &books.options[usize::from(number)];
        let accept = match websocket::check(request, options.legacy_versions) {
            Ok(accept) => accept,
            Err(error) => return self.refuse_with(slot, terms, error, request.head()),
        };
        if let Err(text) = self.context.origins.check(request, origins) {
            return self.refuse_with_text(
                slot,
                terms,
                RequestError::OriginRefused,
                text,
                request.head(),
            );
        }
        let subprotocol = match select(upgrade, request) {
            Ok(subprotocol) => subprotocol,
            Err(error) => return self.refuse_with(slot, terms, error, request.head()),
        };
        if let Some(headers) = upgrade.headers.as_ref().filter(|headers| headers.status() != 101) {
            let terms = Terms { keep_alive: false, ..terms };
            return self.respond_to(slot, terms, headers, request.head());
        }
        let lines = upgrade.headers.as_ref().map_or(&[][..], Response::lines);
        #[cfg(feature = "deflate")]
        let lines = &*self.agree_on_compression(slot, upgrade, request, lines);
        let Some((mut at, delivery)) = self.context.lease(slot) else { return };
        delivery.output(&mut at).push(Kind::Bytes, |own| {
            websocket::encode_response(own, &accept, subprotocol, lines);
        });
        self.open(slot, Phase::WebSocket(State::Open), number, request);
    }

    /// Negotiates compression (RFC 7692 section 7.1). Returns the header lines, with the answer to
    /// the client's offers among them.
    #[cfg(feature = "deflate")]
    fn agree_on_compression(
        &mut self,
        slot: u32,
        upgrade: &Upgrade,
        request: &Request<'_>,
        lines: &[u8],
    ) -> Vec<u8> {
        let books = &self.context.table.books;
        let config = &books.options[usize::from(books.number_of(upgrade.options))].deflate;
        let mut lines = lines.to_vec();
        if let Some(accepted) = websocket::negotiate(request, config)
            && let Some(connection) = self.context.table.slots.at_mut(slot)
        {
            connection.deflate = Some(accepted.agreed());
            connection.flags.insert(Flags::DEFLATES);
            lines.extend_from_slice(b"Sec-WebSocket-Extensions: ");
            accepted.encode(&mut lines);
            lines.extend_from_slice(b"\r\n");
        }
        lines
    }

    fn stream(
        &mut self,
        slot: u32,
        entry: usize,
        terms: Terms,
        stream: &Stream,
        request: &mut Request<'_>,
    ) {
        let status = stream.response.status().as_u16();
        if stream.response.status().is_informational() {
            return self.respond_to(slot, terms, &stream.response, request.head());
        }
        let framing = match (stream.length, terms.version) {
            _ if status == 205 => http1::Framing::Length(0), // RFC 9110 15.3.6
            (Some(n), _) => http1::Framing::Length(n),
            (None, Version::Http11) => http1::Framing::Chunked,
            (None, Version::Http10) => http1::Framing::UntilClose,
        };
        self.write_response(slot, terms, &stream.response, Some(framing));
        let bodiless = terms.head_only || matches!(status, 204 | 205 | 304);
        let framing = if bodiless { http1::Framing::None } else { framing };
        self.keep_request(slot, entry, request, Progress::Stream(framing));
        self.context.table.with(slot, |at| at.enter(Phase::Responding));
        self.tell(slot, |_, conn| conn.want_writable());
    }

    fn takeover(
        &mut self,
        slot: u32,
        terms: Terms,
        response: &Response,
        request: &mut Request<'_>,
    ) {
        self.write_response(slot, terms, response, Some(http1::Framing::None));
        let options = self.context.table.slots.at(slot).map_or(0, |at| at.options);
        self.open(slot, Phase::Taken, options, request);
    }

    /// Opens the WebSocket, event stream or takeover that a request has become, and calls `open`.
    pub(super) fn open(&mut self, slot: u32, phase: Phase, options: u16, request: &Request<'_>) {
        self.begin_open(slot, phase, options);
        self.tell_open(slot, request);
    }

    /// Makes an open exchange of a request.
    pub(super) fn begin_open(&mut self, slot: u32, phase: Phase, options: u16) {
        let Some(mut at) = self.context.table.lease(slot) else { return };
        at.connection.options = options;
        // What was to follow the response does not follow an exchange that opens.
        at.go_on_living();
        at.connection.flags.insert(Flags::OWES_CLOSE);
        if at.options().chunks {
            at.connection.flags.insert(Flags::CHUNKS);
        }
        at.enter(phase);
        self.note_opening(slot, phase);
    }

    /// Calls `open` for an exchange that has just opened.
    pub(super) fn tell_open(&mut self, slot: u32, request: &Request<'_>) {
        self.tell(slot, |handler, conn| handler.open(conn, request));
        if self.context.draining.is_some() {
            self.end_newcomer(slot);
        }
    }

    /// Performs a deferred answer, if the exchange still owes one.
    ///
    /// A late answer does nothing. After a 503 or another end, the exchange has given up its name,
    /// so `lease_live` finds no connection. After a first answer, the phase is no longer
    /// `Deferred`.
    pub(super) fn answer(&mut self, id: ConnId, answer: Answer) {
        let slot = id.slot();
        let live = self.context.table.live(id);
        if live.is_none_or(|connection| connection.phase != Phase::Deferred) {
            return;
        }
        self.read_behind(slot);
        let Some(mut at) = self.context.table.lease_live(id) else { return };
        let Some(exchange) = at.held().exchange.take() else { return };
        self.call_back(slot, |server| match answer {
            Answer::Respond(response) => {
                server.respond_to(slot, exchange.terms, &response, &exchange.head);
            }
            Answer::Upgrade(upgrade) => {
                server.with_request(slot, exchange.head, exchange.extensions, |server, request| {
                    if let Some(zone) = server.zones.entries.get(exchange.entry) {
                        request.set_zone(zone.prefix_len());
                    }
                    server.upgrade(slot, exchange.entry, &upgrade, request);
                });
            }
        });
        // Requests that were pipelined behind this one have waited for its answer.
        self.context.table.with(slot, |at| at.read_later());
    }
}

/// Why a handler's response is replaced.
const NOT_FINAL: &str =
    "the handler's response has a status of 1xx: a final answer has 200 or above";

/// Makes the answer in place of a final response with a 1xx status.
#[cold]
fn not_final() -> Response {
    Response::text(NOT_FINAL).with_status(500)
}

/// Selects the first of the client's subprotocols that the handler speaks.
fn select<'h>(upgrade: &Upgrade, request: &Request<'h>) -> Result<Option<&'h str>, RequestError> {
    if request.header_bytes("sec-websocket-protocol").is_none() {
        return Ok(None);
    }
    let mut offered = websocket::subprotocols(request)?;
    Ok(offered.find(|offer| upgrade.subprotocols.iter().any(|name| name == offer)))
}
