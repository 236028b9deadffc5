//! The example `cluster`: both ways to accept, its room over all reactors, its counts and its end.

use std::collections::HashSet;
use std::io::{Read, Write};

use nix::sys::signal::Signal;

use super::programs::{Program, Sink, close_code, exchange, free_port, run, websocket};

/// Asks for a page, and returns its body.
fn body(program: &mut Program, address: &str, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let answer = exchange(program, address, request.as_bytes());
    answer.split_once("\r\n\r\n").expect("an answer").1.to_owned()
}

#[test]
fn cluster_serves_one_room_from_all_reactors_both_ways() {
    for options in [&["--threads", "2"][..], &["--threads", "2", "--hand-over"]] {
        let address = format!("127.0.0.1:{}", free_port());
        let arguments = [options, &[&*address]].concat();
        let mut program = Program::start("cluster", &arguments, Sink::Nothing, Sink::Nothing);
        let mut sockets: Vec<_> = (0..16).map(|_| websocket(&mut program, &address, "/")).collect();
        // Pages come from both reactors, and the counts are of both.
        let pages: HashSet<String> = (0..64).map(|_| body(&mut program, &address, "/")).collect();
        if options.contains(&"--hand-over") {
            // Each page's connection has ended when the next one comes: the first one gets them.
            assert!(pages.contains("reactor 0 of 2\n"), "{pages:?}");
        } else {
            assert_eq!(pages.len(), 2, "{pages:?}");
        }
        let counts = body(&mut program, &address, "/stats");
        assert!(counts.ends_with(" connections, 0 messages\n"), "{counts}");
        let connections: usize = counts.split(' ').next().unwrap().parse().unwrap();
        assert!(connections >= 17, "{counts}");
        // What one says reaches all.
        sockets[0].write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']).unwrap();
        for socket in &mut sockets {
            let mut frame = [0; 4];
            socket.read_exact(&mut frame).unwrap();
            assert_eq!(frame, [0x81, 2, b'h', b'i'], "{options:?}");
        }
        program.signal(Signal::SIGTERM);
        for socket in &mut sockets {
            assert_eq!(close_code(socket), 1001, "{options:?}");
        }
        assert_eq!(program.end(), Some(0), "{options:?}");
    }
}

#[test]
fn cluster_takes_its_limit_from_the_command_line() {
    let address = format!("127.0.0.1:{}", free_port());
    let arguments = ["--threads", "2", "--hand-over", "--connections", "3", &address];
    let mut program = Program::start("cluster", &arguments, Sink::Nothing, Sink::Nothing);
    let held: Vec<_> = (0..3).map(|_| websocket(&mut program, &address, "/")).collect();
    let answer = exchange(&mut program, &address, b"");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    drop(held);
    for wrong in [&["--threads", "0"][..], &["unix:/tmp/cluster.sock"], &["nonsense"]] {
        let output = run("cluster", wrong);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {said}");
        assert!(said.starts_with("cluster: "), "{said}");
    }
}
