//! Tests that every part of the bench works: a round of each, a small crowd, a bad option. No time
//! is judged.

use std::process::{Command, Output};

fn bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tls"))
        .args(arguments)
        .output()
        .expect("the executable of this package starts")
}

/// Runs the bench, and returns the lines that it printed.
fn lines(arguments: &[&str]) -> String {
    let output = bench(arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}\n{text}\n{errors}");
    assert!(!text.contains("failed"), "{text}");
    text
}

#[test]
fn bench_takes_rounds_of_echo_and_handshake() {
    let short = ["--rounds", "1", "--turn", "5", "--connections", "10"];
    let text = lines(&[&["--only", "handshake,echo"], &short[..]].concat());
    for row in ["accept, handshake, close", "20 B, 10", "1 KiB, 10", "16 KiB, 10"] {
        let line = text.lines().find(|line| line.starts_with(row));
        assert!(line.is_some_and(|line| line.contains("ours")), "{row}\n{text}");
    }
}

#[test]
fn bench_reads_the_memory_of_idle_connections() {
    let text = lines(&["--only", "memory", "--held", "200", "--rounds", "1"]);
    assert!(text.lines().any(|line| line.contains("20 to 200") && line.contains("ours")), "{text}");
}

#[test]
fn crowd_gets_every_echo_and_every_handshake() {
    let text = lines(&["--only", "crowd", "--crowd", "500,200,60,300"]);
    for key in ["ECDSA P-256", "RSA-2048"] {
        assert!(text.contains(&format!("500 plain, 60 clients in 300 ms, {key}")), "{text}");
    }
    assert_eq!(text.matches("all handshakes done").count(), 2, "{text}");
}

#[test]
fn cost_names_full_and_resumed_handshakes() {
    let text = lines(&["--only", "cost"]);
    for kind in ["TLS 1.3, ECDSA P-256, full", "TLS 1.2, RSA-2048, resumed"] {
        assert!(text.contains(kind), "{text}");
    }
}

#[test]
fn bench_names_its_options() {
    let help = String::from_utf8_lossy(&bench(&["--help"]).stdout).into_owned();
    assert!(help.contains("--crowd") && help.contains("--rounds"), "{help}");
    for wrong in [["--only", "nothing"], ["--crowd", "1,2"], ["--size", "0"]] {
        let output = bench(&wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("--help"), "{wrong:?}");
    }
}
