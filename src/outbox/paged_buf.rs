//! A buffer of waiting bytes: in the heap if they are few, in an anonymous map (`memmap2`) if they
//! are many. The kernel gets the map back once its bytes have left. This file does not know for
//! which peer the bytes wait.
//!
//! `memmap2` maps a fixed length, so this file grows and shrinks the map. With the heap alone, 70
//! of 100 MB stayed resident after the output of a burst had left (when this was written).

use std::cell::Cell;
use std::mem;
use std::ops::Deref;

use memmap2::MmapMut;

/// Bytes that may wait in the heap. An allocator places larger buffers between small ones too, and
/// returns no memory to the kernel while one small buffer lies above them.
pub(crate) const MAX_HEAP: usize = 32 << 10;
/// Bytes that move from pages back into the heap: this number or fewer.
const MIN_PAGES: usize = 8 << 10;
/// Capacity in bytes that the lent buffer keeps between two writes.
const LENT_KEPT: usize = 64 << 10;

thread_local! {
    /// The buffer that writers are lent while bytes lie in pages. One buffer serves all, since each
    /// write empties it into the pages at once.
    static LENT_BUF: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Bytes in one piece, appended at the end and taken from the front.
#[derive(Debug, Default)]
pub(super) struct PagedBuf {
    /// All bytes, or none while there are pages.
    heap: Vec<u8>,
    /// All bytes, if they are many.
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
    /// Lends `write` a buffer to append bytes to, and returns the number of bytes appended.
    #[inline]
    pub(super) fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        if self.pages.is_some() {
            self.heap = LENT_BUF.take();
        }
        let before = self.heap.len();
        write(&mut self.heap);
        let added = self.heap.len() - before;
        if self.pages.is_some() {
            self.move_over();
        }
        added
    }

    /// Appends a piece that has to wait. A large piece goes into pages at once.
    pub(super) fn keep(&mut self, piece: &[u8]) {
        if self.pages.is_none() && self.heap.len() + piece.len() > MAX_HEAP {
            self.take_pages(0, piece.len());
        }
        if !self.pages.as_mut().is_some_and(|pages| pages.append(piece)) {
            self.leave_pages();
            self.heap.extend_from_slice(piece);
        }
    }

    /// Whether the bytes take too much of the heap. A buffer that grew by few bytes at a time is at
    /// most twice as large as its content.
    pub(super) fn is_crowded(&self) -> bool {
        self.heap.len() > MAX_HEAP || self.heap.capacity() > 2 * MAX_HEAP
    }

    /// Removes the first `n` bytes and moves many remaining bytes into pages. They stay in the heap
    /// if the kernel gives no pages.
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

    /// Removes the first `n` bytes, and takes smaller pages or the heap for the rest.
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

    /// Frees a heap buffer of more than `keep` bytes. No byte waits.
    pub(super) fn shrink(&mut self, keep: usize) {
        if self.heap.capacity() > keep {
            self.heap = Vec::new();
        }
    }

    /// Bytes of memory reserved in the heap and in pages.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.heap.capacity() + self.pages.as_ref().map_or(0, |pages| pages.map.len())
    }

    /// Moves bytes from the lent buffer into the pages.
    fn move_over(&mut self) {
        let mut lent = mem::take(&mut self.heap);
        self.keep(&lent);
        lent.clear();
        lent.shrink_to(LENT_KEPT);
        LENT_BUF.set(lent);
    }

    /// Moves the heap's bytes, without the first `n`, into pages with room for `more` bytes. Does
    /// nothing if the kernel gives no pages.
    fn take_pages(&mut self, n: usize, more: usize) {
        self.pages = Pages::of(&self.heap[n..], more);
        if self.pages.is_some() {
            self.heap = Vec::new();
        }
    }

    /// Moves all bytes from pages back into the heap.
    fn leave_pages(&mut self) {
        if let Some(pages) = self.pages.take() {
            self.heap = pages.bytes().to_vec();
        }
    }
}

/// An anonymous map whose length is a power of two. The first `len` bytes are in use, and the
/// kernel lends memory for these only.
#[derive(Debug)]
struct Pages {
    map: MmapMut,
    len: usize,
}

impl Pages {
    /// Maps pages for these bytes and `more` bytes; `None` if the kernel gives no pages.
    fn of(bytes: &[u8], more: usize) -> Option<Box<Pages>> {
        let capacity = bytes.len().checked_add(more)?.checked_next_power_of_two()?;
        let mut map = map(capacity)?;
        map[..bytes.len()].copy_from_slice(bytes);
        Some(Box::new(Pages { map, len: bytes.len() }))
    }

    fn bytes(&self) -> &[u8] {
        &self.map[..self.len]
    }

    /// Appends bytes, and returns false if the kernel gives no larger pages.
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

    /// Removes the first `n` bytes.
    fn forget(&mut self, n: usize) {
        self.map.copy_within(n..self.len, 0);
        self.len -= n;
    }
}

