//! The worker pool as a program: answers, requests that die while a worker is at work or while they
//! wait, and a queue that is full.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::ChildStdout;

use nix::sys::signal::Signal;
use socket2::SockRef;

use crate::programs::{Program, Sink, assert_serves, connect, exchange, free_port, run};

/// A number whose primes no machine counts within the time of a test.
const LONG: &str = "/count/4294967295";

/// The program, its address, and what it prints.
struct Workers {
    program: Program,
    address: String,
    lines: BufReader<ChildStdout>,
}

impl Workers {
    fn start(workers: &str, queue: &str) -> Workers {
        let address = format!("127.0.0.1:{}", free_port());
        let arguments = [&*address, "--workers", workers, "--queue", queue, "--verbose"];
        let mut program = Program::start("workers", &arguments, Sink::Pipe, Sink::Nothing);
        let lines = BufReader::new(program.child.stdout.take().unwrap());
        let mut started = Workers { program, address, lines };
        let listening = format!("listening on {}", started.address);
        assert_eq!(started.line(), listening);
        started
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Sends a request, and leaves the answer to come.
    fn ask(&mut self, path: &str) -> TcpStream {
        let mut socket = connect(&mut self.program, &self.address);
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        socket.write_all(request.as_bytes()).unwrap();
        socket
    }

    /// The answer to a request of a connection of its own.
    fn get(&mut self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        exchange(&mut self.program, &self.address, request.as_bytes())
    }
}

#[test]
fn workers_answer_and_end_in_order() {
    let mut workers = Workers::start("2", "64");
    for (path, status, body) in [
        ("/count/100", 200, "25\n"),
        ("/count/7919", 200, "999\n"),
        ("/count/0", 200, "0\n"),
        ("/count/many", 404, "ask for /count/N\n"),
    ] {
        let answer = workers.get(path);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
        assert!(answer.ends_with(&format!("\r\n\r\n{body}")), "{path}: {answer}");
    }
    for _ in 0..3 {
        assert!(workers.line().starts_with("answered: "));
    }
    workers.program.signal(Signal::SIGTERM);
    assert_eq!(workers.program.end(), Some(0));
}

/// With one worker, an answer shows that the worker is free.
#[test]
fn worker_is_free_as_soon_as_its_request_is_dead() {
    let mut workers = Workers::start("1", "8");
    let reset: fn(TcpStream) = |socket| {
        SockRef::from(&socket).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    };
    let fin: fn(TcpStream) = |socket| {
        socket.shutdown(Shutdown::Write).unwrap();
        // Held until the server has cut it off.
        let _ended = (&socket).read(&mut [0; 64]);
    };
    for (dies, cause) in [(reset, "the transport broke"), (fin, "the peer ended its side")] {
        let (at_work, waiting) = (workers.ask(LONG), workers.ask(LONG));
        dies(at_work);
        assert_eq!(workers.line(), format!("cancelled: {cause}"));
        dies(waiting);
        assert_eq!(workers.line(), format!("cancelled: {cause}"));
        let mut socket = workers.ask("/count/100");
        assert_eq!(workers.line(), "answered: the primes below 100");
        let mut answer = [0; 12];
        socket.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
    }
}

#[test]
fn workers_with_a_full_queue_answer_503_with_a_time() {
    let mut workers = Workers::start("1", "1");
    // One is at work or on its way there, one waits, and there is room for no other.
    let mut busy = vec![workers.ask(LONG), workers.ask(LONG)];
    let answer = loop {
        let mut socket = workers.ask(LONG);
        socket.set_read_timeout(Some(std::time::Duration::from_millis(500))).unwrap();
        let mut head = [0; 12];
        match socket.read_exact(&mut head) {
            Ok(()) => {
                assert_eq!(&head, b"HTTP/1.1 503");
                socket.shutdown(Shutdown::Write).unwrap();
                let mut rest = String::new();
                socket.read_to_string(&mut rest).unwrap();
                break rest;
            }
            Err(_) => busy.push(socket),
        }
        assert!(busy.len() < 10, "the queue never fills");
    };
    assert!(answer.contains("\r\nRetry-After: 1\r\n"), "{answer}");
    assert!(answer.contains("try again in a second"), "{answer}");
    let address = workers.address.clone();
    assert_serves(&mut workers.program, &address);
    // The drain waits for no request whose client has left.
    drop(busy);
    workers.program.signal(Signal::SIGTERM);
    assert_eq!(workers.program.end(), Some(0));
}

#[test]
fn workers_say_what_is_wrong_with_an_argument() {
    for (arguments, said) in [
        (&["--workers", "0"][..], "--workers 0: give a number, 1 to 256"),
        (&["--queue", "many"], "--queue many: give a number, 0 to 65536"),
        (&["127.0.0.1:0", "127.0.0.1:0"], "unexpected argument"),
        (&["nowhere"], "nowhere"),
    ] {
        let output = run("workers", arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(errors.contains(said) && errors.trim_end().ends_with("try --help"), "{errors}");
    }
}
