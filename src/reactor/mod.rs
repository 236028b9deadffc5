//! The loop: a mio `Poll` and a server. This folder knows no connection.

#[expect(clippy::module_inception)]
mod reactor;

pub use reactor::Reactor;
