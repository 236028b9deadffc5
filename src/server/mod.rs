//! What a request means: zones, their handlers, and the server that drives connections through their phases. Nothing
//! here waits: readiness and time are told.

mod addresses;
mod buffer_pool;
mod deadlines;
mod dialing;
mod draining;
mod fast_path;
mod flush;
mod frames;
mod handler;
#[cfg(test)]
mod head_calls;
mod input;
mod listen;
mod reply;
mod request;
mod served;
#[expect(clippy::module_inception)]
mod server;
mod zones;

pub use handler::Handler;
pub use server::{ListenerId, Server};
pub use zones::Zone;
