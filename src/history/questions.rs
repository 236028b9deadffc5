//! The questions that wait for a store: how many there may be, which one is next, and which one has
//! waited too long. This file asks no store and has no clock: a time is a tick of its caller.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How long the server waits for an answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// The most appends that wait, and the most other questions.
pub(crate) const WAITING: usize = 1 << 10;
/// Bytes of the messages that wait for their append.
pub(crate) const APPEND_BYTES: usize = 16 << 20;
/// The most questions other than appends that are with the stores: each brings a page back.
pub(crate) const READS: usize = 64;

/// What a question is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To keep a message of so many bytes.
    Append(usize),
    /// To answer a subscriber or a handler.
    Read,
    /// To close a hole among messages that are delivered. There is one for each topic, and none is
    /// refused.
    Live,
}

/// Questions by their numbers, each about one topic.
#[derive(Debug)]
pub(crate) struct Questions<Q> {
    open: HashMap<u64, Open<Q>>,
    due: BTreeSet<(u32, u64)>,
    appends: VecDeque<u64>,
    reads: VecDeque<u64>,
    number: u64,
    counts: Counts,
}

#[derive(Debug)]
struct Open<Q> {
    topic: Arc<str>,
    /// `None` once the question has waited too long. Its place is taken until the answer comes.
    question: Option<Q>,
    purpose: Purpose,
    due: u32,
    is_asked: bool,
}

/// Questions that are open, also those that are late.
#[derive(Debug, Default)]
struct Counts {
    appends: usize,
    append_bytes: usize,
    reads: usize,
    /// Those of all but appends that are with a store.
    asked: usize,
}

/// A question whose answer has come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended<Q> {
    InTime(Q),
    /// Its end has been told already.
    Late,
}

impl<Q> Default for Questions<Q> {
    fn default() -> Questions<Q> {
        Questions {
            open: HashMap::new(),
            due: BTreeSet::new(),
            appends: VecDeque::new(),
            reads: VecDeque::new(),
            number: 0,
            counts: Counts::default(),
        }
    }
}

impl<Q> Questions<Q> {
    /// Adds a question that waits until a tick, or gives it back where as many wait as may.
    pub(crate) fn add(
        &mut self,
        purpose: Purpose,
        topic: &Arc<str>,
        question: Q,
        due: u32,
    ) -> Result<(), Q> {
        let Counts { appends, append_bytes, reads, .. } = &mut self.counts;
        match purpose {
            // A message that is larger than the bound waits alone.
            Purpose::Append(bytes)
                if *appends >= WAITING || *appends > 0 && *append_bytes + bytes > APPEND_BYTES =>
            {
                return Err(question);
            }
            Purpose::Read if *reads >= WAITING => return Err(question),
            Purpose::Append(bytes) => {
                *appends += 1;
                *append_bytes += bytes;
            }
            Purpose::Read => *reads += 1,
            Purpose::Live => {}
        }
        self.number += 1;
        let (topic, question) = (Arc::clone(topic), Some(question));
        let open = Open { topic, question, purpose, due, is_asked: false };
        self.open.insert(self.number, open);
        self.due.insert((due, self.number));
        match purpose {
            Purpose::Append(_) => self.appends.push_back(self.number),
            Purpose::Read | Purpose::Live => self.reads.push_back(self.number),
        }
        Ok(())
    }

    /// Whether a question can be asked.
    pub(crate) fn has_next(&self) -> bool {
        !self.appends.is_empty() || !self.reads.is_empty() && self.counts.asked < READS
    }

    /// Takes the next question to ask. Appends come first, in their order.
    pub(crate) fn next(&mut self) -> Option<(u64, &Arc<str>, &Q)> {
        let number = loop {
            let number = match self.appends.pop_front() {
                Some(number) => number,
                None if self.counts.asked < READS => self.reads.pop_front()?,
                None => return None,
            };
            // One that has waited too long is gone.
            if let Some(open) = self.open.get_mut(&number) {
                open.is_asked = true;
                if !matches!(open.purpose, Purpose::Append(_)) {
                    self.counts.asked += 1;
                }
                break number;
            }
        };
        let Open { topic, question, .. } = self.open.get(&number)?;
        Some((number, topic, question.as_ref()?))
    }

    /// Ends a question that was asked: its answer has come.
    pub(crate) fn end(&mut self, number: u64) -> Option<(Arc<str>, Ended<Q>)> {
        let Open { topic, question, due, .. } = self.remove(number)?;
        self.due.remove(&(due, number));
        Some((topic, question.map_or(Ended::Late, Ended::InTime)))
    }

    /// Returns when the next question has waited too long.
    pub(crate) fn next_due(&self) -> Option<u32> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Takes the next question that has waited too long. If a store has it, it keeps its place
    /// until the store answers: a store that never does is asked no more once it has all places.
    pub(crate) fn expire(&mut self, tick: u32) -> Option<(Arc<str>, Q)> {
        let &(due, number) = self.due.first()?;
        if due > tick {
            return None;
        }
        self.due.pop_first();
        let open = self.open.get_mut(&number)?;
        if open.is_asked {
            return Some((Arc::clone(&open.topic), open.question.take()?));
        }
        let Open { topic, question, .. } = self.remove(number)?;
        // Those that wait are in the order in which they are due.
        for queue in [&mut self.appends, &mut self.reads] {
            while queue.front().is_some_and(|front| !self.open.contains_key(front)) {
                queue.pop_front();
            }
        }
        Some((topic, question?))
    }

