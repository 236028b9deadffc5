//! Bytes that wait: heap in the heap, pages in pages of their own, which the kernel has back as soon as they are no longer needed. It
//! knows where bytes lie, not what they say nor for whom they wait.

use std::cell::Cell;
use std::mem;
use std::ops::Deref;

use memmap2::MmapMut;

/// As pages bytes may lie in the heap. An allocator puts buffers up to a size that it chooses between small ones, and gives nothing of
/// that back while a single small one lies above it.
pub(crate) const MAX_HEAP: usize = 32 << 10;
/// No more than so pages need no pages of their own any more.
const MIN_PAGES: usize = 8 << 10;
/// What is kept of the buffer that writers are lent while the bytes lie in pages.
const LENT_KEPT: usize = 64 << 10;

thread_local! {
    /// That buffer, empty: one for all, since what it holds is moved over at once.
    static LENT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Bytes in one piece, appended at the end and taken from the front.
#[derive(Debug, Default)]
pub(super) struct PagedBuf {
    /// All bytes; or none while there are pages.
    heap: Vec<u8>,
    pages: Option<Box<Pages>>,
}

impl Deref for PagedBuf {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.pages {
            None => &self.heap,
            Some(pages) => pages.bytes(),
        }
    }
}

impl PagedBuf {
    /// Lets `write` put bytes at the end of the buffer it is lent, and returns how pages those were.
    #[inline]
    pub(super) fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        if self.pages.is_some() {
            self.heap = LENT.take();
        }
        let before = self.heap.len();
        write(&mut self.heap);
        let added = self.heap.len() - before;
        if self.pages.is_some() {
            self.move_over();
        }
        added
    }

    /// Appends a piece that is to wait; a large one goes into pages at once.
    pub(super) fn keep(&mut self, piece: &[u8]) {
        if self.pages.is_none() && self.heap.len() + piece.len() > MAX_HEAP {
            self.take_pages(0, piece.len());
        }
        if !self.pages.as_mut().is_some_and(|pages| pages.append(piece)) {
            self.leave_pages();
            self.heap.extend_from_slice(piece);
        }
    }

    /// Whether more of the heap is taken than should be. A buffer that grew with heap bytes is at most twice as large as they.
    pub(super) fn is_crowded(&self) -> bool {
        self.heap.len() > MAX_HEAP || self.heap.capacity() > 2 * MAX_HEAP
    }

    /// Forgets the first `n` bytes and takes no more of the heap than it should for the rest, unless the kernel has no pages.
    pub(super) fn store_waiting(&mut self, n: usize) {
        if self.pages.is_some() {
            return self.forget(n);
        }
        if self.heap.len() - n > MAX_HEAP {
            self.take_pages(n, 0);
        }
        if self.pages.is_none() && (n > 0 || self.heap.len() <= MAX_HEAP) {
            self.heap = self.heap[n..].to_vec();
        }
    }

    /// Forgets the first `n` bytes. Memory follows what is left.
    pub(super) fn forget(&mut self, n: usize) {
        let Some(pages) = &mut self.pages else {
            self.heap.drain(..n);
            return;
        };
        let rest = &pages.bytes()[n..];
        if rest.len() <= MIN_PAGES {
            self.heap.extend_from_slice(rest);
            self.pages = None;
        } else if let Some(smaller) = Pages::of(rest, 0) {
            self.pages = Some(smaller);
        } else {
            pages.forget(n);
        }
    }

    #[inline]
    pub(super) fn clear(&mut self) {
        self.heap.clear();
        if self.pages.is_some() {
            self.pages = None;
        }
    }

    /// Keeps no more of the heap than this; only where nothing waits.
    pub(super) fn shrink(&mut self, keep: usize) {
        if self.heap.capacity() > keep {
            self.heap = Vec::new();
        }
    }

    /// Bytes of memory that it has a claim to.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.heap.capacity() + self.pages.as_ref().map_or(0, |pages| pages.map.len())
    }

    /// What was written into the lent buffer joins the rest.
    fn move_over(&mut self) {
        let mut lent = mem::take(&mut self.heap);
        self.keep(&lent);
        lent.clear();
        lent.shrink_to(LENT_KEPT);
        LENT.set(lent);
    }

    /// Moves what lies in the heap, but for the first `n` bytes, into pages with room for as pages more, if the kernel gives some.
    fn take_pages(&mut self, n: usize, more: usize) {
        self.pages = Pages::of(&self.heap[n..], more);
        if self.pages.is_some() {
            self.heap = Vec::new();
        }
    }

    fn leave_pages(&mut self) {
        if let Some(pages) = self.pages.take() {
            self.heap = pages.bytes().to_vec();
        }
    }
}

/// An anonymous map of a power of two, of which the first `len` bytes are in use; the kernel has lent memory for those only.
#[derive(Debug)]
struct Pages {
    map: MmapMut,
    len: usize,
}

impl Pages {
    /// Pages with these bytes and room for as pages more; none where the kernel gives none.
    fn of(bytes: &[u8], more: usize) -> Option<Box<Pages>> {
        let capacity = bytes.len().checked_add(more)?.checked_next_power_of_two()?;
        let mut map = map(capacity)?;
        map[..bytes.len()].copy_from_slice(bytes);
        Some(Box::new(Pages { map, len: bytes.len() }))
    }

    fn bytes(&self) -> &[u8] {
        &self.map[..self.len]
    }

    /// Whether there was room for it, or the kernel gave some.
    fn append(&mut self, bytes: &[u8]) -> bool {
        let end = self.len + bytes.len();
        if end > self.map.len() {
            let Some(larger) = Pages::of(self.bytes(), bytes.len()) else { return false };
            *self = *larger;
        }
        self.map[self.len..end].copy_from_slice(bytes);
        self.len = end;
        true
    }

