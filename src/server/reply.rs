//! What was answered, performed: responses, upgrades, event streams, deferred and streamed answers, takeovers. Who answered,
//! and why, is the business of `request`.

use super::server::Server;
use crate::connection::{
    Answer, Conn, ConnId, EventStream, Flags, Framing, Incoming, Kind, Phase, Progress, Reply,
    Stream, Terms, Upgrade,
};
use crate::http1::{self, Encoding, Request, RequestError, Response, Version};
use crate::websocket::{self, Origins, State};

/// The longest body that is read on, although nobody wants it, so that the connection may be used again.
const DISCARDED_AT_MOST: usize = 64 << 10;

impl Server {
    /// Performs a reply. `unread` says that the request has a body that nobody has read.
    pub(super) fn perform(
        &mut self,
        slot: u32,
        entry: usize,
        reply: Reply,
        request: &mut Request<'_>,
        unread: bool,
    ) {
        let terms = Terms::of(request);
        if unread && !matches!(reply, Reply::Respond(_)) {
            self.set_last(slot);
        }
        match reply {
            Reply::Respond(response) if unread => {
                self.respond_unread(slot, entry, terms, &response, request)
            }
            Reply::Respond(response) => self.respond(slot, terms, &response),
            Reply::Upgrade(upgrade) => self.upgrade(slot, entry, &upgrade, request),
            Reply::EventStream(stream) => self.event_stream(slot, terms, &stream, request),
            Reply::Later => {
                self.keep_request(slot, entry, request, Progress::Owed);
                self.context.enter(slot, Phase::Deferred);
            }
            Reply::Stream(stream) => self.stream(slot, entry, terms, &stream, request),
            Reply::Takeover(response) => self.takeover(slot, terms, &response, request),
            Reply::Pass | Reply::Body(_) => {
                self.respond(
                    slot,
                    terms,
                    &Response::text("the handler asked for the body twice").with_status(500),
                );
            }
        }
    }

    fn set_last(&mut self, slot: u32) {
        if let Some(connection) = self.context.slots.at_mut(slot) {
            connection.flags.insert(Flags::LAST);
        }
    }

    /// Writes a whole response.
    pub(super) fn respond(&mut self, slot: u32, terms: Terms, response: &Response) {
        self.write_response(slot, terms, response, None);
        self.next_request(slot);
    }

    /// The same for a request whose body nobody has read: it is discarded if that is little, else the connection closes.
    fn respond_unread(
        &mut self,
        slot: u32,
        entry: usize,
        terms: Terms,
        response: &Response,
        request: &mut Request<'_>,
    ) {
        let little = request.body_length() != http1::BodyLength::Known(0)
            && request.content_length().is_none_or(|n| n <= DISCARDED_AT_MOST as u64)
            && !request.expects_continue();
        let incoming = Incoming::new(request.body_length(), DISCARDED_AT_MOST);
        let (Some(incoming), true) = (incoming, little) else {
            return self.respond(slot, Terms { keep_alive: false, ..terms }, response);
        };
        self.write_response(slot, terms, response, None);
        if self.context.slots.at(slot).is_some_and(|connection| connection.flags.has(Flags::LAST)) {
            return self.next_request(slot);
        }
        self.keep_request(slot, entry, request, Progress::Discard(incoming));
        self.context.enter(slot, Phase::Body);
    }

    /// Encodes a response, or only its head where the body comes later, and notes whether it is the last.
    fn write_response(
        &mut self,
        slot: u32,
        terms: Terms,
        response: &Response,
        framing: Option<http1::Framing>,
    ) {
        let date = self.context.clock.date();
        let draining = self.context.draining.is_some();
        let Some(connection) = self.context.slots.at_mut(slot) else { return };
        let last = !terms.keep_alive
            || draining
            || response.is_close()
            || framing == Some(http1::Framing::UntilClose)
            || connection.flags.has(Flags::LAST);
        if last {
            connection.flags.insert(Flags::LAST);
        }
        let encoding = Encoding {
            date: &date,
            version: terms.version,
            keep_alive: !last,
            head_only: terms.head_only,
        };
        let Some(output) = self.context.output(slot) else { return };
        output.push(Kind::Bytes, |own| match framing {
            None => response.encode(own, &encoding),
            Some(framing) => response.encode_head(own, &encoding, framing),
        });
        self.context.enforce_bounds(slot);
    }

    /// RFC 6455 4.2.2, once the request has passed every check of 4.2.1.
    fn upgrade(&mut self, slot: u32, entry: usize, upgrade: &Upgrade, request: &mut Request<'_>) {
        let terms = Terms::of(request);
        let origins =
            self.zones.entries.get(entry).map_or(&Origins::SameHost, |entry| &entry.origins);
        let options = &self.context.options[usize::from(upgrade.options.0)];
        let checked = websocket::check(request, options.legacy_versions)
            .and_then(|accept| websocket::check_origin(request, origins).map(|()| accept))
            .and_then(|accept| select(upgrade, request).map(|subprotocol| (accept, subprotocol)));
        let (accept, subprotocol) = match checked {
            Ok(checked) => checked,
            Err(refusal) => return self.refuse_with(slot, terms, refusal),
        };
        if let Some(headers) = upgrade.headers.as_ref().filter(|headers| headers.status() != 101) {
            return self.respond(slot, Terms { keep_alive: false, ..terms }, headers);
        }
        let lines = upgrade.headers.as_ref().map_or(&[][..], Response::lines);
        #[cfg(feature = "deflate")]
        let lines = &*self.agree_on_compression(slot, upgrade, request, lines);
        let Some(output) = self.context.output(slot) else { return };
        output
            .push(Kind::Bytes, |own| websocket::encode_response(own, &accept, subprotocol, lines));
        self.open(slot, Phase::WebSocket(State::Open), upgrade.options.0, request);
    }

