//! Presence: which users are at a topic. A user is there from the first connection that joins until
//! a grace after the last one has ended. This folder knows a connection by its name alone, sends
//! nothing and calls no handler.
//!
//! | question | file |
//! | --- | --- |
//! | what a zone gets | `present` |
//! | what may join | `join_error` |
//! | which users are there, in all reactors | `roster` |
//! | how the reactors of a cluster share a roster | `roster_seat` |
//! | what the connections of one reactor know, and lack | `view` |
//! | which connection has joined what, and which grace ends when | `presences` |

mod join_error;
mod joining;
mod presences;
mod present;
mod roster;
mod roster_seat;
mod view;

pub use join_error::JoinError;
pub(crate) use joining::Joining;
pub(crate) use presences::Presences;
pub use present::{Change, Presence, Present};
pub(crate) use roster_seat::RosterSeat;
