//! Lists of connections that `flush` will visit. A connection has a flag for each list, so it is in
//! a list at most once. This file does not know what a visit does.

use std::collections::VecDeque;

use super::connection::Connection;
use super::flags::Flags;

/// A list of connections, and the flag of its members.
#[derive(Debug)]
pub(crate) struct WorkList {
    flag: Flags,
    slots: Vec<u32>,
}

impl WorkList {
    const fn new(flag: Flags) -> WorkList {
        WorkList { flag, slots: Vec::new() }
    }

    /// Adds a connection, unless it is in the list.
    #[inline]
    pub(crate) fn push(&mut self, connection: &mut Connection) {
        if connection.flags.mark(self.flag) {
            self.slots.push(connection.id.slot());
        }
    }

    /// Has `flush` go through its lists, for a slot that holds no connection.
    pub(crate) fn wake(&mut self) {
        self.slots.push(u32::MAX);
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Returns the slots, for a visit that removes the flag of each.
    pub(crate) fn slots(&mut self) -> &mut Vec<u32> {
        &mut self.slots
    }
}

/// The lists that concern one connection at a time.
#[derive(Debug)]
pub(crate) struct TableWork {
    /// Outboxes to offer to the kernel.
    pub(crate) dirty: WorkList,
    /// Connections that ended, or whose open exchange ended.
    pub(crate) ended: WorkList,
    /// Connections to read from in the next turn.
    pub(crate) unread: WorkList,
    /// Connections whose handler wants `writable`.
    pub(crate) writable: WorkList,
    /// Followers of history whose output has left. A slot may be here more than once.
    pub(crate) drained: Vec<u32>,
    /// Long polls that a message has woken, or whose answer is due. Each has a mark of its own,
    /// and an entry may outlive its poll.
    pub(crate) polls: VecDeque<u32>,
}

impl TableWork {
    pub(crate) fn new() -> TableWork {
        TableWork {
            dirty: WorkList::new(Flags::DIRTY),
            ended: WorkList::new(Flags::ENDED),
            unread: WorkList::new(Flags::UNREAD),
            writable: WorkList::new(Flags::WRITABLE),
            drained: Vec::new(),
            polls: VecDeque::new(),
        }
    }

    /// Whether no list has an entry, but for those that `has_extras` names. A list that is not
    /// named in either does not compile.
    pub(crate) fn is_empty(&self) -> bool {
        let TableWork { dirty, ended, unread, writable, drained: _, polls: _ } = self;
        dirty.is_empty() && ended.is_empty() && unread.is_empty() && writable.is_empty()
    }

    /// Whether a list has an entry that a server without history never has.
    pub(crate) fn has_extras(&self) -> bool {
        !(self.drained.is_empty() && self.polls.is_empty())
    }
}
