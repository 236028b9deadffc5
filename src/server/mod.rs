//! What a request means: zones, their handlers, and the server that drives connections through their phases. Nothing
//! here waits: readiness and time are told.

mod drive;
mod flush;
mod frames;
mod handler;
mod listen;
mod look;
mod opening;
mod plain;
mod reply;
mod request;
#[expect(clippy::module_inception)]
mod server;
mod zones;

pub use handler::Handler;
pub use server::{ListenerId, Server};
pub use zones::Zone;
