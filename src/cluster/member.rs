//! One reactor of a cluster, as its own program sees it.

use super::handle::ClusterHandle;
use crate::connection::ListenerId;

/// A reactor's place in its [`Cluster`](crate::Cluster).
///
/// ```
/// use switchboard::{Cluster, Server};
///
/// let mut cluster = Cluster::new(2);
/// let (mut one, mut two) = (Server::detached(), Server::detached());
/// assert_eq!(cluster.join(&mut one)?.index(), 0);
/// assert_eq!(cluster.join(&mut two)?.index(), 1);
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Debug)]
pub struct Member {
    index: usize,
    listeners: Vec<ListenerId>,
    handle: ClusterHandle,
}

impl Member {
    pub(super) fn new(index: usize, listeners: Vec<ListenerId>, handle: ClusterHandle) -> Member {
        Member { index, listeners, handle }
    }

    /// Returns the number of the reactor, from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Returns the listeners of the cluster, in the order of [`listen`](crate::Cluster::listen).
    #[must_use]
    pub fn listeners(&self) -> &[ListenerId] {
        &self.listeners
    }

    /// Returns a handle to all reactors.
    #[must_use]
    pub fn handle(&self) -> &ClusterHandle {
        &self.handle
    }
}
