//! permessage-deflate (RFC 7692): its configuration, the negotiation, the codec and compressed
//! messages. This folder knows no connection and keeps no context.

mod codec;
mod config;
mod message;
mod negotiation;

pub use codec::{Deflater, Inflater};
pub use config::{Agreed, DeflateConfig, DeflateMode};
pub use message::{Compressed, encode_compressed};
pub use negotiation::{Disagreement, Negotiated, check_answer, encode_offer, negotiate};
