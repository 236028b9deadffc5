//! The stores of a server: registers them, and asks them what the context wants to know. Only this
//! file calls a store.

use std::panic::resume_unwind;
use std::sync::Arc;

use super::server::Server;
use crate::context::{Append, Question, catch, dispose};
use crate::history::{History, Store};

/// Stores.
impl Server {
    /// Has a [`Store`] keep the messages of all topics whose name begins with `prefix`: in a file,
    /// in a database, or in a service that several servers share.
    ///
    /// Messages are published, and subscribers go on from an id, as with
    /// [`history`](Server::history). The store gives the ids, so a message is delivered once the
    /// store has it. The latest messages of a topic with subscribers are also here, within the
    /// bounds of [`History`], and a subscriber that needs no others does not ask the store.
    ///
    /// Of several prefixes the longest that fits wins. A topic of a store is no topic of
    /// `history`. A second call with a prefix replaces the store: what the old one has not answered
    /// fails. The server drops its stores when it is dropped; they end their threads then.
    ///
    /// In a [`Cluster`](crate::Cluster) each reactor is a server of its own towards the store, with
    /// rings of its own. Register the prefix at each of them. A publish reaches the subscribers of
    /// its own reactor. The program has the others hear of it: by
    /// [`Context::stored`](crate::Context::stored), or by
    /// [`Context::ask_store`](crate::Context::ask_store). What
    /// [`ClusterHandle::publish`](crate::ClusterHandle::publish) gets is stored once.
    ///
    /// Do not register a prefix of [`history`](Server::history) that also covers topics of the
    /// store there: a handle would keep their messages in memory.
    ///
    /// See [`Store`] for an example, and the chapter [`stores`](crate::guide::stores).
    pub fn store(&mut self, prefix: &str, store: impl Store, history: History) {
        let number = self.context.keep_in_store(prefix, history);
        match self.stores.get_mut(number) {
            Some(known) => *known = Box::new(store),
            None => self.stores.push(Box::new(store)),
        }
        self.wake_by_remote();
    }

    /// Has answers of stores wake the loop as calls from other threads do.
    pub(super) fn wake_by_remote(&mut self) {
        if let Some(stores) = &self.context.stores {
            let remote = self.remote.clone();
            stores.inbox.wake_by(move || remote.wake());
        }
    }

    /// Asks the stores what waits to be asked.
    #[cold]
    pub(super) fn ask_stores(&mut self) {
        while let Some(stores) = &mut self.context.stores {
            let inbox = Arc::clone(&stores.inbox);
            let Some((number, store, topic, question)) = stores.next_question() else { return };
            let Some(store) = self.stores.get_mut(store) else { continue };
            let outcome = catch(|| match question {
                Question::Append(Append { message, .. }) => {
                    store.append(topic, message.clone(), inbox.append(number));
                }
                Question::Bounds(_) => store.bounds(topic, inbox.bounds(number)),
                Question::After { after, .. } => store.after(topic, *after, inbox.page(number)),
            });
            match outcome {
                Ok(()) => {}
                Err(payload) if self.zones.handlers.catches() => {
                    self.context.note_panic(None, "store", &*payload);
                    dispose(payload);
                }
                Err(payload) => resume_unwind(payload),
            }
        }
    }
}
