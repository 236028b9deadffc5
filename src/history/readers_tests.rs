//! How far reactors have read: each rule, and 20,000 random steps against a naive model.

use super::*;

const BOUNDS: LogBounds = LogBounds { messages: 4, bytes: 100, missed: 2 };

fn joined(count: usize, bounds: LogBounds) -> Readers<u64> {
    let mut readers = Readers::new(count, bounds);
    (0..count).for_each(|reader| readers.join(reader));
    readers
}

/// The id that a reactor stands at, if it is behind.
fn stands_at(readers: &Readers<u64>, reader: usize) -> Option<MessageId> {
    readers.readers[reader].since
}

fn id(b: u64) -> MessageId {
    MessageId::new(7, b)
}

/// Publishes the message `b` with the id `b`.
fn publish(readers: &mut Readers<u64>, topic: &str, b: u64, by: Option<usize>) -> Vec<usize> {
    readers.publish((topic, b, 1), (id(b - 1), id(b)), by)
}

fn taken(readers: &mut Readers<u64>, reader: usize) -> Vec<u64> {
    let pending = readers.take(reader, id(0));
    pending.map_or_else(Vec::new, |pending| {
        assert!(pending.missed.is_empty());
        pending.messages.into_iter().map(|logged| logged.message).collect()
    })
}

#[test]
fn reactor_is_woken_once_and_takes_all_that_waits() {
    let mut readers = joined(3, BOUNDS);
    readers.begin(0, "t");
    readers.begin(1, "t");
    readers.begin(1, "t");
    assert_eq!(publish(&mut readers, "t", 1, Some(0)), [1], "the third reads nothing");
    assert_eq!(publish(&mut readers, "t", 2, Some(2)), [0], "the second waits already");
    assert_eq!(stands_at(&readers, 1), Some(id(0)));
    assert_eq!(taken(&mut readers, 1), [1, 2]);
    assert_eq!((stands_at(&readers, 0), stands_at(&readers, 1)), (Some(id(1)), None));
    assert_eq!(taken(&mut readers, 0), [2]);
    assert!(readers.log.is_empty() && readers.bytes == 0);
    assert!(readers.take(2, id(0)).is_none());
    // From outside of all reactors.
    assert_eq!(publish(&mut readers, "t", 3, None), [0, 1]);
}

#[test]
fn topic_without_members_elsewhere_wakes_nothing_and_is_not_logged() {
    let mut readers = joined(2, BOUNDS);
    readers.begin(0, "t");
    assert!(publish(&mut readers, "t", 1, Some(0)).is_empty());
    assert!(readers.log.is_empty() && readers.has_readers("t"));
    readers.begin(1, "other");
    assert!(publish(&mut readers, "t", 2, Some(0)).is_empty());
    readers.end(0, "t");
    readers.end(0, "t");
    assert!(!readers.has_readers("t"));
    assert!(publish(&mut readers, "t", 3, None).is_empty());
    assert!(readers.log.is_empty());
}

#[test]
fn full_log_loses_the_oldest_and_names_their_topics() {
    let mut readers = joined(3, BOUNDS);
    for topic in ["a", "b"] {
        readers.begin(0, topic);
    }
    readers.begin(1, "b");
    for b in 1..=6 {
        publish(&mut readers, if b == 2 { "b" } else { "a" }, b, None);
    }
    let pending = readers.take(0, id(0)).unwrap();
    let messages: Vec<u64> = pending.messages.iter().map(|logged| logged.message).collect();
    assert_eq!((pending.since, &messages[..]), (id(0), &[3, 4, 5, 6][..]));
    assert_eq!(pending.missed, ["a".into(), "b".into()]);
    // The other one stood behind the first message already, which is none of its topics.
    let pending = readers.take(1, id(0)).unwrap();
    assert_eq!(pending.since, id(1));
    assert_eq!(pending.missed, ["b".into()]);
    // By bytes: one alone may be longer.
    readers.publish(("a", 7, 200), (id(6), id(7)), None);
    assert_eq!(taken(&mut readers, 0), [7]);
    readers.publish(("a", 8, 200), (id(7), id(8)), None);
    readers.publish(("a", 9, 1), (id(8), id(9)), None);
    let pending = readers.take(0, id(0)).unwrap();
    assert_eq!((pending.messages.len(), readers.bytes), (1, 0));
    assert_eq!(pending.missed, ["a".into()]);
}

