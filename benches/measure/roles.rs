//! The roles in which a bench starts itself: to serve, or to make a load as its input orders, line
//! by line. Every bench has all roles. This file knows no figures.

use std::io::{self, BufRead, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use switchboard::{Cluster, Conn, Connect, Handler, Message, Reactor, Request, ZoneId};

use super::floor::Floor;
use super::load::Load;
use super::opening::{self, BATCH, PATIENCE};
use super::process;
use super::workload::Workload;

/// The roles by name. A server prints its address. A load generator reads lines with one number,
/// and answers `done`, or `failed` and a reason.
const ROLES: [(&str, Role); 8] = [
    ("serve-floor", serve_floor),
    ("serve-ours", serve_ours),
    ("serve-two-floors", serve_two_floors),
    ("serve-two-reactors", serve_two_reactors),
    ("load", load),
    ("come-and-go", come_and_go),
    ("hold", hold),
    ("hold-ours", hold_ours),
];

type Role = fn(&Given) -> io::Result<()>;

/// The options of a role.
struct Given {
    workload: Workload,
    server: SocketAddr,
}

/// The units of work in one order: connections that come and go, or messages delivered.
pub fn units(load: &str, workload: &Workload) -> usize {
    if load == "come-and-go" { BATCH } else { workload.deliveries() }
}

/// Runs the role called `name` with the options in `parser`; returns `None` for an unknown role.
pub fn play(name: &str, parser: lexopt::Parser) -> Option<io::Result<()>> {
    let (_, role) = ROLES.iter().find(|(known, _)| *known == name)?;
    let given = Given::parse(parser)
        .map_err(|error| io::Error::new(ErrorKind::InvalidInput, error.to_string()));
    Some(process::settle_in().and(given).and_then(|given| role(&given)))
}

impl Given {
    fn parse(mut parser: lexopt::Parser) -> Result<Given, lexopt::Error> {
        use lexopt::prelude::*;
        let mut given = Given {
            workload: Workload::echo(1, 20, 1),
            server: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        while let Some(argument) = parser.next()? {
            match argument {
                Long("server") => given.server = parser.value()?.parse()?,
                Long(name) => {
                    let name = name.to_owned();
                    if !given.workload.option(&name, &mut parser)? {
                        return Err(format!("a role has no option --{name}").into());
                    }
                }
                other => return Err(other.unexpected()),
            }
        }
        Ok(given)
    }
}

/// Serves as the bare epoll program.
fn serve_floor(given: &Given) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    Floor::new(listener, &given.workload)?.run()
}

/// Serves as the library: an echo as on its front page, or a room.
fn serve_ours(given: &Given) -> io::Result<()> {
    let mut reactor = Reactor::new()?;
    if given.workload.room {
        reactor.server.zone("/", Room);
    } else {
        reactor.server.websocket("/", |conn, message| conn.send(message));
    }
    let listener = reactor.server.listen("127.0.0.1:0")?;
    println!("{}", reactor.server.local_addr(listener)?);
    reactor.run()
}

/// Where the second half of a spread load connects: the port is that of 127.0.0.1.
fn both(first: SocketAddr) -> [SocketAddr; 2] {
    [first, SocketAddr::from(([127, 0, 0, 2], first.port()))]
}

/// Serves as two bare epoll programs, each on a core of its own with half of the connections.
fn serve_two_floors(given: &Given) -> io::Result<()> {
    let first = TcpListener::bind("127.0.0.1:0")?;
    let [place, further] = both(first.local_addr()?);
    let second = TcpListener::bind(further)?;
    println!("{place}");
    let workload = given.workload;
    let other = thread::spawn(move || {
        pin_nth(1);
        Floor::new(second, &workload)?.run()
    });
    pin_nth(0);
    Floor::new(first, &workload)?.run()?;
    other.join().map_err(|_| io::Error::other("the second floor panicked"))?
}

/// Serves as the library with two reactors, each on a core of its own. Each has an address of its
/// own, so that the same connections share a reactor as share a bare program: a load that goes to
/// and fro between two servers wakes each of them more often.
fn serve_two_reactors(_: &Given) -> io::Result<()> {
    let first = TcpListener::bind("127.0.0.1:0")?;
    let [place, further] = both(first.local_addr()?);
    let sockets = [first, TcpListener::bind(further)?].map(|socket| Mutex::new(Some(socket)));
    println!("{place}");
    Cluster::new(2).run(|reactor, member| {
        pin_nth(member.index());
        reactor.server.websocket("/", |conn, message| conn.send(message));
        let socket = sockets[member.index()].lock().map_or(None, |mut socket| socket.take());
        let listener = socket.ok_or_else(|| io::Error::other("a socket is gone"))?;
        listener.set_nonblocking(true)?;
        reactor.server.listen(listener)?;
        Ok(())
    })
}

/// Keeps this thread on the first or the second core, where there is one.
fn pin_nth(core: usize) {
    let _ = process::pin(None, core);
}

/// A handler that sends every message to all connections.
struct Room;

impl Handler for Room {
    fn open(&mut self, conn: &mut Conn<'_>, _request: &Request<'_>) {
        conn.subscribe("room");
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        conn.publish("room", message);
    }
}

/// Exchanges messages: each order is a number of segments for each connection.
fn load(given: &Given) -> io::Result<()> {
    match Load::connect(given.server, given.workload) {
        Ok(mut load) => obey(|count| load.exchange(count)),
        Err(error) => obey(|_| Err(io::Error::other(error.to_string()))),
    }
}

/// Opens batches of connections; each batch is closed as soon as all of it is open.
fn come_and_go(given: &Given) -> io::Result<()> {
    obey(|batches| (0..batches).try_for_each(|_| opening::open(given.server, BATCH).map(drop)))
}

/// Holds connections open.
fn hold(given: &Given) -> io::Result<()> {
    let mut held: Vec<TcpStream> = Vec::new();
    obey(|count| {
        held.extend(opening::open(given.server, count.saturating_sub(held.len()))?);
        Ok(())
    })
}

/// Holds connections open in the library's client role.
fn hold_ours(given: &Given) -> io::Result<()> {
    let mut reactor = Reactor::new()?;
    // No request reaches this zone, because the server does not listen.
    let zone = reactor.server.zone("/", Holder { open: 0 });
    let url = format!("ws://{}/", given.server);
    obey(|count| hold_by(&mut reactor, zone, &url, count))
}

/// Opens connections, with one batch on its way at any time, until `count` are open.
fn hold_by(reactor: &mut Reactor, zone: ZoneId<Holder>, url: &str, count: usize) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let mut asked = reactor.server.with(zone, Instant::now(), |holder, _| holder.open);
    loop {
        let open = reactor.server.with(zone, Instant::now(), |holder, _| holder.open);
        if open >= count {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(io::Error::new(
                ErrorKind::TimedOut,
                format!("{open} of {count} connections are open"),
            ));
        }
        let cx = reactor.server.context(Instant::now());
        while asked < count.min(open + BATCH) {
            cx.connect(zone, Connect::to(url));
            asked += 1;
        }
        reactor.turn(Some(Duration::from_secs(1)))?;
    }
}

struct Holder {
    open: usize,
}

impl Handler for Holder {
    fn open(&mut self, _conn: &mut Conn<'_>, _request: &Request<'_>) {
        self.open += 1;
    }
}

/// Runs `order` for each line of standard input until the input ends.
fn obey(mut perform: impl FnMut(usize) -> io::Result<()>) -> io::Result<()> {
    for order in io::stdin().lock().lines() {
        let count = order?.parse().map_err(|_| ErrorKind::InvalidInput)?;
        match perform(count) {
            Ok(()) => println!("done"),
            Err(error) => println!("failed {error}"),
        }
    }
    Ok(())
}
