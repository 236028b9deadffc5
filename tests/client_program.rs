//! Tests `examples/client` as a process: what it sends and prints, and what ends it.
#![cfg(target_os = "linux")]

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use common::example;
use common::wire::{PATIENCE, Running};
use switchboard::{CloseCode, Upgrade};

fn executable() -> &'static Path {
    static EXECUTABLE: OnceLock<PathBuf> = OnceLock::new();
    EXECUTABLE.get_or_init(|| example::build(&["client"]).join("client"))
}

fn start(url: &str) -> Child {
    start_with(&[url])
}

fn start_with(arguments: &[&str]) -> Child {
    Command::new(executable())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits for the end of a client. Its input ends first, unless the input is to stay open.
fn ended(mut client: Child, keeps_input: bool) -> (Output, String) {
    let input = client.stdin.take();
    let _kept = input.filter(|_| keeps_input);
    let start = Instant::now();
    while client.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < PATIENCE, "the client runs on");
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = client.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, errors)
}

fn echo() -> Running {
    Running::start(|reactor| {
        reactor.server.zone("/quiet", Quiet);
        let gone = switchboard::Zone::new("/gone").upgrades(true);
        reactor
            .server
            .http(gone, |_, _| switchboard::Response::text("no such feed").with_status(410));
        reactor.server.websocket("/bye", |conn, _| conn.close(CloseCode::NORMAL, "bye"));
        reactor.server.websocket("/echo", |conn, message| conn.send(message));
    })
}

/// Closes at once.
struct Quiet;

impl switchboard::Handler for Quiet {
    fn request(
        &mut self,
        _: &mut switchboard::Conn<'_>,
        _: &mut switchboard::Request<'_>,
    ) -> switchboard::Reply {
        Upgrade::new().into()
    }

    fn open(&mut self, conn: &mut switchboard::Conn<'_>, _: &switchboard::Request<'_>) {
        conn.close(CloseCode::NORMAL, "");
    }
}

#[test]
fn client_prints_the_answers_to_its_input_and_ends() {
    let server = echo();
    let many: String = (0..5_000).map(|n| format!("line {n}\n")).collect();
    for input in ["hi\n", "hi", "one\ntwo\n", &many] {
        let mut client = start(&format!("WS://{}/echo", server.address));
        let mut stdin = client.stdin.take().unwrap();
        let lines = input.to_owned();
        let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()).unwrap());
        let mut stdout = client.stdout.take().unwrap();
        let mut printed = String::new();
        stdout.read_to_string(&mut printed).unwrap();
        writer.join().unwrap();
        let (output, errors) = ended(client, false);
        assert!(output.status.success(), "{errors}");
        assert_eq!(printed.trim_end(), input.trim_end());
    }
}

#[test]
fn client_ends_with_a_normal_close() {
    let server = echo();
    let client = start(&format!("ws://{}/quiet", server.address));
    let (output, errors) = ended(client, true);
    assert!(output.status.success(), "{errors}");
    let mut client = start(&format!("ws://{}/bye", server.address));
    let mut stdin = client.stdin.take().unwrap();
    stdin.write_all(b"end this\n").unwrap();
    client.stdin = Some(stdin);
    let (output, errors) = ended(client, true);
    assert!(output.status.success(), "{errors}");
}

#[test]
fn client_ends_where_a_later_attempt_would_fail_too() {
    let server = echo();
    for (path, says) in [("gone", "410 Gone"), ("nothing", "404 Not Found")] {
        let client = start(&format!("ws://{}/{path}", server.address));
        let (output, errors) = ended(client, true);
        assert_eq!(output.status.code(), Some(1));
        assert!(errors.contains(says) && !errors.contains("trying again"), "{errors}");
    }
    for (url, says) in [
        #[cfg(not(feature = "tls"))]
        ("wss://127.0.0.1/", "feature `tls`"),
        ("http://127.0.0.1/", "ws://"),
        ("ws://user:se cret@127.0.0.1/", "percent-encoded"),
    ] {
        let (output, errors) = ended(start(url), true);
        assert_eq!(output.status.code(), Some(2));
        assert!(errors.contains(says) && !errors.contains("se cret"), "{errors}");
    }
}

#[cfg(not(feature = "tls"))]
#[test]
fn wss_names_the_command_that_has_it() {
    for arguments in [&["wss://127.0.0.1/"][..], &["ws://127.0.0.1/", "--root", "roots.pem"]] {
        let (output, errors) = ended(start_with(arguments), true);
        assert_eq!(output.status.code(), Some(2));
        assert!(errors.contains("cargo run --features tls --example client"), "{errors}");
    }
}

#[cfg(feature = "tls")]
#[test]
fn client_speaks_wss_to_a_server_whose_root_it_is_given() {
    use std::sync::mpsc::channel;
    use switchboard::{Listener, Tls};

    const CHAIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/data/chain.pem");
    const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/data/key.pem");
    let (sender, port) = channel();
    let _server = Running::start(move |reactor| {
        let tls = Tls::from_pem_files(CHAIN, KEY).unwrap();
        let listener = Listener::from("127.0.0.1:0").tls(tls);
        let listener = reactor.server.listen(listener).unwrap();
        sender.send(reactor.server.local_addr(listener).unwrap().port()).unwrap();
        reactor.server.websocket("/echo", |conn, message| conn.send(message));
    });
    let url = format!("wss://localhost:{}/echo", port.recv().unwrap());
    let mut client = start_with(&[&url, "--root", CHAIN]);
    client.stdin.as_mut().unwrap().write_all(b"one\ntwo\n").unwrap();
    let (output, errors) = ended(client, false);
    assert!(output.status.success(), "{errors}");
    assert_eq!(output.stdout, b"one\ntwo\n");

    let (output, errors) = ended(start_with(&[&url, "--root", "no/such.pem"]), true);
    assert_eq!(output.status.code(), Some(2));
    assert!(errors.contains("--root no/such.pem cannot be read"), "{errors}");
}

/// Answers attempts with the given responses, and returns the time between the first two.
fn between(response: impl Fn() -> String) -> Duration {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = start(&format!("ws://{}/", listener.local_addr().unwrap()));
    let answer = || -> Instant {
        let (mut stream, _): (TcpStream, _) = listener.accept().unwrap();
        let at = Instant::now();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        stream.write_all(response().as_bytes()).unwrap();
        at
    };
    let first = answer();
    let second = answer();
    client.kill().unwrap();
    client.wait().unwrap();
    second - first
}

#[test]
fn client_waits_as_long_as_the_server_asks() {
    let seconds = || "503 Busy\r\nRetry-After: 2".to_owned();
    let date = || {
        let at = SystemTime::now() + Duration::from_secs(3);
        format!("429 Slow\r\nRetry-After: {}", httpdate::fmt_http_date(at))
    };
    // Shorter than the client's own delay, which is at least 250 ms.
    let none = || "408 Late\r\nRetry-After: 0".to_owned();
    let rows: [(&(dyn Fn() -> String + Sync), u64, u64); 3] =
        [(&seconds, 2_000, 20_000), (&date, 1_900, 20_000), (&none, 250, 1_900)];
    std::thread::scope(|scope| {
        for (head, least, most) in rows {
            scope.spawn(move || {
                let wait = between(|| format!("HTTP/1.1 {}\r\nContent-Length: 0\r\n\r\n", head()));
                let bounds = Duration::from_millis(least)..Duration::from_millis(most);
                assert!(bounds.contains(&wait), "{wait:?} is not in {bounds:?}");
            });
        }
    });
}
