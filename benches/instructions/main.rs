//! `cargo bench --bench instructions`: counts the library's instructions for frequent operations,
//! beside the figures in instructions.json. This file knows roles, options and the table;
//! `subjects` knows what is counted, `callgrind` how, and `record` which figures are comparable.

mod callgrind;
mod record;
mod subjects;

use std::error::Error;
use std::process::ExitCode;

use callgrind::Callgrind;
use record::{Environment, Record, Row};
use subjects::{Contestant, SUBJECTS};

const HELP: &str = "\
Counts the library's instructions for an echo, a handshake and a delivery, beside the recorded
figures.

usage: cargo bench --bench instructions -- [options]

  --check     fail when a figure rose by more than 3 %
  --record    write the figures to benches/instructions.json
  --help      this text

Needs valgrind. The instructions of a bare program for the same system calls are subtracted.
Figures are comparable if compiler, CPU level, profile and features are those of the record;
otherwise --check only prints them. Ends with 0 when nothing rose or nothing is comparable, 1 when
a figure rose or something fails, 2 for a bad option or without valgrind.";

enum Task {
    Help,
    Print,
    Check,
    Record,
    /// In a process of its own, under callgrind: runs a number of operations of one subject.
    Count(usize, Contestant, u32),
    /// In a process of its own, under callgrind: prints the CPU level that the program sees.
    Level,
}

fn main() -> ExitCode {
    let task = match task(lexopt::Parser::from_env()) {
        Ok(task) => task,
        Err(error) => {
            eprintln!("instructions: {error}; --help names the options");
            return ExitCode::from(2);
        }
    };
    if matches!(task, Task::Print | Task::Check | Task::Record) && !callgrind::is_installed() {
        eprintln!(
            "instructions: there is no valgrind on the PATH; \
             install it, on Debian with: apt-get install valgrind"
        );
        return ExitCode::from(2);
    }
    match perform(&task) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("instructions: {error}");
            ExitCode::FAILURE
        }
    }
}

fn task(mut parser: lexopt::Parser) -> Result<Task, lexopt::Error> {
    use lexopt::prelude::*;
    let mut task = Task::Print;
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") => return Ok(Task::Help),
            Long("check") => task = Task::Check,
            Long("record") => task = Task::Record,
            // `cargo bench` adds this.
            Long("bench") => {}
            Value(role) if role == "level" => return Ok(Task::Level),
            Value(role) if role == "count" => {
                let subject = parser.value()?.parse_with(|text| text.parse::<usize>())?;
                let contestant = parser.value()?.parse()?;
                return Ok(Task::Count(subject, contestant, parser.value()?.parse()?));
            }
            other => return Err(other.unexpected()),
        }
    }
    Ok(task)
}

/// Whether no judged figure has risen.
fn perform(task: &Task) -> Result<bool, Box<dyn Error>> {
    match task {
        Task::Help => println!("{HELP}"),
        Task::Level => println!("{}", record::cpu()),
        Task::Count(subject, contestant, operations) => {
            let subject = SUBJECTS.get(*subject).ok_or("there is no such subject")?;
            subject.run(*contestant, *operations)?;
        }
        Task::Print | Task::Check => {
            let record = Record::read()?;
            let now = count()?;
            print(Some(&record), &now);
            return Ok(judge(&record, &now) || matches!(task, Task::Print));
        }
        Task::Record => {
            let now = count()?;
            print(Record::read().ok().as_ref(), &now);
            now.write()?;
        }
    }
    Ok(true)
}

fn count() -> Result<Record, Box<dyn Error>> {
    let callgrind = Callgrind::new()?;
    let environment = Environment::here(callgrind.level()?)?;
    let mut rows = Vec::new();
    for (index, subject) in SUBJECTS.iter().enumerate() {
        let [library, floor] = [Contestant::Library, Contestant::Floor]
            .map(|contestant| callgrind.per_operation(index, contestant, subject.operations));
        let (library, floor) = (library? / subject.parts, floor? / subject.parts);
        rows.push(Row::new(subject.name, library - floor, floor));
    }
    Ok(Record { environment, rows })
}

/// Reports the figures, and whether none has risen where they are comparable.
fn judge(record: &Record, now: &Record) -> bool {
    let differences = now.environment.differences(&record.environment);
    if !differences.is_empty() {
        println!(
            "\nnothing is judged, because the record is of another kind: {}",
            differences.join("; ")
        );
        return true;
    }
    let risen = record.risen(&now.rows);
    for row in &risen {
        println!("\n{}: risen by more than 3 %, or never recorded", row.subject);
    }
    if !risen.is_empty() {
        println!("README.md says how to see where they went; if they are worth it: -- --record");
    }
    if !record.fallen(&now.rows).is_empty() {
        println!("\nfallen by more than 3 %: -- --record keeps it so");
    }
    risen.is_empty()
}

fn print(record: Option<&Record>, now: &Record) {
    println!(
        "{:<32} {:>10} {:>10} {:>9} {:>14}",
        "instructions", "recorded", "now", "change", "bare program"
    );
    for row in &now.rows {
        let (old, change) = match record.and_then(|record| record.recorded(row)) {
            Some(old) => {
                (format!("{:.1}", old.library), format!("{:+.2} %", 100.0 * row.rise_from(old)))
            }
            None => ("-".to_owned(), "-".to_owned()),
        };
        println!(
            "{:<32} {old:>10} {:>10.1} {change:>9} {:>14.1}",
            row.subject, row.library, row.floor
        );
    }
}
