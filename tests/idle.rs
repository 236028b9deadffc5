//! Tests the harness from outside: exit codes, output, and whether its figures are true.
#![cfg(target_os = "linux")]

#[path = "idle/mod.rs"]
mod harness;
#[path = "idle/verdicts.rs"]
mod verdicts;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use harness::{Ended, Run, Server, free_ports, run, run_plainly, signal, sockets, wait_until};
use nix::sys::signal::Signal;

fn number(ended: &Ended, pointer: &str) -> f64 {
    ended
        .json
        .pointer(pointer)
        .and_then(serde_json::Value::as_f64)
        .unwrap_or_else(|| panic!("{pointer}: {}", ended.json))
}

fn assert_code(ended: &Ended, code: i32) {
    assert_eq!(ended.code, code, "{}{}", ended.table, ended.errors);
}

#[test]
fn harness_refuses_what_it_cannot_do_in_one_line() {
    let port = free_ports(1);
    for (arguments, says) in [
        ("", "name a server"),
        ("http://127.0.0.1/", "does not begin with ws://"),
        ("ws://127.0.0.1:9001/ --connections many", "--connections \"many\""),
        ("ws://127.0.0.1:9001/ --mode idle", "hold, ping, echo"),
        ("ws://127.0.0.1:9001/ --serve 2", "--serve 2 needs as many ports"),
        (&format!("ws://127.0.0.1:{port}/ --pid 4194304"), "--pid 4194304 is no process"),
        ("ws://127.0.0.1:9001/ --connections 9000000 --workers 1", "--workers 1 hold"),
        ("ws://127.0.0.1:9001/ --json /nowhere/a.json", "/nowhere/a.json cannot be written"),
        ("--compare /nowhere/a.json /nowhere/b.json", "/nowhere/a.json cannot be read"),
    ] {
        let ended = run_plainly(arguments);
        assert_code(&ended, 2);
        assert!(
            ended.errors.contains(says) && ended.errors.lines().count() == 1,
            "{arguments}: {}",
            ended.errors
        );
        assert_eq!(ended.table, "");
    }
    let help = run_plainly("--help");
    assert_code(&help, 0);
    for option in [
        "--connections",
        "--rate",
        "--in-flight",
        "--duration",
        "--compare",
        "--serve",
        "--pid",
        "--header",
        "--subprotocol",
        "--origin",
        "memory counts from connection 1,001 on",
        "fresh server process",
        "Exit code",
    ] {
        assert!(help.table.contains(option), "{option}");
    }
}

#[test]
fn harness_holds_what_it_is_asked_to_and_writes_it_down() {
    let port = free_ports(2);
    let page = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("idle-{port}.html"));
    let ended = run(&format!(
        "ws://127.0.0.1:{port}-{}/ --serve 2 --workers 3 --connections 300 \
         --duration 0.5 --report {}",
        port + 1,
        page.display()
    ));
    assert_code(&ended, 0);
    assert!(
        ended.table.contains("300 of 300") && ended.table.contains("verdict: valid and complete"),
        "{}",
        ended.table
    );
    assert_eq!(ended.json["schema"], 1);
    for (pointer, value) in [
        ("/connections/held", 300.0),
        ("/connections/held_at_end", 300.0),
        ("/connections/lost", 0.0),
        ("/handshake/count", 300.0),
        ("/settings/workers", 3.0),
    ] {
        assert_eq!(number(&ended, pointer), value, "{pointer}");
    }
    assert_eq!(ended.json["settings"]["server_pids"].as_array().map(Vec::len), Some(2));
    let owners: Vec<&str> = ended.json["memory"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|row| row["owner"].as_str())
        .collect();
    assert_eq!(owners, ["server", "kernel", "kernel", "kernel", "client"]);
    // A socket at either end takes some kilobytes of the kernel's memory.
    let timeline = ended.json["timeline"].as_array().unwrap();
    assert!(timeline.iter().any(|point| point["held"] == 300), "{timeline:?}");
    let html = std::fs::read_to_string(&page).unwrap();
    let _ = std::fs::remove_file(&page);
    assert!(html.contains("<polyline") && html.contains("300 of 300") && !html.contains("<script"));
    assert!(!html.contains("http://") && !html.contains("https://"), "it needs nothing else");
}

