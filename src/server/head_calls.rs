//! A test: httparse is called at most twice for a request head, however the bytes of the head
//! arrive.

use std::time::Instant;

use super::Server;
use crate::http1::HTTPARSE_CALLS;
use crate::net::{Readiness, Transport};

const HEAD: &str = "POST /a?b HTTP/1.1\r\nHost: example.com\r\nUser-Agent: test\r\n\
    Content-Length: 0\r\nAccept: */*\r\n\r\n";

/// Serves bytes that arrive in pieces; returns the calls of httparse and the answer.
fn calls<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> (u32, String) {
    let now = Instant::now();
    let mut server = Server::detached();
    server.http("/", |_, _| "answered");
    let (transport, mut peer) = Transport::memory();
    let token = server.adopt(transport, now).unwrap();
    HTTPARSE_CALLS.set(0);
    for piece in pieces {
        peer.send(piece);
        server.ready(token, Readiness { readable: true, ..Readiness::default() }, now);
        server.flush(now);
    }
    (HTTPARSE_CALLS.get(), String::from_utf8(peer.receive()).unwrap())
}

#[test]
fn head_that_is_whole_costs_one_call() {
    let (calls, answer) = calls([HEAD.as_bytes()]);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(calls, 1);
}

#[test]
fn head_that_arrives_byte_by_byte_costs_at_most_two_calls() {
    for head in [HEAD.to_owned(), format!("\r\n{HEAD}"), HEAD.replace("/a?b", "/\u{e9}")] {
        let (calls, answer) = calls(head.as_bytes().chunks(1));
        assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
        assert!((1..=2).contains(&calls), "{calls} calls");
    }
}

#[test]
fn head_that_arrives_in_pieces_costs_at_most_two_calls() {
    let head = format!("\r\n{HEAD}");
    for first in 0..head.len() {
        for second in [1, 2, 3, 20] {
            let (first, rest) = head.as_bytes().split_at(first);
            let (second, third) = rest.split_at(second.min(rest.len()));
            let (calls, answer) = calls([first, second, third]);
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            assert!((1..=2).contains(&calls), "{calls} calls, cut at {}", first.len());
        }
    }
}

#[test]
fn head_with_a_fault_costs_at_most_two_calls() {
    for (right, wrong) in [("Host: ", "Host : "), ("HTTP/1.1", "HTTP/1.2"), ("test\r", "test")] {
        let head = HEAD.replacen(right, wrong, 1);
        for size in [1, 7, head.len()] {
            let (calls, answer) = calls(head.as_bytes().chunks(size));
            assert!(!answer.starts_with("HTTP/1.1 200 "), "{answer}");
            assert!(calls <= 2, "{calls} calls for {wrong:?} in pieces of {size}");
        }
    }
}
