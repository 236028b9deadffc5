//! What a handler may touch: connections, topics, timers, and calls from other threads. This folder
//! calls no handler.

mod conn;
mod conn_map;
mod connect;
mod connecting;
#[expect(clippy::module_inception)]
mod context;
mod events;
mod origins;
mod peer;
mod remote;
mod reply;
mod timeouts;
mod timer;
mod topics;
mod watch;
mod watching;

pub use conn::Conn;
pub use conn_map::ConnMap;
pub(crate) use connect::may_open;
pub use connect::{Accepted, Connect};
pub(crate) use context::Answer;
pub use context::Context;
pub use events::{Chunk, Close};
pub(crate) use origins::shown;
pub(crate) use remote::RemoteCall;
pub use remote::{CallError, Remote};
pub use reply::{EventStream, Reply, Stream, Upgrade};
pub use timer::TimerId;
pub use watch::WatchId;