    /// Returns how many questions wait, the late ones included.
    pub(crate) fn waiting(&self) -> usize {
        self.open.len()
    }

    fn remove(&mut self, number: u64) -> Option<Open<Q>> {
        let open = self.open.remove(&number)?;
        match open.purpose {
            Purpose::Append(bytes) => {
                self.counts.appends -= 1;
                self.counts.append_bytes -= bytes;
            }
            Purpose::Read => self.counts.reads -= 1,
            Purpose::Live => {}
        }
        if open.is_asked && !matches!(open.purpose, Purpose::Append(_)) {
            self.counts.asked -= 1;
        }
        Some(open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Questions<usize> {
        fn put(&mut self, purpose: Purpose, question: usize, due: u32) -> Result<(), usize> {
            self.add(purpose, &Arc::from("topic"), question, due)
        }

        fn ended(&mut self, number: u64) -> Option<Ended<usize>> {
            self.end(number).map(|(_, ended)| ended)
        }

        fn expired(&mut self, tick: u32) -> Option<usize> {
            self.expire(tick).map(|(_, question)| question)
        }
    }

    fn asked(questions: &mut Questions<usize>) -> Vec<(u64, usize)> {
        let mut asked = Vec::new();
        while let Some((number, _, question)) = questions.next() {
            asked.push((number, *question));
        }
        asked
    }

    #[test]
    fn appends_are_bounded_in_number_and_bytes_until_they_are_answered() {
        let (due, mut questions) = (40, Questions::default());
        for question in 0..WAITING {
            assert_eq!(questions.put(Purpose::Append(1), question, due), Ok(()));
        }
        assert_eq!(questions.put(Purpose::Append(0), 7, due), Err(7));
        let numbers = asked(&mut questions);
        assert!(numbers.iter().map(|(_, question)| *question).eq(0..WAITING), "in their order");
        assert_eq!(questions.put(Purpose::Append(0), 7, due), Err(7), "the store has them");
        for question in 0..WAITING {
            assert_eq!(questions.expired(due), Some(question));
        }
        assert_eq!((questions.expired(due), questions.next_due()), (None, None));
        assert_eq!(questions.put(Purpose::Append(0), 7, due), Err(7), "the store still has them");
        assert_eq!(questions.ended(numbers[3].0), Some(Ended::Late));
        assert_eq!(questions.ended(numbers[3].0), None);
        assert_eq!(questions.put(Purpose::Append(APPEND_BYTES), 7, due), Err(7));
        for (number, _) in &numbers {
            questions.ended(*number);
        }
        assert_eq!(questions.waiting(), 0);
        assert_eq!(questions.put(Purpose::Append(APPEND_BYTES + 1), 8, due), Ok(()), "alone");
        assert_eq!(questions.put(Purpose::Append(0), 9, due), Err(9));
    }

    #[test]
    fn reads_wait_for_a_place_with_the_store_and_live_ones_are_never_refused() {
        let (due, mut questions) = (40, Questions::default());
        for question in 0..WAITING {
            assert_eq!(questions.put(Purpose::Read, question, due), Ok(()));
        }
        assert_eq!(questions.put(Purpose::Read, 7, due), Err(7));
        assert_eq!(questions.put(Purpose::Live, 5_000, due), Ok(()));
        assert_eq!(questions.put(Purpose::Append(1), 6_000, due), Ok(()));
        let numbers = asked(&mut questions);
        assert_eq!(numbers.len(), 1 + READS);
        assert_eq!(numbers[0].1, 6_000, "appends do not wait for reads");
        assert!(!questions.has_next());
        assert_eq!(questions.ended(numbers[1].0), Some(Ended::InTime(0)));
        assert!(questions.has_next());
        assert_eq!(asked(&mut questions).len(), 1);
        assert_eq!(questions.put(Purpose::Read, 7, due), Ok(()));
    }

    #[test]
    fn question_that_was_not_asked_in_time_is_not_asked() {
        let (due, mut questions) = (40, Questions::default());
        questions.put(Purpose::Read, 1, due).unwrap();
        questions.put(Purpose::Append(5), 2, due + 4).unwrap();
        assert_eq!(questions.next_due(), Some(due));
        assert_eq!(questions.expired(due - 1), None);
        assert_eq!(questions.expired(due), Some(1));
        assert!(questions.reads.is_empty(), "a store that hangs must not make the list grow");
        assert_eq!(questions.expired(due), None);
        assert_eq!(asked(&mut questions), [(2, 2)]);
        assert_eq!(questions.ended(2), Some(Ended::InTime(2)));
        assert_eq!((questions.waiting(), questions.next_due()), (0, None));
    }
}
