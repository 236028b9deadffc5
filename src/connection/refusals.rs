//! Counts refusals by their HTTP status.

/// Refusals by status, in the order of the statuses.
///
/// ```
/// use switchboard::testing::World;
///
/// let mut world = World::new();
/// world.get("/nowhere");
/// world.get("/nowhere/else");
/// let refusals = world.context().stats().refusals;
/// assert_eq!((refusals.get(404), refusals.get(503), refusals.total()), (2, 0, 2));
/// assert_eq!(refusals.iter().collect::<Vec<_>>(), [(404, 2)]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// At most one entry for each status that this crate refuses with, which are some 20.
    counts: Vec<(u16, u64)>,
}

impl Refusals {
    /// Counts refusals with a status.
    #[cold]
    pub(crate) fn count(&mut self, status: u16, refusals: u64) {
        match self.counts.binary_search_by_key(&status, |&(known, _)| known) {
            Ok(place) => self.counts[place].1 += refusals,
            Err(_) if refusals == 0 => {}
            Err(place) => self.counts.insert(place, (status, refusals)),
        }
    }

    /// Adds the refusals of another server.
    pub(super) fn add(&mut self, other: &Refusals) {
        other.iter().for_each(|(status, count)| self.count(status, count));
    }

    /// Returns the number of refusals with a status.
    #[must_use]
    pub fn get(&self, status: u16) -> u64 {
        self.iter().find(|&(known, _)| known == status).map_or(0, |(_, count)| count)
    }

    /// Returns the number of refusals with any status.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.iter().map(|(_, count)| count).sum()
    }

    /// Returns each status of which there is a refusal, with the number of its refusals.
    pub fn iter(&self) -> impl Iterator<Item = (u16, u64)> + '_ {
        self.counts.iter().copied()
    }
}
