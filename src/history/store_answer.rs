//! The means to answer a question of the server from any thread, and the place where answers wait
//! for the loop. There is one answer to each question: it is given, it fails, or it is dropped.

use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::store_data::{Appended, StoreBounds, StorePage};
use super::store_error::StoreError;

/// The means to answer one question of the server, from any thread and at any time.
///
/// [`give`](StoreAnswer::give) and [`fail`](StoreAnswer::fail) take it, so no question is answered
/// twice. One that is dropped counts as a failure, so a store that panics or ends leaves no
/// question open. The first answer of a burst wakes the loop. After the end of the server an
/// answer does nothing.
///
/// ```
/// fn is_send<T: Send + 'static>() {}
/// is_send::<switchboard::StoreAnswer<switchboard::StorePage>>();
/// ```
pub struct StoreAnswer<T> {
    inbox: Arc<Inbox>,
    number: u64,
    wrap: fn(Result<T, StoreError>) -> StoreReply,
    is_given: bool,
}

/// An answer of any kind.
#[derive(Debug)]
pub(crate) enum StoreReply {
    Append(Result<Appended, StoreError>),
    Page(Result<StorePage, StoreError>),
    Bounds(Result<StoreBounds, StoreError>),
}

impl<T> StoreAnswer<T> {
    /// Answers the question.
    pub fn give(mut self, answer: T) {
        self.send(Ok(answer));
    }

    /// Says that the store cannot answer, and why. A publish is told the text; a subscriber that
    /// goes on from an id is told of a gap.
    pub fn fail(mut self, why: impl Into<Box<str>>) {
        self.send(Err(StoreError::Failed(why.into())));
    }

    /// Whether the server is gone, so that the answer is of no use.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inbox.is_closed.load(Ordering::Relaxed)
    }

    fn send(&mut self, answer: Result<T, StoreError>) {
        if !mem::replace(&mut self.is_given, true) {
            self.inbox.put(self.number, (self.wrap)(answer));
        }
    }
}

impl<T> Drop for StoreAnswer<T> {
    fn drop(&mut self) {
        self.send(Err(StoreError::Unanswered));
    }
}

impl<T> fmt::Debug for StoreAnswer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StoreAnswer").field(&self.number).finish()
    }
}

/// Answers on their way to the loop. The questions with the stores bound their number.
#[derive(Default)]
pub(crate) struct Inbox {
    answers: Mutex<Vec<(u64, StoreReply)>>,
    /// Whether an answer waits. The loop reads this alone while none does.
    has_answers: AtomicBool,
    is_closed: AtomicBool,
    wake: Mutex<Option<Wake>>,
}

/// Ends the loop's wait.
type Wake = Box<dyn Fn() + Send>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic leaves nothing under these locks half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inbox {
    /// Sets what ends the loop's wait.
    pub(crate) fn wake_by(&self, wake: impl Fn() + Send + 'static) {
        *lock(&self.wake) = Some(Box::new(wake));
    }

    pub(crate) fn append(self: &Arc<Inbox>, number: u64) -> StoreAnswer<Appended> {
        self.answer(number, StoreReply::Append)
    }

    pub(crate) fn page(self: &Arc<Inbox>, number: u64) -> StoreAnswer<StorePage> {
        self.answer(number, StoreReply::Page)
    }

    pub(crate) fn bounds(self: &Arc<Inbox>, number: u64) -> StoreAnswer<StoreBounds> {
        self.answer(number, StoreReply::Bounds)
    }

    fn answer<T>(
        self: &Arc<Inbox>,
        number: u64,
        wrap: fn(Result<T, StoreError>) -> StoreReply,
    ) -> StoreAnswer<T> {
        StoreAnswer { inbox: Arc::clone(self), number, wrap, is_given: false }
    }

    fn put(&self, number: u64, reply: StoreReply) {
        let mut answers = lock(&self.answers);
        if self.is_closed.load(Ordering::Relaxed) {
            return; // written under the same lock
        }
        answers.push((number, reply));
        drop(answers);
        // The loop takes all answers, so the first one of a burst alone wakes the loop.
        if !self.has_answers.swap(true, Ordering::AcqRel)
            && let Some(wake) = &*lock(&self.wake)
        {
            wake();
        }
    }

    /// Takes the answers in the order in which they came. With none, this is one relaxed load.
    #[inline]
    pub(crate) fn take(&self) -> Option<Vec<(u64, StoreReply)>> {
        let has = self.has_answers.load(Ordering::Relaxed)
            && self.has_answers.swap(false, Ordering::AcqRel);
        has.then(|| mem::take(&mut *lock(&self.answers)))
    }

    /// Whether an answer waits.
    pub(crate) fn has_answers(&self) -> bool {
        self.has_answers.load(Ordering::Relaxed)
    }

    /// Drops all answers, from now on.
    pub(crate) fn close(&self) {
        let mut answers = lock(&self.answers);
        self.is_closed.store(true, Ordering::Relaxed);
        let left = mem::take(&mut *answers);
        drop(answers);
        drop(left);
        *lock(&self.wake) = None;
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inbox")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    /// An inbox, and how often it has woken the loop.
    fn inbox() -> (Arc<Inbox>, Arc<AtomicUsize>) {
        let (inbox, woken) = (Arc::new(Inbox::default()), Arc::<AtomicUsize>::default());
        let count = Arc::clone(&woken);
        inbox.wake_by(move || _ = count.fetch_add(1, Ordering::Relaxed));
        (inbox, woken)
    }

    #[test]
    fn burst_of_answers_wakes_once_and_each_question_has_one_answer() {
        let (inbox, woken) = inbox();
        assert!(inbox.take().is_none());
        inbox.bounds(1).give(StoreBounds::default());
        inbox.page(2).fail("no disk");
        drop(inbox.append(3));
        assert_eq!(woken.load(Ordering::Relaxed), 1);
        let answers = inbox.take().unwrap();
        assert!(matches!(
            &answers[..],
            [
                (1, StoreReply::Bounds(Ok(_))),
                (2, StoreReply::Page(Err(StoreError::Failed(_)))),
                (3, StoreReply::Append(Err(StoreError::Unanswered))),
            ]
        ));
        assert!(inbox.take().is_none());
        drop(inbox.append(4));
        assert_eq!(woken.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn answer_after_the_end_does_nothing() {
        let (inbox, woken) = inbox();
        let (early, late) = (inbox.append(1), inbox.append(2));
        drop(early);
        assert!(!late.is_closed());
        inbox.close();
        assert!(late.is_closed());
        late.give(Appended { id: Default::default(), before: Default::default() });
        assert_eq!(woken.load(Ordering::Relaxed), 1);
        assert!(inbox.take().is_none_or(|answers| answers.is_empty()));
    }

    #[test]
    fn answer_of_a_thread_that_panics_is_a_failure() {
        let (inbox, _) = inbox();
        let answer = inbox.page(7);
        let thread = std::thread::spawn(move || {
            let _answer = answer;
            std::panic::resume_unwind(Box::new("no hook"));
        });
        assert!(thread.join().is_err());
        let answers = inbox.take().unwrap();
        assert!(matches!(&answers[..], [(7, StoreReply::Page(Err(StoreError::Unanswered)))]));
    }
}
