//! The loop: a mio `Poll` and a server. This folder knows no connection.

#[expect(clippy::module_inception)]
mod reactor;
mod turn;

pub use reactor::Reactor;
pub use turn::Turn;
