//! What TLS needs of the transport below it. This file knows no transport.

use std::io::{self, IoSlice};

use super::outcome::{Read, Wrote};
use super::traffic::Traffic;

/// A transport that takes ciphertext to the peer and back.
pub(crate) trait Carrier {
    /// Reads once.
    fn read(&mut self, buf: &mut [u8], traffic: &mut Traffic) -> io::Result<Read>;

    /// Writes once.
    fn write_vectored(
        &mut self,
        pieces: &[IoSlice<'_>],
        traffic: &mut Traffic,
    ) -> io::Result<Wrote>;

    /// Ends our side.
    fn shutdown(&mut self, traffic: &mut Traffic);
}
