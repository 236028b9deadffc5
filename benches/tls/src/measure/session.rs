//! One read of ciphertext into a shared buffer, and its plaintext in front of the same buffer. The
//! library does the same (`src/net/tls`); floor and load generators share this file.

use std::io::{self, ErrorKind, Read};

use rustls::ConnectionCommon;

/// Bytes of a buffer that stay free in front of ciphertext. rustls may hold one unfinished record
/// (RFC 8446 section 5.2), so plaintext is at most this much longer than the ciphertext fed.
pub const FRONT: usize = 20 << 10;

/// Bytes of plaintext that rustls encrypts at once, as in the library.
pub const STEP: usize = 64 << 10;

/// What one read of ciphertext brought.
#[derive(Clone, Copy, Debug, Default)]
pub struct Received {
    /// Bytes of plaintext at the front of the buffer.
    pub plaintext: usize,
    /// The peer has sent close_notify (RFC 8446 section 6.1).
    pub close_notify: bool,
    /// No more bytes come: the peer has sent close_notify, or has ended its side without.
    pub ended: bool,
    /// The read filled the buffer: the socket may hold further bytes.
    pub more: bool,
}

/// Reads ciphertext once from `socket` into the back of `buf`, and decrypts it to the front. `None`
/// means that a non-blocking socket has no bytes.
pub fn receive<D>(
    tls: &mut ConnectionCommon<D>,
    mut socket: impl Read,
    buf: &mut [u8],
) -> io::Result<Option<Received>> {
    let len = match socket.read(&mut buf[FRONT..]) {
        Ok(0) => return Ok(Some(Received { ended: true, ..Received::default() })),
        Ok(len) => len,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
        Err(error) => return Err(error),
    };
    let (mut start, end) = (FRONT, FRONT + len);
    let mut received = Received { more: end == buf.len(), ..Received::default() };
    while start < end && !received.ended {
        // rustls takes 4 KiB at most.
        start += tls.read_tls(&mut &buf[start..end])?;
        let state = tls.process_new_packets().map_err(io::Error::other)?;
        received.close_notify = state.peer_has_closed();
        received.ended = received.close_notify;
        let mut waiting = state.plaintext_bytes_to_read();
        while waiting > 0 {
            let taken = tls.reader().read(&mut buf[received.plaintext..start])?;
            received.plaintext += taken;
            waiting -= taken;
        }
    }
    Ok(Some(received))
}
