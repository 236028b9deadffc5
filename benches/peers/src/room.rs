//! One room that sends every message to all members: a channel for each, as in tokio-tungstenite's
//! chat example. This file knows streams and sinks of messages, not the library.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures_channel::mpsc::{UnboundedSender, unbounded};
use futures_util::future::{ready, select};
use futures_util::{Sink, Stream, StreamExt, TryStreamExt};
use slab::Slab;

/// The members of a room; clones share the room.
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

    /// Serves a member until either direction ends. Only messages for which `is_data` is true are
    /// passed on.
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
        // Takes all waiting messages before a flush.
        let outgoing = receiver.map(Ok).forward(sink);
        select(pin!(incoming), pin!(outgoing)).await;
        self.with(|members| members.remove(key));
    }

    fn publish(&self, message: &M) {
        self.with(|members| {
            for (_, member) in members.iter() {
                // A member without a receiver is about to leave.
                let _ = member.unbounded_send(message.clone());
            }
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut Slab<UnboundedSender<M>>) -> T) -> T {
        act(&mut self.members.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
