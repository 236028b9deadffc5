//! One room whose every message goes to all members: a channel for each, as tokio-tungstenite's chat example has it.
//! Knows streams and sinks of messages, not whose they are.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures_channel::mpsc::{UnboundedSender, unbounded};
use futures_util::future::{ready, select};
use futures_util::{Sink, Stream, StreamExt, TryStreamExt};
use slab::Slab;

/// The members of a room; clones are the same room.
pub struct Room<M> {
    members: Arc<Mutex<Slab<UnboundedSender<M>>>>,
}

impl<M> Clone for Room<M> {
    fn clone(&self) -> Room<M> {
        Room { members: Arc::clone(&self.members) }
    }
}

impl<M: Clone> Room<M> {
    pub fn new() -> Room<M> {
        Room { members: Arc::default() }
    }

    /// Is a member until either direction ends. Only what `is_data` accepts is passed on.
    pub async fn join<S, E>(self, socket: S, is_data: fn(&M) -> bool)
    where
        S: Stream<Item = Result<M, E>> + Sink<M, Error = E>,
    {
        let (sender, receiver) = unbounded();
        let key = self.with(|members| members.insert(sender));
        let (sink, stream) = socket.split();
        let incoming = stream.try_for_each(|message| {
            if is_data(&message) {
                self.publish(&message);
            }
            ready(Ok(()))
        });
        // Takes all that waits before it flushes.
        let outgoing = receiver.map(Ok).forward(sink);
        select(pin!(incoming), pin!(outgoing)).await;
        self.with(|members| members.remove(key));
    }

    fn publish(&self, message: &M) {
        self.with(|members| {
            for (_, member) in members.iter() {
                // One whose receiver is gone is about to leave.
                let _ = member.unbounded_send(message.clone());
            }
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut Slab<UnboundedSender<M>>) -> T) -> T {
        act(&mut self.members.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
