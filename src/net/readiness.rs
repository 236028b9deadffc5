//! What an event reports about a transport. This file knows no transport and no event.

/// The operations that may succeed on a transport without blocking, as mio's events report them.
///
/// ```
/// use switchboard::Readiness;
///
/// let readiness = Readiness { read_closed: true, ..Readiness::READABLE };
/// assert!(readiness.readable && !readiness.writable);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// A read may return bytes or the end of file.
    pub readable: bool,
    /// A write may take bytes.
    pub writable: bool,
    /// The peer has ended its side; bytes sent before that may still be unread.
    pub read_closed: bool,
}

impl Readiness {
    /// Readable and nothing else.
    pub const READABLE: Readiness =
        Readiness { readable: true, writable: false, read_closed: false };
    /// Writable and nothing else.
    pub const WRITABLE: Readiness =
        Readiness { readable: false, writable: true, read_closed: false };
}
