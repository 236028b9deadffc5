//! The wire forms of a kept message that outboxes have: found again for as long as one of them
//! waits. This file makes no form.

use std::sync::{Arc, Weak};

use super::broadcast::EncodedOnce;
use super::outgoing::Outgoing;
use crate::outbox::Shared;

/// Pointers to the forms of one message beside its plain frame, which do not keep them.
#[derive(Debug, Default)]
pub(crate) struct Forms {
    event: Weak<Vec<u8>>,
    /// Compressed frames, by options and window.
    #[cfg(feature = "deflate")]
    compressed: Vec<(u16, u8, Weak<Vec<u8>>)>,
}

impl Forms {
    /// Returns a message whose plain frame is there, with all forms that are still in use.
    pub(crate) fn encoded<'m>(
        &self,
        outgoing: Outgoing<'m>,
        key: u64,
        frame: &Shared,
    ) -> EncodedOnce<'m> {
        let mut encoded = EncodedOnce::new(outgoing, key);
        encoded.websocket = Some(Arc::clone(frame));
        encoded.event = self.event.upgrade();
        #[cfg(feature = "deflate")]
        for (options, bits, frame) in &self.compressed {
            if let Some(frame) = frame.upgrade() {
                encoded.compressed.push((*options, *bits, Some(frame)));
            }
        }
        encoded
    }

    /// Remembers the forms that were made for the receivers of a message.
    pub(crate) fn remember(&mut self, encoded: &EncodedOnce<'_>) {
        if let Some(event) = &encoded.event {
            self.event = Arc::downgrade(event);
        }
        #[cfg(feature = "deflate")]
        {
            let made = encoded.compressed.iter();
            let made = made.filter_map(|(options, bits, frame)| {
                Some((*options, *bits, Arc::downgrade(frame.as_ref()?)))
            });
            self.compressed = made.collect();
        }
    }

    /// Returns the forms that are still in use.
    pub(crate) fn in_use(&self) -> impl Iterator<Item = Shared> {
        let event = self.event.upgrade().into_iter();
        #[cfg(feature = "deflate")]
        let event = event.chain(self.compressed.iter().filter_map(|(_, _, frame)| frame.upgrade()));
        event
    }
}
