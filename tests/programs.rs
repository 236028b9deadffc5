//! Tests the example programs from outside: outputs that take nothing, signals, addresses, errors,
//! and the refusals that `--verbose` prints.
#![cfg(target_os = "linux")]

#[path = "programs/cluster.rs"]
mod cluster;
#[path = "programs/listening.rs"]
mod listening;
#[path = "programs/metrics.rs"]
mod metrics;
#[path = "programs/mod.rs"]
mod programs;
#[path = "programs/supervised.rs"]
mod supervised;
#[path = "programs/workers.rs"]
mod workers;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use programs::{
    PROGRAMS, Program, Sink, assert_serves, close_code, connect, exchange, executable, free_port,
    run, wait_until, websocket,
};

/// The exit code of a Rust program that panicked.
const PANICKED: i32 = 101;

/// The command line on which each server listens at an address.
fn listening<'a>(name: &str, address: &'a str) -> Vec<&'a str> {
    match name {
        "chat" | "history" => vec!["--listen", address],
        "embed" => vec![address, "127.0.0.1:0"],
        _ => vec![address],
    }
}

#[test]
fn programs_serve_on_with_an_output_that_takes_nothing() {
    for name in ["chat", "cluster", "echo", "embed", "game", "history"] {
        for (output, errors) in [
            (Sink::Gone, Sink::Nothing),
            (Sink::Full, Sink::Nothing),
            (Sink::Gone, Sink::Gone),
            (Sink::Full, Sink::Full),
        ] {
            let address = format!("127.0.0.1:{}", free_port());
            let mut program = Program::start(name, &listening(name, &address), output, errors);
            assert_serves(&mut program, &address);
            assert_serves(&mut program, &address);
            assert!(program.is_running(), "{name} {output:?}");
        }
    }
}

#[test]
fn programs_do_not_panic_when_help_or_an_error_has_no_reader() {
    for name in PROGRAMS {
        for sink in [Sink::Gone, Sink::Full] {
            let mut help = Program::start(name, &["--help"], sink, sink);
            let code = help.end().expect("an exit code");
            assert_ne!(code, PANICKED, "{name} --help {sink:?}");
            let mut wrong = Program::start(name, &["--nonsense"], sink, sink);
            assert_eq!(wrong.end(), Some(2), "{name} --nonsense {sink:?}");
        }
    }
}

#[test]
fn clients_do_not_panic_when_a_message_has_no_reader() {
    let address = format!("127.0.0.1:{}", free_port());
    let mut echo = Program::start("echo", &[&address], Sink::Nothing, Sink::Nothing);
    assert_serves(&mut echo, &address);
    let url = format!("ws://{address}/");
    for sink in [Sink::Gone, Sink::Full] {
        let mut client = Command::new(executable("client"));
        client.arg(&url).stdin(Stdio::piped()).stdout(sink.stdio()).stderr(sink.stdio());
        let mut child = client.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        for _ in 0..50 {
            // A client that has no output left may end.
            if input.write_all(b"are you there\n").is_err() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        drop(input);
        let mut client = Program { child };
        assert_ne!(client.end(), Some(PANICKED), "{sink:?}");
    }
    let mut runner =
        Program::start("autobahn_client", &["ws://127.0.0.1:1", "x"], Sink::Full, Sink::Full);
    assert_eq!(runner.end(), Some(1));
}

#[test]
fn harness_says_that_its_report_was_not_written() {
    let url = format!("ws://127.0.0.1:{}/", free_port());
    let arguments = [&*url, "--serve", "1", "--connections", "4", "--duration", "0.2"];
    for (sink, said) in [(Sink::Full, true), (Sink::Gone, false)] {
        let mut idle = Program::start("idle", &arguments, sink, Sink::Pipe);
        let errors = idle.child.stderr.take().unwrap();
        assert_ne!(idle.end(), Some(PANICKED), "{sink:?}");
        let errors = std::io::read_to_string(errors).unwrap();
        assert!(!errors.contains("panicked"), "{errors}");
        assert_eq!(errors.contains("cannot be written"), said, "{sink:?}: {errors}");
    }
}

#[test]
fn programs_print_their_help() {
    for name in PROGRAMS {
        for option in ["--help", "-h"] {
            let output = run(name, &[option]);
            let text = String::from_utf8_lossy(&output.stdout);
            assert_eq!(output.status.code(), Some(0), "{name} {option}: {output:?}");
            assert!(text.to_lowercase().contains("usage: "), "{name} {option}: {text}");
            assert!(text.contains("--help") && output.stderr.is_empty(), "{name}: {output:?}");
        }
    }
}

#[test]
fn servers_say_goodbye_at_a_signal() {
    for (name, path) in [
        ("chat", "/ws"),
        ("cluster", "/"),
        ("echo", "/"),
        ("embed", "/feed"),
        ("history", "/websocket"),
    ] {
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            let address = format!("127.0.0.1:{}", free_port());
            let arguments = listening(name, &address);
            let mut program = Program::start(name, &arguments, Sink::Nothing, Sink::Nothing);
            let mut socket = websocket(&mut program, &address, path);
            program.signal(signal);
            assert_eq!(close_code(&mut socket), 1001, "{name} {signal}");
            assert_eq!(program.end(), Some(0), "{name} {signal}");
        }
    }
}