#[test]
fn harness_finds_the_server_by_its_port() {
    let port = free_ports(1);
    let server = Server::start(port);
    let ended = run(&format!("ws://127.0.0.1:{port}/ --connections 50 --duration 0.2"));
    assert_code(&ended, 0);
    assert_eq!(ended.json["settings"]["server_pids"], serde_json::json!([server.id()]));
}

#[test]
fn harness_has_every_ping_and_every_message_answered() {
    for mode in ["ping", "echo --active 10% --size 1000"] {
        let port = free_ports(1);
        let ended = run(&format!(
            "ws://127.0.0.1:{port}/ --serve 1 --workers 2 --connections 200 --duration 1 \
             --messages-per-second 400 --mode {mode}"
        ));
        assert_code(&ended, 0);
        assert_eq!(number(&ended, "/measured/answered"), number(&ended, "/measured/sent"));
        assert!((396.0..=404.0).contains(&number(&ended, "/measured/sent")), "{}", ended.table);
        assert_eq!(number(&ended, "/measured/latency/count"), number(&ended, "/measured/sent"));
    }
}

#[test]
fn harness_counts_whom_a_broadcast_reaches() {
    let port = free_ports(1);
    let options = "--serve 1 --workers 2 --connections 100 --duration 1 \
                   --messages-per-second 5 --mode broadcast";
    let ended = run(&format!("ws://127.0.0.1:{port}/broadcast {options}"));
    assert_code(&ended, 0);
    assert_eq!(number(&ended, "/measured/broadcast/rounds"), 5.0);
    assert_eq!(number(&ended, "/measured/broadcast/received"), 5.0 * 99.0);
    assert!(number(&ended, "/measured/broadcast/to_last_max_us") > 0.0);
}

#[test]
fn harness_replaces_connections_at_a_rate() {
    let port = free_ports(1);
    let ended = run(&format!(
        "ws://127.0.0.1:{port}/ --serve 1 --connections 50 --duration 1 --rate 200 --mode churn"
    ));
    assert_code(&ended, 0);
    assert_eq!(number(&ended, "/measured/answered"), 200.0);
    assert_eq!(number(&ended, "/measured/latency/count"), 200.0);
    assert_eq!(number(&ended, "/measured/closing/count"), 200.0);
    assert_eq!(number(&ended, "/connections/held_at_end"), 50.0);
}

#[test]
fn harness_sees_when_silent_peers_are_dropped() {
    let port = free_ports(2);
    let silent = |port: u16, idle: f64, duration: f64| {
        run(&format!(
            "ws://127.0.0.1:{port}/ --serve 1 --serve-idle {idle} --connections 50 \
             --duration {duration} --mode half-open"
        ))
    };
    let dropped = silent(port, 0.5, 3.0);
    assert_code(&dropped, 0);
    assert_eq!(number(&dropped, "/measured/silence/held_at_end"), 0.0);
    // Half a second of silence, and half a second for the pong.
    assert!(number(&dropped, "/measured/silence/all_dropped") >= 0.4, "{}", dropped.table);
    let kept = silent(port + 1, 60.0, 0.5);
    assert_eq!(number(&kept, "/measured/silence/held_at_end"), 50.0);
    assert!(kept.json["measured"]["silence"]["first_dropped"].is_null(), "{}", kept.table);
}

/// The answers of this server pile up: in its own memory, once the kernel takes no more.
#[test]
fn harness_sees_what_peers_that_never_read_cost() {
    let port = free_ports(1);
    let ended = run(&format!(
        "ws://127.0.0.1:{port}/ --serve 1 --connections 4 --duration 2 --mode slow \
         --size 60000 --messages-per-second 800"
    ));
    assert_code(&ended, 0);
    assert!(number(&ended, "/measured/sent") >= 790.0);
    assert_eq!(number(&ended, "/measured/answered"), 0.0);
    // One answer at least waits in the server; the kernel's buffers take the others.
    assert!(number(&ended, "/measured/silence/server_bytes") > 50_000.0, "{}", ended.table);
}

