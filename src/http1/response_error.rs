//! Why a client rejects a response: one fieldless name for each fault, and the words for it.
//! Knows no bytes and no sockets; the mirror of [`RequestError`](super::RequestError), but a server that answers wrongly is told nothing.

/// One row per fault: its name and what was wrong.
macro_rules! response_errors {
    ($($name:ident $text:literal)*) => {
        /// A fault of a server's answer to a WebSocket handshake, found while its head was read and judged.
        ///
        /// The client is to fail the connection: to close the socket and send nothing (RFC 6455 section 7.1.7).
        /// What the server said instead of 101 is in [`ResponseHead::status`](super::ResponseHead::status).
        ///
        /// ```
        /// use switchboard::proto::http1::ResponseError;
        ///
        /// assert_eq!(ResponseError::WrongAccept.as_str(), "a Sec-WebSocket-Accept that does not belong to the key");
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ResponseError {
            $(#[doc = $text] $name,)*
        }

        impl ResponseError {
            /// Every rejection there is, for tables and tests.
            pub const ALL: &[ResponseError] = &[$(ResponseError::$name),*];

            /// What was wrong, in lower case (but for names) and without a full stop.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(ResponseError::$name => $text,)*
                }
            }
        }
    };
}

response_errors! {
    // The shape of the head: RFC 9112 sections 2, 4 and 5.
    NotHttp "a response that is not HTTP/1.0 or HTTP/1.1"
    BareCarriageReturn "a CR that no LF follows"
    BareLineFeed "a LF that no CR precedes"
    ControlCharacter "a NUL or another control character in the head"
    IncompleteHead "a head without its end"
    MalformedStatusLine "a status line that is not version, status and reason with one space between"
    MalformedHeaderName "a header name that is not a token directly before its colon"
    MalformedHeaderValue "a malformed header value"
    FoldedHeader "a folded header line"
    HeadTooLarge "a head beyond the limit"
    TooManyHeaders "more headers than the limit"
    // Another status than 101: RFC 6455 sections 4.1 and 4.4, RFC 9110 section 15.
    Redirected "a redirection"
    Unauthorized "a demand for credentials"
    UpgradeRequired "a demand for another version of the protocol"
    NotSwitched "a status other than 101"
    // What comes with 101: RFC 6455 section 4.1.
    SwitchedInHttp10 "a switch of protocols in HTTP/1.0"
    SwitchedWithBody "a switch of protocols with a body"
    MissingUpgrade "a 101 without Upgrade"
    WrongUpgrade "an Upgrade that is not websocket alone"
    MissingConnectionUpgrade "a 101 without Connection: upgrade"
    MissingAccept "a 101 without Sec-WebSocket-Accept"
    DoubledAccept "more than one Sec-WebSocket-Accept"
    WrongAccept "a Sec-WebSocket-Accept that does not belong to the key"
    DoubledSubprotocol "more than one Sec-WebSocket-Protocol"
    UnaskedSubprotocol "a Sec-WebSocket-Protocol that was not asked for"
    MalformedExtensions "a malformed Sec-WebSocket-Extensions"
    UnofferedExtension "a Sec-WebSocket-Extensions with one that was not offered"
    DoubledExtension "a Sec-WebSocket-Extensions with one of them twice"
    ExtensionParameters "parameters of an extension that do not answer the offer"
}

impl std::fmt::Display for ResponseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
