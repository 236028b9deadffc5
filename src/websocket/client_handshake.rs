//! The request of a client's opening handshake (RFC 6455 section 4.1). This file knows no socket
//! and draws no nonce. client_response.rs checks the answer.

use std::borrow::Cow;
use std::fmt;

use super::extensions_header::extensions;
use super::handshake_key::Key;
use super::url::Url;
use crate::http1::{is_token, is_value_byte};

/// The opening handshake of a client: the request, and the check of the response.
///
/// Setters do not fail. [`encode`](ClientHandshake::encode) fails if a value may not be sent.
///
/// ```
/// use switchboard::proto::http1::{HeadLimits, HeaderSlots, ResponseError, ResponseHead};
/// use switchboard::proto::http1::{Scan, scan_response};
/// use switchboard::proto::websocket::{ClientHandshake, Key};
///
/// let url = "ws://example.com/chat".parse()?;
/// let handshake = ClientHandshake::new(url)
///     .subprotocols(["chat.v2", "chat.v1"])
///     .header("Cookie", "id=42");
/// let key = Key::from_nonce(*b"the sample nonce");
/// let mut out = Vec::new();
/// handshake.encode(&key, &mut out)?;
/// assert!(out.starts_with(b"GET /chat HTTP/1.1\r\nHost: example.com\r\n"));
///
/// let mut input: &[u8] = b"HTTP/1.1 103 Early Hints\r\n\r\n\
///     HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
///     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
///     Sec-WebSocket-Protocol: chat.v1\r\n\r\nframes";
/// let limits = HeadLimits::default();
/// while let Scan::Complete(len) = scan_response(input, 0, &limits) {
///     let (head, rest) = input.split_at(len);
///     input = rest;
///     let mut slots = HeaderSlots::new();
///     let response =
///         ResponseHead::parse(head, &mut slots, &limits).map_err(ResponseError::as_str)?;
///     if !response.is_interim() {
///         assert_eq!(handshake.check(&key, &response), Ok(Some("chat.v1")));
///         break;
///     }
/// }
/// assert_eq!(input, b"frames");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ClientHandshake {
    url: Url,
    pub(super) subprotocols: Vec<Cow<'static, str>>,
    pub(super) extensions: Cow<'static, str>,
    /// `Origin` and added headers, as lines of the request, each with its CRLF.
    lines: Vec<u8>,
    /// The value of `Authorization`, unless `lines` has one.
    authorization: Option<String>,
    fault: Option<Unsendable>,
}

impl ClientHandshake {
    /// Asks for a WebSocket at this URL, without subprotocols, extensions or further headers.
    #[must_use]
    pub fn new(url: Url) -> ClientHandshake {
        ClientHandshake {
            url,
            subprotocols: Vec::new(),
            extensions: Cow::Borrowed(""),
            lines: Vec::new(),
            authorization: None,
            fault: None,
        }
    }

    /// Sets the subprotocols that the client speaks, best first (section 4.1, item 10).
    #[must_use]
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

    /// Sets the offered extensions, as the value of `Sec-WebSocket-Extensions`: best first, with
    /// their parameters (section 9.1). An empty value offers none.
    ///
    /// [`check`](ClientHandshake::check) makes sure that each extension of the response was offered
    /// and comes once. The parameters in the response are for the caller to check.
    #[must_use]
    pub fn extensions(mut self, offer: impl Into<Cow<'static, str>>) -> ClientHandshake {
        self.extensions = offer.into();
        let mut commas = self.extensions.split(',');
        let well_formed = extensions(self.extensions.as_bytes())
            .all(|extension| extension.well_formed_name().is_some());
        // A sender writes no empty element (RFC 9110 section 5.6.1.1).
        match self.extensions.is_empty()
            || well_formed && commas.all(|part| !part.trim().is_empty())
        {
            true => self,
            false => self.spoiled(Unsendable::Extensions),
        }
    }

