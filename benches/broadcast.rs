//! `cargo bench --bench broadcast`: what delivering one member's message to all of them costs the server.
//! Knows the rooms that are measured and their budgets; how a figure comes about is in `measure`.

mod measure;

use std::io;
use std::process::ExitCode;

use measure::bench::{self, Bench};
use measure::contest::{Budget, Contest, Row};
use measure::options::numbers;
use measure::workload::Workload;

const SUBSCRIBERS: [usize; 5] = [1, 10, 100, 1000, 10_000];

/// The largest room's ratio to the floor.
const BUDGET: (usize, f64) = (10_000, 1.04);

/// Where everybody speaks at once; ws gathers what a turn has for each connection, as few do.
const MEMBERS: (usize, Budget) = (200, Budget { ratio: 0.85, against: Some("ws") });

/// What was asked for; nothing means the default rows.
#[derive(Default)]
struct Broadcast {
    subscribers: Vec<usize>,
    members: Vec<usize>,
    size: Option<usize>,
}

impl Bench for Broadcast {
    const NAME: &'static str = "broadcast";

    const HELP: &'static str = "\
What delivering a message to many costs the server in CPU time, per delivery, divided by what it costs a bare epoll program
that writes the same frame to the same sockets, once for each in a turn.

usage: cargo bench --bench broadcast -- [options]

Measures one member's message to 1, 10, 100, 1,000 and 10,000 subscribers, and 200 members of whom each sends a message to
all: 40,000 deliveries that are awaited before the next. The latter has its budget relative to ws 0.9.2, so benches/peers is
built for it. With --quick only what has a budget; with any of the first two options, exactly what they say. Programs to be
measured as well (--against) must send every message to everybody, its sender included.

  --subscribers N,..     receivers of one sender's messages                   [1,10,100,1000,10000]
  --members N,..         members of whom each sends to all                    [200]
  --size BYTES           payload of a message                                 [100]";

    fn option(&mut self, name: &str, parser: &mut lexopt::Parser) -> Result<bool, lexopt::Error> {
        use lexopt::ValueExt as _;
        match name {
            "subscribers" => self.subscribers = parser.value()?.parse_with(numbers)?,
            "members" => self.members = parser.value()?.parse_with(numbers)?,
            "size" => self.size = Some(parser.value()?.parse()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn measure(&self, contest: &mut Contest) -> io::Result<()> {
        contest.compare(&self.rows(contest.options.quick))
    }
}

impl Broadcast {
    fn rows(&self, quick: bool) -> Vec<Row> {
        let default = self.subscribers.is_empty() && self.members.is_empty();
        let (subscribers, members) = match (default, quick) {
            (false, _) => (self.subscribers.clone(), self.members.clone()),
            (true, true) => (vec![BUDGET.0], vec![MEMBERS.0]),
            (true, false) => (SUBSCRIBERS.into(), vec![MEMBERS.0]),
        };
        let one = subscribers.into_iter().map(|count| {
            let budget = (count == BUDGET.0).then(|| Budget::of(BUDGET.1)).flatten();
            let plural = if count == 1 { "" } else { "s" };
            self.row(count, 1, format!("{count} subscriber{plural}"), budget)
        });
        let all = members.into_iter().map(|count| {
            let budget = (count == MEMBERS.0).then_some(MEMBERS.1);
            self.row(count, count, format!("{count} members, each to all"), budget)
        });
        one.chain(all).collect()
    }

    fn row(&self, connections: usize, senders: usize, room: String, budget: Option<Budget>) -> Row {
        let size = self.size.unwrap_or(100);
        let workload = Workload { senders, room: true, ..Workload::echo(connections, size, 1) };
        Row { label: format!("{size} B, {room}"), workload, load: "load", budget }
    }
}

fn main() -> ExitCode {
    bench::main::<Broadcast>()
}
