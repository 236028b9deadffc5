//! The loop: `Poll` and a server. Nothing here knows of a connection.

#[expect(clippy::module_inception)]
mod reactor;

pub use reactor::Reactor;
