//! Frames in words, for tests of WebSockets to compare.

use super::frames::{BINARY, CLOSE, CONTINUATION, Frame, PING, PONG, TEXT, frame, frames};
use switchboard::testing::Received;

impl Frame {
    /// `text hello`, `binary 5`, `close 1000 bye`; one that is not final ends in two dots.
    pub fn word(&self) -> String {
        let shown = String::from_utf8_lossy(&self.payload);
        let word = match self.opcode {
            CONTINUATION => format!("and {shown}"),
            TEXT => format!("text {shown}"),
            BINARY => format!("binary {}", self.payload.len()),
            PING => format!("ping {shown}"),
            PONG => format!("pong {shown}"),
            CLOSE => {
                let (code, reason) = self.close();
                format!("close {code} {reason}")
            }
            other => panic!("opcode {other:#x}"),
        };
        format!("{}{}", word.trim_end(), if self.fin { "" } else { ".." })
    }
}

/// Whole frames in words.
pub fn words(bytes: &[u8]) -> Vec<String> {
    frames(bytes).iter().map(Frame::word).collect()
}

/// What follows the head of a handshake's answer.
pub fn after_handshake(answer: &[u8]) -> &[u8] {
    assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(answer));
    let end =
        answer.windows(4).position(|window| window == b"\r\n\r\n").expect("the end of the head");
    &answer[end + 4..]
}

/// A masked frame whose first byte is given whole.
pub fn raw(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let mut bytes = frame(true, 0, payload);
    bytes[0] = first;
    bytes
}

/// Whether this is the event with which an event stream begins that goes on from an id.
pub fn is_announcement(event: &Received) -> bool {
    let Received::Event { event: Some(name), .. } = event else { return false };
    name.starts_with("switchboard.")
}
