//! Tests of the bounds of kept messages: what goes, when, and what a resume then answers.

use std::time::Duration;

use super::*;
use crate::delivery::Forms;
use crate::outbox::Shared;

/// Kept messages on a clock that is moved.
struct Kit {
    histories: Histories,
    start: Instant,
    now: Instant,
}

impl Kit {
    fn new(history: History) -> Kit {
        let start = Instant::now();
        let mut histories = Histories::new(start);
        histories.register("room/", history);
        Kit { histories, start, now: start }
    }

    fn publish(&mut self, topic: &str, message: &str) -> Arc<Kept> {
        let id = self.histories.next_id();
        self.histories.append(topic, &Outgoing::text(message), id, self.now)
    }

    /// Publishes a message that counts this many bytes.
    fn publish_bytes(&mut self, topic: &str, bytes: usize) -> MessageId {
        let head = if bytes - 256 - 2 <= 125 { 2 } else { 4 };
        let kept = self.publish(topic, &"x".repeat(bytes - 256 - head));
        assert_eq!(kept.len(), bytes);
        kept.id
    }

    fn at(&mut self, seconds: u64) {
        self.now = self.start + Duration::from_secs(seconds);
    }

    /// Forgets what is old. Topics with subscribers are those whose name has an `s`.
    fn expire(&mut self) {
        self.histories.expire(self.now, |topic| topic.contains('s'));
    }

    fn next(&self) -> Option<u64> {
        self.histories.next_expiry().map(|at| (at - self.start).as_secs())
    }

    fn ids(&self, topic: &str) -> Vec<u64> {
        let mut after = MessageId::default();
        let next = std::iter::from_fn(|| {
            after = self.histories.next_after(topic, after)?.id;
            Some(after.b())
        });
        next.collect()
    }

    fn resume(&self, topic: &str, b: u64) -> Resume {
        self.histories.resume(topic, self.id(b))
    }

    fn id(&self, b: u64) -> MessageId {
        MessageId::new(self.histories.latest().a(), b)
    }

    fn gap(&self, oldest: u64) -> Resume {
        Resume::Gap { oldest: self.id(oldest) }
    }

    fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        self.histories.write_to(&mut stats);
        stats
    }
}

#[test]
fn subscriber_goes_on_from_its_id() {
    let mut kit = Kit::new(History::new().messages(2));
    assert_eq!(kit.resume("room/1", 0), Resume::Resumed);
    kit.publish("room/1", "one");
    kit.publish("room/1", "two");
    assert_eq!((kit.resume("room/1", 0), kit.ids("room/1")), (Resume::Resumed, vec![1, 2]));
    kit.publish("room/1", "three");
    assert_eq!((kit.resume("room/1", 0), kit.ids("room/1")), (kit.gap(2), vec![2, 3]));
    assert_eq!(kit.resume("room/1", 1), Resume::Resumed);
    let start = kit.histories.start_of("room/1");
    assert_eq!(kit.histories.next_after("room/1", start).map(|kept| kept.id), Some(kit.id(2)));
    // Ids that were not given, and those of another server.
    let epoch = kit.id(0).a();
    assert_eq!(kit.resume("room/1", 4), kit.gap(2));
    for other in [MessageId::default(), MessageId::new(epoch - 1, 3), MessageId::new(epoch + 1, 3)]
    {
        assert_eq!(kit.histories.resume("room/1", other), kit.gap(2));
    }
    // A topic that has kept nothing so far, and one that never keeps anything.
    assert_eq!(kit.resume("room/2", 0), Resume::Resumed);
    kit.publish("other", "text");
    assert!(kit.histories.keeps("room/2") && !kit.histories.keeps("other"));
    assert_eq!((kit.ids("other"), kit.stats().history_topics), (vec![], 1));
    assert_eq!(kit.histories.start_of("other"), kit.id(4));
}

