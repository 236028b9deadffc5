//! A server, a clock at rest and scripted clients. This file runs turns and moves the clock. Other
//! files extend `World` with what clients do.

use std::time::{Duration, Instant};

use super::client::{Client, Link};
use crate::connection::ZoneId;
use crate::context::Context;
use crate::server::{Handler, Server};

/// A server without sockets, a clock that moves by hand, and scripted clients.
///
/// Nothing happens by itself. A method that does something for a client also lets the server do
/// all that follows; time passes in [`advance`](World::advance) alone. The fields are public: zones
/// are added to `server` as in a program.
///
/// ```
/// use switchboard::testing::World;
///
/// let mut world = World::new();
/// world.server.websocket("/echo", |conn, message| conn.send(message));
/// let ada = world.websocket("/echo");
/// world.say(ada, "hello");
/// assert_eq!(world.hear(ada), ["hello"]);
/// ```
pub struct World {
    /// The server: for zones and options. What else is done to it directly takes effect in its
    /// next turn; [`settle`](World::settle) runs turns.
    pub server: Server,
    /// The moment at which the world stands. It must not go back; [`advance`](World::advance) moves
    /// it as a loop would see it.
    pub now: Instant,
    pub(super) links: Vec<Link>,
    /// The context was lent since the last turn.
    is_touched: bool,
}

/// A server that is still busy after this many turns in a row will never come to rest.
const TURNS: usize = 20_000;

impl World {
    /// A world with a [detached](Server::detached) server that has no zones yet.
    pub fn new() -> World {
        World::over(Server::detached())
    }

    /// A world whose server is set up by a function, such as the one that sets up a program's.
    ///
    /// ```
    /// use switchboard::testing::World;
    /// use switchboard::{Reactor, Server};
    ///
    /// fn zones(server: &mut Server) {
    ///     server.http("/health", |_, _| "well");
    /// }
    ///
    /// fn main() -> std::io::Result<()> {
    ///     let mut reactor = Reactor::new()?;
    ///     zones(&mut reactor.server);
    ///     // .. and in a test:
    ///     assert_eq!(World::serving(zones).get("/health").text(), "well");
    ///     Ok(())
    /// }
    /// ```
    ///
    /// What the function returns is dropped; [`set_up`](World::set_up) returns it.
    pub fn serving<R>(set_up: impl FnOnce(&mut Server) -> R) -> World {
        World::set_up(set_up).0
    }

    /// A world whose server is set up by a function, and what the function returns, such as the
    /// [`ZoneId`] of a handler.
    ///
    /// ```
    /// use switchboard::testing::World;
    /// use switchboard::{Handler, Message, Conn};
    ///
    /// struct Count(usize);
    /// impl Handler for Count {
    ///     fn message(&mut self, _: &mut Conn<'_>, _: Message<'_>) {
    ///         self.0 += 1;
    ///     }
    /// }
    ///
    /// let (mut world, zone) = World::set_up(|server| server.zone("/", Count(0)));
    /// let ada = world.websocket("/");
    /// world.say(ada, "hello");
    /// assert_eq!(world.with(zone, |count, _| count.0), 1);
    /// ```
    pub fn set_up<R>(set_up: impl FnOnce(&mut Server) -> R) -> (World, R) {
        let mut world = World::new();
        let result = set_up(&mut world.server);
        (world, result)
    }

    /// A world over a server that is there already.
    ///
    /// ```
    /// use switchboard::Server;
    /// use switchboard::testing::World;
    ///
    /// let mut server = Server::detached();
    /// server.http("/", |_, _| "hello");
    /// assert_eq!(World::over(server).get("/").text(), "hello");
    /// ```
    pub fn over(mut server: Server) -> World {
        let now = Instant::now();
        // A drain ends connections in the same order each time.
        server.context(now).drain_seed = Some(1);
        World { server, now, links: Vec::new(), is_touched: false }
    }

    /// The server's context at the present moment: to send, publish, count or set timers from
    /// outside. All that follows happens before a client does or hears anything else.
    ///
    /// ```
    /// # use switchboard::testing::World;
    /// # let mut world = World::new();
    /// # world.server.websocket("/", |conn, _| conn.subscribe("news"));
    /// let ada = world.websocket("/");
    /// world.say(ada, "subscribe");
    /// world.context().publish("news", "rain");
    /// assert_eq!(world.hear(ada), ["rain"]);
    /// assert_eq!(world.context().stats().websockets, 1);
    /// ```
    pub fn context(&mut self) -> &mut Context {
        self.is_touched = true;
        self.server.context(self.now)
    }

