//! Counts ended connections by their cause.

use super::cause::Cause;
use super::flags::Flags;

/// The connections that have ended, counted by their [`Cause`]. [`Stats::ends`] has one.
///
/// [`Stats::ends`]: crate::Stats::ends
///
/// ```
/// use std::io::ErrorKind;
/// use switchboard::Cause;
/// use switchboard::testing::World;
///
/// let mut world = World::new();
/// world.server.websocket("/", |_, _| {});
/// let (ada, bob) = (world.websocket("/"), world.websocket("/"));
/// world.end(ada);
/// world.fail(bob, ErrorKind::ConnectionReset);
///
/// let ends = world.context().stats().ends;
/// assert_eq!((ends.get(Cause::Eof), ends.get(Cause::Reset), ends.total()), (1, 1, 2));
/// let nonzero: Vec<_> = ends.iter().filter(|&(_, count)| count > 0).collect();
/// assert_eq!(nonzero, [(Cause::Eof, 1), (Cause::Reset, 1)]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends([u64; Cause::COUNT]);

impl Ends {
    /// Returns the number of connections that ended by a cause.
    #[must_use]
    pub fn get(&self, cause: Cause) -> u64 {
        self.0[cause as usize]
    }

    /// Returns the number of connections that ended.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Returns every cause with its count, in the order of [`Cause::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Cause, u64)> + use<> {
        Cause::ALL.iter().copied().zip(self.0)
    }

    /// Counts the end of a connection by the cause in its flags.
    #[inline]
    pub(crate) fn count_end(&mut self, flags: Flags) {
        debug_assert!(flags.cause().is_some(), "every end has a cause: {flags:?}");
        if let Some(count) = self.0.get_mut(flags.cause_index()) {
            *count += 1;
        }
    }

    /// Counts an end that no flags record.
    #[inline]
    pub(crate) fn count(&mut self, cause: Cause) {
        self.0[cause as usize] += 1;
    }
}