/// The head of the answer to a request that lets the connection stay open.
fn head_of_answer(program: &mut Program, address: &str) -> String {
    let mut socket = connect(program, address);
    write!(socket, "GET / HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let (mut head, mut byte) = (String::new(), [0]);
    while !head.ends_with("\r\n\r\n") && socket.read_exact(&mut byte).is_ok() {
        head.push(byte[0].into());
    }
    head
}

#[test]
fn servers_end_in_the_stages_of_their_command_line() {
    for (name, path) in [("chat", "/ws"), ("echo", "/")] {
        let address = format!("127.0.0.1:{}", free_port());
        let mut arguments = listening(name, &address);
        arguments.extend(["--drain-notice", "2", "--drain-window", "0.5"]);
        let mut program = Program::start(name, &arguments, Sink::Nothing, Sink::Nothing);
        let mut sockets: Vec<_> =
            (0..10).map(|_| websocket(&mut program, &address, path)).collect();
        assert!(!head_of_answer(&mut program, &address).contains("Connection: close"));
        program.signal(Signal::SIGTERM);
        // The notice: new connections are served, and answers are the last of their connection.
        wait_until("an answer that is the last", || {
            head_of_answer(&mut program, &address).contains("Connection: close\r\n")
        });
        let mut late = websocket(&mut program, &address, path);
        for socket in sockets.iter_mut().chain([&mut late]) {
            assert_eq!(close_code(socket), 1001, "{name}");
        }
        assert_eq!(program.end(), Some(0), "{name}");
    }
}

#[test]
fn servers_say_what_to_give_for_a_wrong_end() {
    for name in ["chat", "echo"] {
        for (options, says) in [
            (&["--drain-window", "soon"][..], "give seconds, such as 30"),
            (&["--drain-notice", "-1"], "give seconds, such as 30"),
            (&["--drain-window", "10", "--drain-deadline", "5"], "a deadline of 10s or more"),
        ] {
            let output = run(name, &[&listening(name, "127.0.0.1:0"), options].concat());
            let errors = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{name} {options:?}: {errors}");
            assert!(errors.contains(says) && errors.contains("--drain-"), "{errors}");
            assert_eq!(errors.lines().count(), 1, "{errors}");
        }
    }
}

/// A client that is told to end closes its WebSocket, and does not connect again.
#[test]
fn client_says_goodbye_at_a_signal() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let address = format!("127.0.0.1:{}", free_port());
        let mut echo = Program::start("echo", &[&address], Sink::Nothing, Sink::Nothing);
        assert_serves(&mut echo, &address);
        let mut command = Command::new(executable("client"));
        command.arg(format!("ws://{address}/")).stdin(Stdio::piped());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut client = Program { child };
        let mut input = client.child.stdin.take().unwrap();
        let mut output = client.child.stdout.take().unwrap();
        input.write_all(b"hello\n").unwrap();
        output.read_exact(&mut [0; 6]).unwrap(); // the echo
        client.signal(signal);
        assert_eq!(client.end(), Some(0), "{signal}");
        let errors = std::io::read_to_string(client.child.stderr.take().unwrap()).unwrap();
        assert!(!errors.contains("trying again"), "{errors}");
        assert!(echo.is_running());
    }
}

