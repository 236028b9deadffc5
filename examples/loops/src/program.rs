//! What the programs of this package have in common: one argument, an exit code, and the end at
//! SIGINT, SIGTERM and SIGHUP.

use std::io::{self, Error, ErrorKind};
use std::process::ExitCode;
use std::time::Duration;

use switchboard::{Drain, Reactor, Remote};

use crate::output::{print_error, print_line};
use crate::signals::on_end;

/// How long open connections have at the end.
const DEADLINE: Duration = Duration::from_secs(5);

/// Runs a program whose only argument is where to listen.
pub fn main(name: &str, about: &str, run: impl FnOnce(&str) -> io::Result<()>) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let listen = match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["-h" | "--help", ..] => {
            print_line(format_args!(
                "usage: {name} [LISTEN]\n\n{about}\n\n  LISTEN      where to listen: HOST:PORT \
                 (default 127.0.0.1:9004)\n  -h, --help  this text\n\nSIGINT, SIGTERM and \
                 SIGHUP end it in order, within 5 seconds."
            ));
            return ExitCode::SUCCESS;
        }
        [] => "127.0.0.1:9004",
        [listen] if !listen.starts_with('-') => listen,
        _ => {
            print_error(format_args!("{name}: give one address at most; try --help"));
            return ExitCode::from(2);
        }
    };
    match run(listen) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(format_args!("{name}: {error}"));
            ExitCode::from(if error.kind() == ErrorKind::InvalidInput { 2 } else { 1 })
        }
    }
}

/// Listens, and prints where.
///
/// # Errors
/// Those of [`switchboard::Server::listen`].
pub fn listen(reactor: &mut Reactor, place: &str) -> io::Result<()> {
    let listener = reactor.server.listen(place)?;
    print_line(format_args!("listening on {}", reactor.server.local_addr(listener)?));
    Ok(())
}

/// Ends a server in order at the first SIGINT, SIGTERM or SIGHUP.
///
/// # Errors
/// When no thread can be started for the signals.
pub fn drain_at_signal(remote: Remote) -> Result<(), Error> {
    on_end(move || {
        // A server that is gone already has nothing to end.
        let _ = remote.drain(Drain::within(DEADLINE));
    })
}
