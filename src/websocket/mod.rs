//! WebSocket (RFC 6455) as functions over bytes: the opening handshake, frames, messages, and the
//! closing handshake. This folder knows no socket, no clock and no connection.
//!
//! A server reads a request by [`check`] and [`check_origin`], and answers by [`encode_response`].
//! Both roles read frames by [`decode()`], and write them by [`encode_message`], [`encode_frame`],
//! [`encode_masked`] and [`close_payload()`]. [`State::on`] returns the reaction to each event. A
//! fault of the peer is a [`Violation`], which has the close code to send.
//!
//! A client begins with a [`Url`]. [`ClientHandshake`] writes the request,
//! [`ClientHandshake::check`] checks the response, and [`MaskingKeys`] mask its frames.

mod assembly;
mod batch;
mod client_handshake;
mod client_response;
mod close_code;
mod close_payload;
mod decode;
#[cfg(feature = "deflate")]
mod deflate;
mod encode;
mod extensions_header;
mod frame;
mod handshake_key;
mod mask;
mod masking_keys;
mod message;
mod origin;
mod proxy;
mod redirect;
mod server_handshake;
mod state;
mod url;
mod url_text;
mod utf8;
mod violation;

pub use assembly::{Assembled, Assembly};
pub(crate) use batch::{Batch, Messages};
pub use client_handshake::{ClientHandshake, Unsendable};
pub use close_code::{CloseCode, InvalidCloseCode};
pub use close_payload::{close_payload, parse_close};
pub use decode::{Event, decode};
pub(crate) use decode::{decode_with, only_message, whole_frame, whole_message};
#[cfg(feature = "deflate")]
pub use deflate::{
    Agreed, Compressed, DeflateConfig, DeflateMode, Deflater, Disagreement, Inflater, Negotiated,
    check_answer, encode_compressed, encode_offer, negotiate,
};
pub use encode::{encode, encode_frame, encode_masked, encode_message};
pub use frame::{Decoded, Header, Opcode, Role, Rules};
pub use handshake_key::{AcceptKey, Key};
pub use mask::{apply, rotate};
pub use masking_keys::MaskingKeys;
pub use message::Message;
pub use origin::{Origins, check_origin};
pub(crate) use proxy::Proxy;
pub(crate) use redirect::redirected;
pub use server_handshake::{check, encode_response, subprotocols};
pub use state::{Action, Input, State};
pub use url::{MalformedUrl, Url};
pub(crate) use url_text::parse_text;
pub use utf8::{Invalid, Utf8, Valid};
pub use violation::Violation;
