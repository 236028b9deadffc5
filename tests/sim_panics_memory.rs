//! Memory after panics: what a thousand of them leave, on the heap of the whole test.

mod common;
mod heap;
#[path = "panics/mod.rs"]
mod panics;

use common::Bytes;
use heap::heap;
use panics::{Site, rows};

/// Brings about a panic in each callback, and ends the connections.
fn panic_everywhere(site: &mut Site) {
    for row in rows().iter().filter(|row| row.callback != "timeout") {
        let (client, _) = site.begin(row);
        site.panics_in.set(row.callback);
        (row.act)(&mut site.world, client);
        site.panics_in.set("");
        site.world.end(client);
        site.world.receive(client);
        site.log.take();
    }
}

/// The world itself keeps an end of each connection, some hundred bytes.
#[test]
fn panics_leave_nothing_on_the_heap() {
    // A hook that prints keeps what it printed, for the test's output.
    std::panic::set_hook(Box::new(|_| ()));
    let mut site = Site::new(true, None);
    for _ in 0..20 {
        panic_everywhere(&mut site);
    }
    let (before, connections) = (heap(), site.world.stats().accepted);
    for _ in 0..50 {
        panic_everywhere(&mut site);
    }
    let stats = site.world.stats();
    let each = (heap() - before) / (stats.accepted - connections) as isize;
    drop(std::panic::take_hook());
    assert_eq!((stats.connections, stats.panics), (0, stats.accepted));
    assert!(each < 600, "{each} bytes for each panic");
}
