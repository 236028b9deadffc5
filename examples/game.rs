//! A game with a loop of its own, of 60 frames a second, and a server in it. The loop waits in
//! `poll(2)` for the reactor's descriptor or for the next frame. A budget keeps the server's turns
//! short enough for the frame.
//!
//! `cargo run --example game`, then open WebSockets at `ws://127.0.0.1:9005/`. Each is a player,
//! and sends `left`, `right`, `up`, `down` or `stop`. All players get the places of all.
//!
//! It uses `common/output.rs` and `common/signals.rs`. Its `Cargo.toml`:
//!
//! ```toml
//! [package]
//! name = "game"
//! version = "0.1.0"
//! edition = "2024"
//!
//! [dependencies]
//! rustix = { version = "1", features = ["event"] }
//! signal-hook = "0.4"
//! switchboard = "0.1"
//! ```

#[path = "common/output.rs"]
mod output;
#[path = "common/signals.rs"]
mod signals;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::{self, ErrorKind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use output::{print_error, print_line};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use switchboard::{
    Close, CloseCode, Conn, ConnId, Context, Drain, Handler, Message, Reactor, Reply, Request,
    Upgrade, ZoneId,
};

const USAGE: &str = "\
usage: game [LISTEN]

A game of 60 frames a second. Each WebSocket is a player: it sends left, right, up, down or stop,
and gets the places of all players whenever one moves. GET / returns the number of frames.

  LISTEN      where to listen: HOST:PORT, or :PORT for every address of this machine
              (default 127.0.0.1:9005)
  -h, --help  this text

SIGINT, SIGTERM and SIGHUP close all WebSockets with 1001 and end the game. A second one does not
wait.";

/// The length of a frame: 60 a second.
const FRAME: Duration = Duration::from_nanos(1_000_000_000 / 60);
/// How much of a frame one turn of the server may take.
const BUDGET: Duration = Duration::from_millis(4);
/// How long open connections have at the end.
const DEADLINE: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Game {
    frames: u64,
    players: BTreeMap<ConnId, Player>,
    /// Whether a player came, left or moved since the last frame.
    has_news: bool,
}

#[derive(Default)]
struct Player {
    place: (i32, i32),
    step: (i32, i32),
}

impl Game {
    /// Plays one frame.
    fn play(&mut self, cx: &mut Context) {
        self.frames += 1;
        for player in self.players.values_mut().filter(|player| player.step != (0, 0)) {
            player.place.0 += player.step.0;
            player.place.1 += player.step.1;
            self.has_news = true;
        }
        if std::mem::take(&mut self.has_news) {
            let mut places = format!("frame {}", self.frames);
            for (number, player) in self.players.values().enumerate() {
                let (x, y) = player.place;
                // Writing to a string cannot fail.
                let _ = write!(places, "; {number} at {x},{y}");
            }
            cx.publish("places", &*places);
        }
    }
}

impl Handler for Game {
    fn request(&mut self, _conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        if request.is_websocket() {
            return Upgrade::new().into();
        }
        format!("{}\n", self.frames).into()
    }

    fn open(&mut self, conn: &mut Conn<'_>, _request: &Request<'_>) {
        conn.subscribe("places");
        self.players.insert(conn.id(), Player::default());
        self.has_news = true;
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let Some(player) = self.players.get_mut(&conn.id()) else { return };
        match message {
            Message::Text("left") => player.step = (-1, 0),
            Message::Text("right") => player.step = (1, 0),
            Message::Text("up") => player.step = (0, -1),
            Message::Text("down") => player.step = (0, 1),
            Message::Text("stop") => player.step = (0, 0),
            _ => conn.close(CloseCode::POLICY, "send left, right, up, down or stop"),
        }
    }

    fn close(&mut self, conn: &mut Conn<'_>, _close: Close<'_>) {
        self.players.remove(&conn.id());
        self.has_news = true;
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let listen = match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["-h" | "--help", ..] => {
            print_line(USAGE);
            return ExitCode::SUCCESS;
        }
        [] => "127.0.0.1:9005",
        [listen] if !listen.starts_with('-') => listen,
        _ => {
            print_error("game: give one address at most; try --help");
            return ExitCode::from(2);
        }
    };
    match run(listen) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(format_args!("game: {error}"));
            ExitCode::from(if error.kind() == ErrorKind::InvalidInput { 2 } else { 1 })
        }
    }
}

fn run(listen: &str) -> io::Result<()> {
    let mut reactor = Reactor::new()?;
    reactor.server.turn_budget(Some(BUDGET));
    let game = reactor.server.zone("/", Game::default());
    let listener = reactor.server.listen(listen)?;
    print_line(format_args!("listening on {}", reactor.server.local_addr(listener)?));
    let remote = reactor.remote();
    signals::on_end(move || {
        // A server that is gone already has nothing to end.
        let _ = remote.drain(Drain::within(DEADLINE));
    })?;
    play(&mut reactor, game)
}

/// The loop of the game. It ends when the server is drained.
fn play(reactor: &mut Reactor, game: ZoneId<Game>) -> io::Result<()> {
    let mut next_frame = Instant::now() + FRAME;
    // The first turn tells how long the server can wait.
    let mut wait = Some(Duration::ZERO);
    while !reactor.server.is_drained() {
        let until_frame = next_frame.saturating_duration_since(Instant::now());
        wait_for(reactor, wait.map_or(until_frame, |wait| wait.min(until_frame)))?;
        let now = Instant::now();
        if now >= next_frame {
            reactor.server.with(game, now, Game::play);
            // Frames that a busy machine missed are left out.
            next_frame = (next_frame + FRAME).max(now);
        }
        // A turn after each frame sends what the frame has published.
        wait = reactor.turn(Some(Duration::ZERO))?.wait;
    }
    Ok(())
}

/// Waits until the reactor has something to do, but not longer than this.
fn wait_for(reactor: &Reactor, timeout: Duration) -> io::Result<()> {
    let timeout = Timespec::try_from(timeout).map_err(io::Error::other)?;
    match poll(&mut [PollFd::new(reactor, PollFlags::IN)], Some(&timeout)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
