//! The two versions of HTTP that this crate speaks. This file knows only their order.

/// A version of HTTP; any other is refused with 505 (RFC 9110 section 15.6.6).
///
/// ```
/// use switchboard::proto::http1::Version;
///
/// assert!(Version::Http10 < Version::Http11);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// HTTP/1.0: no chunked coding and no `100 Continue`. The connection closes after each response
    /// unless both sides ask to keep it.
    Http10,
    /// HTTP/1.1.
    Http11,
}
