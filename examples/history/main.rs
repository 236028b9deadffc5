//! A page that misses nothing: one topic with history, followed over a WebSocket, an event stream
//! or long polling. A client whose line breaks goes on after the last message that it has seen.
//!
//! `cargo run --example history -- --every 1000`, then open the address that it prints. `POST /say`
//! publishes its body, and is answered with the id of the message.
//!
//! To begin a program from it, copy the folder and `common/` beside it, and add these dependencies:
//!
//! ```toml
//! [package]
//! name = "history"
//! version = "0.1.0"
//! edition = "2024"
//!
//! [dependencies]
//! lexopt = "0.3"
//! serde_json = "1"
//! signal-hook = "0.4"
//! switchboard = "0.1"
//! ```

#[path = "../common/output.rs"]
mod output;
#[path = "../common/signals.rs"]
mod signals;

use std::io::ErrorKind;
use std::process::ExitCode;
use std::str::from_utf8;
use std::time::{Duration, Instant};

use output::{print_error, print_line};
use serde_json::json;
use switchboard::http::Method;
use switchboard::{
    Cluster, Conn, Context, Drain, EventStream, Handler, History, LongPoll, MessageId, Reply,
    Request, Response, Resume, Server, Zone,
};

const USAGE: &str = "\
usage: history [options]

Serves a page that misses nothing: one topic with history, followed over a WebSocket, an event
stream or long polling. POST /say publishes its body, and is answered with the id of the message.

  --listen LISTEN  where to listen: HOST:PORT, or :PORT for every address of this machine
                   (default 127.0.0.1:8080)
  --keep N         how many messages the topic keeps (default 200)
  --retry MS       how long a browser waits before it opens a broken event stream again, by a
                   quarter more or less for each (default 1000)
  --every MS       publish a message so often (default: never)
  --threads N      reactors, each on a thread, which share the history (default 1)
  -h, --help       this text

SIGINT, SIGTERM and SIGHUP end it in order, within 5 seconds. A second one does not wait.";

/// The topic. Its prefix is the one that keeps messages.
const TOPIC: &str = "news/all";
const PREFIX: &str = "news/";
/// The longest text, in bytes.
const MAX_TEXT: usize = 16 << 10;
/// How long open connections have at the end.
const DEADLINE: Duration = Duration::from_secs(5);

struct Options {
    listen: String,
    keep: usize,
    retry: Duration,
    every: Option<Duration>,
    threads: usize,
    help: bool,
}

/// Publishes a text, as JSON with its id: a WebSocket carries nothing but the message.
fn publish(cx: &mut Context, text: &str) -> MessageId {
    cx.publish_with(TOPIC, |id| {
        json!({ "type": "message", "id": id.to_string(), "text": text }).to_string()
    })
}

/// The WebSocket: `/websocket?after=ID` goes on after a message, and begins with the oldest one
/// that is kept where the id is no longer good.
struct Lines;

impl Handler for Lines {
    fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
        let after = request.query_value("after").and_then(|id| id.parse().ok());
        conn.subscribe_from(TOPIC, after.unwrap_or_default());
    }

    fn resumed(&mut self, conn: &mut Conn<'_>, _topic: &str, resume: Resume) {
        conn.send(match resume {
            Resume::Resumed => r#"{"type":"resumed"}"#,
            _ => r#"{"type":"gap"}"#,
        });
    }
}

/// What pages send: `POST /say` with a text. Pages of other hosts are refused.
struct Say;

impl Handler for Say {
    fn request(&mut self, conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        match conn.context().check_origin(request) {
            Ok(()) => Reply::Body(MAX_TEXT),
            Err(refusal) => refusal.into(),
        }
    }

    fn body(&mut self, conn: &mut Conn<'_>, _request: &mut Request<'_>, body: &[u8]) -> Reply {
        match from_utf8(body) {
            Ok(text) => publish(conn.context(), text).to_string().into(),
            Err(_) => Response::text("send UTF-8\n").with_status(400).into(),
        }
    }
}