#[test]
fn second_signal_does_not_wait() {
    for (name, path) in [("chat", "/ws"), ("cluster", "/"), ("echo", "/"), ("embed", "/feed")] {
        for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
            let address = format!("127.0.0.1:{}", free_port());
            let arguments = listening(name, &address);
            let mut program = Program::start(name, &arguments, Sink::Nothing, Sink::Nothing);
            // The socket answers no Close frame, so the drain waits for it.
            let _silent = websocket(&mut program, &address, path);
            program.signal(signal);
            wait_until("the drain has begun", || std::net::TcpStream::connect(&address).is_err());
            program.signal(signal);
            assert_eq!(program.end(), Some(code), "{name} {signal}");
        }
    }
}

#[test]
fn signals_that_were_ignored_at_the_start_stay_ignored() {
    for name in ["chat", "echo", "idle"] {
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        let url = format!("ws://{address}/");
        let arguments = match name {
            "idle" => vec![&*url, "--serve", "1", "--connections", "4", "--duration", "30"],
            _ => listening(name, &address),
        };
        for (names, bits) in [("HUP", 1_u64), ("INT QUIT", 2), ("HUP INT", 3)] {
            let mut program =
                Program::after(&format!("trap '' {names}"), name, &arguments, Sink::Nothing);
            assert_serves(&mut program, &address);
            wait_until("a handler for SIGTERM", || program.signals("SigCgt") & 1 << 14 != 0);
            assert_eq!(program.signals("SigIgn") & bits, bits, "{name} {names}");
            assert_eq!(program.signals("SigCgt") & bits, 0, "{name} {names}");
            program.signal(if bits & 1 == 0 { Signal::SIGINT } else { Signal::SIGHUP });
            assert_serves(&mut program, &address);
            program.signal(Signal::SIGTERM);
            let code = if name == "idle" { 130 } else { 0 };
            assert_eq!(program.end(), Some(code), "{name} {names}");
        }
    }
}

#[test]
fn servers_listen_at_every_address_of_a_port_and_of_localhost() {
    for name in ["chat", "cluster", "echo", "embed", "game"] {
        for host in ["", "localhost", "LocalHost"] {
            let port = free_port();
            let address = format!("{host}:{port}");
            let arguments = listening(name, &address);
            let mut program = Program::start(name, &arguments, Sink::Nothing, Sink::Nothing);
            for address in [format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
                assert_serves(&mut program, &address);
            }
        }
    }
}

#[test]
fn servers_say_what_to_give_in_place_of_a_wrong_address() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let in_use = taken.local_addr().unwrap().to_string();
    for name in ["chat", "echo", "embed", "game"] {
        for (address, code, says) in [
            ("9001", 2, "127.0.0.1:9001, or :9001"),
            ("nonsense", 2, "HOST:PORT"),
            ("", 2, "HOST:PORT"),
            (":", 2, "HOST:PORT"),
            (":http", 2, "HOST:PORT"),
            ("127.0.0.1", 2, "HOST:PORT"),
            ("[::1]", 2, "HOST:PORT"),
            ("127.0.0.1:99999", 2, "HOST:PORT"),
            ("*:9001", 2, ":9001"),
            ("http://127.0.0.1:9001", 2, "HOST:PORT"),
            ("203.0.113.9:9001", 1, "127.0.0.1:9001"),
            (&in_use, 1, "another port"),
        ] {
            let output = run(name, &listening(name, address));
            let errors = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{name} {address:?}: {errors}");
            assert!(errors.starts_with(&format!("{name}: ")), "{errors}");
            assert_eq!(errors.lines().count(), 1, "{errors}");
            assert!(errors.contains(address) && errors.contains(says), "{address:?}: {errors}");
            assert!(!errors.contains("kind:") && !errors.contains("Custom"), "{errors}");
        }
    }
}