#[test]
fn harness_says_what_a_full_server_lacks() {
    let port = free_ports(1);
    let ended = run(&format!(
        "ws://127.0.0.1:{port}/ --serve 1 --serve-descriptors 100 --connections 300 --duration 0.2"
    ));
    assert_code(&ended, 3);
    let held = number(&ended, "/connections/held");
    assert!((80.0..100.0).contains(&held), "{held}");
    let line = format!(
        "server refused after {held} of 300 (its limit: 100 descriptors); \
         raise it or give more targets"
    );
    assert!(
        ended.errors.contains(&line) && ended.table.contains(&line),
        "{}{}",
        ended.table,
        ended.errors
    );
    assert_eq!(ended.json["verdict"]["complete"], false);
}

#[test]
fn harness_of_a_port_at_which_nobody_listens_gives_up_soon() {
    let port = free_ports(1);
    let ended = run(&format!("ws://127.0.0.1:{port}/ --connections 100000 --workers 6"));
    assert_code(&ended, 3);
    assert!(ended.table.contains("refused connections after 0 of 100,000"), "{}", ended.table);
    assert!(number(&ended, "/connections/failed") <= 1_000.0, "{}", ended.table);
}

/// A server that accepts no connection, like one that hangs, and a server of another protocol.
#[test]
fn harness_says_why_a_server_lets_nobody_in() {
    let hangs = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = |listener: &TcpListener| listener.local_addr().unwrap();
    let (silent, elsewhere) = (address(&hangs), address(&other));
    std::thread::spawn(move || {
        for mut stream in other.incoming().flatten() {
            let _ = stream.read(&mut [0; 1 << 10]);
            let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        }
    });
    for (address, kind, attempts, says) in [
        (silent, "timeout", 8.0, "did not answer in time after 0 of 40"),
        (elsewhere, "status", 1.0, "answered with HTTP status 404 Not Found after 0 of 40"),
    ] {
        let ended = run(&format!("ws://{address}/ --connections 40 --timeout 0.5"));
        assert_code(&ended, 3);
        assert!(ended.table.contains(says), "{}", ended.table);
        assert_eq!(ended.json["connections"]["failures"][0]["kind"], kind);
        // Four attempts are in flight at a time: a tenth of the forty.
        let failed = number(&ended, "/connections/failed");
        assert!((attempts..attempts + 4.0).contains(&failed), "{}", ended.table);
    }
}

#[test]
fn harness_that_is_interrupted_tells_what_it_had() {
    let port = free_ports(1);
    let run =
        Run::start(&format!("ws://127.0.0.1:{port}/ --serve 1 --connections 60 --duration 600"));
    wait_until("all are open", || run.sockets() >= 120);
    signal(run.id(), Signal::SIGINT);
    let ended = run.end();
    assert_code(&ended, 130);
    assert_eq!(number(&ended, "/connections/held"), 60.0, "{}", ended.table);
    assert_eq!(ended.json["verdict"]["interrupted"], true);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "its server ends with it");
}

