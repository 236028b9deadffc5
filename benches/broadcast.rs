//! `cargo bench --bench broadcast`: measures what the server pays to deliver one message to all
//! members of a room. This file knows the rooms and their budgets; `measure` knows how a figure
//! comes about.

mod measure;

use std::io;
use std::process::ExitCode;

use measure::bench::{self, Bench};
use measure::contest::{Budget, Contest, Row};
use measure::options::numbers;
use measure::workload::Workload;

const SUBSCRIBERS: [usize; 5] = [1, 10, 100, 1000, 10_000];

/// The largest room, and the budget of its ratio to the floor.
const BUDGET: (usize, f64) = (10_000, 1.04);

/// The room in which all members send at once. Its budget is relative to ws, which also gathers the
/// output of a turn for each connection.
const MEMBERS: (usize, Budget) = (200, Budget { ratio: 0.85, against: Some("ws") });

/// The options; without any, the default rows are measured.
#[derive(Default)]
struct Broadcast {
    subscribers: Vec<usize>,
    members: Vec<usize>,
    size: Option<usize>,
}

impl Bench for Broadcast {
    const NAME: &'static str = "broadcast";

    const HELP: &'static str = "\
Measures the server's CPU time for one delivery of a message to many, divided by that of a bare
epoll program that writes the frame to the sockets, once for each in a turn.

usage: cargo bench --bench broadcast -- [options]

The rows are one member's message to 1, 10, 100, 1,000 and 10,000 subscribers, and 200 members
each of which sends a message to all: 40,000 deliveries, all awaited before the next. The budget
of the last row is relative to ws 0.9.2, so benches/peers is built for it. With --quick only rows
with a budget are measured; with any of the first two options, exactly the rows they name.
Programs measured as well (--against) must send every message to all connections, its sender
included.

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
