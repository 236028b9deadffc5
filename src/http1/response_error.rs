//! The faults of a response to a client's handshake: a name and a text for each. This file knows no
//! bytes and no sockets. A server that sends a wrong response gets no answer.

use std::fmt;

/// One row for each fault: its name and what is wrong.
macro_rules! response_errors {
    ($($name:ident $text:literal)*) => {
        /// A fault of a response to a WebSocket handshake, found while its head was judged.
        ///
        /// The client closes the socket and sends nothing (RFC 6455 section 7.1.7). The status that
        /// came instead of 101 is [`ResponseHead::status`](super::ResponseHead::status).
        ///
        /// ```
        /// use std::error::Error;
        /// use switchboard::proto::http1::ResponseError;
        ///
        /// let error = ResponseError::DoubledAccept;
        /// assert_eq!(error.as_str(), "more than one Sec-WebSocket-Accept");
        /// let error: Box<dyn Error> = error.into();
        /// assert_eq!(error.to_string(), "more than one Sec-WebSocket-Accept");
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ResponseError {
            $(#[doc = $text] $name,)*
        }

        impl ResponseError {
            /// Every fault, for tables and tests.
            pub const ALL: &[ResponseError] = &[$(ResponseError::$name),*];

            /// Says what is wrong, in lower case but for names, and without a full stop.
            #[must_use]
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
    MalformedStatusLine
        "a status line that is not version, status and reason with one space between"
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

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for ResponseError {}
