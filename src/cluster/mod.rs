//! Several reactors as one server: a thread for each, shared limits, and topics over all of them.
//! This folder knows no connection.

#[expect(clippy::module_inception)]
mod cluster;
mod collecting;
mod handle;
mod member;
mod running;

pub use cluster::Cluster;
pub use handle::ClusterHandle;
pub use member::Member;
