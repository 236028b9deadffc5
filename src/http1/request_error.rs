//! The faults of a request: a name for each, the status of the answer, and a text. This file knows
//! no bytes and no sockets. [`Response`](super::Response) turns a fault into an answer.

use std::fmt;

use http::StatusCode;

/// One row for each fault: its name, the status of the answer, and what is wrong.
macro_rules! request_errors {
    ($($name:ident $status:ident $text:literal)*) => {
        /// A fault of a request, found while its head, its body or its upgrade was judged.
        ///
        /// `Response::from(error)` is the answer that the peer gets. It closes the connection,
        /// because what follows a refused message has no certain meaning (RFC 9112 section 9.6).
        ///
        /// ```
        /// use std::error::Error;
        /// use switchboard::proto::http1::{RequestError, Response};
        ///
        /// let error = RequestError::DoubledHost;
        /// assert_eq!(error.status(), 400);
        /// assert_eq!(error.as_str(), "more than one Host header");
        /// assert_eq!(Response::from(error).body_bytes(), error.as_str().as_bytes());
        /// let error: Box<dyn Error> = error.into();
        /// assert_eq!(error.to_string(), "more than one Host header");
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum RequestError {
            $(#[doc = $text] $name,)*
        }

        impl RequestError {
            /// Every fault, for tables and tests.
            pub const ALL: &[RequestError] = &[$(RequestError::$name),*];

            /// Returns the status of the answer: 4xx or 5xx.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self {
                    $(RequestError::$name => StatusCode::$status,)*
                }
            }

            /// Says what is wrong, in lower case and without a full stop.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(RequestError::$name => $text,)*
                }
            }
        }
    };
}

