//! The compression contexts that connections without context takeover share (RFC 7692 7.1.1). The
//! contexts take no memory of a connection. This file knows no connection.

use std::fmt;

use crate::outbox::Shared;
use crate::websocket::{Agreed, DeflateConfig, Deflater, Inflater};

/// The contexts of all connections without context takeover: no memory for each connection.
#[derive(Default)]
pub(crate) struct SharedContexts {
    /// One for each set of options and window in use: there are few.
    deflaters: Vec<(u16, u8, Deflater)>,
    pub(super) inflater: Option<Inflater>,
    /// The buffer of the last compressed payload.
    pub(super) deflated: Vec<u8>,
}

impl SharedContexts {
    /// Forgets what was made by a set of options, since the set has changed.
    pub(crate) fn forget(&mut self, changed: u16) {
        self.deflaters.retain(|(options, ..)| *options != changed);
    }

    /// Compresses a message without context takeover.
    pub(super) fn deflate(&mut self, terms: Terms, payload: &[u8], out: &mut Vec<u8>) {
        let key = (terms.options, terms.bits);
        let found = self.deflaters.iter().position(|&(options, bits, _)| (options, bits) == key);
        let at = found.unwrap_or_else(|| {
            self.deflaters.push((key.0, key.1, Deflater::new(&terms.config, terms.bits)));
            self.deflaters.len() - 1
        });
        self.deflaters[at].2.deflate(payload, out, false);
    }
}

impl fmt::Debug for SharedContexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedContexts").finish_non_exhaustive()
    }
}

/// The compressed forms of one message, by options and window. `None` is a message that does not
/// shrink.
pub(crate) type CompressedOnce = Vec<(u16, u8, Option<Shared>)>;

/// How one message to one connection is compressed.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    pub(super) agreed: Agreed,
    pub(super) bits: u8,
    pub(super) options: u16,
    pub(super) config: DeflateConfig,
}