#[test]
fn workers_and_servers_end_with_a_harness_that_is_killed() {
    let port = free_ports(1);
    let run = Run::start(&format!(
        "ws://127.0.0.1:{port}/ --serve 1 --connections 20 --workers 2 --duration 600"
    ));
    wait_until("all are open", || run.sockets() >= 40);
    let children = run.children();
    assert_eq!(children.len(), 3);
    signal(run.id(), Signal::SIGKILL);
    wait_until("nobody is left", || children.iter().all(|&child| sockets(child) == 0));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

/// Runs 800 messages in four seconds, one of which a process spends stopped: the server, or the
/// harness's worker.
fn stalled(whom: impl Fn(&Server, &Run) -> u32) -> Ended {
    let port = free_ports(1);
    let server = Server::start(port);
    let run = Run::start(&format!(
        "ws://127.0.0.1:{port}/ --connections 20 --mode echo --duration 4 --messages-per-second 200"
    ));
    wait_until("all are open", || sockets(server.id()) > 20);
    let pid = whom(&server, &run);
    std::thread::sleep(Duration::from_millis(1500));
    signal(pid, Signal::SIGSTOP);
    std::thread::sleep(Duration::from_millis(1000));
    signal(pid, Signal::SIGCONT);
    let ended = run.end();
    assert_eq!(number(&ended, "/measured/sent"), 800.0, "{}", ended.table);
    assert_eq!(number(&ended, "/measured/answered"), 800.0, "{}", ended.table);
    assert!(number(&ended, "/measured/latency/max_us") > 900_000.0, "{}", ended.table);
    // A quarter of all messages was due during the stall, half of those more than half a second
    // before its end.
    assert!(number(&ended, "/measured/latency/p90_us") > 400_000.0, "{}", ended.table);
    ended
}

/// In a closed loop a stall of a second would be one late message for each connection. Here every
/// message that was due meanwhile is late.
#[test]
fn harness_sees_a_stall_of_the_server_in_its_latencies() {
    let ended = stalled(|server, _| server.id());
    assert!(number(&ended, "/measured/lateness/p90_us") < 400_000.0, "{}", ended.table);
}

/// Latencies count from when messages were due, not from when they were sent; the verdict names the
/// side that was late.
#[test]
fn harness_that_stalls_itself_says_so() {
    let ended = stalled(|_, run| run.children()[0]);
    assert_code(&ended, 3);
    assert!(ended.table.contains("invalid: the client itself was late by"), "{}", ended.table);
}

#[test]
fn harness_that_was_the_bottleneck_calls_its_figures_invalid() {
    let port = free_ports(1);
    let ended = run(&format!(
        "ws://127.0.0.1:{port}/ --serve 1 --connections 10 --mode echo --duration 1 \
         --messages-per-second 5_000_000"
    ));
    assert_code(&ended, 3);
    assert_eq!(ended.json["verdict"]["valid"], false, "{}", ended.table);
    assert!(
        ended.table.contains("INVALID") && ended.table.contains("invalid: "),
        "{}",
        ended.table
    );
}

#[test]
fn harness_compares_what_it_wrote_and_nothing_else() {
    let (port, folder) = (free_ports(1), std::path::Path::new(env!("CARGO_TARGET_TMPDIR")));
    let [a, b, other] =
        ["a", "b", "other"].map(|name| folder.join(format!("idle-{port}-{name}.json")));
    for (file, connections) in [(&a, 50), (&b, 100)] {
        let file = file.display();
        let ended = run_plainly(&format!(
            "ws://127.0.0.1:{port}/ --serve 1 --connections {connections} \
             --duration 0.1 --json {file}"
        ));
        assert_code(&ended, 0);
    }
    let compared = run_plainly(&format!("--compare {} {}", a.display(), b.display()));
    assert_code(&compared, 0);
    let held = compared.table.lines().find(|line| line.starts_with("connections held")).unwrap();
    assert_eq!(
        held.split_whitespace().collect::<Vec<_>>(),
        ["connections", "held", "50", "100", "+100.0", "%"]
    );
    let text = std::fs::read_to_string(&a).unwrap().replacen("\"schema\": 1", "\"schema\": 2", 1);
    std::fs::write(&other, text).unwrap();
    let refused = run_plainly(&format!("--compare {} {}", a.display(), other.display()));
    assert_code(&refused, 2);
    assert!(
        refused.errors.contains("has schema 2") && refused.errors.lines().count() == 1,
        "{}",
        refused.errors
    );
    for file in [a, b, other] {
        let _ = std::fs::remove_file(file);
    }
}
