//! Tests which instruction counts are judged against the record, and which are only printed. This
//! file counts nothing.

#[path = "../benches/instructions/record.rs"]
#[allow(dead_code, reason = "the bench uses the rest")]
mod record;

use record::{Environment, Record, Row};

fn environment() -> Environment {
    Environment {
        rustc: "rustc 1.95.0".to_owned(),
        cpu: "x86-64-v3".to_owned(),
        compiled_for: "x86-64-v1".to_owned(),
        profile: "release".to_owned(),
        features: Vec::new(),
    }
}

fn record(figures: &[(&str, f64)]) -> Record {
    let rows = figures.iter().map(|(subject, figure)| Row::new(subject, *figure, 100.0)).collect();
    Record { environment: environment(), rows }
}

fn subjects(rows: Vec<&Row>) -> Vec<&str> {
    rows.into_iter().map(|row| row.subject.as_str()).collect()
}

#[test]
fn record_tells_what_rose_and_what_fell_by_more_than_three_percent() {
    let recorded =
        record(&[("a", 1000.0), ("b", 1000.0), ("c", 1000.0), ("d", 1000.0), ("e", 1000.0)]);
    let now = record(&[
        ("a", 1000.0),
        ("b", 1029.9),
        ("c", 1030.1),
        ("d", 970.1),
        ("e", 969.9),
        ("new", 1.0),
    ]);
    assert_eq!(subjects(recorded.risen(&now.rows)), ["c", "new"]);
    assert_eq!(subjects(recorded.fallen(&now.rows)), ["e"]);
}

#[test]
fn record_is_comparable_on_the_same_kind_only() {
    assert_eq!(environment().differences(&environment()), Vec::<String>::new());
    let others = [
        ("compiler", Environment { rustc: "rustc 1.96.0".to_owned(), ..environment() }),
        ("CPU level", Environment { cpu: "x86-64-v2".to_owned(), ..environment() }),
        ("compiled for", Environment { compiled_for: "x86-64-v3".to_owned(), ..environment() }),
        ("profile", Environment { profile: "dev".to_owned(), ..environment() }),
        ("features", Environment { features: vec!["deflate".to_owned()], ..environment() }),
    ];
    for (name, other) in others {
        let differences = environment().differences(&other);
        assert!(differences.len() == 1 && differences[0].starts_with(name), "{differences:?}");
    }
}

/// The file in the repository: a change of its form has to record it anew.
#[test]
fn record_in_the_repository_is_read() {
    let record = Record::read().unwrap();
    assert!(!record.rows.is_empty() && record.rows.iter().all(|row| row.library > 0.0));
    assert_eq!(record.environment.differences(&record.environment), Vec::<String>::new());
}