/// The files of the page. They load nothing from elsewhere, and run nothing but these scripts.
fn page(_conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
    let file = match request.path() {
        "/" => Response::html(include_str!("page.html")),
        "/style.css" => typed("text/css", include_str!("style.css")),
        "/page.js" => script(include_str!("page.js")),
        "/events.js" => script(include_str!("events.js")),
        "/fetch.js" => script(include_str!("fetch.js")),
        "/polling.js" => script(include_str!("polling.js")),
        "/websocket.js" => script(include_str!("websocket.js")),
        _ => return Reply::Pass,
    };
    file.header("Content-Security-Policy", "default-src 'self'; img-src data:; base-uri 'none'")
        .header("X-Content-Type-Options", "nosniff")
        .header("Cache-Control", "no-cache")
        .into()
}

fn script(text: &'static str) -> Response {
    typed("text/javascript", text)
}

fn typed(media_type: &str, text: &'static str) -> Response {
    Response::empty(200).header("Content-Type", media_type).body(text.as_bytes())
}

/// Sets up the server of one reactor. All of them have the same zones and the same history.
fn set_up(server: &mut Server, options: &Options, is_first: bool) {
    let bytes = options.keep.saturating_mul(2 << 10).max(64 << 10);
    server.history(PREFIX, History::new().messages(options.keep).bytes(bytes));
    server.zone("/websocket", Lines);
    let retry = options.retry;
    server.http("/events", move |_, _| EventStream::new().topic(TOPIC).retry(retry));
    server.http("/poll", |_, _| LongPoll::new().topic(TOPIC));
    let say = server.zone(Zone::new("/say").methods(&[Method::POST]), Say);
    server.http(Zone::new("/").methods(&[Method::GET, Method::HEAD]), page);
    if let Some(period) = options.every.filter(|_| is_first) {
        let mut number = 0;
        server.with(say, Instant::now(), |_, cx| {
            cx.every(say, period, move |_, cx| {
                number += 1;
                publish(cx, &format!("message {number} of this server"));
            });
        });
    }
}

fn run(options: Options) -> std::io::Result<()> {
    let mut cluster = Cluster::new(options.threads);
    let listener = cluster.listen(&*options.listen)?;
    for place in cluster.listening_at(listener)? {
        print_line(format_args!("open http://{place}/"));
    }
    let handle = cluster.handle();
    signals::on_end(move || {
        // A server that is gone already has nothing to end.
        let _ = handle.drain(Drain::within(DEADLINE));
    })?;
    cluster.run(move |reactor, member| {
        set_up(&mut reactor.server, &options, member.index() == 0);
        Ok(())
    })
}

fn parse() -> Result<Options, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options = Options {
        listen: "127.0.0.1:8080".to_owned(),
        keep: 200,
        retry: Duration::from_secs(1),
        every: None,
        threads: 1,
        help: false,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("listen") => options.listen = parser.value()?.string()?,
            Long("keep") => options.keep = parser.value()?.parse()?,
            Long("retry") => options.retry = Duration::from_millis(parser.value()?.parse()?),
            Long("every") => options.every = Some(Duration::from_millis(parser.value()?.parse()?)),
            Long("threads") => match parser.value()?.parse()? {
                0 => return Err("give --threads a number above 0".into()),
                threads => options.threads = threads,
            },
            Short('h') | Long("help") => options.help = true,
            other => return Err(other.unexpected()),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let options = match parse() {
        Ok(options) => options,
        Err(error) => {
            print_error(format_args!("history: {error}; try --help"));
            return ExitCode::from(2);
        }
    };
    if options.help {
        print_line(USAGE);
        return ExitCode::SUCCESS;
    }
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(format_args!("history: {error}"));
            ExitCode::from(if error.kind() == ErrorKind::InvalidInput { 2 } else { 1 })
        }
    }
}
