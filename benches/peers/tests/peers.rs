//! Tests every peer as the benches use it: a process that echoes, a room that delivers to all, an
//! end with standard input. This file knows the command line and tokio-tungstenite's client, not
//! how a library is used.

use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

const WITH_ROOM: [&str; 4] = ["tokio-tungstenite", "tokio-websockets", "sockudo-ws", "ws"];

/// The bound for all waits: a test fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(20);

type Client = WebSocketStream<TcpStream>;

struct MemoryPeer {
    child: Child,
    address: String,
}

impl MemoryPeer {
    fn start(arguments: &[&str]) -> MemoryPeer {
        let mut child = Command::new(env!("CARGO_BIN_EXE_peers"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the executable of this package starts");
        let mut address = String::new();
        let output = child.stdout.take().expect("it was piped");
        BufReader::new(output).read_line(&mut address).expect("its address is text");
        MemoryPeer { child, address: address.trim_end().to_owned() }
    }

    async fn connect(&self, path: &str) -> Client {
        let stream = TcpStream::connect(&self.address).await.expect("the peer accepts");
        let url = format!("ws://{}{path}", self.address);
        client_async(url, stream).await.expect("the peer upgrades").0
    }

    /// Closes the peer's standard input and returns its exit status.
    fn end(mut self) -> io::Result<ExitStatus> {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            assert!(Instant::now() < deadline, "the peer outlives its standard input");
            std::thread::yield_now();
        }
    }
}

impl Drop for MemoryPeer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn output(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_peers"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the executable of this package starts")
}

fn names() -> Vec<String> {
    String::from_utf8_lossy(&output(&["--list"]).stdout).lines().map(str::to_owned).collect()
}

fn run<F: Future<Output = ()>>(test: F) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(PATIENCE, test).await.expect("in time") });
}

/// Text of `len` bytes in which no two places of a line look alike.
fn text(len: usize) -> String {
    ('a'..='z').cycle().take(len).collect()
}

async fn next(client: &mut Client) -> Message {
    client.next().await.expect("the peer keeps the connection").expect("the peer sends a message")
}

fn echoes(name: &str) {
    let peer = MemoryPeer::start(&[name]);
    run(async {
        let mut client = peer.connect("/at/any/path?with=a+query").await;
        for len in [20, 1 << 10, 1 << 20, 2 << 20] {
            for sent in [Message::text(text(len)), Message::binary(text(len).into_bytes())] {
                client.send(sent.clone()).await.expect("the peer reads");
                assert!(next(&mut client).await == sent, "{name}: {len} bytes came back otherwise");
            }
        }
        for number in 0..64 {
            client.feed(Message::text(number.to_string())).await.expect("the peer reads");
        }
        client.flush().await.expect("the peer reads");
        for number in 0..64 {
            assert_eq!(
                next(&mut client).await,
                Message::text(number.to_string()),
                "{name}: 64 messages in a segment"
            );
        }
    });
    assert!(peer.end().expect("it can be waited for").success());
}

fn passes_on_to_all(name: &str) {
    let peer = MemoryPeer::start(&[name, "--room"]);
    run(async {
        let mut members = Vec::new();
        for _ in 0..5 {
            members.push(peer.connect("/").await);
        }
        // A client that has got its own message is a member: every later message reaches all.
        for member in &mut members {
            member.send(Message::text("here")).await.expect("the peer reads");
            while next(member).await != Message::text("here") {}
        }
        for (number, member) in (0..).zip(&mut members) {
            member.send(Message::binary(vec![number; 100])).await.expect("the peer reads");
        }
        for member in &mut members {
            let mut heard = Vec::new();
            while heard.len() < 5 {
                if let Message::Binary(bytes) = next(member).await {
                    assert_eq!(bytes.len(), 100);
                    heard.push(bytes[0]);
                }
            }
            heard.sort_unstable();
            assert_eq!(heard, [0, 1, 2, 3, 4], "{name}: each member hears each message once");
        }
    });
    assert!(peer.end().expect("it can be waited for").success());
}

#[test]
fn tokio_tungstenite_echoes_every_size() {
    echoes("tokio-tungstenite");
}

#[test]
fn tokio_websockets_echoes_every_size() {
    echoes("tokio-websockets");
}

#[test]
fn fastwebsockets_echoes_every_size() {
    echoes("fastwebsockets");
}

#[test]
fn sockudo_ws_echoes_every_size() {
    echoes("sockudo-ws");
}

#[test]
fn ws_echoes_every_size() {
    echoes("ws");
}

#[test]
fn room_passes_every_message_on_to_every_member() {
    WITH_ROOM.into_iter().for_each(passes_on_to_all);
}

#[test]
fn list_has_exactly_the_five_names() {
    assert_eq!(
        names(),
        ["tokio-tungstenite", "tokio-websockets", "fastwebsockets", "sockudo-ws", "ws"]
    );
}

#[test]
fn command_line_refuses_with_one_line_and_2() {
    let arguments: [&[&str]; 5] = [
        &[],
        &["fastwebsockets", "--room"],
        &["nobody"],
        &["ws", "tokio-websockets"],
        &["ws", "--shout"],
    ];
    for arguments in arguments {
        let Output { status, stderr, .. } = output(arguments);
        assert_eq!(status.code(), Some(2), "{arguments:?}");
        assert_eq!(String::from_utf8_lossy(&stderr).lines().count(), 1, "{arguments:?}");
    }
}
