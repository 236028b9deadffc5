//! A client and a server, both ours, and the wire between them, which carries bytes and ends of
//! file in both directions.

use std::time::Duration;

use switchboard::{ConnId, Connect, Handler, ZoneId};

use super::{Bytes, Client, World};

/// Two worlds with one connection between them. Only [`Pair::pump`] carries bytes across.
pub struct Pair {
    pub client: World,
    pub server: World,
    /// The connection in the client's world.
    pub near: Client,
    /// The connection in the server's world.
    pub far: Client,
    /// The connection as the client's handler names it.
    pub id: ConnId,
    /// The most bytes that cross at once.
    pub at_most: usize,
    /// Whether the end of the client, and that of the server, was carried across.
    ended: [bool; 2],
}

impl Pair {
    /// The client has sent its handshake, which has not crossed yet.
    pub fn new(
        mut client: World,
        zone: ZoneId<impl Handler>,
        connect: Connect,
        mut server: World,
    ) -> Pair {
        let (near, id) = client.dial(zone, connect);
        let far = server.connect();
        client.settle();
        Pair { client, server, near, far, id, at_most: usize::MAX, ended: [false; 2] }
    }

    /// Carries bytes and ends of file in both directions until neither side has any more.
    pub fn pump(&mut self) {
        loop {
            let there = carry(
                &mut self.client,
                self.near,
                &mut self.server,
                self.far,
                self.at_most,
                &mut self.ended[0],
            );
            let back = carry(
                &mut self.server,
                self.far,
                &mut self.client,
                self.near,
                self.at_most,
                &mut self.ended[1],
            );
            if !there && !back {
                return;
            }
        }
    }

    /// Lets time pass in both worlds, a tick at a time, and pumps after each tick.
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
    ended: &mut bool,
) -> bool {
    let bytes = from.receive(source);
    for piece in bytes.chunks(at_most) {
        to.send(target, piece);
    }
    let ends = from.is_ended(source) && !*ended;
    if ends {
        *ended = true;
        to.end(target);
    }
    !bytes.is_empty() || ends
}
