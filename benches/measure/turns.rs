//! In which order servers are started, and take their turns within a round.
//! Knows numbers only.

/// Each of them once; every time begins with another one.
pub fn each(servers: usize, time: usize) -> impl DoubleEndedIterator<Item = usize> + Clone {
    (0..servers).map(move |place| (place + time) % servers)
}

/// One turn of each and then one of each in reverse, so that a steady drift of the machine cancels out; every round begins with
/// another server.
pub fn order(servers: usize, round: usize) -> Vec<usize> {
    let there = each(servers, round);
    there.clone().chain(there.rev()).collect()
}
