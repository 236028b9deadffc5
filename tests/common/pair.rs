//! A client and a server, both ours, and the wire between them: bytes go over it, and ends of file, in either direction.

use std::time::Duration;

use switchboard::{ConnId, Connect, ZoneId};

use super::{Bytes, Client, Recorder, World};

/// Two simulations with one connection between them. Nothing crosses it but in [`Pair::pump`].
pub struct Pair {
    pub client: World,
    pub server: World,
    /// The wire as the client's server holds it, and as the server's does.
    pub near: Client,
    pub far: Client,
    /// The client's name for it.
    pub id: ConnId,
    /// How many bytes cross at once.
    pub at_most: usize,
    told: [bool; 2],
}

impl Pair {
    /// The client asks; the server has not been told yet.
    pub fn new(
        mut client: World,
        zone: ZoneId<Recorder>,
        connect: Connect,
        mut server: World,
    ) -> Pair {
        let (near, id) = client.dial(zone, connect);
        let far = server.connect();
        client.settle();
        Pair { client, server, near, far, id, at_most: usize::MAX, told: [false; 2] }
    }

    /// Carries everything across, and what follows from it, until there is nothing more to carry.
    pub fn pump(&mut self) {
        loop {
            let there = carry(
                &mut self.client,
                self.near,
                &mut self.server,
                self.far,
                self.at_most,
                &mut self.told[0],
            );
            let back = carry(
                &mut self.server,
                self.far,
                &mut self.client,
                self.near,
                self.at_most,
                &mut self.told[1],
            );
            if !there && !back {
                return;
            }
        }
    }

    /// Lets time pass for both, a tick at a time, what is said meanwhile being carried across.
    pub fn advance(&mut self, duration: Duration) {
        let step = Duration::from_millis(250);
        let mut left = duration;
        while !left.is_zero() {
            let now = left.min(step);
            self.client.advance(now);
            self.server.advance(now);
            self.pump();
            left -= now;
        }
    }
}

fn carry(
    from: &mut World,
    source: Client,
    to: &mut World,
    target: Client,
    at_most: usize,
    told: &mut bool,
) -> bool {
    let bytes = from.receive(source);
    for piece in bytes.chunks(at_most) {
        to.send(target, piece);
    }
    let ends = from.is_ended(source) && !*told;
    if ends {
        *told = true;
        to.end(target);
    }
    !bytes.is_empty() || ends
}