#[test]
fn kept_message_is_all_that_was_published() {
    let mut kit = Kit::new(History::new());
    for len in [0, 1, 125, 126, 0xFFFF, 0x1_0000] {
        let text = "x".repeat(len);
        for given in [
            Outgoing::text(&text).event("name").key("key").uncompressed().id("ignored"),
            Outgoing::text(&text).key("key"),
            Outgoing::binary(text.as_bytes()),
        ] {
            let id = kit.histories.next_id();
            let kept = kit.histories.append("room/1", &given, id, kit.now);
            let kept = kept.outgoing();
            assert_eq!(kept.message, given.message);
            assert_eq!((kept.event, kept.key, kept.id), (given.event, given.key, None));
            assert_eq!(kept.uncompressed, given.uncompressed);
        }
    }
}

#[test]
fn topic_is_bound_in_messages_and_in_bytes() {
    let mut kit = Kit::new(History::new().messages(3).bytes(2_000));
    for _ in 1..=5 {
        kit.publish_bytes("room/1", 300);
    }
    assert_eq!(kit.ids("room/1"), [3, 4, 5]);
    kit.publish_bytes("room/1", 1_400);
    assert_eq!((kit.ids("room/1"), kit.resume("room/1", 3)), (vec![4, 5, 6], Resume::Resumed));
    kit.publish_bytes("room/1", 600);
    assert_eq!((kit.ids("room/1"), kit.resume("room/1", 3)), (vec![6, 7], kit.gap(6)));
    let stats = kit.stats();
    let expected = (1, 2, 2_000 + 320 + "room/1".len());
    assert_eq!((stats.history_topics, stats.history_messages, stats.history_bytes), expected);
    // A message that is larger than the bound is delivered, and not kept.
    kit.publish_bytes("room/1", 2_001);
    assert_eq!((kit.ids("room/1"), kit.resume("room/1", 7)), (vec![], kit.gap(8)));
    assert_eq!(kit.resume("room/1", 8), Resume::Resumed);
    assert_eq!(kit.histories.start_of("room/1"), kit.id(8));
}

#[test]
fn bounds_of_zero_keep_nothing() {
    for history in [History::new().messages(0), History::new().bytes(0)] {
        let mut kit = Kit::new(history);
        kit.publish("room/1", "one");
        assert_eq!((kit.ids("room/1"), kit.resume("room/1", 0)), (vec![], kit.gap(1)));
        assert_eq!(kit.resume("room/1", 1), Resume::Resumed);
    }
    let mut kit = Kit::new(History::new().age(Duration::ZERO));
    kit.publish("room/1", "one");
    kit.at(1);
    kit.expire();
    assert_eq!((kit.ids("room/1"), kit.stats().history_topics), (vec![], 0));
    let mut kit = Kit::new(History::new());
    kit.histories.set_memory(0);
    kit.publish("room/1", "one");
    assert_eq!((kit.ids("room/1"), kit.resume("room/1", 0)), (vec![], kit.gap(1)));
    let stats = kit.stats();
    assert_eq!((stats.history_topics, stats.history_bytes, stats.history_evicted), (0, 0, 1));
}

#[test]
fn topic_that_was_published_to_least_recently_is_evicted_first() {
    let mut kit = Kit::new(History::new());
    let topic = 320 + "room/1".len() + 2 * 1_000;
    kit.histories.set_memory(3 * topic);
    for name in ["room/1", "room/2", "room/3", "room/1", "room/3", "room/2"] {
        kit.publish_bytes(name, 1_000);
    }
    assert_eq!(kit.stats().history_bytes, 3 * topic);
    kit.publish_bytes("room/2", 256 + 2);
    // room/1 went: it had the messages 1 and 4.
    assert_eq!((kit.ids("room/1"), kit.stats().history_evicted), (vec![], 1));
    assert_eq!((kit.resume("room/1", 3), kit.resume("room/1", 4)), (kit.gap(7), Resume::Resumed));
    assert_eq!((kit.resume("room/3", 0), kit.ids("room/3")), (Resume::Resumed, vec![3, 5]));
    // One number is left of all forgotten topics, so an unknown topic is behind it too.
    assert_eq!((kit.resume("room/9", 3), kit.resume("room/9", 4)), (kit.gap(7), Resume::Resumed));
    // A topic made again does not hide what it has lost.
    kit.publish("room/1", "eight");
    assert_eq!((kit.resume("room/1", 3), kit.resume("room/1", 4)), (kit.gap(8), Resume::Resumed));
    // The last topic loses its oldest messages first.
    kit.histories.set_memory(topic);
    for _ in 9..=11 {
        kit.publish_bytes("room/1", 900);
    }
    let stats = kit.stats();
    assert_eq!(
        (kit.ids("room/1"), stats.history_topics, stats.history_evicted),
        (vec![10, 11], 1, 3)
    );
    assert!(stats.history_bytes <= topic);
}