    /// RFC 7692 section 7.1: the answer to the client's offers goes with the other header lines.
    #[cfg(feature = "deflate")]
    fn agree_on_compression(
        &mut self,
        slot: u32,
        upgrade: &Upgrade,
        request: &Request<'_>,
        lines: &[u8],
    ) -> Vec<u8> {
        let config = &self.context.options[usize::from(upgrade.options.0)].deflate;
        let mut lines = lines.to_vec();
        if let Some(accepted) = websocket::negotiate(request, config)
            && let Some(connection) = self.context.slots.at_mut(slot)
        {
            connection.deflate = Some(accepted.agreed());
            connection.flags.insert(Flags::DEFLATES);
            lines.extend_from_slice(b"Sec-WebSocket-Extensions: ");
            accepted.encode(&mut lines);
            lines.extend_from_slice(b"\r\n");
        }
        lines
    }

    fn event_stream(
        &mut self,
        slot: u32,
        terms: Terms,
        stream: &EventStream,
        request: &mut Request<'_>,
    ) {
        if stream.response.status() != 200 || terms.head_only {
            return self.respond(slot, terms, &stream.response);
        }
        self.write_response(slot, terms, &stream.response, Some(http1::Framing::UntilClose));
        if let Some(output) = self.context.output(slot) {
            output.push(Kind::Bytes, |own| {
                // A first byte of body: some browsers and proxies wait for one before they call the stream open.
                own.extend_from_slice(http1::event_stream::KEEP_ALIVE);
                if let Some(after) = stream.retry {
                    http1::event_stream::encode_retry(own, after);
                }
            });
        }
        self.open(slot, Phase::Streaming, stream.options.0, request);
    }

    fn stream(
        &mut self,
        slot: u32,
        entry: usize,
        terms: Terms,
        stream: &Stream,
        request: &mut Request<'_>,
    ) {
        let (framing, on_the_wire) = match (stream.length, terms.version) {
            (Some(n), _) => (Framing::Length(n), http1::Framing::Length(n)),
            (None, Version::Http11) => (Framing::Chunked, http1::Framing::Chunked),
            (None, Version::Http10) => (Framing::UntilClose, http1::Framing::UntilClose),
        };
        self.write_response(slot, terms, &stream.response, Some(on_the_wire));
        let bodiless =
            terms.head_only || matches!(stream.response.status().as_u16(), 100..=199 | 204 | 304);
        let framing = if bodiless { Framing::Nothing } else { framing };
        self.keep_request(slot, entry, request, Progress::Stream(framing));
        self.context.enter(slot, Phase::Responding);
        if let Some(id) = self.context.slots.at(slot).map(|connection| connection.id) {
            Conn { cx: &mut self.context, id }.want_writable();
        }
    }

    fn takeover(
        &mut self,
        slot: u32,
        terms: Terms,
        response: &Response,
        request: &mut Request<'_>,
    ) {
        self.write_response(slot, terms, response, Some(http1::Framing::None));
        let options = self.context.slots.at(slot).map_or(0, |connection| connection.options);
        self.open(slot, Phase::Taken, options, request);
    }

    /// What the exchange has become is on; its handler is told.
    fn open(&mut self, slot: u32, phase: Phase, options: u16, request: &Request<'_>) {
        let Some(connection) = self.context.slots.at_mut(slot) else { return };
        connection.options = options;
        connection.flags.insert(Flags::OPENED);
        if self.context.options[usize::from(options)].chunks {
            connection.flags.insert(Flags::CHUNKS);
        }
        let (id, zone) = (connection.id, connection.zone);
        self.context.enter(slot, phase);
        self.zones.handler(zone).open(&mut Conn { cx: &mut self.context, id }, request);
        // Whoever comes during a drain was not there when the others were told.
        if let Some(draining) = self.context.draining {
            Conn { cx: &mut self.context, id }.close(draining.code, "");
        }
    }

    /// Performs a deferred answer, if it is still owed.
    pub(super) fn answer(&mut self, id: ConnId, answer: Answer) {
        let slot = id.slot();
        if self.context.live(id).is_none_or(|connection| connection.phase != Phase::Deferred) {
            return;
        }
        let Some(exchange) = self.context.held(slot).and_then(|held| held.exchange.take()) else {
            return;
        };
        self.context.begin_input(slot);
        match answer {
            Answer::Respond(response) => self.respond(slot, exchange.terms, &response),
            Answer::Upgrade(upgrade) => {
                self.with_request(slot, exchange.head, exchange.extensions, |server, request| {
                    if let Some(zone) = server.zones.entries.get(exchange.entry) {
                        request.set_zone(zone.prefix_len());
                    }
                    server.upgrade(slot, exchange.entry, &upgrade, request);
                })
            }
        }
        self.context.end_input(slot);
        // What was pipelined behind the request has waited for this.
        self.context.read_later(slot);
    }
}

/// The first of the client's subprotocols that the handler speaks.
fn select<'h>(upgrade: &Upgrade, request: &Request<'h>) -> Result<Option<&'h str>, RequestError> {
    if request.header_bytes("sec-websocket-protocol").is_none() {
        return Ok(None);
    }
    let mut offered = websocket::subprotocols(request)?;
    Ok(offered.find(|offer| upgrade.subprotocols.iter().any(|name| name == offer)))
}
