//! One message on its way to many: each form of it is encoded once, and a receiver that must wait keeps a pointer. It does not know who
//! the receivers are.

use std::hash::BuildHasher;
use std::rc::Rc;

#[cfg(feature = "deflate")]
use super::compression::Compressed;
use super::connection::Flags;
use super::context::Context;
use super::outgoing::Outgoing;
use super::phase::Phase;
use super::segment::{Drop, Kind, Shared};
use crate::http1;
use crate::websocket::{self, State};

/// A message in the forms that receivers may want, each encoded at most once.
pub(crate) struct Frames<'m> {
    outgoing: Outgoing<'m>,
    key: u64,
    websocket: Option<Shared>,
    #[cfg(feature = "deflate")]
    compressed: Compressed,
    event: Option<Shared>,
}

impl<'m> Frames<'m> {
    pub(crate) fn new(outgoing: Outgoing<'m>, key: u64) -> Frames<'m> {
        Frames {
            outgoing,
            key,
            websocket: None,
            #[cfg(feature = "deflate")]
            compressed: Compressed::new(),
            event: None,
        }
    }

    /// What the message is the latest of, as a number.
    pub(super) fn key(&self) -> u64 {
        self.key
    }

    /// The form for a phase; `None` where nothing may be sent, or not this.
    pub(super) fn of(&mut self, phase: Phase) -> Option<&Shared> {
        let outgoing = self.outgoing;
        match phase {
            Phase::WebSocket(State::Open) => Some(self.websocket.get_or_insert_with(|| {
                let mut frame = Vec::new();
                websocket::encode_message(&mut frame, outgoing.message);
                Rc::new(frame)
            })),
            Phase::Streaming => {
                let websocket::Message::Text(data) = outgoing.message else { return None };
                Some(self.event.get_or_insert_with(|| {
                    let mut event = Vec::new();
                    http1::event_stream::encode(&mut event, outgoing.event, outgoing.id, data);
                    Rc::new(event)
                }))
            }
            _ => None,
        }
    }
}

impl Context {
    /// Sends a message that goes to many.
    pub(crate) fn deliver(&mut self, slot: u32, frames: &mut Frames<'_>) {
        #[cfg(feature = "deflate")]
        if let Some((frame, drop)) = self.compressed_for(slot, frames) {
            return self.push_frame(slot, frame, Kind::Frames, drop, frames.key);
        }
        let Some(connection) = self.slots.at(slot) else { return };
        let drop = Drop::Message { key: frames.key };
        let Some(frame) = frames.of(connection.phase) else { return };
        let kind = if connection.phase == Phase::Streaming { Kind::Bytes } else { Kind::Frames };
        let frame = match connection.flags.has(Flags::CLIENT) {
            false => Rc::clone(frame),
            // A client masks every frame by a key of its own: nothing can be shared.
            true => {
                let mut own = Vec::new();
                let message = frames.outgoing.message;
                websocket::encode(
                    &mut own,
                    true,
                    message.opcode(),
                    message.as_bytes(),
                    self.masking_key(slot),
                );
                Rc::new(own)
            }
        };
        self.push_frame(slot, frame, kind, drop, frames.key);
    }

    /// A compressed frame for one of several receivers, if it is to have one. With context takeover it is in the window that later ones
    /// refer to, so it cannot be dropped any more.
    #[cfg(feature = "deflate")]
    fn compressed_for(&mut self, slot: u32, frames: &mut Frames<'_>) -> Option<(Shared, Drop)> {
        let connection = self
            .slots
            .at(slot)
            .filter(|connection| connection.phase == Phase::WebSocket(State::Open))?;
        let drop = match connection.deflate?.our_takeover() {
            true => Drop::Never,
            false => Drop::Message { key: frames.key },
        };
        let frame = self.compressed_frame(slot, &frames.outgoing, &mut frames.compressed)?;
        Some((frame, drop))
    }

    fn push_frame(&mut self, slot: u32, frame: Shared, kind: Kind, drop: Drop, key: u64) {
        if self.is_plain(slot) {
            return self.send_plain_bytes(slot, [&frame]);
        }
        let Some(connection) = self.slots.at(slot) else { return };
        let in_a_run = slot == self.corked && !self.stands_alone(connection, key != 0);
        let Some(output) = self.output(slot) else { return };
        match in_a_run {
            true => output.push(kind, |own| own.extend_from_slice(&frame)),
            false => output.push_shared(frame, drop),
        }
        self.enforce_bounds(slot);
    }

    /// A key or topic as a number that waits with a message.
    pub(crate) fn key(&self, key: &str) -> u64 {
        self.hasher.hash_one(key).max(1)
    }
}
