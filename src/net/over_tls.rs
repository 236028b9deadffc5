//! TLS over a transport: the transport is the carrier of the ciphertext.

use std::io::{self, IoSlice};

use super::carrier::Carrier;
use super::outcome::{Read, Wrote};
use super::tls::{Tls, TlsStream};
use super::traffic::Traffic;
use super::transport::Transport;

impl Carrier for Transport {
    fn read(&mut self, buf: &mut [u8], traffic: &mut Traffic) -> io::Result<Read> {
        self.read(buf, traffic)
    }

    fn write_vectored(
        &mut self,
        pieces: &[IoSlice<'_>],
        traffic: &mut Traffic,
    ) -> io::Result<Wrote> {
        self.write_vectored(pieces, traffic)
    }

    fn shutdown(&mut self, traffic: &mut Traffic) {
        self.shutdown(traffic);
    }
}

impl Tls {
    /// Expects TLS of the client at the other end of a transport, for
    /// [`Server::adopt`](crate::Server::adopt).
    ///
    /// A client that speaks plain HTTP gets a 400 in plain text.
    ///
    /// ```
    /// # std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/data"))?;
    /// use std::time::Instant;
    /// use switchboard::{Readiness, Server, Tls, Transport};
    ///
    /// let tls = Tls::from_pem_files("chain.pem", "key.pem")?;
    /// let (transport, mut peer) = Transport::memory();
    /// let (mut server, now) = (Server::detached(), Instant::now());
    /// let token = server.adopt(tls.over(transport), now)?;
    /// peer.send("GET / HTTP/1.1\r\n\r\n");
    /// server.ready(token, Readiness::READABLE, now);
    /// server.flush(now);
    /// assert!(peer.receive().starts_with(b"HTTP/1.1 400 "));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn over(&self, transport: impl Into<Transport>) -> Transport {
        Transport::Tls(Box::new(TlsStream::expect(transport.into(), self.clone())))
    }
}