#[test]
fn invented_names_take_bounded_memory() {
    let mut kit = Kit::new(History::new());
    kit.histories.set_memory(1 << 20);
    for n in 0..20_000 {
        kit.publish(&format!("room/{n}"), "");
        assert!(kit.stats().history_bytes <= 1 << 20);
        // A question makes no topic.
        kit.resume(&format!("room/ask {n}"), 0);
    }
    let stats = kit.stats();
    assert!(stats.history_topics < (1 << 20) / (320 + 256));
    assert_eq!(stats.history_topics as u64 + stats.history_evicted, 20_000);
}

#[test]
fn messages_go_after_their_age_and_topics_with_their_last_subscriber() {
    let mut kit = Kit::new(History::new().age(Duration::from_secs(10)));
    kit.publish("room/1", "one");
    kit.publish("room/s", "two");
    kit.at(5);
    kit.publish("room/s", "three");
    assert_eq!(kit.next(), Some(11));
    kit.at(10);
    kit.expire();
    assert_eq!((kit.ids("room/1"), kit.ids("room/s")), (vec![1], vec![2, 3]));
    kit.at(11);
    kit.expire();
    // Without subscribers the topic goes, with some it stays, and knows what it lost.
    assert_eq!((kit.stats().history_topics, kit.ids("room/s")), (1, vec![3]));
    assert_eq!((kit.resume("room/1", 0), kit.resume("room/1", 1)), (kit.gap(3), Resume::Resumed));
    assert_eq!((kit.resume("room/s", 1), kit.resume("room/s", 2)), (kit.gap(3), Resume::Resumed));
    assert_eq!(kit.next(), Some(16));
    kit.at(16);
    kit.expire();
    assert_eq!((kit.stats().history_topics, kit.stats().history_messages), (1, 0));
    assert_eq!((kit.resume("room/s", 2), kit.resume("room/s", 3)), (kit.gap(3), Resume::Resumed));
    // Its next check is a minute later, at a full minute.
    assert_eq!(kit.next(), Some(120));
    kit.at(120);
    kit.histories.expire(kit.now, |_| false);
    assert_eq!((kit.stats(), kit.next()), (Stats::default(), None));
    assert_eq!((kit.resume("room/s", 2), kit.resume("room/s", 3)), (kit.gap(3), Resume::Resumed));
}

/// A busy topic is checked about once in the time that it keeps a message; many topics of an hour
/// are checked together, once a minute at most.
#[test]
fn ages_wake_an_idle_server_seldom() {
    let mut kit = Kit::new(History::new().messages(10));
    for second in 0..3_600 {
        kit.at(second);
        kit.publish("room/loud", "text");
        kit.publish(&format!("room/{second}"), "text");
        let before = kit.histories.checks.len();
        kit.expire();
        assert_eq!(kit.histories.checks.len(), before, "nothing is due");
    }
    let (mut wakes, mut seconds) = (0, Vec::new());
    while let Some(next) = kit.next() {
        kit.at(next);
        kit.expire();
        wakes += 1;
        seconds.push(next);
    }
    assert!((60..=66).contains(&wakes), "{wakes} wakes");
    assert!(seconds.windows(2).all(|pair| pair[1] - pair[0] >= 56), "{seconds:?}");
    assert_eq!((kit.stats().history_bytes, kit.stats().history_topics), (0, 0));
}

/// A turn forgets a bounded number of messages, and the next turn goes on at once.
#[test]
fn turn_forgets_a_bounded_number() {
    let mut kit = Kit::new(History::new().age(Duration::from_secs(10)));
    for n in 0..20_000 {
        kit.publish(&format!("room/{}", n % 1_000), "text");
    }
    kit.at(11);
    let mut turns = 0;
    while kit.next().is_some() {
        let before = kit.stats().history_messages;
        kit.expire();
        assert!(before - kit.stats().history_messages <= 4 << 10);
        turns += 1;
    }
    assert!((5..=6).contains(&turns), "{turns} turns");
    assert_eq!(kit.stats().history_bytes, 0);
}

