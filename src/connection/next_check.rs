//! When a connection's deadline is judged next: at the deadline of its phase or at the end of its
//! lifetime, whichever is earlier. This file does not know what follows from a deadline.

use super::clock::{Clock, NEVER};
use super::connection::Connection;
use super::flags::Flags;
use super::options::Options;

/// Ticks in the unit in which ages are kept (16 s).
const BORN: u32 = 64;

/// The unit in which ages are kept, at this moment.
pub(super) fn born(clock: &Clock) -> u16 {
    (clock.tick() / BORN) as u16
}

/// The tick of the next check of a connection that was active just now: by its phase, or by its
/// age.
#[inline]
pub(super) fn next_check(clock: &Clock, connection: &Connection, options: &Options) -> u32 {
    let deadline = clock.deadline(connection.phase.ticks(options, connection.id.slot()));
    // Without a lifetime, as nearly always, nothing has to be worked out.
    match options.lifetime {
        NEVER => deadline,
        _ => deadline.min(retirement(clock, connection, options)),
    }
}

/// The tick at which `lifetime` ends; [`NEVER`] if there is none or the connection is already
/// closing.
#[inline(never)]
pub(super) fn retirement(clock: &Clock, connection: &Connection, options: &Options) -> u32 {
    let is_closing = connection.flags.has(Flags::LAST) && !connection.phase.is_open();
    if options.lifetime == NEVER || !connection.phase.may_retire() || is_closing {
        return NEVER;
    }
    let lifetime = options.lifetime.div_ceil(BORN).min(u32::from(u16::MAX) - 1);
    let age = u32::from(born(clock).wrapping_sub(connection.born));
    // Rounded up twice: to whole units, and because the unit of birth was partly over.
    (clock.tick() / BORN + (lifetime + 1).saturating_sub(age)).saturating_mul(BORN)
}
