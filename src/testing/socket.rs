//! The scripted half of a WebSocket: from bytes to messages, and from messages to frames. The
//! client offers no extension. This file knows no connection: it returns the bytes to send.

use super::received::Received;
use crate::websocket::{
    Assembly, CloseCode, Event, Message, Opcode, Role, Rules, close_payload, decode, encode,
};

/// A scripted client masks every frame by this key: nothing on the way could be misled.
const MASKING_KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// One end of a WebSocket.
pub(super) struct Socket {
    rules: Rules,
    assembly: Option<Box<Assembly>>,
    messages: Vec<Received>,
    pings: Vec<Vec<u8>>,
    pongs: Vec<Vec<u8>>,
    /// What the peer's Close frame said.
    closed: Option<(CloseCode, String)>,
    has_sent_close: bool,
}

impl Socket {
    /// A WebSocket whose handshake is done, in the role that the script plays.
    pub(super) fn new(role: Role) -> Socket {
        Socket {
            rules: Rules { role, max_message: usize::MAX, compression: false },
            assembly: None,
            messages: Vec::new(),
            pings: Vec::new(),
            pongs: Vec::new(),
            closed: None,
            has_sent_close: false,
        }
    }

    /// Takes the frames that are whole out of the inbox, and returns the frames that answer them.
    pub(super) fn take_in(&mut self, inbox: &mut Vec<u8>) -> Vec<u8> {
        let mut answers = Vec::new();
        let mut taken = 0;
        while self.closed.is_none() {
            let (n, event) = decode(&self.rules, &mut self.assembly, &mut inbox[taken..]);
            taken += n;
            match event {
                Event::More => break,
                Event::Message(message) => self.messages.push(message.into()),
                Event::Assembled(whole) => match whole.message() {
                    Ok(message) => self.messages.push(message.into()),
                    Err(violation) => violated(violation.as_str()),
                },
                Event::Ping(payload) => {
                    self.pings.push(payload.to_vec());
                    self.frame(&mut answers, Opcode::Pong, payload);
                }
                Event::Pong(payload) => self.pongs.push(payload.to_vec()),
                Event::Close(code, reason) => {
                    let code = code.unwrap_or(CloseCode::NO_STATUS);
                    self.closed = Some((code, reason.to_owned()));
                    answers.extend(self.close(code, ""));
                }
                Event::Fail(violation) => violated(violation.as_str()),
                #[cfg(feature = "deflate")]
                Event::Compressed(_) => violated("a compressed message was not agreed on"),
            }
        }
        inbox.drain(..taken);
        answers
    }

    /// A message as a single frame.
    pub(super) fn message(&self, message: Message<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.frame(&mut bytes, message.opcode(), message.as_bytes());
        bytes
    }

    pub(super) fn ping(&self, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.frame(&mut bytes, Opcode::Ping, payload);
        bytes
    }

    /// A Close frame, unless one was sent before (RFC 6455 section 5.5.1).
    pub(super) fn close(&mut self, code: CloseCode, reason: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        if !std::mem::replace(&mut self.has_sent_close, true) {
            let mut payload = [0; 125];
            let len = close_payload(code, reason, &mut payload);
            self.frame(&mut bytes, Opcode::Close, &payload[..len]);
        }
        bytes
    }

    fn frame(&self, bytes: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
        let key = (self.rules.role == Role::Client).then_some(MASKING_KEY);
        encode(bytes, true, opcode, payload, key);
    }

    /// The messages since the last call.
    pub(super) fn messages(&mut self) -> Vec<Received> {
        std::mem::take(&mut self.messages)
    }

    /// The payloads of pings since the last call.
    pub(super) fn pings(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.pings)
    }

    /// The payloads of pongs since the last call.
    pub(super) fn pongs(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.pongs)
    }

    pub(super) fn closed(&self) -> Option<&(CloseCode, String)> {
        self.closed.as_ref()
    }

    pub(super) fn has_sent_close(&self) -> bool {
        self.has_sent_close
    }
}

fn violated(fault: &str) -> ! {
    panic!("the server's frames violate RFC 6455: {fault}. Bytes sent with `Conn::write` may do so")
}
