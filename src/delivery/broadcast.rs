//! One message for many receivers: each wire form is encoded once, and each outbox in which the
//! message waits has a pointer to it. This file does not choose the receivers.

use std::sync::Arc;

use super::delivery::Delivery;
use super::outgoing::Outgoing;
#[cfg(feature = "deflate")]
use super::shared_contexts::CompressedOnce;
use crate::connection::{Backpressure, Flags, Lease, Phase};
use crate::http1;
use crate::outbox::{Droppable, Kind, Shared};
use crate::websocket::{self, Message, State};

/// A message in the wire forms that its receivers need, each encoded at most once.
pub(crate) struct EncodedOnce<'m> {
    pub(super) outgoing: Outgoing<'m>,
    /// The number of what the message is the latest of; 0 is no key.
    pub(super) key: u64,
    pub(super) websocket: Option<Shared>,
    #[cfg(feature = "deflate")]
    pub(super) compressed: CompressedOnce,
    pub(super) event: Option<Shared>,
}

impl<'m> EncodedOnce<'m> {
    pub(crate) fn new(outgoing: Outgoing<'m>, key: u64) -> EncodedOnce<'m> {
        EncodedOnce {
            outgoing,
            key,
            websocket: None,
            #[cfg(feature = "deflate")]
            compressed: CompressedOnce::new(),
            event: None,
        }
    }

    /// Returns the frame and the event.
    #[cfg(test)]
    pub(crate) fn all_forms(&mut self) -> Vec<Shared> {
        let phases = [Phase::WebSocket(State::Open), Phase::Streaming];
        phases.into_iter().filter_map(|phase| self.form(phase).cloned()).collect()
    }

    #[cfg(test)]
    pub(crate) fn made_no_event(&self) -> bool {
        self.event.is_none()
    }

    /// Returns the form for a phase; `None` where the message cannot be sent.
    pub(super) fn form(&mut self, phase: Phase) -> Option<&Shared> {
        let outgoing = self.outgoing;
        match (phase, outgoing.message) {
            (Phase::WebSocket(State::Open), message) => {
                Some(self.websocket.get_or_insert_with(|| {
                    let mut frame = Vec::new();
                    websocket::encode_message(&mut frame, message);
                    Arc::new(frame)
                }))
            }
            (Phase::Streaming, Message::Text(data)) => Some(self.event.get_or_insert_with(|| {
                let mut event = Vec::new();
                http1::event_stream::encode(&mut event, outgoing.event, outgoing.id, data);
                Arc::new(event)
            })),
            _ => None,
        }
    }
}

impl Delivery {
    /// Sends a message for many receivers to one of them.
    pub(crate) fn deliver(&mut self, at: &mut Lease<'_>, encoded: &mut EncodedOnce<'_>) {
        #[cfg(feature = "deflate")]
        if let Some((frame, droppable)) = self.compressed_for(at, encoded) {
            return self.push_frame(at, frame, Kind::Frames, droppable, encoded);
        }
        let Some(frame) = self.frame_for(at, encoded) else { return at.wake_poll() };
        let kind = match at.connection.phase {
            Phase::Streaming => Kind::Bytes,
            _ => Kind::Frames,
        };
        let droppable = Droppable::message(encoded.key);
        self.push_frame(at, frame, kind, droppable, encoded);
    }

    /// Returns the uncompressed form for one of many receivers; `None` where the message cannot be
    /// sent.
    #[inline]
    pub(super) fn frame_for(
        &mut self,
        at: &Lease<'_>,
        encoded: &mut EncodedOnce<'_>,
    ) -> Option<Shared> {
        let frame = encoded.form(at.connection.phase)?;
        if !at.connection.flags.has(Flags::CLIENT) {
            return Some(Arc::clone(frame));
        }
        // A client masks every frame by a key of its own (RFC 6455 5.3): nothing is shared.
        let mut own = Vec::new();
        let message = encoded.outgoing.message;
        let key = self.masking_key(at);
        websocket::encode(&mut own, true, message.opcode(), message.as_bytes(), key);
        Some(Arc::new(own))
    }

    /// Returns a compressed frame for one of many receivers, if that one takes compressed messages.
    /// With context takeover later frames refer to this one, so no policy may drop it, unless it is
    /// deflated only as it begins to leave.
    #[cfg(feature = "deflate")]
    pub(super) fn compressed_for(
        &mut self,
        at: &mut Lease<'_>,
        encoded: &mut EncodedOnce<'_>,
    ) -> Option<(Shared, Droppable)> {
        if at.connection.phase != Phase::WebSocket(State::Open) {
            return None;
        }
        if self.deflates_later(at) {
            self.compression_terms(at, &encoded.outgoing)?;
            let droppable = Droppable::Message { key: encoded.key, deflates: true };
            return Some((encoded.form(at.connection.phase)?.clone(), droppable));
        }
        let droppable = match at.connection.deflate?.our_takeover() {
            true => Droppable::Never,
            false => Droppable::message(encoded.key),
        };
        let frame = self.compressed_frame(at, &encoded.outgoing, &mut encoded.compressed)?;
        Some((frame, droppable))
    }

    fn push_frame(
        &mut self,
        at: &mut Lease<'_>,
        frame: Shared,
        kind: Kind,
        droppable: Droppable,
        encoded: &EncodedOnce<'_>,
    ) {
        let (key, has_id) = (encoded.key, encoded.outgoing.id.is_some());
        at.books.stats.messages_sent += 1;
        if at.is_on_fast_path() {
            return self.push_fast(at, [&frame]);
        }
        let joins_others = at.is_corked() && !self.stands_alone(at, key != 0);
        let keeps_latest = at.options().backpressure == Backpressure::KeepLatest;
        let output = self.output(at);
        if joins_others && !droppable.deflates() {
            output.push(kind, |own| own.extend_from_slice(&frame));
        } else if keeps_latest {
            // A receiver resumes after the last id that it has had.
            let replaced = match has_id {
                true => output.push_latest_last(frame, droppable),
                false => output.push_latest(frame, droppable),
            };
            at.books.stats.replaced += u64::from(replaced);
        } else {
            output.push_shared(frame, droppable);
        }
        self.enforce_bounds(at);
    }
}