#[test]
fn embed_names_the_feed_that_it_cannot_bind() {
    for feed in ["nonsense", "203.0.113.9:9003"] {
        let output = run("embed", &["127.0.0.1:0", feed]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.starts_with("embed: ") && errors.contains(feed), "{errors}");
        assert!(!errors.contains("Custom") && !errors.contains("kind:"), "{errors}");
    }
}

#[test]
fn servers_print_refusals_when_they_are_verbose() {
    for name in ["chat", "echo"] {
        let address = format!("127.0.0.1:{}", free_port());
        let mut arguments = listening(name, &address);
        arguments.push("--verbose");
        let mut program = Program::start(name, &arguments, Sink::Nothing, Sink::Pipe);
        let head = b"GET /\x1b[31m HTTP/1.1\r\nHost: a\r\n\r\n";
        assert!(exchange(&mut program, &address, head).starts_with("HTTP/1.1 400 "));
        let errors = program.read_errors("a refusal", |errors| errors.contains("400"));
        assert!(errors.starts_with(&format!("{name}: 127.0.0.1:")), "{errors}");
        assert!(errors.contains(r#""GET /\x1b[31m HTTP/1.1""#), "{errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
    }
}

#[test]
fn echo_writes_an_access_log_with_the_bytes_that_its_clients_read() {
    let address = format!("127.0.0.1:{}", free_port());
    let arguments = [&*address, "--access-log"];
    let mut program = Program::start("echo", &arguments, Sink::Nothing, Sink::Pipe);
    let head = b"GET /a%20b?token=secret HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = exchange(&mut program, &address, head);
    exchange(&mut program, &address, b"GET /\x1b[2J HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut socket = websocket(&mut program, &address, "/ws");
    socket.write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]).unwrap();
    assert_eq!(close_code(&mut socket), 1000);
    drop(socket);
    let errors = program.read_errors("the end", |errors| errors.contains("peer_closed\n"));
    let lines: Vec<&str> = errors.lines().collect();
    let [answered, refused, upgraded, ended] = lines[..] else { panic!("{errors}") };
    for line in lines {
        assert!(line.starts_with("127.0.0.1 - - [") && line.contains(" +0000] \""), "{line}");
    }
    let bytes = answer.len();
    assert!(answered.contains(&format!("\"GET /a%20b HTTP/1.1\" 200 {bytes} 0.")), "{answered}");
    assert!(refused.contains(r#""GET /\x1b[2J HTTP/1.1" 400 - - refused: a NUL or"#), "{refused}");
    assert!(upgraded.contains("\"GET /ws HTTP/1.1\" 101 "), "{upgraded}");
    assert!(ended.contains("\"websocket\" 1000 - 0."), "{ended}");
}

/// Sends requests that are refused, each on a connection of its own.
fn be_refused(program: &mut Program, address: &str, count: usize) {
    let mut sockets = Vec::new();
    for n in 0..count {
        let mut socket = connect(program, address);
        write!(socket, "GET /{n}{} HTTP/9.9\r\n\r\n", "x".repeat(100)).unwrap();
        sockets.push(socket);
        sockets.drain(..sockets.len().saturating_sub(64));
    }
    assert_serves(program, address);
}

#[test]
fn verbose_output_that_nobody_takes_costs_lines_alone() {
    // More than the pipe and the queue hold.
    const REFUSED: usize = 2_000;
    for name in ["chat", "echo"] {
        let address = format!("127.0.0.1:{}", free_port());
        let mut arguments = listening(name, &address);
        arguments.push("--verbose");
        let mut program = Program::start(name, &arguments, Sink::Nothing, Sink::Pipe);
        be_refused(&mut program, &address, REFUSED);
        let errors = program.read_errors("the lost lines", |errors| lost(errors).is_some());
        let lines = errors.lines().filter(|line| line.contains("HTTP/9.9")).count();
        assert!(lines < REFUSED && lost(&errors).unwrap() > 0, "{lines} lines");
        drop(program);

        let address = format!("127.0.0.1:{}", free_port());
        let mut arguments = listening(name, &address);
        arguments.push("--verbose");
        let mut program = Program::start(name, &arguments, Sink::Nothing, Sink::Gone);
        be_refused(&mut program, &address, 100);
    }
}

#[test]
fn verbose_output_that_is_full_is_told_of_at_the_end() {
    for name in ["chat", "echo"] {
        let address = format!("127.0.0.1:{}", free_port());
        let mut arguments = listening(name, &address);
        arguments.push("--verbose");
        let mut program = Program::start(name, &arguments, Sink::Pipe, Sink::Full);
        be_refused(&mut program, &address, 100);
        program.signal(Signal::SIGTERM);
        assert_eq!(program.end(), Some(0));
        let output = std::io::read_to_string(program.child.stdout.take().unwrap()).unwrap();
        assert_eq!(lost(&output), Some(100), "{output}");
    }
}

#[test]
fn verbose_servers_without_descriptors_print_which_connections_they_turn_away() {
    for name in ["chat", "echo"] {
        let address = format!("127.0.0.1:{}", free_port());
        let mut arguments = listening(name, &address);
        arguments.push("--verbose");
        let mut program = Program::after("ulimit -n 30", name, &arguments, Sink::Pipe);
        let first = connect(&mut program, &address);
        let peers: Vec<_> =
            (0..40).map(|_| std::net::TcpStream::connect(&address).unwrap()).collect();
        let errors = program.read_errors("a refusal", |errors| errors.ends_with('\n'));
        let line = errors.lines().next().unwrap();
        assert!(line.contains("503, no descriptor or memory is left"), "{line}");
        let is_peer = |socket: &std::net::TcpStream| {
            line.starts_with(&format!("{name}: {} ", socket.local_addr().unwrap()))
        };
        assert!(peers.iter().any(is_peer), "{line}");
        drop(first);
    }
}

/// The number of lost lines that a text names.
fn lost(errors: &str) -> Option<usize> {
    let line = errors.lines().find(|line| line.contains("lines were lost"))?;
    line.split_whitespace().find_map(|word| word.replace(',', "").parse().ok())
}

#[test]
fn chat_believes_a_trusted_proxy_and_prints_its_client() {
    let address = format!("127.0.0.1:{}", free_port());
    let mut arguments = listening("chat", &address);
    arguments.extend(["--verbose", "--trusted-proxy", "127.0.0.0/8"]);
    let mut program = Program::start("chat", &arguments, Sink::Nothing, Sink::Pipe);
    let head = b"GET /nowhere HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: forged, 192.0.2.1\r\n\
        Connection: close\r\n\r\n";
    assert!(exchange(&mut program, &address, head).starts_with("HTTP/1.1 404 "));
    let errors = program.read_errors("a refusal", |errors| errors.contains("404"));
    assert!(errors.starts_with("chat: 192.0.2.1 through 127.0.0.1:"), "{errors}");
}

/// Frames come while players do, and the server serves between them.
#[test]
fn game_plays_its_frames_and_serves() {
    let address = format!("127.0.0.1:{}", free_port());
    let mut program = Program::start("game", &[&address], Sink::Nothing, Sink::Nothing);
    let frames = |program: &mut Program| -> u64 {
        let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let answer = exchange(program, &address, request.as_bytes());
        answer.rsplit("\r\n\r\n").next().unwrap().trim().parse().expect("a number of frames")
    };
    let mut player = websocket(&mut program, &address, "/");
    let before = frames(&mut program);
    // A masked frame with a key of zeros.
    player.write_all(b"\x81\x85\0\0\0\0right").unwrap();
    let (mut heard, mut buf) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&heard).contains("0 at 30,0") {
        let n = player.read(&mut buf).unwrap();
        assert_ne!(n, 0, "the end, after {:?}", String::from_utf8_lossy(&heard));
        heard.extend_from_slice(&buf[..n]);
    }
    assert!(String::from_utf8_lossy(&heard).contains("0 at 29,0"), "each frame moves by one");
    assert!(frames(&mut program) >= before + 29);
    player.write_all(b"\x81\x84\0\0\0\0stop").unwrap();
    program.signal(Signal::SIGTERM);
    assert_eq!(close_code(&mut player), 1001);
    drop(player);
    assert_eq!(program.end(), Some(0));
}
