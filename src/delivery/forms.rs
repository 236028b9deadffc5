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

#[cfg(test)]
mod tests {
    use super::*;

    /// A form is shared while something has it, and made anew after that.
    #[test]
    fn form_is_found_while_it_is_in_use() {
        let (mut forms, frame) = (Forms::default(), Shared::default());
        let event = Shared::new(vec![1]);
        let mut encoded = EncodedOnce::new(Outgoing::text("text"), 0);
        encoded.event = Some(Arc::clone(&event));
        #[cfg(feature = "deflate")]
        let compressed = Shared::new(vec![2]);
        #[cfg(feature = "deflate")]
        {
            encoded.compressed = vec![(0, 15, None), (3, 15, Some(Arc::clone(&compressed)))];
        }
        forms.remember(&encoded);
        drop(encoded);
        let again = forms.encoded(Outgoing::text("text"), 7, &frame);
        assert!(Arc::ptr_eq(again.websocket.as_ref().unwrap(), &frame));
        assert!(Arc::ptr_eq(again.event.as_ref().unwrap(), &event));
        #[cfg(feature = "deflate")]
        {
            assert_eq!(again.compressed, [(3, 15, Some(Arc::clone(&compressed)))]);
            drop(compressed);
        }
        forms.remember(&again);
        assert_eq!(forms.in_use().count(), 1 + usize::from(cfg!(feature = "deflate")));
        drop((again, event));
        assert_eq!(forms.in_use().count(), 0);
        let anew = forms.encoded(Outgoing::text("text"), 7, &frame);
        assert!(anew.event.is_none());
    }
}
