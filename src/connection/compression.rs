//! Compression of messages (RFC 7692) for all of a server's connections: what they share, and what those that agreed on context takeover
//! have for themselves. It knows contexts and payloads; what goes where is the business of `output`.

use std::mem;
use std::rc::Rc;

use super::connection::Connection;
use super::context::Context;
use super::outgoing::Outgoing;
use super::segment::{Kind, Shared};
use crate::websocket::{
    Agreed, DeflateConfig, Deflater, Inflater, Message, Violation, encode_compressed,
};

/// What is compressed and decompressed with by everybody who agreed on no context takeover: nothing for each connection.
#[derive(Default)]
pub(crate) struct Compression {
    /// One for each set of options and window in use: there are few.
    deflaters: Vec<(u16, u8, Deflater)>,
    inflater: Option<Inflater>,
    deflated: Vec<u8>,
}

impl Compression {
    /// A set of options has changed: what was made by it is made anew.
    pub(crate) fn forget(&mut self, changed: u16) {
        self.deflaters.retain(|(options, ..)| *options != changed);
    }
}

/// The contexts of one connection, each made with its first compressed message: 370,240 bytes for both at 15 bits.
#[derive(Default)]
pub(crate) struct Contexts {
    deflater: Option<Deflater>,
    inflater: Option<Inflater>,
}

impl std::fmt::Debug for Contexts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contexts")
    }
}

/// The largest payload whose memory is kept for the next.
const KEPT: usize = 1 << 20;

/// A message compressed for several receivers, by options and window.
pub(crate) type Compressed = Vec<(u16, u8, Option<Shared>)>;

/// What a message is to be compressed by.
#[derive(Clone, Copy)]
struct Terms {
    agreed: Agreed,
    bits: u8,
    options: u16,
    config: DeflateConfig,
}

impl Context {
    /// How a message to a connection is to be compressed, if it is.
    fn compression_of(&self, connection: &Connection, outgoing: &Outgoing<'_>) -> Option<Terms> {
        let agreed = connection.deflate?;
        let options = self.options_of(connection);
        let config = options.deflate;
        if outgoing.uncompressed || !config.compresses(outgoing.message.len()) {
            return None;
        }
        // What may yet be dropped must not be in the window that later messages refer to: it goes as it is.
        let corked = connection.id.slot() == self.corked && !self.cork.is_empty();
        let waits = corked || connection.held.as_ref().is_some_and(|held| !held.outbox.is_empty());
        if agreed.our_takeover() && options.backpressure.drops() && waits {
            return None;
        }
        Some(Terms { agreed, bits: agreed.window_bits()?, options: connection.options, config })
    }

    /// Sends a message compressed, where that was agreed on and is worth it. Returns whether it did.
    #[inline(never)]
    pub(crate) fn send_compressed(&mut self, slot: u32, outgoing: &Outgoing<'_>) -> bool {
        let terms =
            self.slots.at(slot).and_then(|connection| self.compression_of(connection, outgoing));
        let Some(terms) = terms else { return false };
        let mut deflated = mem::take(&mut self.compression.deflated);
        let worth_it = self.deflate(slot, terms, outgoing.message, &mut deflated);
        if worth_it {
            let key = self.masking_key(slot);
            let is_text = matches!(outgoing.message, Message::Text(_));
            if let Some(output) = self.output(slot) {
                output.push(Kind::Frames, |own| encode_compressed(own, is_text, &deflated, key));
            }
        }
        deflated.clear();
        deflated.shrink_to(KEPT);
        self.compression.deflated = deflated;
        worth_it
    }

    /// A compressed frame for one of several receivers: the same one for all that agreed on the same.
    pub(crate) fn compressed_frame(
        &mut self,
        slot: u32,
        outgoing: &Outgoing<'_>,
        compressed: &mut Compressed,
    ) -> Option<Shared> {
        let terms =
            self.slots.at(slot).and_then(|connection| self.compression_of(connection, outgoing))?;
        let key = self.masking_key(slot);
        let shared = key.is_none() && !terms.agreed.our_takeover();
        let known = compressed
            .iter()
            .find(|(options, bits, _)| (*options, *bits) == (terms.options, terms.bits));
        if let Some((_, _, frame)) = known.filter(|_| shared) {
            return frame.clone();
        }
        let mut deflated = Vec::new();
        let frame = self.deflate(slot, terms, outgoing.message, &mut deflated).then(|| {
            let mut frame = Vec::with_capacity(deflated.len() + 14);
            encode_compressed(
                &mut frame,
                matches!(outgoing.message, Message::Text(_)),
                &deflated,
                key,
            );
            Rc::new(frame)
        });
        if shared {
            compressed.push((terms.options, terms.bits, frame.clone()));
        }
        frame
    }

    /// Compresses a message and says whether that was worth it. With context takeover it always is: the peer's window must follow ours.
    fn deflate(
        &mut self,
        slot: u32,
        terms: Terms,
        message: Message<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        let takeover = terms.agreed.our_takeover();
        if takeover {
            let Some(held) = self.held(slot) else { return false };
            let deflater = &mut held.contexts.get_or_insert_default().deflater;
            let deflater = deflater.get_or_insert_with(|| Deflater::new(&terms.config, terms.bits));
            deflater.deflate(message.as_bytes(), out, true);
            return true;
        }
        let deflaters = &mut self.compression.deflaters;
        let is_mine = |(options, bits, _): &(u16, u8, Deflater)| {
            (*options, *bits) == (terms.options, terms.bits)
        };
        let at = deflaters.iter().position(is_mine).unwrap_or_else(|| {
            deflaters.push((terms.options, terms.bits, Deflater::new(&terms.config, terms.bits)));
            deflaters.len() - 1
        });
        deflaters[at].2.deflate(message.as_bytes(), out, false);
        out.len() < message.len()
    }

    /// Decompresses a message that has arrived, up to the connection's limit.
    pub(crate) fn inflate(
        &mut self,
        slot: u32,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Violation> {
        let Some(connection) = self.slots.at(slot) else { return Err(Violation::CorruptDeflate) };
        let limit = self.options_of(connection).rules.max_message;
        match connection.deflate.is_some_and(Agreed::peer_takeover) {
            false => self
                .compression
                .inflater
                .get_or_insert_default()
                .inflate(payload, out, limit, false),
            true => {
                let Some(held) = self.held(slot) else { return Err(Violation::CorruptDeflate) };
                let inflater = &mut held.contexts.get_or_insert_default().inflater;
                inflater.get_or_insert_default().inflate(payload, out, limit, true)
            }
        }
    }
}
