//! `peers NAME`: serves the echo of the benches with another WebSocket library on one core. This
//! file knows the names and the command line; the file named after a library knows how it is used.

mod fastwebsockets;
mod room;
mod serve;
mod sockudo_ws;
mod tokio_tungstenite;
mod tokio_websockets;
mod ws;

use std::io;
use std::process::ExitCode;
use std::thread;

const HELP: &str = "\
A WebSocket echo on another library, which the benches measure beside this one.

usage: peers NAME [--room]
       peers --list

  NAME      the library; --list has the names
  --room    instead of echoing, send every message to all connections
  --list    print the names, one a line
  --help    this text

Listens at a port of 127.0.0.1 and prints the address as its first line; ends with its standard
input. Ends with 2 for a bad option or a library that has no room here, with 1 when something
fails.";

type Serve = fn() -> io::Result<()>;

struct Peer {
    name: &'static str,
    echo: Serve,
    room: Option<Serve>,
}

const PEERS: [Peer; 5] = [
    Peer {
        name: "tokio-tungstenite",
        echo: tokio_tungstenite::echo,
        room: Some(tokio_tungstenite::room),
    },
    Peer {
        name: "tokio-websockets",
        echo: tokio_websockets::echo,
        room: Some(tokio_websockets::room),
    },
    Peer { name: "fastwebsockets", echo: fastwebsockets::echo, room: None },
    Peer { name: "sockudo-ws", echo: sockudo_ws::echo, room: Some(sockudo_ws::room) },
    Peer { name: "ws", echo: ws::echo, room: Some(ws::room) },
];

enum Task {
    Help,
    List,
    Serve(Serve),
}

fn main() -> ExitCode {
    let done = match task(lexopt::Parser::from_env()) {
        Ok(Task::Help) => {
            println!("{HELP}");
            Ok(())
        }
        Ok(Task::List) => {
            PEERS.iter().for_each(|peer| println!("{}", peer.name));
            Ok(())
        }
        Ok(Task::Serve(serve)) => {
            end_with_standard_input();
            rlimit::increase_nofile_limit(u64::MAX).and_then(|_| serve())
        }
        Err(error) => {
            eprintln!("peers: {error}; --help names the options");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn task(mut parser: lexopt::Parser) -> Result<Task, lexopt::Error> {
    use lexopt::prelude::*;
    let (mut name, mut room) = (None, false);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") => return Ok(Task::Help),
            Long("list") => return Ok(Task::List),
            Long("room") => room = true,
            Value(value) if name.is_none() => name = Some(value.string()?),
            other => return Err(other.unexpected()),
        }
    }
    let name = name.ok_or("no library is named")?;
    let peer = PEERS
        .iter()
        .find(|peer| peer.name == name)
        .ok_or_else(|| format!("no library is called {name:?}"))?;
    if !room {
        return Ok(Task::Serve(peer.echo));
    }
    Ok(Task::Serve(peer.room.ok_or_else(|| format!("{name} has no room here"))?))
}

/// Ends this process when the bench that started it ends, for whatever reason.
fn end_with_standard_input() {
    thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(0);
    });
}
