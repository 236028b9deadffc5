//! The history of a cluster over real threads and sockets: publishers at each reactor, and
//! subscribers that are cut and go on at another reactor.

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use common::seconds;
use switchboard::{
    Cluster, ClusterHandle, Conn, Drain, Handler, History, Message, Resume, Server, Stats, ZoneId,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// Publishes what a client says, with its id. `join` subscribes, and `from ID` goes on.
struct Room;

impl Handler for Room {
    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        let Message::Text(text) = message else { return };
        match text.split_once(' ') {
            Some(("from", id)) => conn.subscribe_from("room/1", id.parse().unwrap()),
            _ if text == "join" => conn.subscribe("room/1"),
            _ => _ = conn.publish_with("room/1", |id| format!("{id} {text}")),
        }
    }

    fn resumed(&mut self, conn: &mut Conn<'_>, _topic: &str, resume: Resume) {
        if resume != Resume::Resumed {
            conn.send("gap");
        }
    }
}

/// A cluster that runs on threads of its own. Each reactor has an address of its own.
struct Running {
    addresses: Vec<SocketAddr>,
    handle: ClusterHandle,
    thread: JoinHandle<()>,
}

impl Running {
    fn new(reactors: usize, history: History) -> Running {
        let cluster = Cluster::new(reactors);
        let handle = cluster.handle();
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            let outcome = cluster.run(|reactor, member| {
                reactor.server.history("room/", history);
                reactor.server.zone("/", Room);
                let listener = reactor.server.listen("127.0.0.1:0")?;
                tell.send((member.index(), reactor.server.local_addr(listener)?)).unwrap();
                Ok(())
            });
            outcome.unwrap();
        });
        let mut addresses: Vec<_> =
            (0..reactors).map(|_| told.recv_timeout(PATIENCE).unwrap()).collect();
        addresses.sort_unstable();
        let addresses = addresses.into_iter().map(|(_, address)| address).collect();
        Running { addresses, handle, thread }
    }

    fn zone() -> ZoneId<Room> {
        // All servers have this zone.
        Server::detached().zone("/", Room)
    }

    fn end(self) -> Stats {
        self.handle.drain(Drain::within(seconds(10))).unwrap();
        self.thread.join().unwrap();
        let (tell, told) = mpsc::channel();
        self.handle.stats(move |stats| tell.send(stats).unwrap()).unwrap();
        told.recv_timeout(PATIENCE).unwrap()
    }
}

struct Socket(TcpStream);

impl Socket {
    fn open(address: SocketAddr) -> Socket {
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        socket
            .write_all(
                b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
                  Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                  Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            )
            .unwrap();
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            socket.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        Socket(socket)
    }

    fn say(&mut self, text: &str) {
        let mut frame = vec![0x81, 0x80 | text.len() as u8, 0, 0, 0, 0];
        frame.extend_from_slice(text.as_bytes());
        self.0.write_all(&frame).unwrap();
    }

    fn hear(&mut self) -> String {
        let mut header = [0; 2];
        self.0.read_exact(&mut header).unwrap();
        assert_eq!(header[0], 0x81);
        let mut text = vec![0; usize::from(header[1])];
        self.0.read_exact(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    }
}

/// Hears this many messages. The connection is cut again and again, and goes on elsewhere.
fn hear_all(addresses: &[SocketAddr], number: usize, count: usize) -> Vec<String> {
    let mut random = number as u64 + 1;
    let mut below = |bound: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((random >> 33) % bound) as usize
    };
    let mut at = number % addresses.len();
    let mut heard: Vec<String> = Vec::new();
    let mut socket = Socket::open(addresses[at]);
    socket.say("join");
    while heard.len() < count {
        for _ in 0..(1 + below(40)).min(count - heard.len()) {
            heard.push(socket.hear());
        }
        let last = heard.last().and_then(|last| last.split_once(' ')).expect("no gap");
        let _ = socket.0.shutdown(Shutdown::Both);
        at = (at + 1) % addresses.len();
        socket = Socket::open(addresses[at]);
        socket.say(&format!("from {}", last.0));
    }
    heard
}

