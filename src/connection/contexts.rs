//! The compression contexts of one connection that agreed on context takeover (RFC 7692 7.1.1).
//! This file does not know the messages.

use crate::websocket::{Deflater, Inflater};

/// Both contexts, each made with the first compressed message in its direction: 370,240 bytes
/// together at 15 bits.
#[derive(Default)]
pub(crate) struct Contexts {
    pub(crate) deflater: Option<Deflater>,
    pub(crate) inflater: Option<Inflater>,
}

impl std::fmt::Debug for Contexts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contexts")
    }
}
