//! WebSocket (RFC 6455) as functions over bytes: the opening handshake, frames, messages, the closing handshake.
//! Knows no socket, no clock and no connection; whoever has those feeds bytes in and sends what comes out.
//!
//! The reading side is [`check`] for the handshake and [`receive`] for all that follows. The writing side is
//! [`encode_response`], [`encode_message`] and [`encode_close`]. [`State::on`] says which of it is due. A fault of
//! the peer is a [`Violation`], which names the close code that the peer has earned.
//!
//! A client begins with a [`Url`]: an [`Opening`] asks, [`Opening::check`] judges the answer, [`MaskingKeys`] mask what is
//! sent from then on.

mod assembly;
mod base64;
mod close;
#[cfg(feature = "deflate")]
mod compress;
#[cfg(feature = "deflate")]
mod compressed;
#[cfg(feature = "deflate")]
mod deflate;
#[cfg(feature = "deflate")]
mod extension;
mod frame;
mod handshake;
mod keys;
mod mask;
mod message;
#[cfg(feature = "deflate")]
mod negotiate;
mod opened;
mod opening;
mod origin;
mod protocol;
mod receive;
mod run;
mod send;
mod url;
mod utf8;
mod violation;

pub use assembly::{Assembled, Assembly};
pub use close::{CloseCode, close_payload, parse_close};
#[cfg(feature = "deflate")]
pub use compress::{Deflater, Inflater};
#[cfg(feature = "deflate")]
pub use compressed::{Compressed, encode_compressed};
#[cfg(feature = "deflate")]
pub use deflate::{Agreed, DeflateConfig, DeflateMode};
pub use frame::{Decoded, Header, Opcode};
pub use handshake::{AcceptKey, check, encode_response, subprotocols};
pub use keys::MaskingKeys;
pub use mask::{apply, rotate};
pub use message::Message;
#[cfg(feature = "deflate")]
pub use negotiate::{Accepted, Disagreement, check_answer, encode_offer, negotiate};
pub use opening::{Key, Opening, Unsendable};
pub use origin::{Origins, check_origin};
pub use protocol::{Action, Input, Role, Rules, State};
pub use receive::{Event, receive};
pub(crate) use receive::{only_message, receive_with, whole_frame, whole_message};
pub(crate) use run::{Messages, Run};
pub use send::{encode, encode_close, encode_frame, encode_masked, encode_message};
pub use url::{MalformedUrl, Url};
pub use utf8::{Invalid, Utf8, Valid};
pub use violation::Violation;
