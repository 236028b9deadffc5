//! One connection under TLS: ciphertext on one side, the caller's plaintext on the other. This file
//! keeps no bytes of its own. rustls holds a part of a record until the rest of it arrives, and
//! ciphertext that the carrier did not take.

use std::io::{self, ErrorKind, IoSlice, Read as _, Write as _};

use rustls::Connection;

use super::server::Tls;
use crate::net::carrier::Carrier;
use crate::net::outcome::{Read, Wrote};
use crate::net::traffic::Traffic;

/// Bytes at the front of a read buffer that plaintext may take before ciphertext is used: a record
/// that rustls holds a part of has up to 18 KiB.
pub(crate) const FRONT: usize = 20 << 10;

/// A connection under TLS, over a TCP socket, a Unix socket or memory.
///
/// [`Tls::over`] makes one in the server role.
#[derive(Debug)]
pub struct TlsStream<C> {
    carrier: C,
    session: Session,
}

#[derive(Debug)]
enum Session {
    /// No byte of the peer has arrived: a session has no memory yet.
    Expected(Tls),
    Begun {
        connection: Box<Connection>,
        health: Health,
        /// A write took its last byte too, but reported it as not taken, because ciphertext was
        /// left. The next write begins with that byte.
        credit: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Sound,
    /// The peer has sent close_notify: the next read reports its end.
    Ended,
    /// The peer broke the protocol. The next read reports it, behind plaintext from before.
    Faulty,
    /// The fault was reported: what arrives is discarded, and what is written is dropped.
    Reported,
}

impl Health {
    /// Sends close_notify. After a fault it would say that nothing was cut off.
    fn say_end(self, connection: &mut Connection) {
        if !matches!(self, Health::Faulty | Health::Reported) {
            connection.send_close_notify();
        }
    }
}

/// The outcome of one step of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handshake {
    /// The handshake goes on; `more` says that the carrier may hold further bytes.
    Pending { more: bool },
    /// The handshake is over. `n` bytes of plaintext lie at the front of the buffer.
    Done { n: usize, more: bool },
    /// The peer does not speak TLS: the `n` bytes at the front of the buffer begin with a letter.
    PlainText { n: usize },
    /// The peer has ended its side.
    End,
}

/// Whether the first byte is of a method or an empty line: a client that speaks no TLS.
pub(crate) fn is_plain_text(byte: &u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'\r' | b'\n')
}

/// The write side of a carrier. It notes when the carrier is full, which saves a system call.
struct Sink<'c, C> {
    carrier: &'c mut C,
    traffic: &'c mut Traffic,
    is_full: bool,
}

impl<C: Carrier> io::Write for Sink<'_, C> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let outcome = self.carrier.write_vectored(pieces, self.traffic)?;
        self.is_full = outcome != Wrote::All;
        match outcome {
            Wrote::Nothing => Err(ErrorKind::WouldBlock.into()),
            some => Ok(some.taken(pieces.iter().map(|piece| piece.len()).sum())),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes ciphertext, and returns whether all of it has left.
fn flush(
    connection: &mut Connection,
    carrier: &mut impl Carrier,
    traffic: &mut Traffic,
) -> io::Result<bool> {
    let mut sink = Sink { carrier, traffic, is_full: false };
    while connection.wants_write() && !sink.is_full {
        match connection.write_tls(&mut sink) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            outcome => outcome?,
        };
    }
    Ok(!connection.wants_write())
}

/// What came of ciphertext.
struct Decrypted {
    /// Bytes of plaintext at the front of the buffer.
    n: usize,
    /// The peer has sent close_notify.
    is_closed: bool,
    fault: Option<rustls::Error>,
}

/// Decrypts the ciphertext from `at` on into the front of the same buffer. Plaintext is shorter
/// than its ciphertext, so it never reaches what is still to be decrypted.
fn decrypt(connection: &mut Connection, buf: &mut [u8], mut at: usize) -> Decrypted {
    let mut decrypted = Decrypted { n: 0, is_closed: false, fault: None };
    while at < buf.len() && !decrypted.is_closed {
        let mut ciphertext = &buf[at..];
        let before = ciphertext.len();
        // An error of this call says that rustls holds too much, which `FRONT` rules out.
        if connection.read_tls(&mut ciphertext).is_err() || ciphertext.len() == before {
            decrypted.fault = Some(rustls::Error::General("a record beyond its limit".into()));
            break;
        }
        at += before - ciphertext.len();
        match connection.process_new_packets() {
            Ok(state) => decrypted.is_closed = state.peer_has_closed(),
            Err(fault) => decrypted.fault = Some(fault),
        }
        decrypted.n += connection.reader().read(&mut buf[decrypted.n..at]).unwrap_or(0);
        if decrypted.fault.is_some() {
            break;
        }
    }
    decrypted
}

