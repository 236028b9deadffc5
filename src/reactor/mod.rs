//! The loop: a `Poll` and a server. This folder knows no connection.

#[expect(clippy::module_inception)]
mod reactor;

pub use reactor::Reactor;
