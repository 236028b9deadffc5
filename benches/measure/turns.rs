//! In which order servers take their turns within a round.
//! Knows numbers only.

/// One turn of each and then one of each in reverse, so that a steady drift of the machine cancels out; every round begins with
/// another server.
pub fn order(servers: usize, round: usize) -> Vec<usize> {
    let there = (0..servers).map(|turn| (turn + round) % servers);
    there.clone().chain(there.rev()).collect()
}