request_errors! {
    // The shape of the head: RFC 9112 sections 2 to 5.
    BareCarriageReturn BAD_REQUEST "a CR that no LF follows"
    BareLineFeed BAD_REQUEST "a LF that no CR precedes"
    ControlCharacter BAD_REQUEST "a NUL or another control character in the head"
    IncompleteHead BAD_REQUEST "a head without its end"
    MissingRequestLine BAD_REQUEST "an empty line where the request line belongs"
    MalformedRequestLine BAD_REQUEST
        "a request line that is not method, target and version with one space between"
    MalformedMethod BAD_REQUEST "a method that is not a token"
    MalformedVersion BAD_REQUEST "a malformed HTTP version"
    MalformedHeaderName BAD_REQUEST "a header name that is not a token directly before its colon"
    MalformedHeaderValue BAD_REQUEST "a malformed header value"
    FoldedHeader BAD_REQUEST "a folded header line"
    // The request target: RFC 9112 section 3.2, RFC 3986.
    MalformedTarget BAD_REQUEST "a request target in none of the forms that exist"
    TargetCharacter BAD_REQUEST "a character in the request target that must be percent-encoded"
    TargetFragment BAD_REQUEST "a fragment in the request target"
    TargetEscape BAD_REQUEST "a % in the path that two hexadecimal digits do not follow"
    TargetControl BAD_REQUEST "an encoded control character in the path"
    TargetSeparator BAD_REQUEST "a backslash, an encoded one or an encoded slash in the path"
    TargetNotUtf8 BAD_REQUEST "a path that does not decode to UTF-8"
    TargetAboveRoot BAD_REQUEST "a path that leads above the root"
    TargetScheme BAD_REQUEST "a request target with a scheme that is not http, https, ws or wss"
    TargetAuthority BAD_REQUEST "a malformed authority in the request target"
    TargetAsterisk BAD_REQUEST "the target * with a method other than OPTIONS"
    // Host and the framing of the body: RFC 9112 sections 3.2 and 6.
    MissingHost BAD_REQUEST "no Host header"
    DoubledHost BAD_REQUEST "more than one Host header"
    MalformedHost BAD_REQUEST "a malformed Host header"
    DoubledContentLength BAD_REQUEST "more than one Content-Length"
    MalformedContentLength BAD_REQUEST "a malformed Content-Length"
    LengthAndTransferEncoding BAD_REQUEST "both Content-Length and Transfer-Encoding"
    TransferEncodingBeforeHttp11 BAD_REQUEST "Transfer-Encoding in HTTP/1.0"
    MalformedTransferEncoding BAD_REQUEST "a malformed Transfer-Encoding"
    ChunkedNotLast BAD_REQUEST "a Transfer-Encoding whose last coding is not chunked"
    DoubledChunked BAD_REQUEST "the chunked transfer coding applied more than once"
    // The chunked body: RFC 9112 section 7.1.
    MalformedChunkSize BAD_REQUEST "a malformed chunk size"
    MalformedChunkExtension BAD_REQUEST "a malformed chunk extension"
    MalformedChunkEnd BAD_REQUEST "a chunk or chunk line that does not end with CR LF"
    ChunkExtensionTooLong BAD_REQUEST "chunk extensions beyond the limit"
    MalformedTrailer BAD_REQUEST "a malformed trailer"
    TrailersTooLarge REQUEST_HEADER_FIELDS_TOO_LARGE "trailers beyond the limit"
    // The limit on the exchanges of one client: RFC 6585 section 4.
    TooManyOfClient TOO_MANY_REQUESTS "as many connections as max_connections_per_address allows"
    // The WebSocket handshake: RFC 6455 sections 4.2.1 and 4.4.
    UpgradeMethod BAD_REQUEST "a WebSocket handshake with a method other than GET"
    UpgradeVersion BAD_REQUEST
        "a WebSocket handshake in HTTP/1.0: have the proxy speak HTTP/1.1 to this server"
    UpgradeWithBody BAD_REQUEST "a WebSocket handshake with a body"
    MissingUpgrade BAD_REQUEST
        "a WebSocket handshake without Upgrade: websocket: a proxy in between must pass it on"
    MissingConnectionUpgrade BAD_REQUEST
        "a WebSocket handshake without Connection: upgrade: a proxy in between must pass it on"
    MissingKey BAD_REQUEST "a WebSocket handshake without Sec-WebSocket-Key"
    DoubledKey BAD_REQUEST "more than one Sec-WebSocket-Key"
    MalformedKey BAD_REQUEST "a Sec-WebSocket-Key that is not 16 bytes in base64"
    MissingWebSocketVersion BAD_REQUEST
        "a WebSocket handshake without exactly one Sec-WebSocket-Version"
    UnsupportedWebSocketVersion UPGRADE_REQUIRED "a Sec-WebSocket-Version other than 13"
    MalformedSubprotocol BAD_REQUEST "a malformed Sec-WebSocket-Protocol"
    MalformedExtensions BAD_REQUEST "a malformed Sec-WebSocket-Extensions"
    OriginRefused FORBIDDEN "an Origin that may not open a WebSocket here"
    // The host: RFC 9110 section 15.5.20.
    HostRefused MISDIRECTED_REQUEST "a Host that is not served here"
    // The port of a TLS listener.
    PlainHttp BAD_REQUEST "plain HTTP at a port for TLS: use https:// or wss://"
    // A port without TLS.
    TlsHandshake BAD_REQUEST "TLS at a port for plain HTTP: use http:// or ws://, or Listener::tls"
    // Limits and deadlines: RFC 9110 section 15.5, RFC 6585 section 5.
    HeadTimeout REQUEST_TIMEOUT "the head did not arrive in time"
    BodyTimeout REQUEST_TIMEOUT "the body did not arrive in time"
    BodyTooLarge PAYLOAD_TOO_LARGE "a body beyond the limit"
    TargetTooLong URI_TOO_LONG "a request target beyond the limit"
    HeadTooLarge REQUEST_HEADER_FIELDS_TOO_LARGE "a head beyond the limit"
    TooManyHeaders REQUEST_HEADER_FIELDS_TOO_LARGE "more headers than the limit"
    ExpectationFailed EXPECTATION_FAILED "an Expect other than 100-continue"
    // What this server does not do: RFC 9110 section 15.6.
    MethodNotImplemented NOT_IMPLEMENTED "a method that is not implemented"
    UnknownTransferCoding NOT_IMPLEMENTED "a transfer coding other than chunked"
    VersionNotSupported HTTP_VERSION_NOT_SUPPORTED "an HTTP version other than 1.0 and 1.1"
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for RequestError {}
