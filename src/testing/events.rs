//! The client's half of an event stream: from bytes to events (HTML standard, section 9.2). This
//! file reads what this crate's server writes, with or without the chunked coding.

use super::answer::Answer;
use super::received::Received;
use crate::http1::Chunked;

/// An event stream as far as it has arrived.
pub(super) struct Events {
    /// The decoder of a chunked body; `None` where the body lasts until the connection ends.
    chunked: Option<Chunked>,
    /// Bytes after the last whole line.
    text: Vec<u8>,
    event: Option<String>,
    id: Option<String>,
    data: Option<String>,
    /// The id that a client would ask to resume from; kept from block to block.
    last_id: String,
    received: Vec<Received>,
}

impl Events {
    /// The stream that follows a head, if that is the head of an event stream.
    pub(super) fn after(head: &Answer) -> Option<Events> {
        let media_type = head.header("content-type").unwrap_or_default();
        let is_events = head.status == 200 && media_type.starts_with("text/event-stream");
        is_events.then(|| Events {
            chunked: head.headers.contains_key("transfer-encoding").then(Chunked::new),
            text: Vec::new(),
            event: None,
            id: None,
            data: None,
            last_id: String::new(),
            received: Vec::new(),
        })
    }

    /// Takes all bytes out of the inbox and reads the lines that are whole.
    pub(super) fn take_in(&mut self, inbox: &mut Vec<u8>) {
        let bytes = std::mem::take(inbox);
        match &mut self.chunked {
            None => self.text.extend_from_slice(&bytes),
            Some(chunked) => {
                let decoded = chunked.decode(&bytes, &mut self.text, usize::MAX);
                assert!(decoded.is_ok(), "the server's chunks are malformed: {decoded:?}");
            }
        }
        while let Some(end) = self.text.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.text.drain(..=end).collect();
            let line = String::from_utf8(line).expect("the server writes event streams in UTF-8");
            self.line(line.trim_end_matches(['\r', '\n']));
        }
    }

    /// The events since the last call.
    pub(super) fn received(&mut self) -> Vec<Received> {
        std::mem::take(&mut self.received)
    }

    /// The id of the last whole block that has one; empty before it.
    pub(super) fn last_id(&self) -> &str {
        &self.last_id
    }

    /// A line is a field, a comment, or, when empty, the end of an event.
    fn line(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => self.event = Some(value.to_owned()),
            "id" => self.id = Some(value.to_owned()),
            "data" => match &mut self.data {
                None => self.data = Some(value.to_owned()),
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
            },
            "" if line.is_empty() => self.dispatch(),
            _ => {}
        }
    }

    /// An event without data is none, but its id counts.
    fn dispatch(&mut self) {
        let (event, id) = (self.event.take(), self.id.take());
        if let Some(id) = &id {
            self.last_id.clone_from(id);
        }
        if let Some(data) = self.data.take() {
            self.received.push(Received::Event { event, id, data });
        }
    }
}
