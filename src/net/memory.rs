//! An in-memory connection with a peer that can be slow, abrupt or gone: what simulations and a million
//! connections without descriptors run on. It tells nobody of its readiness; whoever holds the peer does.

use std::io::{self, ErrorKind, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::outcome::Read;

/// The server's end of an in-memory connection; made by [`Transport::memory`](super::Transport::memory).
#[derive(Debug)]
pub struct Memory {
    pipe: Arc<Mutex<Pipe>>,
}

/// The far end of an in-memory connection: what a client would see and do.
///
/// ```
/// use switchboard::Transport;
///
/// let (_transport, mut peer) = Transport::memory();
/// peer.window(10);              // takes ten bytes, then the server's writes are refused
/// assert!(peer.receive().is_empty());
/// assert!(!peer.is_ended());
/// ```
#[derive(Debug)]
pub struct MemoryPeer {
    pipe: Arc<Mutex<Pipe>>,
}

#[derive(Debug)]
struct Pipe {
    to_server: Vec<u8>,
    read: usize,
    read_at_most: usize,
    to_peer: Vec<u8>,
    window: usize,
    peer_ended: bool,
    server_ended: bool,
    server_gone: bool,
    broken: Option<ErrorKind>,
}

fn lock(pipe: &Mutex<Pipe>) -> MutexGuard<'_, Pipe> {
    // A pipe is plain bytes: a panic of another holder leaves nothing half done in it.
    pipe.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Memory {
    pub(crate) fn pair() -> (Memory, MemoryPeer) {
        let pipe = Arc::new(Mutex::new(Pipe {
            to_server: Vec::new(),
            read: 0,
            read_at_most: usize::MAX,
            to_peer: Vec::new(),
            window: usize::MAX,
            peer_ended: false,
            server_ended: false,
            server_gone: false,
            broken: None,
        }));
        (Memory { pipe: Arc::clone(&pipe) }, MemoryPeer { pipe })
    }

    #[inline(never)]
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> io::Result<Read> {
        let mut pipe = lock(&self.pipe);
        if let Some(kind) = pipe.broken {
            return Err(kind.into());
        }
        let start = pipe.read;
        let n = (pipe.to_server.len() - start).min(buf.len()).min(pipe.read_at_most);
        if n == 0 {
            return Ok(if pipe.peer_ended { Read::End } else { Read::Blocked });
        }
        buf[..n].copy_from_slice(&pipe.to_server[start..start + n]);
        pipe.read += n;
        let more = pipe.read < pipe.to_server.len();
        if !more {
            pipe.to_server = Vec::new();
            pipe.read = 0;
        }
        Ok(Read::Bytes { n, more })
    }

    #[inline(never)]
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut pipe = lock(&self.pipe);
        if let Some(kind) = pipe.broken {
            return Err(kind.into());
        }
        let n = pipe.window.min(bytes.len());
        pipe.to_peer.extend_from_slice(&bytes[..n]);
        if pipe.window != usize::MAX {
            pipe.window -= n;
        }
        Ok(n)
    }

    pub(crate) fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut written = 0;
        for piece in pieces {
            let n = self.write(piece)?;
            written += n;
            if n < piece.len() {
                break;
            }
        }
        Ok(written)
    }

    pub(crate) fn is_broken(&self) -> bool {
        lock(&self.pipe).broken.is_some()
    }

    pub(crate) fn shutdown(&mut self) {
        lock(&self.pipe).server_ended = true;
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let mut pipe = lock(&self.pipe);
        pipe.server_ended = true;
        pipe.server_gone = true;
    }
}

impl MemoryPeer {
    /// Sends bytes to the server.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        lock(&self.pipe).to_server.extend_from_slice(bytes.as_ref());
    }

    /// Takes everything that the server has written so far.
    pub fn receive(&mut self) -> Vec<u8> {
        std::mem::take(&mut lock(&self.pipe).to_peer)
    }

    /// Lets the server write this many more bytes before its writes are refused; `usize::MAX` is no limit (the start).
    pub fn window(&mut self, bytes: usize) {
        lock(&self.pipe).window = bytes;
    }

    /// Hands the server at most this many bytes in one read; `usize::MAX` is no limit (the start).
    pub fn read_at_most(&mut self, bytes: usize) {
        lock(&self.pipe).read_at_most = bytes;
    }

    /// Ends the peer's side, as a FIN does: the server reads end of file after what was sent.
    pub fn end(&mut self) {
        lock(&self.pipe).peer_ended = true;
    }

    /// Breaks the connection: from now on every read and write of the server fails with this error.
    pub fn fail(&mut self, kind: ErrorKind) {
        lock(&self.pipe).broken = Some(kind);
    }

    /// Whether the server has ended its side.
    pub fn is_ended(&self) -> bool {
        lock(&self.pipe).server_ended
    }

    /// Whether the server has dropped the connection altogether.
    pub fn is_gone(&self) -> bool {
        lock(&self.pipe).server_gone
    }
}
