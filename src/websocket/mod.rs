//! WebSocket (RFC 6455) as functions over bytes: the opening handshake, frames, messages, the closing handshake.
//! Knows no socket, no clock and no connection; whoever has those feeds bytes in and sends what comes out.
//!
//! The reading side is [`check`] for the handshake and [`decode`] for all that follows. The writing side is
//! [`encode_response`], [`encode_message`] and [`encode_close`]. [`State::on`] says which of it is due. A fault of
//! the peer is a [`Violation`], which names the close code that the peer has earned.
//!
//! A client begins with a [`Url`]: an [`ClientHandshake`] asks, [`ClientHandshake::check`] judges the answer, [`MaskingKeys`] mask what is
//! sent from then on.

mod assembly;
mod batch;
mod client_handshake;
mod client_response;
mod close_code;
mod decode;
#[cfg(feature = "deflate")]
mod deflate;
mod encode;
mod frame;
mod handshake_key;
mod mask;
mod masking_keys;
mod message;
mod origin;
mod server_handshake;
mod state;
mod url;
mod utf8;
mod violation;

pub use assembly::{Assembled, Assembly};
pub(crate) use batch::{Batch, Messages};
pub use client_handshake::{ClientHandshake, Unsendable};
pub use close_code::{CloseCode, close_payload, parse_close};
pub use decode::{Event, decode};
pub(crate) use decode::{decode_with, only_message, whole_frame, whole_message};
#[cfg(feature = "deflate")]
pub use deflate::{
    Agreed, Compressed, DeflateConfig, DeflateMode, Deflater, Disagreement, Inflater, Negotiated,
    check_answer, encode_compressed, encode_offer, negotiate,
};
pub use encode::{encode, encode_close, encode_frame, encode_masked, encode_message};
pub use frame::{Decoded, Header, Opcode};
pub use handshake_key::{AcceptKey, Key};
pub use mask::{apply, rotate};
pub use masking_keys::MaskingKeys;
pub use message::Message;
pub use origin::{Origins, check_origin};
pub use server_handshake::{check, encode_response, subprotocols};
pub use state::{Action, Input, Role, Rules, State};
pub use url::{MalformedUrl, Url};
pub use utf8::{Invalid, Utf8, Valid};
pub use violation::Violation;