    /// Runs a closure with a zone's handler and the context, and lets the server do what follows.
    ///
    /// ```
    /// use switchboard::testing::World;
    /// use switchboard::{Conn, Handler, Message};
    ///
    /// #[derive(Default)]
    /// struct Count(usize);
    /// impl Handler for Count {
    ///     fn message(&mut self, _: &mut Conn<'_>, _: Message<'_>) {
    ///         self.0 += 1;
    ///     }
    /// }
    /// let mut world = World::new();
    /// let zone = world.server.zone("/", Count::default());
    /// let ada = world.websocket("/");
    /// world.say(ada, "hello");
    /// assert_eq!(world.with(zone, |count, _| count.0), 1);
    /// ```
    ///
    /// # Panics
    /// With a `ZoneId` of another server.
    #[track_caller]
    pub fn with<H: Handler, R>(
        &mut self,
        zone: ZoneId<H>,
        call: impl FnOnce(&mut H, &mut Context) -> R,
    ) -> R {
        self.settle();
        let result = self.server.with(zone, self.now, call);
        self.settle();
        result
    }

    /// Lets time pass. The clock stops at each deadline and timer on its way, in their order, and
    /// the server and the clients do there what is due. It ends exactly `duration` later.
    ///
    /// Timers are exact. Deadlines of connections are ticks of 250 ms, rounded up, as in a program.
    ///
    /// ```
    /// use std::time::Duration;
    /// use switchboard::testing::World;
    /// use switchboard::{CloseCode, Options};
    ///
    /// let mut world = World::new();
    /// world.server.options(Options::new().idle_timeout(Duration::from_secs(60)));
    /// world.server.websocket("/", |_, _| {});
    /// let ada = world.websocket("/");
    /// world.advance(Duration::from_secs(150));
    /// assert_eq!(world.pings(ada).len(), 2); // answered, as a browser would
    /// assert_eq!(world.closed(ada), None);
    /// ```
    ///
    /// # Panics
    /// If the server does not come to rest at one of these moments.
    #[track_caller]
    pub fn advance(&mut self, duration: Duration) {
        self.settle();
        let end = self.now + duration;
        while let Some(wait) = self.server.poll_timeout(self.now)
            && self.now + wait <= end
        {
            self.now += wait;
            self.settle();
        }
        self.now = end;
        self.settle();
    }

    /// Runs turns until neither the server nor a client has anything left to do at this moment.
    ///
    /// Most methods do this. It is for what is done to the server directly.
    ///
    /// ```
    /// # use switchboard::testing::World;
    /// # use switchboard::Drain;
    /// # let mut world = World::new();
    /// # world.server.websocket("/", |_, _| {});
    /// # let ada = world.websocket("/");
    /// world.server.drain(Drain::default())?;
    /// world.settle();
    /// assert!(world.server.is_drained());
    /// # Ok::<(), switchboard::DrainError>(())
    /// ```
    ///
    /// # Panics
    /// If the server is still busy after 20,000 turns. Two handlers that answer each other for ever
    /// are the usual reason.
    #[track_caller]
    pub fn settle(&mut self) {
        for _ in 0..TURNS {
            self.turn();
            let acts = self.links.iter_mut().fold(false, |acts, link| link.act() | acts);
            if !acts && self.server.poll_timeout(self.now) != Some(Duration::ZERO) {
                return;
            }
        }
        panic!(
            "the server is still busy after {TURNS} turns: look for a handler that sends because \
             it received, or run single turns with `turn`"
        );
    }

    /// Runs a single turn: the server learns what clients did since the last turn, then flushes.
    /// It is for tests of what one turn does; others want [`settle`](World::settle).
    ///
    /// ```
    /// # use switchboard::testing::World;
    /// # let mut world = World::new();
    /// # world.server.http("/", |_, _| "hello");
    /// let ada = world.connect();
    /// world.push(ada, "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");
    /// assert!(world.peer(ada).receive().is_empty());
    /// world.turn();
    /// assert!(world.peer(ada).receive().ends_with(b"hello"));
    /// ```
    pub fn turn(&mut self) {
        self.is_touched = false;
        // What set the server up may have told it a later time.
        self.now = self.server.context(self.now).now();
        let links = self.links.iter_mut();
        let news = links.filter_map(|link| link.news().map(|news| (link.token, news)));
        self.server.ready_all(news, self.now);
        self.server.flush(self.now);
    }

    /// Lets the server finish what was done through its context, before a client does anything.
    #[track_caller]
    pub(super) fn settle_touched(&mut self) {
        if self.is_touched {
            self.settle();
        }
    }

    pub(super) fn add(&mut self, link: Link) -> Client {
        self.links.push(link);
        Client(self.links.len() - 1)
    }

    #[track_caller]
    pub(super) fn link(&mut self, client: Client) -> &mut Link {
        self.links.get_mut(client.0).expect("a client of this world")
    }
}

impl Default for World {
    fn default() -> World {
        World::new()
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("clients", &self.links.len()).finish_non_exhaustive()
    }
}