/// Encrypts the pieces from byte `from` on, within the bound of one step. Returns the bytes taken.
fn encrypt(connection: &mut Connection, pieces: &[IoSlice<'_>], from: usize) -> io::Result<usize> {
    if from == 0 {
        return connection.writer().write_vectored(pieces);
    }
    let mut skipped = from;
    for piece in pieces {
        match piece.get(skipped..) {
            Some(rest) if !rest.is_empty() => return connection.writer().write(rest),
            _ => skipped -= piece.len(),
        }
    }
    Ok(0)
}

#[expect(private_bounds)] // Nobody else makes a carrier.
impl<C: Carrier> TlsStream<C> {
    /// Expects a client that speaks TLS.
    pub(crate) fn expect(carrier: C, tls: Tls) -> TlsStream<C> {
        TlsStream { carrier, session: Session::Expected(tls) }
    }

    /// Speaks TLS in a session that has begun.
    pub(crate) fn begun(carrier: C, connection: Connection) -> TlsStream<C> {
        TlsStream { carrier, session: Session::begin(connection) }
    }

    pub(crate) fn carrier(&self) -> &C {
        &self.carrier
    }

    pub(crate) fn carrier_mut(&mut self) -> &mut C {
        &mut self.carrier
    }

    /// The session, once the first byte has arrived.
    pub(crate) fn connection(&self) -> Option<&Connection> {
        match &self.session {
            Session::Expected(_) => None,
            Session::Begun { connection, .. } => Some(connection),
        }
    }

    /// Whether the peer broke the protocol. It was sent an alert, if rustls has one for the fault.
    pub(crate) fn is_faulty(&self) -> bool {
        match self.session {
            Session::Expected(_) => false,
            Session::Begun { health, .. } => matches!(health, Health::Faulty | Health::Reported),
        }
    }

    /// Reads once, and takes the handshake as far as the bytes reach. The first `given` bytes of
    /// the buffer were read before; with 0, the carrier is read. `buf` is longer than [`FRONT`].
    ///
    /// # Errors
    /// When the carrier fails, or the peer breaks the protocol.
    pub(crate) fn handshake(
        &mut self,
        buf: &mut [u8],
        given: usize,
        traffic: &mut Traffic,
    ) -> io::Result<Handshake> {
        let outcome = match given {
            0 => self.carrier.read(&mut buf[FRONT..], traffic)?,
            n => {
                buf.copy_within(..n, FRONT);
                Read::Bytes { n, more: false }
            }
        };
        let (n, more) = match outcome {
            Read::Bytes { n, more } => (n, more),
            Read::Blocked => (0, false),
            Read::End => return Ok(Handshake::End),
        };
        if let Session::Expected(tls) = &self.session {
            match buf.get(FRONT) {
                _ if n == 0 => return Ok(Handshake::Pending { more }),
                Some(byte) if is_plain_text(byte) => {
                    buf.copy_within(FRONT..FRONT + n, 0);
                    return Ok(Handshake::PlainText { n });
                }
                _ => {}
            }
            let connection = tls.accept().map_err(io::Error::other)?;
            self.session = Session::begin(connection.into());
        }
        let Session::Begun { connection, health, .. } = &mut self.session else {
            return Ok(Handshake::Pending { more });
        };
        let Decrypted { n, is_closed, fault } = decrypt(connection, &mut buf[..FRONT + n], FRONT);
        // An alert leaves here too.
        let flushed = flush(connection, &mut self.carrier, traffic);
        if let Some(fault) = fault {
            *health = Health::Reported;
            return Err(io::Error::new(ErrorKind::InvalidData, fault));
        }
        let is_left = flushed?;
        if is_closed {
            *health = Health::Ended;
        }
        // Under TLS 1.2 the client waits for our last flight. One that sends already does not.
        let waits = connection.is_handshaking() || (n == 0 && !is_left && !is_closed);
        Ok(match waits {
            true if is_closed => Handshake::End,
            true => Handshake::Pending { more },
            false => Handshake::Done { n, more: more || is_closed },
        })
    }

    /// Reads ciphertext once, into the back of the buffer, and decrypts it to the front.
    #[inline(never)]
    pub(crate) fn read(&mut self, buf: &mut [u8], traffic: &mut Traffic) -> io::Result<Read> {
        let Session::Begun { connection, health, .. } = &mut self.session else {
            return Ok(Read::Blocked);
        };
        match health {
            Health::Sound => {}
            Health::Ended => return Ok(Read::End),
            Health::Faulty => {
                *health = Health::Reported;
                let fault = connection.process_new_packets().err();
                return Err(fault.map_or(ErrorKind::InvalidData.into(), io::Error::other));
            }
            Health::Reported => {
                return Ok(match self.carrier.read(buf, traffic)? {
                    Read::Bytes { more, .. } => Read::Bytes { n: 0, more },
                    nothing => nothing,
                });
            }
        }
        let front = FRONT.min(buf.len() / 2);
        let (got, more) = match self.carrier.read(&mut buf[front..], traffic)? {
            Read::Bytes { n, more } => (n, more),
            nothing => return Ok(nothing),
        };
        let Decrypted { n, is_closed, fault } = decrypt(connection, &mut buf[..front + got], front);
        if connection.wants_write() {
            // An alert, or the answer to a new key. What the carrier refuses leaves later, and its
            // errors come back then.
            let _later = flush(connection, &mut self.carrier, traffic);
        }
        *health = match (is_closed, fault) {
            (_, Some(fault)) if n == 0 => {
                *health = Health::Reported;
                return Err(io::Error::new(ErrorKind::InvalidData, fault));
            }
            (_, Some(_)) => Health::Faulty,
            (true, None) if n == 0 => {
                *health = Health::Ended;
                return Ok(Read::End);
            }
            (true, None) => Health::Ended,
            (false, None) => return Ok(Read::Bytes { n, more }),
        };
        Ok(Read::Bytes { n, more: true })
    }

    /// Encrypts and writes. [`Wrote::All`] says that the ciphertext has left too. If some of it is
    /// left although the plaintext was taken, the last byte counts as not taken, so that the caller
    /// waits for a writable event. The next write begins with this byte, and skips it.
    #[inline(never)]
    pub(crate) fn write(
        &mut self,
        pieces: &[IoSlice<'_>],
        traffic: &mut Traffic,
    ) -> io::Result<Wrote> {
        let Session::Begun { connection, health, credit, .. } = &mut self.session else {
            return Ok(Wrote::Nothing);
        };
        if !flush(connection, &mut self.carrier, traffic)? {
            return Ok(Wrote::Nothing);
        }
        // After an alert nothing may be sent.
        if matches!(health, Health::Faulty | Health::Reported) {
            return Ok(Wrote::All);
        }
        let given = pieces.iter().map(|piece| piece.len()).sum();
        let mut taken = usize::from(std::mem::take(credit)).min(given);
        while taken < given {
            let n = encrypt(connection, pieces, taken)?;
            if n == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
            taken += n;
            if !flush(connection, &mut self.carrier, traffic)? {
                *credit = taken == given;
                return Ok(Wrote::of(taken - usize::from(*credit), given));
            }
        }
        Ok(Wrote::All)
    }

    /// Ends our side: close_notify (RFC 8446 6.1), and then the carrier's end of file. An end that
    /// the carrier does not take now leaves with later ciphertext.
    pub(crate) fn shutdown(&mut self, traffic: &mut Traffic) {
        let is_left = match &mut self.session {
            Session::Expected(_) => true,
            Session::Begun { connection, health, .. } => {
                health.say_end(connection);
                flush(connection, &mut self.carrier, traffic).unwrap_or(true)
            }
        };
        if is_left {
            self.carrier.shutdown(traffic);
        }
    }

    /// Tells the peer that nothing was cut off, before the connection is dropped.
    pub(crate) fn close_notify(&mut self, traffic: &mut Traffic) {
        if let Session::Begun { connection, health, .. } = &mut self.session {
            health.say_end(connection);
            // The peer may be gone.
            let _gone = flush(connection, &mut self.carrier, traffic);
        }
    }
}

impl Session {
    fn begin(connection: Connection) -> Session {
        Session::Begun { connection: Box::new(connection), health: Health::Sound, credit: false }
    }
}