    fn forget(&mut self, n: usize) {
        self.map.copy_within(n..self.len, 0);
        self.len -= n;
    }
}

fn map(len: usize) -> Option<MmapMut> {
    #[cfg(test)]
    if tests::REFUSED.get() {
        return None;
    }
    MmapMut::map_anon(len).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    thread_local! {
        /// Whether the kernel gives no pages.
        pub(super) static REFUSED: Cell<bool> = const { Cell::new(false) };
    }

    #[derive(Clone, Debug)]
    enum Step {
        Write(usize),
        Keep(usize),
        /// All but so pages of what is there.
        Forget(usize),
        Settle(usize),
        Clear,
        Refuse(bool),
    }

    fn step() -> impl Strategy<Value = Step> {
        let len = || prop_oneof![0..200usize, 0..100_000usize];
        prop_oneof![
            6 => len().prop_map(Step::Write),
            3 => len().prop_map(Step::Keep),
            3 => len().prop_map(Step::Forget),
            4 => len().prop_map(Step::Settle),
            1 => Just(Step::Clear),
            1 => any::<bool>().prop_map(Step::Refuse),
        ]
    }

    /// Bytes of which no two neighbouring pieces are alike.
    fn bytes(len: usize, salt: usize) -> Vec<u8> {
        (0..len).map(|n| ((n * 31 + salt * 7) >> 3) as u8).collect()
    }

    proptest! {
        #[test]
        fn waiting_holds_what_a_vec_would(steps in prop::collection::vec(step(), 0..40)) {
            let (mut waiting, mut expected) = (PagedBuf::default(), Vec::new());
            REFUSED.set(false);
            for (salt, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Write(len) => {
                        let added = waiting.write(|own| own.extend_from_slice(&bytes(len, salt)));
                        prop_assert_eq!(added, len);
                        expected.extend_from_slice(&bytes(len, salt));
                    }
                    Step::Keep(len) => {
                        waiting.keep(&bytes(len, salt));
                        expected.extend_from_slice(&bytes(len, salt));
                    }
                    Step::Forget(len) => {
                        let n = expected.len() - len.min(expected.len());
                        waiting.forget(n);
                        expected.drain(..n);
                    }
                    Step::Settle(n) => {
                        let n = n.min(expected.len());
                        waiting.store_waiting(n);
                        expected.drain(..n);
                        prop_assert!(REFUSED.get() || !waiting.is_crowded());
                    }
                    Step::Clear => {
                        waiting.clear();
                        expected.clear();
                    }
                    Step::Refuse(refused) => REFUSED.set(refused),
                }
                prop_assert!(*waiting == *expected);
            }
        }
    }

    #[test]
    fn waiting_takes_pages_for_many_bytes_and_gives_them_back() {
        let mut waiting = PagedBuf::default();
        REFUSED.set(false);
        waiting.write(|own| own.resize(MAX_HEAP, 1));
        assert!(!waiting.is_crowded() && waiting.pages.is_none());
        waiting.write(|own| own.push(1));
        assert!(waiting.is_crowded());
        waiting.store_waiting(0);
        assert_eq!((waiting.heap.capacity(), waiting.capacity()), (0, 2 * MAX_HEAP));
        (0..100).for_each(|_| assert_eq!(waiting.write(|own| own.resize(1_000, 2)), 1_000));
        assert_eq!(
            (waiting.heap.capacity(), waiting.capacity()),
            (0, 256 << 10),
            "they grow by doubling"
        );
        waiting.forget(100 << 10);
        assert_eq!(waiting.capacity(), 32 << 10, "what is left is {} bytes", waiting.len());
        waiting.forget(waiting.len() - MIN_PAGES);
        assert!(waiting.pages.is_none() && waiting.capacity() < 2 * MIN_PAGES);
        waiting.keep(&vec![3; 1 << 20]);
        assert_eq!((waiting.heap.capacity(), waiting.capacity()), (0, 2 << 20));
        waiting.clear();
        assert_eq!((waiting.len(), waiting.capacity()), (0, 0));
    }

    /// What was made large for other bytes is not kept for the heap that wait.
    #[test]
    fn waiting_fits_few_bytes_of_a_large_buffer() {
        let mut waiting = PagedBuf { heap: vec![1; 1 << 20], ..PagedBuf::default() };
        waiting.store_waiting((1 << 20) - 100);
        assert_eq!((waiting.len(), waiting.capacity()), (100, 100));
    }

    /// The lent buffer grows for a large message and for nobody else.
    #[test]
    fn waiting_lends_one_buffer_of_bounded_size() {
        let mut waiting = PagedBuf::default();
        REFUSED.set(false);
        waiting.keep(&[1; 2 * MAX_HEAP]);
        waiting.write(|own| own.resize(1 << 20, 2));
        let kept = waiting.write(|own| assert!(own.is_empty() && own.capacity() == LENT_KEPT));
        assert_eq!(kept, 0);
    }

    #[test]
    fn waiting_stays_in_the_heap_where_there_are_no_pages() {
        let mut waiting = PagedBuf::default();
        waiting.keep(&[1; 2 * MAX_HEAP]);
        assert!(waiting.pages.is_some());
        REFUSED.set(true);
        waiting.write(|own| own.push(2));
        waiting.store_waiting(0);
        assert!(waiting.pages.is_none() && waiting.is_crowded());
        assert_eq!((waiting.len(), waiting.last()), (2 * MAX_HEAP + 1, Some(&2)));
        REFUSED.set(false);
        waiting.store_waiting(1);
        assert!(waiting.pages.is_some() && waiting.len() == 2 * MAX_HEAP);
    }
}
