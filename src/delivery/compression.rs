//! Compression of messages to send, and decompression of messages that arrived (RFC 7692). A
//! connection that agreed on context takeover has contexts of its own; all others share the
//! server's. This file negotiates nothing.

use std::mem;
use std::sync::Arc;

use super::broadcast::EncodedOnce;
use super::delivery::Delivery;
use super::outgoing::Outgoing;
use super::shared_contexts::{CompressedOnce, Terms};
use crate::connection::{Lease, Phase};
use crate::outbox::{Kind, Shared};
use crate::websocket::{Agreed, Deflater, Message, State, Violation, encode_compressed};

/// Memory that is kept for the next compressed payload.
const KEPT: usize = 1 << 20;

impl Delivery {
    /// Returns how a message to a connection is to be compressed; `None` if it is not to be.
    fn compression_terms(&self, at: &Lease<'_>, outgoing: &Outgoing<'_>) -> Option<Terms> {
        // A message that a policy may drop must not enter the window that later messages refer to.
        let waits = at.is_corked() && !self.cork.is_empty() || at.connection.has_output();
        let may_be_dropped = waits && at.options().backpressure.drops();
        self.terms(at, outgoing).filter(|terms| !(may_be_dropped && terms.agreed.our_takeover()))
    }

    /// Returns how a message that no policy drops is to be compressed; `None` if it is not to be.
    fn terms(&self, at: &Lease<'_>, outgoing: &Outgoing<'_>) -> Option<Terms> {
        let agreed = at.connection.deflate?;
        let options = at.options();
        let config = options.deflate;
        if outgoing.uncompressed || !config.compresses(outgoing.message.len()) {
            return None;
        }
        Some(Terms { agreed, bits: agreed.window_bits()?, options: at.connection.options, config })
    }

    /// Sends a message compressed, where both sides agreed and it shrinks. Returns whether it did.
    #[inline(never)]
    pub(super) fn send_compressed(&mut self, at: &mut Lease<'_>, outgoing: &Outgoing<'_>) -> bool {
        let Some(terms) = self.compression_terms(at, outgoing) else { return false };
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
        self.compressed_by(at, terms, outgoing, compressed)
    }

    /// Returns a compressed frame of a message of history for one connection. It waits where no
    /// policy drops it, so it may always enter the window.
    pub(super) fn compressed_for_replay(
        &mut self,
        at: &mut Lease<'_>,
        encoded: &mut EncodedOnce<'_>,
    ) -> Option<Shared> {
        if at.connection.phase != Phase::WebSocket(State::Open) {
            return None;
        }
        let terms = self.terms(at, &encoded.outgoing)?;
        self.compressed_by(at, terms, &encoded.outgoing, &mut encoded.compressed)
    }

    fn compressed_by(
        &mut self,
        at: &mut Lease<'_>,
        terms: Terms,
        outgoing: &Outgoing<'_>,
        compressed: &mut CompressedOnce,
    ) -> Option<Shared> {
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
