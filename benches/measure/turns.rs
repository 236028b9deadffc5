//! The order in which servers start, and take their turns within a round. This file knows numbers
//! only.

/// Returns each index once; each time another index is first.
pub fn each(servers: usize, time: usize) -> impl DoubleEndedIterator<Item = usize> + Clone {
    (0..servers).map(move |place| (place + time) % servers)
}

/// Returns one turn of each index and then one of each in reverse, so that a steady drift of the
/// machine cancels out. Each round begins with another index.
pub fn order(servers: usize, round: usize) -> Vec<usize> {
    let there = each(servers, round);
    there.clone().chain(there.rev()).collect()
}