/// Maps pages, unless a test refuses.
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
        /// Whether `map` fails as if the kernel gave no pages.
        pub(super) static REFUSED: Cell<bool> = const { Cell::new(false) };
    }

    #[derive(Clone, Debug)]
    enum Step {
        Write(usize),
        Keep(usize),
        /// All bytes but this number.
        Forget(usize),
        Store(usize),
        Clear,
        Refuse(bool),
    }

    fn step() -> impl Strategy<Value = Step> {
        let len = || prop_oneof![0..200usize, 0..100_000usize];
        prop_oneof![
            6 => len().prop_map(Step::Write),
            3 => len().prop_map(Step::Keep),
            3 => len().prop_map(Step::Forget),
            4 => len().prop_map(Step::Store),
            1 => Just(Step::Clear),
            1 => any::<bool>().prop_map(Step::Refuse),
        ]
    }

    /// Bytes that differ between neighbouring pieces.
    fn bytes(len: usize, salt: usize) -> Vec<u8> {
        (0..len).map(|n| ((n * 31 + salt * 7) >> 3) as u8).collect()
    }

    proptest! {
        #[test]
        fn paged_buf_holds_the_bytes_of_a_vec(steps in prop::collection::vec(step(), 0..40)) {
            let (mut buf, mut expected) = (PagedBuf::default(), Vec::new());
            REFUSED.set(false);
            for (salt, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Write(len) => {
                        let added = buf.write(|own| own.extend_from_slice(&bytes(len, salt)));
                        prop_assert_eq!(added, len);
                        expected.extend_from_slice(&bytes(len, salt));
                    }
                    Step::Keep(len) => {
                        buf.keep(&bytes(len, salt));
                        expected.extend_from_slice(&bytes(len, salt));
                    }
                    Step::Forget(len) => {
                        let n = expected.len() - len.min(expected.len());
                        buf.forget(n);
                        expected.drain(..n);
                    }
                    Step::Store(n) => {
                        let n = n.min(expected.len());
                        buf.store_waiting(n);
                        expected.drain(..n);
                        prop_assert!(REFUSED.get() || !buf.is_crowded());
                    }
                    Step::Clear => {
                        buf.clear();
                        expected.clear();
                    }
                    Step::Refuse(refused) => REFUSED.set(refused),
                }
                prop_assert!(*buf == *expected);
            }
        }
    }

    #[test]
    fn paged_buf_takes_pages_for_many_bytes_and_gives_them_back() {
        let mut buf = PagedBuf::default();
        REFUSED.set(false);
        buf.write(|own| own.resize(MAX_HEAP, 1));
        assert!(!buf.is_crowded() && buf.pages.is_none());
        buf.write(|own| own.push(1));
        assert!(buf.is_crowded());
        buf.store_waiting(0);
        assert_eq!((buf.heap.capacity(), buf.capacity()), (0, 2 * MAX_HEAP));
        (0..100).for_each(|_| assert_eq!(buf.write(|own| own.resize(1_000, 2)), 1_000));
        assert_eq!((buf.heap.capacity(), buf.capacity()), (0, 256 << 10), "they grow by doubling");
        buf.forget(100 << 10);
        assert_eq!(buf.capacity(), 32 << 10, "what is left is {} bytes", buf.len());
        buf.forget(buf.len() - MIN_PAGES);
        assert!(buf.pages.is_none() && buf.capacity() < 2 * MIN_PAGES);
        buf.keep(&vec![3; 1 << 20]);
        assert_eq!((buf.heap.capacity(), buf.capacity()), (0, 2 << 20));
        buf.clear();
        assert_eq!((buf.len(), buf.capacity()), (0, 0));
    }

    /// A large buffer is not kept for the few bytes of it that wait.
    #[test]
    fn paged_buf_fits_few_bytes_of_a_large_buffer() {
        let mut buf = PagedBuf { heap: vec![1; 1 << 20], ..PagedBuf::default() };
        buf.store_waiting((1 << 20) - 100);
        assert_eq!((buf.len(), buf.capacity()), (100, 100));
    }

    /// The lent buffer shrinks after a large message.
    #[test]
    fn paged_buf_lends_one_buffer_of_bounded_size() {
        let mut buf = PagedBuf::default();
        REFUSED.set(false);
        buf.keep(&[1; 2 * MAX_HEAP]);
        buf.write(|own| own.resize(1 << 20, 2));
        let kept = buf.write(|own| assert!(own.is_empty() && own.capacity() == LENT_KEPT));
        assert_eq!(kept, 0);
    }

    #[test]
    fn paged_buf_stays_in_the_heap_without_pages() {
        let mut buf = PagedBuf::default();
        buf.keep(&[1; 2 * MAX_HEAP]);
        assert!(buf.pages.is_some());
        REFUSED.set(true);
        buf.write(|own| own.push(2));
        buf.store_waiting(0);
        assert!(buf.pages.is_none() && buf.is_crowded());
        assert_eq!((buf.len(), buf.last()), (2 * MAX_HEAP + 1, Some(&2)));
        REFUSED.set(false);
        buf.store_waiting(1);
        assert!(buf.pages.is_some() && buf.len() == 2 * MAX_HEAP);
    }
}
