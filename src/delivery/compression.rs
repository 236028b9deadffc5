//! Compression of messages to send, and decompression of messages that arrived (RFC 7692). A
//! connection that agreed on context takeover has contexts of its own; all others share the
//! server's. This file negotiates nothing.

use std::io;
use std::mem;
use std::sync::Arc;

use super::delivery::Delivery;
use super::outgoing::Outgoing;
use super::shared_contexts::{CompressedOnce, Terms};
use crate::connection::{Connection, Flags, Lease};
use crate::net::Wrote;
use crate::outbox::{Droppable, Kind, Outbox, Shared};
use crate::websocket::{
    Agreed, Decoded, Deflater, Header, Message, Opcode, Violation, encode_compressed,
    encode_message,
};

/// Memory that is kept for the next compressed payload.
const KEPT: usize = 1 << 20;

impl Delivery {
    /// Returns how a message to a connection is to be compressed; `None` if it is not to be.
    pub(super) fn compression_terms(
        &self,
        at: &Lease<'_>,
        outgoing: &Outgoing<'_>,
    ) -> Option<Terms> {
        let agreed = at.connection.deflate?;
        let config = at.options().deflate;
        if outgoing.uncompressed || !config.compresses(outgoing.message.len()) {
            return None;
        }
        Some(Terms { agreed, bits: agreed.window_bits()?, options: at.connection.options, config })
    }

    /// Whether a message to a connection is deflated only as it begins to leave. A message that a
    /// policy may drop must not enter the window that later messages refer to before then, and none
    /// may enter before those that wait.
    pub(super) fn deflates_later(&self, at: &Lease<'_>) -> bool {
        let Some(agreed) = at.connection.deflate else { return false };
        agreed.our_takeover()
            && (at.options().backpressure.drops()
                || at.is_corked() && self.cork.deflates()
                || at.connection.held.as_ref().is_some_and(|held| held.outbox.deflates()))
    }

    /// Writes an outbox in which messages wait that are deflated as they begin to leave: at most
    /// `most` bytes and one message.
    pub(super) fn write_deflating(
        &mut self,
        at: &mut Lease<'_>,
        outbox: &mut Outbox,
        most: usize,
    ) -> io::Result<Wrote> {
        let config = at.options().deflate;
        let is_client = at.connection.flags.has(Flags::CLIENT);
        at.held();
        let Connection { transport, held, deflate: agreed, .. } = &mut *at.connection;
        let bits = agreed.and_then(Agreed::window_bits);
        let contexts = held.as_mut().map(|held| held.contexts.get_or_insert_default());
        let Some((contexts, bits)) = contexts.zip(bits) else { return Ok(Wrote::Nothing) };
        let deflater = contexts.deflater.get_or_insert_with(|| Deflater::new(&config, bits));
        let (keys, deflated) = (&mut self.keys, &mut self.shared_contexts.deflated);
        let mut left = most;
        let mut deflate = |frame: &[u8]| {
            left = left.checked_sub(1)?.saturating_sub(frame.len());
            let key = is_client.then(|| keys.next_key());
            Some(deflate_frame(deflater, frame, key, deflated))
        };
        let written = outbox.write_deflating(
            transport,
            &mut self.scratch,
            &mut at.books.traffic,
            &mut deflate,
        );
        deflated.shrink_to(KEPT);
        written
    }

    /// Sends a message compressed, where both sides agreed and it shrinks. Returns whether it did.
    #[inline(never)]
    pub(super) fn send_compressed(&mut self, at: &mut Lease<'_>, outgoing: &Outgoing<'_>) -> bool {
        let Some(terms) = self.compression_terms(at, outgoing) else { return false };
        if self.deflates_later(at) {
            let mut frame = Vec::new();
            encode_message(&mut frame, outgoing.message);
            let droppable = Droppable::Message { key: 0, deflates: true };
            self.output(at).push_shared(Shared::new(frame), droppable);
            return true;
        }
        let mut deflated = mem::take(&mut self.shared_contexts.deflated);
        let shrinks = self.deflate(at, terms, outgoing.message, &mut deflated);
        if shrinks {
            let key = self.masking_key(at);
            let is_text = matches!(outgoing.message, Message::Text(_));
            self.output(at)
                .push(Kind::Frames, |own| encode_compressed(own, is_text, &deflated, key));
        }
        deflated.clear();
        deflated.shrink_to(KEPT);
        self.shared_contexts.deflated = deflated;
        shrinks
    }

    /// Returns a compressed frame for one of many receivers. Receivers that agreed on the same
    /// terms share one frame.
    pub(super) fn compressed_frame(
        &mut self,
        at: &mut Lease<'_>,
        outgoing: &Outgoing<'_>,
        compressed: &mut CompressedOnce,
    ) -> Option<Shared> {
        let terms = self.compression_terms(at, outgoing)?;
        let key = self.masking_key(at);
        let is_shared = key.is_none() && !terms.agreed.our_takeover();
        let same = (terms.options, terms.bits);
        let known = compressed.iter().find(|&&(options, bits, _)| (options, bits) == same);
        if let Some((_, _, frame)) = known.filter(|_| is_shared) {
            return frame.clone();
        }
        let mut deflated = Vec::new();
        let frame = self.deflate(at, terms, outgoing.message, &mut deflated).then(|| {
            let mut frame = Vec::with_capacity(deflated.len() + 14);
            let is_text = matches!(outgoing.message, Message::Text(_));
            encode_compressed(&mut frame, is_text, &deflated, key);
            Arc::new(frame)
        });
        if is_shared {
            compressed.push((terms.options, terms.bits, frame.clone()));
        }
        frame
    }

    /// Compresses a message, and returns whether to send the result. With context takeover it is
    /// always sent: the peer's window must follow ours.
    fn deflate(
        &mut self,
        at: &mut Lease<'_>,
        terms: Terms,
        message: Message<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        if terms.agreed.our_takeover() {
            let deflater = &mut at.held().contexts.get_or_insert_default().deflater;
            deflater.get_or_insert_with(|| Deflater::new(&terms.config, terms.bits)).deflate(
                message.as_bytes(),
                out,
                true,
            );
            return true;
        }
        self.shared_contexts.deflate(terms, message.as_bytes(), out);
        out.len() < message.len()
    }

    /// Decompresses a message that arrived, up to the connection's limit (RFC 7692 7.2.2).
    pub(crate) fn inflate(
        &mut self,
        at: &mut Lease<'_>,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Violation> {
        let limit = at.options().rules.max_message;
        if !at.connection.deflate.is_some_and(Agreed::peer_takeover) {
            let inflater = self.shared_contexts.inflater.get_or_insert_default();
            return inflater.inflate(payload, out, limit, false);
        }
        let inflater = &mut at.held().contexts.get_or_insert_default().inflater;
        inflater.get_or_insert_default().inflate(payload, out, limit, true)
    }
}

/// Makes a compressed frame of an unmasked one that this program encoded.
fn deflate_frame(
    deflater: &mut Deflater,
    frame: &[u8],
    key: Option<[u8; 4]>,
    deflated: &mut Vec<u8>,
) -> Vec<u8> {
    let Decoded::Header(header, start) = Header::decode(frame) else { return Vec::new() };
    deflated.clear();
    deflater.deflate(&frame[start..], deflated, true);
    let mut made = Vec::with_capacity(deflated.len() + Header::MAX_LEN);
    encode_compressed(&mut made, header.opcode == Opcode::Text, deflated, key);
    made
}
