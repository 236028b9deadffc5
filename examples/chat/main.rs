//! A chat server with its page: `cargo run --release --example chat`, then open the address that it
//! prints.
//!
//! This file knows the command line, the signals and the zones. [`chat`] is the chat, [`protocol`]
//! its messages, [`page`] what the browser gets.
//!
//! To begin a program from it, copy the folder and add these dependencies:
//!
//! ```toml
//! [package]
//! name = "my-chat"
//! version = "0.1.0"
//! edition = "2024"
//!
//! [dependencies]
//! switchboard = "0.1"
//! ctrlc = { version = "3.5", features = ["termination"] }
//! lexopt = "0.3"
//! serde = { version = "1", features = ["derive"] }
//! serde_json = "1"
//! unicode-normalization = "0.1"
//! unicode-script = "0.5"
//! unicode-security = "0.1"
//! ```

mod chat;
mod members;
mod names;
mod page;
mod protocol;
mod room;
#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::io::{self, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use lexopt::prelude::*;
use switchboard::http::Method;
use switchboard::{CloseCode, Conn, Reactor, Remote, Reply, Request, Zone};

use chat::{Chat, PREFIXES};

const HELP: &str = "\
A chat server with its page.

Usage: chat [--listen ADDR]

  --listen ADDR  where to listen (default 127.0.0.1:8080; port 0 takes any free one)
  -h, --help     print this and end

Ctrl-C says goodbye to everybody and ends.";

/// How long goodbyes may take.
const GOODBYE: Duration = Duration::from_secs(3);

/// What ends the program early: a line for the user, and the exit code.
struct Failure(String, u8);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(line, code)) => {
            eprintln!("chat: {line}");
            ExitCode::from(code)
        }
    }
}

fn run() -> Result<(), Failure> {
    let Some(address) = arguments()? else {
        print_line(HELP);
        return Ok(());
    };
    // Every browser is a descriptor. With the soft limit alone the chat still works, for fewer.
    let _ = rlimit::increase_nofile_limit(u64::MAX);

    let mut reactor =
        Reactor::new().map_err(|error| Failure(format!("no event loop: {error}"), 1))?;
    let server = &mut reactor.server;
    let chat = server.zones(PREFIXES, Chat::new());
    server.with(chat, |handler, cx| handler.start(chat, cx));
    server.http(Zone::new("/").methods(&[Method::GET, Method::HEAD]), front_door);

    let listener = server.listen(address).map_err(|error| cannot_listen(address, &error))?;
    let bound = server.local_addr(listener).map_err(|error| cannot_listen(address, &error))?;
    goodbye_on_ctrl_c(reactor.remote());
    print_line(&format!("open http://{}/", reachable(bound)));
    reactor.run().map_err(|error| Failure(format!("the event loop failed: {error}"), 1))
}

/// A reader of the output who has gone is no reason to end.
fn print_line(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Where to listen; nothing if only help is wanted.
fn arguments() -> Result<Option<SocketAddr>, Failure> {
    let usage = |error: &dyn Display| Failure(format!("{error}; see chat --help"), 2);
    let mut address = "127.0.0.1:8080".to_owned();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next().map_err(|error| usage(&error))? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("listen") => {
                address = parser
                    .value()
                    .and_then(|value| value.string())
                    .map_err(|error| usage(&error))?
            }
            other => return Err(usage(&other.unexpected())),
        }
    }
    match address.to_socket_addrs().ok().and_then(|mut found| found.next()) {
        Some(found) => Ok(Some(found)),
        None => Err(Failure(
            format!(
                "cannot listen on {address:?}: give an address and a port, \
                 like --listen 127.0.0.1:8080"
            ),
            2,
        )),
    }
}

fn cannot_listen(address: SocketAddr, error: &dyn Display) -> Failure {
    Failure(format!("cannot listen on {address}: {error}; give another one with --listen ADDR"), 1)
}

fn front_door(_conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
    match request.path() {
        "/" => page::page().into(),
        _ => Reply::Pass,
    }
}

/// Ends the server with Ctrl-C: the first closes every connection in order, after which
/// [`Reactor::run`] returns. The second does not wait.
fn goodbye_on_ctrl_c(remote: Remote) {
    let mut asked = false;
    let handler = move || {
        if asked || remote.drain(CloseCode::GOING_AWAY, GOODBYE).is_err() {
            std::process::exit(130);
        }
        asked = true;
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        eprintln!("chat: Ctrl-C will end the chat without a goodbye: {error}");
    }
}

/// An address that a browser on this machine can open: 0.0.0.0 means every address, but is none.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let v4 = address.is_ipv4();
        address.set_ip(if v4 {
            [127, 0, 0, 1].into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    address
}