#[test]
fn missed_topics_are_bounded() {
    let mut readers = joined(1, BOUNDS);
    for b in 1..=10 {
        readers.begin(0, &b.to_string());
        publish(&mut readers, &b.to_string(), b, None);
    }
    let mut missed = readers.take(0, id(0)).unwrap().missed;
    missed.sort();
    let all: BTreeSet<Arc<str>> = (1..=10).map(|b: u64| b.to_string().into()).collect();
    assert_eq!(missed, Vec::from_iter(all), "any topic may be the third");
    publish(&mut readers, "1", 11, None);
    assert_eq!(taken(&mut readers, 0), [11]);
}

#[test]
fn reactor_that_leaves_keeps_nothing_back() {
    let mut readers = joined(2, BOUNDS);
    readers.begin(0, "t");
    readers.begin(1, "t");
    publish(&mut readers, "t", 1, None);
    assert_eq!(taken(&mut readers, 0), [1]);
    assert_eq!(readers.log.len(), 1);
    readers.leave(1);
    assert!(readers.log.is_empty() && readers.bytes == 0);
    assert_eq!(publish(&mut readers, "t", 2, None), [0]);
    assert!(readers.is_first(0));
    readers.leave(0);
    assert!(!readers.has_readers("t") && !readers.is_first(0));
    readers.begin(0, "t");
    assert!(!readers.has_readers("t"), "it has left");
}

#[test]
fn reactor_reads_all_topics_until_it_has_named_its_own() {
    let mut readers = joined(2, BOUNDS);
    readers.read_all_but(1, id(0));
    assert_eq!(publish(&mut readers, "t", 1, Some(1)), [0]);
    assert_eq!(taken(&mut readers, 0), [1]);
    readers.begin(0, "t");
    assert!(readers.end_read_all(0) && !readers.end_read_all(0));
    assert!(publish(&mut readers, "other", 2, Some(1)).is_empty());
    assert_eq!(publish(&mut readers, "t", 3, Some(1)), [0]);
}

/// Against lists of what each reactor has to get: 20,000 random steps.
#[test]
fn reactors_take_what_a_naive_model_gives_them() {
    let mut random = 1_u64;
    let mut below = |bound: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) % bound
    };
    let bounds = LogBounds { messages: 1_000, bytes: 1_000, missed: 2 };
    let mut readers = joined(3, bounds);
    let mut reads = [[false; 4]; 3];
    let mut owed: [Vec<u64>; 3] = Default::default();
    let mut latest = 0;
    for _ in 0..20_000 {
        let (reader, topic) = (below(3) as usize, below(4) as usize);
        let name = topic.to_string();
        match below(8) {
            0 => {
                readers.begin(reader, &name);
                reads[reader][topic] = true;
            }
            1 => {
                readers.end(reader, &name);
                reads[reader][topic] = false;
            }
            2 | 3 => check(&mut readers, &mut owed, reader),
            _ => {
                let by = (below(4) > 0).then_some(reader);
                if by.is_some() {
                    check(&mut readers, &mut owed, reader);
                }
                latest += 1;
                let was_idle = [0, 1, 2].map(|at| stands_at(&readers, at).is_none());
                let woken = publish(&mut readers, &name, latest, by);
                let gets = |at: &usize| Some(*at) != by && reads[*at][topic];
                let expected = (0..3).filter(|at| gets(at) && was_idle[*at]);
                assert_eq!(woken, Vec::from_iter(expected));
                (0..3).filter(gets).for_each(|at| owed[at].push(latest));
            }
        }
        let waits = owed.iter().any(|owed| !owed.is_empty());
        assert_eq!(readers.log.is_empty(), !waits);
    }
}

fn check(readers: &mut Readers<u64>, owed: &mut [Vec<u64>; 3], reader: usize) {
    let got = taken(readers, reader);
    assert!(got.is_sorted());
    let owed = mem::take(&mut owed[reader]);
    assert!(owed.iter().all(|message| got.contains(message)), "{owed:?} in {got:?}");
    assert_eq!(owed.is_empty(), got.is_empty());
}
