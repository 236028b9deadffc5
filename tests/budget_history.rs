//! The heap that kept messages take: no more than what `Stats` counts, and nothing once they are
//! too old. This test counts every allocation of the process, so the file holds one test.

#[path = "heap/mod.rs"]
mod heap;

use std::time::Duration;

use heap::heap;
use switchboard::testing::World;
use switchboard::{History, Outgoing};

/// Bytes that the tables of the server take for any number of topics.
const TABLES: isize = 256 << 10;

/// (topics, messages of each, bytes of a message, with event and key)
const ROWS: [(usize, usize, usize, bool); 6] = [
    (1, 20_000, 0, false),
    (1, 5_000, 100, true),
    (20_000, 1, 0, false),
    (5_000, 3, 20, true),
    (100, 200, 1_000, false),
    (10, 10, 100_000, false),
];

#[test]
fn kept_messages_take_no_more_than_they_count_and_give_it_back() {
    for (topics, messages, len, is_event) in ROWS {
        let mut world = World::new();
        let history = History::new().messages(1 << 20).bytes(1 << 30);
        world.server.history("room/", history);
        world.server.history_memory(1 << 30);
        let text = "x".repeat(len);
        let before = heap();
        for topic in 0..topics {
            let topic = format!("room/{topic}");
            for _ in 0..messages {
                let message = Outgoing::text(&text);
                let cx = world.context();
                match is_event {
                    true => cx.publish(&topic, message.event("name").key("key")),
                    false => cx.publish(&topic, message),
                }
            }
        }
        world.settle();
        let (taken, stats) = (heap() - before, world.context().stats());
        assert_eq!((stats.history_topics, stats.history_messages), (topics, topics * messages));
        let counted = stats.history_bytes as isize;
        assert!(taken <= counted + TABLES, "{topics} x {messages} x {len}: {taken} of {counted}");
        world.advance(Duration::from_secs(2 * 3600));
        assert_eq!(world.context().stats().history_bytes, 0);
        let left = heap() - before;
        assert!(left <= TABLES, "{topics} x {messages} x {len}: {left} are left");
    }
}
