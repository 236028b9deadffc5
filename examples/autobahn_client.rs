//! A client for Autobahn's fuzzing server: runs every case, echoes all messages, and asks for the
//! report.
//!
//! `cargo run --release --example autobahn_client -- ws://127.0.0.1:9001 AGENT`

#[path = "common/output.rs"]
mod output;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use output::{print_error, print_line};
use switchboard::{
    Close, Conn, Connect, Context, Drain, Handler, Message, Options, Reactor, ZoneId,
};

const USAGE: &str = "\
usage: autobahn_client URL AGENT

Runs every case of Autobahn's fuzzing server, echoes all messages, and asks for the report.

  URL         the fuzzing server, such as ws://127.0.0.1:9001
  AGENT       the name in the report
  -h, --help  this text";

/// The purpose of the open connection.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Count,
    Case(u32),
    Reports,
}

struct Runner {
    url: String,
    agent: String,
    zone: Option<ZoneId<Runner>>,
    stage: Stage,
    cases: u32,
}

impl Runner {
    fn connect(&self, cx: &mut Context) {
        let (url, agent) = (&self.url, &self.agent);
        let url = match self.stage {
            Stage::Count => format!("{url}/getCaseCount"),
            Stage::Case(case) => format!("{url}/runCase?case={case}&agent={agent}"),
            Stage::Reports => format!("{url}/updateReports?agent={agent}"),
        };
        if let Some(zone) = self.zone {
            cx.connect(zone, Connect::to(&url).timeout(Duration::from_secs(60)));
        }
    }
}

impl Handler for Runner {
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        match (self.stage, message) {
            (Stage::Count, Message::Text(count)) => self.cases = count.parse().unwrap_or(0),
            (Stage::Case(_), message) => conn.send(message),
            _ => {}
        }
    }

    fn close(&mut self, conn: &mut Conn<'_>, _close: Close<'_>) {
        self.stage = match self.stage {
            Stage::Count if self.cases > 0 => Stage::Case(1),
            Stage::Case(case) if case < self.cases => Stage::Case(case + 1),
            Stage::Case(_) => Stage::Reports,
            Stage::Count | Stage::Reports => {
                // Without notice and window, every deadline will do.
                let _begun = conn.context().drain(Drain::within(Duration::ZERO));
                return;
            }
        };
        self.connect(conn.context());
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some("-h" | "--help") = arguments.first().map(String::as_str) {
        print_line(USAGE);
        return ExitCode::SUCCESS;
    }
    let [url, agent] = &arguments[..] else {
        print_error(
            "autobahn_client: give a URL and an agent's name, \
             such as ws://127.0.0.1:9001 switchboard",
        );
        return ExitCode::from(2);
    };
    match run(url.clone(), agent.clone()) {
        Ok(0) => {
            print_error(format_args!("autobahn_client: no case at {url}"));
            ExitCode::FAILURE
        }
        Ok(cases) => {
            print_line(format_args!("{cases} cases"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            print_error(format_args!("autobahn_client: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Turns compression on if the feature `deflate` is. Context takeover covers the most cases.
fn options() -> Options {
    #[cfg(feature = "deflate")]
    return Options::new().deflate(switchboard::DeflateConfig::dedicated().threshold(0));
    #[cfg(not(feature = "deflate"))]
    Options::new()
}

fn run(url: String, agent: String) -> std::io::Result<u32> {
    let mut reactor = Reactor::new()?;
    reactor.server.options(options());
    let zone =
        reactor.server.zone("/", Runner { url, agent, zone: None, stage: Stage::Count, cases: 0 });
    reactor.server.with(zone, Instant::now(), |runner, cx| {
        runner.zone = Some(zone);
        runner.connect(cx);
    });
    reactor.run()?;
    Ok(reactor.server.with(zone, Instant::now(), |runner, _| runner.cases))
}
