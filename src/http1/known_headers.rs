//! The headers that frame, route and upgrade a request, found by their names in any case. This file
//! knows names only. It does not judge a value.
//!
//! When this was written, the 12 names of a browser's handshake took 320 instructions here, and
//! 2,070 with `http::HeaderName`.

/// A header whose value is noted while the head is parsed, so that a lookup costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Host,
    Cookie,
    Expect,
    Origin,
    Upgrade,
    Connection,
    ContentLength,
    TransferEncoding,
    SecWebSocketKey,
    SecWebSocketOrigin,
    SecWebSocketVersion,
    SecWebSocketProtocol,
    SecWebSocketExtensions,
}

/// Number of known headers.
pub(super) const KNOWN: usize = Known::SecWebSocketExtensions as usize + 1;

impl Known {
    /// Finds a known header by its name.
    ///
    /// The length comes first: it settles most names, and none is compared with more than three.
    #[inline(always)] // 100 of 4,400 instructions of a browser's handshake, which names 12 headers
    pub(super) fn named(name: &[u8]) -> Option<Known> {
        match name.len() {
            4 if folds_to(name, b"host") => Some(Known::Host),
            6 if folds_to(name, b"cookie") => Some(Known::Cookie),
            6 if folds_to(name, b"expect") => Some(Known::Expect),
            6 if folds_to(name, b"origin") => Some(Known::Origin),
            7 if folds_to(name, b"upgrade") => Some(Known::Upgrade),
            10 if folds_to(name, b"connection") => Some(Known::Connection),
            14 if folds_to(name, b"content-length") => Some(Known::ContentLength),
            17 if folds_to(name, b"sec-websocket-key") => Some(Known::SecWebSocketKey),
            17 if folds_to(name, b"transfer-encoding") => Some(Known::TransferEncoding),
            20 if folds_to(name, b"sec-websocket-origin") => Some(Known::SecWebSocketOrigin),
            21 if folds_to(name, b"sec-websocket-version") => Some(Known::SecWebSocketVersion),
            22 if folds_to(name, b"sec-websocket-protocol") => Some(Known::SecWebSocketProtocol),
            24 if folds_to(name, b"sec-websocket-extensions") => {
                Some(Known::SecWebSocketExtensions)
            }
            _ => None,
        }
    }
}

/// Whether a token equals a lower-case one of letters and `-`, without regard to case.
#[inline]
pub(super) fn is<const LEN: usize>(token: &[u8], known: &[u8; LEN]) -> bool {
    token.len() == LEN && folds_to(token, known)
}

/// Whether a name of at least `LEN` bytes begins with a lower-case one of letters and `-`.
///
/// Among the bytes of a token only letters have the bit 0x40, and the bit 0x20 alone tells a small
/// letter from its capital. So all bytes compare at once, without a branch for each.
#[inline]
fn folds_to<const LEN: usize>(name: &[u8], known: &[u8; LEN]) -> bool {
    let differs = |name: &[u8; LEN]| {
        name.iter()
            .zip(known)
            .fold(0, |bits, (byte, known)| bits | ((byte | (known & 0x40) >> 1) ^ known))
    };
    name.first_chunk().is_some_and(|name| differs(name) == 0)
}