fn number(text: &str) -> u64 {
    text.split_once(' ').and_then(|(id, _)| id.split_once('-')?.1.parse().ok()).expect(text)
}

fn equal_lists(reactors: usize) {
    const EACH: usize = 500;
    let running = Running::new(reactors, History::new().messages(1 << 20).bytes(64 << 20));
    let (zone, all) = (Running::zone(), reactors * EACH);
    let subscribers: Vec<_> = (0..2 * reactors)
        .map(|number| {
            let addresses = running.addresses.clone();
            thread::spawn(move || hear_all(&addresses, number, all))
        })
        .collect();
    // All are there before the first message.
    loop {
        let (tell, told) = mpsc::channel();
        running.handle.subscribers("room/1", move |count| tell.send(count).unwrap()).unwrap();
        if told.recv_timeout(PATIENCE).unwrap() == 2 * reactors {
            break;
        }
        thread::yield_now();
    }
    let publishers: Vec<_> = (0..reactors)
        .map(|at| {
            let (address, handle) = (running.addresses[at], running.handle.clone());
            thread::spawn(move || {
                let mut socket = Socket::open(address);
                for number in 0..EACH {
                    match number % 10 {
                        // From other threads: by a call.
                        0 => {
                            let remote = handle.remote(at).unwrap();
                            let sent = remote.call(zone, move |_, cx| {
                                cx.publish_with("room/1", |id| format!("{id} {at} call"));
                            });
                            sent.unwrap();
                        }
                        _ => socket.say(&format!("{at} {number}")),
                    }
                }
                socket
            })
        })
        .collect();
    let sockets: Vec<Socket> =
        publishers.into_iter().map(|publisher| publisher.join().unwrap()).collect();
    let lists: Vec<Vec<String>> =
        subscribers.into_iter().map(|subscriber| subscriber.join().unwrap()).collect();
    for list in &lists {
        assert!(*list == lists[0], "equal lists everywhere");
    }
    let numbers: Vec<u64> = lists[0].iter().map(|text| number(text)).collect();
    assert_eq!(numbers, Vec::from_iter(1..=all as u64), "in the order of ids, each once");
    for at in 0..reactors {
        let said = |text: &&String| text.split(' ').nth(1) == Some(&*at.to_string());
        let own: Vec<u64> = lists[0]
            .iter()
            .filter(said)
            .filter_map(|text| text.rsplit_once(' ')?.1.parse().ok())
            .collect();
        assert!(own.is_sorted() && own.len() == EACH - EACH / 10, "those of one publisher");
    }
    drop(sockets);
    let stats = running.end();
    assert_eq!((stats.not_passed_on, stats.overflowed, stats.dropped), (0, 0, 0));
}

#[test]
fn lists_are_equal_at_two_reactors() {
    equal_lists(2);
}

#[test]
fn lists_are_equal_at_three_reactors() {
    equal_lists(3);
}

/// A handler that computes holds its reactor up, and a topic keeps fewer messages than come
/// meanwhile.
#[test]
fn slow_reactor_loses_nothing() {
    const COUNT: usize = 5_000;
    let running = Running::new(2, History::new());
    let mut slow = Socket::open(running.addresses[1]);
    slow.say("join");
    slow.say("first");
    assert!(slow.hear().ends_with(" first"));
    let (go_on, goes_on) = mpsc::channel::<()>();
    let blocked = running.handle.remote(1).unwrap().call(Running::zone(), move |_, _| {
        let _ = goes_on.recv_timeout(PATIENCE);
    });
    assert!(blocked.is_ok());
    let mut fast = Socket::open(running.addresses[0]);
    fast.say("join");
    for number in 0..COUNT {
        fast.say(&number.to_string());
        assert!(fast.hear().ends_with(&format!(" {number}")), "the other reactor goes on");
    }
    go_on.send(()).unwrap();
    for number in 0..COUNT {
        assert!(slow.hear().ends_with(&format!(" {number}")));
    }
    drop((slow, fast));
    assert_eq!(running.end().not_passed_on, 0);
}
