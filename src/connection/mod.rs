//! A connection in 64 bytes, and the table of all connections. This folder knows neither output nor
//! topics, and calls no handler.
//!
//! | word | meaning |
//! | --- | --- |
//! | slot | the place of a connection in the table |
//! | books | what all connections share: clock, options, counters, work lists, lane |
//! | lease | exclusive access to one connection and the books |
//! | lane | which connection's input is being handled |
//! | spill | bytes that arrived and cannot be decoded yet |
//! | tick | 250 ms, the unit of deadlines |

mod addresses;
mod answers;
mod attempt;
mod backpressure;
mod cause;
mod chunks;
mod clock;
#[expect(clippy::module_inception)]
mod connection;
mod counts;
mod deadline_options;
mod deadlines;
mod ending;
mod ends;
mod exchange;
mod flags;
mod held;
mod id;
mod index;
mod lane;
mod next_check;
mod noting;
mod options;
mod phase;
mod phase_counts;
mod polls;
mod prefix_counts;
mod prometheus;
mod rates;
mod recorded;
mod records;
mod refusals;
mod share;
mod slots;
mod stats;
mod stats_sum;
mod table;
mod turn_stats;
mod work;
mod zone_stats;

pub(crate) use addresses::{Addresses, Hop};
pub use attempt::Declined;
pub(crate) use attempt::{Attempt, AttemptState, Declining};
pub use backpressure::Backpressure;
pub use cause::Cause;
pub(crate) use chunks::Chunks;
pub(crate) use clock::{Clock, NEVER, TICK, ticks};
pub(crate) use connection::{Connection, NO_MEMBERSHIP, RIVAL, TURNED_AWAY, UNCOUNTED};
pub(crate) use counts::SharedCounts;
pub use ends::Ends;
pub(crate) use exchange::{Exchange, Incoming, Polling, Progress, Terms};
pub(crate) use flags::Flags;
pub(crate) use held::CloseRecord;
pub use id::{ConnId, ListenerId, OptionsId, ZoneId};
pub(crate) use id::{MAX_LISTENERS, MAX_WATCHED, NO_SERVER, NUMBERS, SLOTS, TokenKind};
pub(crate) use index::Index;
pub(crate) use lane::Lane;
pub use options::Options;
pub(crate) use phase::Phase;
pub use rates::Rate;
pub use recorded::Protocol;
pub(crate) use recorded::{Event, Origin};
pub(crate) use records::Records;
pub use refusals::Refusals;
pub(crate) use share::{Share, Total};
pub use stats::Stats;
pub(crate) use table::{AtRest, Lease, Table};
pub use turn_stats::{Times, TurnStats};
pub use zone_stats::ZoneStats;
