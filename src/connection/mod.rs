//! What a handler may touch: connections, their output, topics and timers. No handler is called from here, and
//! nothing here knows of `Poll`.

mod backpressure;
mod chunks;
mod clock;
#[cfg(feature = "deflate")]
mod compression;
mod conn;
mod conn_map;
mod connect;
#[expect(clippy::module_inception)]
mod connection;
mod context;
mod delivery;
mod dropping;
mod ending;
mod exchange;
mod gathered;
mod id;
mod index;
mod limits;
mod options;
mod outbox;
mod outgoing;
mod output;
mod phase;
mod plain;
mod posts;
mod remote;
mod reply;
mod segment;
mod slots;
mod spare;
mod stats;
mod timeouts;
mod timer;
mod topics;
mod waiting;
mod writing;

pub(crate) use clock::NEVER;
pub use conn::Conn;
pub use conn_map::ConnMap;
pub use connect::{Accepted, Connect};
pub(crate) use connect::{Attempt, AttemptState};
pub(crate) use connection::{Flags, UNCOUNTED};
pub(crate) use context::Answer;
pub use context::Context;
pub(crate) use exchange::{Exchange, Framing, Incoming, Progress, Terms};
pub use id::{ConnId, ZoneId};
pub(crate) use id::{MAX_LISTENERS, SLOTS, TokenKind};
pub use options::{Backpressure, Options, OptionsId};
pub use outgoing::{Chunk, Close, Outgoing};
pub(crate) use phase::Phase;
pub(crate) use plain::AtRest;
pub(crate) use remote::RemoteCall;
pub use remote::{CallError, Remote};
pub use reply::{EventStream, Reply, Stream, Upgrade};
pub(crate) use segment::Kind;
pub use stats::Stats;
pub use timer::TimerId;