    /// Sets the origin of the page for which the client acts. Only browsers must send one (section
    /// 4.1, item 8).
    #[must_use]
    pub fn origin(self, origin: impl AsRef<str>) -> ClientHandshake {
        let origin = origin.as_ref();
        match !origin.is_empty() && origin.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => self.line("Origin", origin),
            false => self.spoiled(Unsendable::Origin),
        }
    }

    /// Adds a header, such as `Cookie` or `Authorization`. White space around the value is dropped.
    #[must_use]
    pub fn header(self, name: impl AsRef<str>, value: impl AsRef<str>) -> ClientHandshake {
        let (name, value) = (name.as_ref(), value.as_ref().trim_matches([' ', '\t']));
        match is_token(name.as_bytes()) && value.bytes().all(is_value_byte) {
            true if is_reserved(name) => self.spoiled(Unsendable::ReservedHeader),
            true => self.line(name, value),
            false => self.spoiled(Unsendable::Header),
        }
    }

    /// The URL of the WebSocket.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Returns the first value that may not be sent.
    pub(crate) fn fault(&self) -> Option<Unsendable> {
        self.fault
    }

    /// Appends the request.
    ///
    /// # Errors
    /// The first value that may not be sent. Nothing is appended then.
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
        if let Some(value) = &self.authorization
            && !self.names().any(|name| name.eq_ignore_ascii_case(b"authorization"))
        {
            for part in ["Authorization: ", value, "\r\n"] {
                out.extend_from_slice(part.as_bytes());
            }
        }
        out.extend_from_slice(&self.lines);
        out.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Sets the value of `Authorization`, unless the header is added by itself.
    pub(crate) fn authorization(mut self, value: Option<String>) -> ClientHandshake {
        self.authorization = value;
        self
    }

    /// Asks at another URL. Credentials go to the same scheme, host and port only.
    pub(crate) fn redirect(&mut self, url: Url) {
        let origin = |url: &Url| (url.is_secure(), url.host().to_owned(), url.port());
        if origin(&url) != origin(&self.url) {
            self.authorization = None;
            let lines = std::mem::take(&mut self.lines);
            let kept = lines.split_inclusive(|&byte| byte == b'\n').filter(|line| {
                const CREDENTIALS: [&[u8]; 3] =
                    [b"authorization", b"cookie", b"proxy-authorization"];
                let name = name_of(line);
                !CREDENTIALS.iter().any(|secret| name.eq_ignore_ascii_case(secret))
            });
            self.lines = kept.flatten().copied().collect();
        }
        self.url = url;
    }

    /// The names of the added headers.
    fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.lines.split_inclusive(|&byte| byte == b'\n').map(name_of)
    }

    fn line(mut self, name: &str, value: &str) -> ClientHandshake {
        for part in [name, ": ", value, "\r\n"] {
            self.lines.extend_from_slice(part.as_bytes());
        }
        self
    }

    /// Notes a fault unless there is one already.
    fn spoiled(mut self, fault: Unsendable) -> ClientHandshake {
        self.fault.get_or_insert(fault);
        self
    }
}

/// Shows the names of headers, and no value: a value may be a secret.
impl fmt::Debug for ClientHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.names().map(String::from_utf8_lossy).collect();
        f.debug_struct("ClientHandshake")
            .field("url", &self.url)
            .field("subprotocols", &self.subprotocols)
            .field("extensions", &self.extensions)
            .field("headers", &names)
            .finish_non_exhaustive()
    }
}

fn name_of(line: &[u8]) -> &[u8] {
    line.split(|&byte| byte == b':').next().unwrap_or_default()
}

/// Whether the handshake writes this header itself, or the header would give the request a body.
fn is_reserved(name: &str) -> bool {
    const NAMES: [&str; 6] =
        ["host", "upgrade", "connection", "origin", "content-length", "transfer-encoding"];
    NAMES.iter().any(|reserved| name.eq_ignore_ascii_case(reserved))
        || name.get(..14).is_some_and(|start| start.eq_ignore_ascii_case("sec-websocket-"))
}

/// The error of a value that a [`ClientHandshake`] may not send.
///
/// ```
/// use switchboard::proto::websocket::{ClientHandshake, Key, Unsendable};
///
/// let handshake = ClientHandshake::new("ws://example.com".parse().unwrap()).header("Host", "a");
/// let key = Key::from_nonce(*b"the sample nonce");
/// let error = handshake.encode(&key, &mut Vec::new()).unwrap_err();
/// assert_eq!(error, Unsendable::ReservedHeader);
/// assert_eq!(error.to_string(), "a header that is the handshake's own");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unsendable {
    /// A subprotocol that is not a token.
    Subprotocol,
    /// A subprotocol that is there twice.
    DoubledSubprotocol,
    /// An offer of extensions that does not follow the grammar of section 9.1.
    Extensions,
    /// An origin that is empty or has a character outside visible ASCII.
    Origin,
    /// A header whose name is not a token, or whose value has a control character.
    Header,
    /// A header that the handshake writes itself. `Origin` and `Sec-WebSocket-*` have setters, the
    /// others follow from the URL.
    ReservedHeader,
}

impl Unsendable {
    /// Describes the fault, in lower case and without a full stop.
    #[must_use]
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
