//! The roles in which the bench starts itself: to serve, or to make a load as its input orders,
//! line by line. This file knows no figures.

use std::io::{self, BufRead, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::version::TLS13;
use switchboard::{Listener, Reactor, Tls};

use super::certificate::{self, Key};
use super::client::{self, Client};
use super::crowd::{Crowd, Size};
use super::floor::Floor;
use super::load::Load;
use super::opening::BATCH;
use super::process;
use super::workload::Workload;

/// The roles by name. A server prints its address. A load generator reads lines with one number,
/// and answers `done`, or `failed` and a reason.
const ROLES: [(&str, Role); 7] = [
    ("serve-floor", serve_floor),
    ("serve-ours", serve_ours),
    ("serve-both", serve_both),
    ("load", load),
    ("come-and-go", come_and_go),
    ("hold", hold),
    ("crowd", crowd),
];

type Role = fn(&Given) -> io::Result<()>;

/// The options of a role.
struct Given {
    workload: Workload,
    server: SocketAddr,
    /// The address of plain connections, where a server has two.
    plain: SocketAddr,
    key: Key,
    crowd: Size,
}

/// The units of work in one order: connections that come and go, or messages echoed.
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
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut given = Given {
            workload: Workload::echo(1, 20, 1),
            server: nowhere,
            plain: nowhere,
            key: Key::Ecdsa,
            crowd: Size::default(),
        };
        while let Some(argument) = parser.next()? {
            match argument {
                Long("server") => given.server = parser.value()?.parse()?,
                Long("plain") => given.plain = parser.value()?.parse()?,
                Long("rsa") => given.key = Key::Rsa,
                Long("crowd") => given.crowd = parser.value()?.parse_with(Size::parse)?,
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
    let config = certificate::server(given.key)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    Floor::new(listener, config, &given.workload)?.run()
}

/// Serves as the library, with the floor's configuration of rustls: the echo of its front page.
fn serve_ours(given: &Given) -> io::Result<()> {
    let (mut reactor, tls) = echo(given.key)?;
    let listener = reactor.server.listen(Listener::from("127.0.0.1:0").tls(tls))?;
    println!("{}", reactor.server.local_addr(listener)?);
    reactor.run()
}

/// Serves as the library at two addresses, and prints the plain one first.
fn serve_both(given: &Given) -> io::Result<()> {
    let (mut reactor, tls) = echo(given.key)?;
    let plain = reactor.server.listen("127.0.0.1:0")?;
    let secure = reactor.server.listen(Listener::from("127.0.0.1:0").tls(tls))?;
    let (plain, secure) = (reactor.server.local_addr(plain)?, reactor.server.local_addr(secure)?);
    println!("{plain} {secure}");
    reactor.run()
}

fn echo(key: Key) -> io::Result<(Reactor, Tls)> {
    let tls = Tls::from(certificate::server(key)?);
    let mut reactor = Reactor::new()?;
    reactor.server.websocket("/", |conn, message| conn.send(message));
    Ok((reactor, tls))
}

/// Clients that make a full handshake each time.
fn full() -> io::Result<Arc<ClientConfig>> {
    certificate::client(&[&TLS13], false)
}

/// Exchanges messages: each order is a number of messages for each connection.
fn load(given: &Given) -> io::Result<()> {
    match Load::connect(given.server, &full()?, &given.workload) {
        Ok(mut load) => obey(|count| load.exchange(count)),
        Err(error) => obey(|_| Err(io::Error::other(error.to_string()))),
    }
}

/// Makes batches of full handshakes; each batch is closed as soon as all of it is open.
fn come_and_go(given: &Given) -> io::Result<()> {
    let config = full()?;
    obey(|batches| (0..batches).try_for_each(|_| client::come_and_go(given.server, &config)))
}

/// Holds connections open.
fn hold(given: &Given) -> io::Result<()> {
    let (config, mut held) = (full()?, Vec::<Client>::new());
    obey(|count| {
        held.extend(client::open(given.server, &config, count.saturating_sub(held.len()))?);
        Ok(())
    })
}

/// Runs one crowd for each line of input, and prints what it saw as JSON.
fn crowd(given: &Given) -> io::Result<()> {
    let config = full()?;
    for order in io::stdin().lock().lines() {
        order?;
        let seen = Crowd::connect(given.plain, given.server, &config, given.crowd)
            .and_then(Crowd::run)
            .and_then(|seen| serde_json::to_string(&seen).map_err(io::Error::other));
        match seen {
            Ok(seen) => println!("{seen}"),
            Err(error) => println!("failed {error}"),
        }
    }
    Ok(())
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
