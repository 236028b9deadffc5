//! The meaning of a request: zones, their handlers, and the server that drives connections through
//! their phases. Nothing here waits: a loop passes readiness and time in.
//!
//! | question | file |
//! | --- | --- |
//! | where is a connection accepted, or turned away (EMFILE, 503, 429) | `listen` |
//! | where are bytes read | `input`; a WebSocket at rest: `fast_path` |
//! | where are zones asked | `request` |
//! | where is a [`Reply`](crate::Reply) performed, and the Origin checked | `reply` |
//! | where is a ping answered, and a message handed over | `frames` |
//! | where does a deadline end a connection | `deadlines` |
//! | where are output, timers and ends handled | `flush` |
//! | where is a WebSocket opened in the client role | `dialing`, `racing`, `handshaking` |

mod addresses;
mod buffer_pool;
mod deadlines;
mod declining;
mod dialing;
mod draining;
mod fast_path;
mod flush;
mod frames;
mod handler;
mod handshaking;
#[cfg(test)]
mod head_calls;
mod input;
mod listen;
mod race;
mod racing;
mod readiness;
mod redirecting;
mod reply;
mod request;
mod served;
#[expect(clippy::module_inception)]
mod server;
mod zones;

pub use handler::Handler;
pub use listen::ListenerId;
pub use server::Server;
pub use zones::Zone;
