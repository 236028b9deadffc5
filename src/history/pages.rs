//! Pages that were read from a store, for readers that are behind the ring of a topic. A page that
//! is gone is read again, so the bound costs time and no message. This file asks no store.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use super::kept::Kept;
use super::message_id::MessageId;

/// Bytes of all pages.
const BYTES: usize = 16 << 20;

/// Where a page begins: the topic, and the id that the page has all messages after.
type Start = (Arc<str>, MessageId);

/// Pages by where they begin.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    pages: BTreeMap<Start, Page>,
    /// The pages in the order in which they came.
    order: VecDeque<Start>,
    bytes: usize,
}

#[derive(Debug)]
struct Page {
    messages: Vec<Arc<Kept>>,
    bytes: usize,
}

impl Pages {
    /// Adds the messages of a topic after an id, without a hole. Beyond the bound the oldest pages
    /// go.
    pub(crate) fn add(&mut self, topic: &Arc<str>, after: MessageId, messages: Vec<Arc<Kept>>) {
        if messages.is_empty() {
            return;
        }
        let start = (Arc::clone(topic), after);
        self.remove(&start);
        let bytes = messages.iter().map(|kept| kept.len()).sum();
        self.bytes += bytes;
        self.order.push_back(start.clone());
        self.pages.insert(start, Page { messages, bytes });
        while self.bytes > BYTES && self.pages.len() > 1 {
            let Some(oldest) = self.order.pop_front() else { return };
            self.forget(&oldest);
        }
    }

    /// Returns the first message of a topic after an id, if a page has it.
    pub(crate) fn next_after(&self, topic: &Arc<str>, after: MessageId) -> Option<&Arc<Kept>> {
        // Of pages that overlap, the one that begins last counts: another one is read if need be.
        let (from, to) = ((Arc::clone(topic), MessageId::default()), (Arc::clone(topic), after));
        let range = (Bound::Included(from), Bound::Included(to));
        let (_, page) = self.pages.range(range).next_back()?;
        page.messages.get(page.messages.partition_point(|kept| kept.id <= after))
    }

    fn remove(&mut self, start: &Start) {
        if self.forget(start) {
            self.order.retain(|other| other != start);
        }
    }

    fn forget(&mut self, start: &Start) -> bool {
        let page = self.pages.remove(start);
        self.bytes -= page.as_ref().map_or(0, |page| page.bytes);
        page.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Outgoing;

    fn id(b: u64) -> MessageId {
        MessageId::new(1, b)
    }

    fn page(ids: std::ops::RangeInclusive<u64>, text: &str) -> Vec<Arc<Kept>> {
        ids.map(|b| Arc::new(Kept::new(&Outgoing::text(text), id(b), 0))).collect()
    }

    fn next(pages: &Pages, topic: &Arc<str>, after: u64) -> Option<MessageId> {
        pages.next_after(topic, id(after)).map(|kept| kept.id)
    }

    #[test]
    fn page_has_what_follows_each_of_its_ids_but_the_last() {
        let (one, two): (Arc<str>, Arc<str>) = ("one".into(), "two".into());
        let mut pages = Pages::default();
        pages.add(&one, id(5), page(6..=8, "x"));
        pages.add(&one, id(9), Vec::new());
        assert_eq!(next(&pages, &one, 4), None);
        assert_eq!(next(&pages, &one, 5), Some(id(6)));
        assert_eq!(next(&pages, &one, 7), Some(id(8)));
        assert_eq!(next(&pages, &one, 8), None);
        assert_eq!(next(&pages, &two, 5), None);
        pages.add(&two, id(3), page(4..=5, "x"));
        assert_eq!(next(&pages, &one, 5), Some(id(6)));
        assert_eq!(next(&pages, &two, 5), None);
    }

    #[test]
    fn oldest_pages_go_beyond_the_bound() {
        let topic: Arc<str> = "topic".into();
        let mut pages = Pages::default();
        let long = "x".repeat(BYTES / 4);
        for b in 1..=10 {
            pages.add(&topic, id(b), page(b + 1..=b + 1, &long));
            pages.add(&topic, id(b), page(b + 1..=b + 1, &long)); // twice is once
            assert!(pages.bytes <= BYTES);
            assert_eq!(pages.order.len(), pages.pages.len());
        }
        assert_eq!(next(&pages, &topic, 10), Some(id(11)));
        assert_eq!(next(&pages, &topic, 1), None);
        pages.add(&topic, id(20), page(21..=21, &"x".repeat(2 * BYTES)));
        assert_eq!((pages.pages.len(), next(&pages, &topic, 20)), (1, Some(id(21))), "alone");
    }
}
