//! The opening handshake of the client role: what is asked for, and the request that asks (RFC 6455 section 4.1).
//! Knows no socket and draws no nonce; the answer is judged next door, in `opened.rs`.

use std::borrow::Cow;
use std::fmt;

use super::client_response::extension_names;
use super::server_handshake::is_token;
use super::handshake_key::Key;
use super::url::Url;
use crate::http1::is_value_byte;

/// What a client asks for when it opens a WebSocket, and by which it judges the answer.
///
/// Setters do not fail: [`encode`](ClientHandshake::encode) does, where something may not be sent.
///
/// ```
/// use switchboard::proto::http1::{HeadLimits, HeaderSlots, ResponseError, ResponseHead, Scan, scan_response};
/// use switchboard::proto::websocket::{Key, ClientHandshake};
///
/// let url = "ws://example.com/chat".parse()?;
/// let opening = ClientHandshake::new(url).subprotocols(["chat.v2", "chat.v1"]).header("Cookie", "id=42");
/// let key = Key::from_nonce(*b"the sample nonce");
/// let mut out = Vec::new();
/// opening.encode(&key, &mut out)?;
///
/// let mut input: &[u8] = b"HTTP/1.1 103 Early Hints\r\n\r\n\
///     HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
///     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat.v1\r\n\r\nframes";
/// let limits = HeadLimits::default();
/// while let Scan::Complete(len) = scan_response(input, 0, &limits) {
///     let (head, rest) = input.split_at(len);
///     input = rest;
///     let mut slots = HeaderSlots::new();
///     let response = ResponseHead::parse(head, &mut slots, &limits).map_err(ResponseError::as_str)?;
///     if !response.is_interim() {
///         assert_eq!(opening.check(&key, &response), Ok(Some("chat.v1")));
///         break;
///     }
/// }
/// assert_eq!(input, b"frames");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClientHandshake {
    url: Url,
    pub(super) subprotocols: Vec<Cow<'static, str>>,
    pub(super) extensions: Cow<'static, str>,
    /// `Origin` and what else was added: header lines as they go out, each with its CRLF.
    lines: Vec<u8>,
    fault: Option<Unsendable>,
}

impl ClientHandshake {
    /// A plain WebSocket at this URL.
    pub fn new(url: Url) -> ClientHandshake {
        ClientHandshake {
            url,
            subprotocols: Vec::new(),
            extensions: Cow::Borrowed(""),
            lines: Vec::new(),
            fault: None,
        }
    }

    /// The subprotocols that the client would speak, best first; instead of those named before (section 4.1, item 10).
    pub fn subprotocols<S: Into<Cow<'static, str>>>(
        mut self,
        names: impl IntoIterator<Item = S>,
    ) -> ClientHandshake {
        self.subprotocols = names.into_iter().map(Into::into).collect();
        let names = &self.subprotocols;
        if !names.iter().all(|name| is_token(name.as_bytes())) {
            return self.spoiled(Unsendable::Subprotocol);
        }
        match (1..names.len()).any(|at| names[..at].contains(&names[at])) {
            true => self.spoiled(Unsendable::DoubledSubprotocol), // "MUST all be unique strings"
            false => self,
        }
    }

    /// The extensions that the client would use, as the value of `Sec-WebSocket-Extensions`: best first, with their
    /// parameters (section 9.1). Empty offers none.
    ///
    /// What the server makes of the parameters is for whoever knows the extension to judge:
    /// [`check`](ClientHandshake::check) makes sure that each extension of the answer is one of these, and comes once.
    pub fn extensions(mut self, offer: impl Into<Cow<'static, str>>) -> ClientHandshake {
        self.extensions = offer.into();
        match self.extensions.is_empty()
            || extension_names(self.extensions.as_bytes()).all(|name| name.is_some())
        {
            true => self,
            false => self.spoiled(Unsendable::Extensions),
        }
    }

    /// The origin of the page on whose behalf the client acts; only browsers must name one (section 4.1, item 8).
    pub fn origin(self, origin: impl AsRef<str>) -> ClientHandshake {
        let origin = origin.as_ref();
        match !origin.is_empty() && origin.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => self.line("Origin", origin),
            false => self.spoiled(Unsendable::Origin),
        }
    }

    /// A further header, such as `Cookie` or `Authorization`. White space around the value is dropped.
    pub fn header(self, name: impl AsRef<str>, value: impl AsRef<str>) -> ClientHandshake {
        let (name, value) = (name.as_ref(), value.as_ref().trim_matches([' ', '\t']));
        match is_token(name.as_bytes()) && value.bytes().all(is_value_byte) {
            true if is_reserved(name) => self.spoiled(Unsendable::ReservedHeader),
            true => self.line(name, value),
            false => self.spoiled(Unsendable::Header),
        }
    }

    /// Where to connect, and what to ask for there.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Appends the request.
    ///
    /// # Errors
    /// The first of what was set that may not be sent; nothing is appended then.
    pub fn encode(&self, key: &Key, out: &mut Vec<u8>) -> Result<(), Unsendable> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let mut put =
            |parts: &[&str]| parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
        put(&["GET ", self.url.resource(), " HTTP/1.1\r\nHost: ", self.url.authority()]);
        put(&["\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"]);
        if !self.subprotocols.is_empty() {
            put(&["Sec-WebSocket-Protocol: ", &self.subprotocols.join(", "), "\r\n"]);
        }
        if !self.extensions.is_empty() {
            put(&["Sec-WebSocket-Extensions: ", &self.extensions, "\r\n"]);
        }
        out.extend_from_slice(b"Sec-WebSocket-Key: ");
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.lines);
        out.extend_from_slice(b"\r\n");
        Ok(())
    }

    fn line(mut self, name: &str, value: &str) -> ClientHandshake {
        for part in [name, ": ", value, "\r\n"] {
            self.lines.extend_from_slice(part.as_bytes());
        }
        self
    }

    /// The first fault is the one that is told.
    fn spoiled(mut self, fault: Unsendable) -> ClientHandshake {
        self.fault.get_or_insert(fault);
        self
    }
}

/// What the handshake says itself, and what would give its request a body.
fn is_reserved(name: &str) -> bool {
    const NAMES: [&str; 6] =
        ["host", "upgrade", "connection", "origin", "content-length", "transfer-encoding"];
    NAMES.iter().any(|reserved| name.eq_ignore_ascii_case(reserved))
        || name.get(..14).is_some_and(|start| start.eq_ignore_ascii_case("sec-websocket-"))
}

/// What an [`ClientHandshake`] was told to send and may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unsendable {
    /// A subprotocol that is not a token.
    Subprotocol,
    /// One subprotocol twice.
    DoubledSubprotocol,
    /// An offer of extensions that does not follow the grammar of section 9.1.
    Extensions,
    /// An origin that is empty or has a character that no origin has.
    Origin,
    /// A header whose name is not a token, or with a control character in its value.
    Header,
    /// A header that is the handshake's own: `Origin` and `Sec-WebSocket-*` have setters, the others follow from the URL.
    ReservedHeader,
}

impl Unsendable {
    /// What was wrong, in lower case and without a full stop.
    pub const fn as_str(self) -> &'static str {
        match self {
            Unsendable::Subprotocol => "a subprotocol that is not a token",
            Unsendable::DoubledSubprotocol => "a subprotocol that is asked for twice",
            Unsendable::Extensions => "a malformed offer of extensions",
            Unsendable::Origin => "a malformed origin",
            Unsendable::Header => "a malformed header",
            Unsendable::ReservedHeader => "a header that is the handshake's own",
        }
    }
}

impl fmt::Display for Unsendable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for Unsendable {}
