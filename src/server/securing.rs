//! TLS of an attempt in the client role: between the connected socket, or the tunnel of a proxy,
//! and the request. This file knows no certificate and no record of TLS.

use std::io;

use super::server::Server;
use crate::connection::{AttemptState, Cause, Flags};
use crate::net::{ClientTls, HTTP_1_1, Handshake, Read, Transport, reason};

/// What a program does whose configuration makes a server select HTTP/2.
const ONE_PROTOCOL: &str = "offer `http/1.1` alone by ALPN";
const ENDED: &str = "the server ended the connection during the handshake";

impl Server {
    /// Has `flush` begin TLS with the server of a `wss` URL.
    pub(super) fn secure(&mut self, slot: u32) {
        let Some(at) = self.context.table.slots.at(slot) else { return };
        if at.has_output() {
            let reason = "the proxy answered before it had read the whole request";
            return self.failed(slot, reason, Cause::Violation);
        }
        if let Some(attempt) = self.attempt_at(slot) {
            attempt.state = AttemptState::Securing;
            self.arrive_later(slot);
        }
    }

    /// Whether the TLS handshake of an attempt is under way.
    pub(super) fn is_securing(&mut self, slot: u32) -> bool {
        self.attempt_at(slot).is_some_and(|attempt| attempt.state == AttemptState::Securing)
    }

    /// Takes the next step of the TLS handshake, and sends the request at its end.
    pub(super) fn go_on_securing(&mut self, slot: u32) {
        if !self.is_securing(slot) {
            return;
        }
        if let Err(error) = self.begin_tls(slot) {
            return self.insecure_by(slot, &error, Cause::TlsFault);
        }
        let Some(mut at) = self.context.table.lease(slot) else { return };
        let Transport::Tls(stream) = &mut at.connection.transport else { return };
        match stream.handshake(&mut self.lent.input, 0, &mut at.books.traffic) {
            Ok(Handshake::Pending { more }) => {
                // No readiness follows a FIN: only a further read finds the end of file.
                if more || at.connection.flags.has(Flags::READ_CLOSED) {
                    at.read_later();
                }
            }
            Ok(Handshake::Done { n, more }) => {
                at.books.stats.handshakes += 1;
                let protocol = stream.connection().and_then(|session| session.alpn_protocol());
                // A configuration of the program's own may offer other protocols.
                match protocol.filter(|&name| name != HTTP_1_1).map(<[u8]>::escape_ascii) {
                    None => self.secured(slot, n, more),
                    Some(other) => {
                        let reason = format!("the server selected {other}: {ONE_PROTOCOL}");
                        self.insecure(slot, &reason, Cause::TlsFault);
                    }
                }
            }
            // Only a server meets plain text: a client's session tells it by its fault.
            Ok(Handshake::End | Handshake::PlainText { .. }) => {
                self.insecure(slot, ENDED, Cause::Eof);
            }
            Err(error) => self.insecure_by(slot, &error, Cause::Reset),
        }
    }

    /// Puts TLS over the attempt's socket, unless that is done.
    fn begin_tls(&mut self, slot: u32) -> io::Result<()> {
        if self.context.table.slots.at(slot).is_none_or(|at| at.transport.is_tls()) {
            return Ok(());
        }
        let Some(attempt) = self.attempt_at(slot) else { return Ok(()) };
        let host = attempt.handshake.url().host();
        let session = match &attempt.tls {
            Some(tls) => tls.begin(host)?,
            None => ClientTls::platform()?.begin(host)?,
        };
        if let Some(connection) = self.context.table.slots.at_mut(slot) {
            connection.transport.begin_tls(session);
        }
        Ok(())
    }

    /// Sends the request. `n` bytes of plaintext, which came with the end of the handshake, lie at
    /// the front of the read buffer.
    fn secured(&mut self, slot: u32, n: usize, more: bool) {
        self.call_back(slot, |server| server.request_upgrade(slot));
        let more = self.after_read(slot, false, Ok(Read::Bytes { n, more }));
        self.read_on(slot, more);
    }

    /// Ends an attempt whose transport failed. After the handshake a server may still refuse us: in
    /// TLS 1.3 its judgement of a client certificate comes then.
    pub(super) fn attempt_error(&mut self, slot: u32, error: &io::Error) {
        let told = reason(error).map(|reason| self.about_tls(slot, &reason));
        let cause = if told.is_some() { Cause::TlsFault } else { Cause::Reset };
        self.attempt_broken(slot, &told.unwrap_or_else(|| error.to_string()), cause);
    }

    /// Fails an attempt because of TLS.
    pub(super) fn insecure(&mut self, slot: u32, reason: &str, cause: Cause) {
        let reason = self.about_tls(slot, reason);
        self.failed(slot, &reason, cause);
    }

    /// Fails an attempt because of an error: of TLS itself, or else by this cause.
    fn insecure_by(&mut self, slot: u32, error: &io::Error, cause: Cause) {
        match reason(error) {
            Some(reason) => self.insecure(slot, &reason, Cause::TlsFault),
            None => self.insecure(slot, &error.to_string(), cause),
        }
    }

    fn about_tls(&mut self, slot: u32, reason: &str) -> String {
        let attempt = self.attempt_at(slot);
        let host = attempt.map_or("", |attempt| attempt.handshake.url().host());
        format!("TLS with {host}: {reason}")
    }
}
