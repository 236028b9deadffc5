//! What a handler may touch: connections, topics, timers, and calls from other threads. This folder
//! calls no handler.

mod adopting;
mod after_panic;
mod conn;
mod conn_map;
mod connect;
mod connecting;
#[expect(clippy::module_inception)]
mod context;
mod drain;
mod draining;
mod elsewhere;
mod ending;
mod events;
mod handed_over;
mod marking_queue;
mod noting;
mod origins;
mod panics;
mod peer;
mod presence;
mod published;
mod publishing;
mod remote;
mod reply;
mod shuffle;
mod stations;
mod timeouts;
mod timer;
mod topics;
mod watch;
mod watching;

pub use adopting::AdoptError;
pub(crate) use after_panic::panicked_response;
pub use conn::Conn;
pub use conn_map::ConnMap;
pub(crate) use connect::may_open;
pub use connect::{Accepted, Connect};
pub(crate) use context::Answer;
pub use context::Context;
pub use drain::{Drain, DrainError};
pub(crate) use draining::{LAST_ACCEPTS, Walk};
pub(crate) use elsewhere::Elsewhere;
pub use events::{Chunk, Close};
pub(crate) use handed_over::{HandedOver, Reason};
pub(crate) use marking_queue::{Marks, Taken};
pub(crate) use origins::shown;
pub(crate) use panics::{Payload, catch, dispose, message_of};
pub(crate) use published::Published;
pub(crate) use remote::RemoteCall;
pub use remote::{CallError, Remote};
pub use reply::{EventStream, Reply, Stream, Upgrade};
pub(crate) use stations::{Link, Stations};
pub use timer::TimerId;
pub use watch::WatchId;