#[test]
fn trimmed_frame_counts_while_it_is_queued() {
    let mut kit = Kit::new(History::new().messages(1));
    let queue = |kit: &mut Kit, text: &str| -> Vec<Shared> {
        let kept = kit.publish("room/1", text);
        let id = kept.id.text();
        // A slow WebSocket has the frame; a slow event stream has the event.
        let mut encoded = kept.encoded(&id, 1);
        let forms = encoded.all_forms();
        kept.remember(&encoded);
        forms
    };
    let one = queue(&mut kit, "one");
    assert_eq!(kit.stats().history_queued_bytes, 0, "it is kept");
    // The form that was made is found again.
    let kept = kit.histories.next_after("room/1", kit.id(0)).map(Arc::clone).unwrap();
    let id = kept.id.text();
    assert!(Arc::ptr_eq(&one[1], &kept.encoded(&id, 1).all_forms()[1]));
    drop(kept);
    let two = queue(&mut kit, "two");
    let expected = 256 + one[0].len() + one[1].len();
    assert_eq!(kit.stats().history_queued_bytes, expected);
    assert_eq!(kit.next(), Some(16), "looks at the queue, and later at the topic");
    drop(two);
    kit.publish("room/1", "three");
    assert_eq!(kit.stats().history_queued_bytes, expected, "two went before it was trimmed");
    drop(one);
    kit.expire();
    assert_eq!((kit.stats().history_queued_bytes, kit.next()), (0, Some(3_640)));
}

/// Queued frames leave less room for history.
#[test]
fn queued_frames_count_against_the_memory() {
    let mut kit = Kit::new(History::new().messages(1));
    kit.histories.set_memory(10_000);
    kit.publish_bytes("room/quiet", 1_000);
    let slow: Vec<Arc<Kept>> =
        (0..9).map(|_| kit.publish("room/1", &"x".repeat(1_000 - 260))).collect();
    assert_eq!(kit.stats().history_queued_bytes, 8 * 1_000);
    assert_eq!((kit.ids("room/quiet"), kit.stats().history_evicted), (vec![], 1));
    kit.publish("room/1", &"x".repeat(1_000 - 260));
    assert_eq!((kit.ids("room/1"), kit.stats().history_topics), (vec![], 0), "9,000 are queued");
    drop(slow);
    kit.expire();
    kit.publish("room/1", "text");
    assert_eq!((kit.stats().history_queued_bytes, kit.ids("room/1").len()), (0, 1));
}

/// The later registration of a prefix holds, for what is kept already, too.
#[test]
fn registration_replaces_an_earlier_one_of_the_same_prefix() {
    let mut kit = Kit::new(History::new());
    for _ in 0..10 {
        kit.publish("room/1", "text");
        kit.publish("room/special/1", "text");
    }
    assert_eq!(kit.next(), Some(3_640));
    kit.histories.register("room/", History::new().messages(2).age(Duration::from_secs(10)));
    assert_eq!((kit.ids("room/1"), kit.ids("room/special/1")), (vec![17, 19], vec![18, 20]));
    assert_eq!(kit.next(), Some(11));
    kit.histories.register("room/special/", History::new().messages(1));
    assert_eq!((kit.ids("room/1"), kit.ids("room/special/1")), (vec![17, 19], vec![20]));
    // Topics of the new prefix kept nothing before: what was published is unknown.
    kit.histories.register("other/", History::new());
    assert_eq!(
        (kit.resume("other/1", 19), kit.resume("other/1", 20)),
        (kit.gap(20), Resume::Resumed)
    );
    assert_eq!(kit.resume("room/1", 15), Resume::Resumed);
}

#[test]
fn form_that_is_no_longer_in_use_is_gone() {
    assert_eq!(Forms::default().in_use().count(), 0);
    let mut kit = Kit::new(History::new());
    let kept = kit.publish("room/1", "text");
    let id = kept.id.text();
    let mut encoded = kept.encoded(&id, 1);
    let forms = encoded.all_forms();
    kept.remember(&encoded);
    drop((encoded, forms));
    let encoded = kept.encoded(&id, 1);
    assert!(encoded.made_no_event());
}
