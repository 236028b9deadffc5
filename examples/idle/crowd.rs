//! The connections of one worker: how they are opened, and how many are held. This file does not
//! know what a mode does with them.

use switchboard::Context;

use crate::dialling::{Dialling, Open};
use crate::ends::Ends;
use crate::roster::Roster;
use crate::talk::{Assignment, Progress};

pub struct Crowd {
    pub dialling: Dialling,
    pub roster: Roster,
    pub held: u64,
    /// Connections that ended although no mode ended them.
    pub lost: u64,
    pub ends: Ends,
    /// Connections whose server selected none of the subprotocols that were asked for.
    pub unselected: u64,
}

impl Crowd {
    pub fn new(open: Open, assignment: &Assignment, cx: &mut Context) -> Crowd {
        Crowd {
            dialling: Dialling::new(open, assignment, cx),
            roster: Roster::with_room(assignment.connections()),
            held: 0,
            lost: 0,
            ends: Ends::default(),
            unselected: 0,
        }
    }

    pub fn progress(&self) -> Progress {
        Progress {
            held: self.held,
            lost: self.lost,
            failed: self.dialling.failed,
            sent: 0,
            answered: 0,
        }
    }
}
