//! A cluster over real sockets: both ways to share a port, topics over all reactors, and its ends.

mod common;

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Barrier};
use std::thread::{self, JoinHandle};

use common::seconds;
use switchboard::{
    Cluster, ClusterHandle, Conn, Drain, Handler, Listener, Member, Message, Reactor, Reply,
    Request, Stats, Upgrade,
};

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// Answers with the number of its reactor. A WebSocket is subscribed, and its messages published.
struct Site {
    index: usize,
}

impl Handler for Site {
    fn request(&mut self, _: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        match request.is_websocket() {
            true => Upgrade::new().into(),
            false => self.index.to_string().into(),
        }
    }

    fn open(&mut self, conn: &mut Conn<'_>, _: &Request<'_>) {
        conn.subscribe("topic");
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        conn.publish("topic", message);
    }
}

fn site(reactor: &mut Reactor, member: &Member) -> io::Result<()> {
    reactor.server.zone("/", Site { index: member.index() });
    Ok(())
}

/// A cluster that runs on threads of its own.
struct Running {
    address: SocketAddr,
    handle: ClusterHandle,
    thread: JoinHandle<io::Result<()>>,
}

impl Running {
    fn new(
        mut cluster: Cluster,
        set_up: impl Fn(&mut Reactor, &Member) -> io::Result<()> + Send + Sync + 'static,
    ) -> Running {
        let listener = cluster.listen("127.0.0.1:0").unwrap();
        let (address, handle) = (cluster.local_addr(listener).unwrap(), cluster.handle());
        let thread = thread::spawn(move || cluster.run(set_up));
        Running { address, handle, thread }
    }

    fn stats(&self) -> Stats {
        let (tell, told) = mpsc::channel();
        let asked = self.handle.stats(move |stats| tell.send(stats).unwrap());
        asked.unwrap();
        told.recv_timeout(PATIENCE).unwrap()
    }

    fn end(self) -> Stats {
        self.handle.drain(Drain::within(seconds(10))).unwrap();
        self.thread.join().unwrap().unwrap();
        let (tell, told) = mpsc::channel();
        self.handle.stats(move |stats| tell.send(stats).unwrap()).unwrap();
        told.recv_timeout(PATIENCE).unwrap()
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_nodelay(true).unwrap();
    socket
}

/// Asks for a page, and returns the number of the reactor.
fn ask(socket: &mut (impl Read + Write)) -> usize {
    socket.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let (mut answer, mut buf) = (Vec::new(), [0; 1024]);
    loop {
        let n = socket.read(&mut buf).unwrap();
        assert!(n > 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&buf[..n]);
        let text = String::from_utf8_lossy(&answer);
        if let Some((_, body)) = text.split_once("\r\n\r\n")
            && !body.is_empty()
        {
            return body.parse().unwrap();
        }
    }
}

#[test]
fn handed_over_connections_spread_evenly() {
    let running = Running::new(Cluster::new(3).hand_over(true), site);
    let mut sockets: Vec<_> = (0..999).map(|_| connect(running.address)).collect();
    let mut counts = [0_usize; 3];
    sockets.iter_mut().for_each(|socket| counts[ask(socket)] += 1);
    assert_eq!(counts, [333; 3]);
    drop(sockets);
    let stats = running.end();
    assert_eq!((stats.accepted, stats.requests, stats.connections), (999, 999, 0));
}

#[test]
fn each_reactor_accepts_at_its_own_socket() {
    let running = Running::new(Cluster::new(2), site);
    let reactors: HashSet<usize> = (0..64).map(|_| ask(&mut connect(running.address))).collect();
    assert_eq!(reactors.len(), 2, "the kernel chooses");
    assert_eq!(running.end().accepted, 64);
}

#[test]
fn unix_sockets_are_handed_over() {
    let path = std::env::temp_dir().join(format!("cluster-{}.sock", std::process::id()));
    let mut cluster = Cluster::new(2).hand_over(true);
    let id = cluster.listen(Listener::unix(&path)).unwrap();
    assert_eq!(
        cluster.listening_at(id).unwrap()[0].to_string(),
        format!("unix:{}", path.display())
    );
    assert!(cluster.local_addr(id).unwrap_err().to_string().contains("Cluster::listening_at"));
    let handle = cluster.handle();
    let thread = thread::spawn(move || {
        cluster.run(move |reactor, member| {
            let places = reactor.server.listening_at(member.listeners()[0])?;
            assert!(places[0].to_string().starts_with("unix:/"), "the same at every reactor");
            site(reactor, member)
        })
    });
    let mut sockets: Vec<_> = (0..10).map(|_| UnixStream::connect(&path).unwrap()).collect();
    let mut counts = [0; 2];
    sockets.iter_mut().for_each(|socket| counts[ask(socket)] += 1);
    assert_eq!(counts, [5, 5]);
    handle.drain(Drain::within(seconds(10))).unwrap();
    thread.join().unwrap().unwrap();
    assert!(!path.exists());
}

#[test]
fn limits_hold_over_real_sockets() {
    for hand_over in [true, false] {
        let cluster = Cluster::new(2).hand_over(hand_over).max_connections_per_address(20);
        let running = Running::new(cluster, site);
        let mut held: Vec<_> = (0..20).map(|_| connect(running.address)).collect();
        held.iter_mut().for_each(|socket| _ = ask(socket));
        let mut answer = String::new();
        connect(running.address).read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
        assert_eq!(running.stats().connections, 20);
        drop(held);
        assert_eq!(running.end().turned_away, 1);
    }
}

/// A WebSocket whose messages go into a channel.
fn websocket(address: SocketAddr) -> (TcpStream, Receiver<String>) {
    let mut socket = connect(address);
    socket
        .write_all(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        socket.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    let (tell, told) = mpsc::channel();
    let mut input = socket.try_clone().unwrap();
    thread::spawn(move || {
        let mut header = [0; 2];
        while input.read_exact(&mut header).is_ok() && header[0] == 0x81 {
            let mut text = vec![0; usize::from(header[1])];
            input.read_exact(&mut text).unwrap();
            let _ = tell.send(String::from_utf8(text).unwrap());
        }
    });
    (socket, told)
}

fn say(socket: &mut TcpStream, text: &str) {
    let mut frame = vec![0x81, 0x80 | text.len() as u8, 0, 0, 0, 0];
    frame.extend_from_slice(text.as_bytes());
    socket.write_all(&frame).unwrap();
}

/// 10,000 messages in all, from two publishers at two reactors, to a subscriber at each of them.
#[test]
fn messages_of_two_publishers_arrive_in_order_everywhere() {
    const EACH: usize = 5_000;
    let running = Running::new(Cluster::new(2).hand_over(true), site);
    let lines: Vec<_> = (0..2).map(|_| websocket(running.address)).collect();
    let start = Arc::new(Barrier::new(2));
    let publishers = ["a ", "b "].into_iter().zip(&lines).map(|(name, (socket, _))| {
        let (mut socket, start) = (socket.try_clone().unwrap(), Arc::clone(&start));
        thread::spawn(move || {
            start.wait();
            (0..EACH).for_each(|number| say(&mut socket, &format!("{name}{number}")));
        })
    });
    let publishers: Vec<_> = publishers.collect();
    for (_, messages) in &lines {
        let heard: Vec<String> =
            (0..2 * EACH).map(|_| messages.recv_timeout(PATIENCE).unwrap()).collect();
        for name in ["a ", "b "] {
            let numbers = heard.iter().filter_map(|text| text.strip_prefix(name));
            let numbers: Vec<usize> = numbers.map(|number| number.parse().unwrap()).collect();
            assert_eq!(numbers, Vec::from_iter(0..EACH), "{name}");
        }
    }
    publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
    let (tell, told) = mpsc::channel();
    running.handle.subscribers("topic", move |count| tell.send(count).unwrap()).unwrap();
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), 2);
    for (socket, _) in &lines {
        socket.shutdown(std::net::Shutdown::Both).unwrap();
    }
    let stats = running.end();
    assert_eq!((stats.messages, stats.not_passed_on), (2 * EACH as u64, 0));
    assert!(lines.iter().all(|(_, messages)| messages.try_recv().is_err()), "nothing twice");
}

#[test]
fn drain_ends_all_reactors_in_order() {
    let running = Running::new(Cluster::new(2).hand_over(true), site);
    let mut idle: Vec<_> = (0..4).map(|_| connect(running.address)).collect();
    idle.iter_mut().for_each(|socket| _ = ask(socket));
    let address = running.address;
    let stats = running.end();
    assert_eq!((stats.accepted, stats.connections), (4, 0));
    for mut socket in idle {
        assert_eq!(socket.read(&mut [0; 16]).unwrap(), 0);
    }
    assert!(TcpStream::connect(address).is_err());
}

/// The acceptor is late, and finds what waits when the other reactor drains already.
#[test]
fn connections_that_wait_when_all_drain_are_served() {
    const WAITING: usize = 100;
    let running = Running::new(Cluster::new(2).hand_over(true), site);
    let held: Vec<_> = (0..2).map(|_| websocket(running.address)).collect();
    let zone = switchboard::Server::detached().zone("/", Site { index: 0 });
    let (go_on, goes_on) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel();
    let acceptor = running.handle.remote(0).unwrap();
    let busy = acceptor.call(zone, move |_, _| {
        tell.send(()).unwrap();
        goes_on.recv().unwrap();
    });
    assert!(busy.is_ok());
    told.recv_timeout(PATIENCE).unwrap();
    let mut waiting: Vec<_> = (0..WAITING).map(|_| connect(running.address)).collect();
    let drain = Drain { window: seconds(5), ..Drain::within(seconds(5)) };
    running.handle.drain(drain).unwrap();
    // Calls run in their order, so the other one drains by then.
    let (tell, told) = mpsc::channel();
    let other = running.handle.remote(1).unwrap();
    assert!(other.call(zone, move |_, _| tell.send(()).unwrap()).is_ok());
    told.recv_timeout(PATIENCE).unwrap();
    go_on.send(()).unwrap();
    let reactors: HashSet<usize> = waiting.iter_mut().map(ask).collect();
    assert_eq!(reactors, HashSet::from([0]));
    for (socket, _) in &held {
        socket.shutdown(std::net::Shutdown::Both).unwrap();
    }
    let (tell, told) = mpsc::channel();
    running.thread.join().unwrap().unwrap();
    running.handle.stats(move |stats| tell.send(stats).unwrap()).unwrap();
    assert_eq!(told.recv_timeout(PATIENCE).unwrap().accepted, WAITING as u64 + 2);
}

#[test]
fn error_of_a_set_up_ends_the_cluster_and_names_the_reactor() {
    let cluster = Cluster::new(3);
    let error = cluster.run(|reactor, member| match member.index() {
        0 => site(reactor, member),
        _ => reactor.server.listen("nonsense").map(drop),
    });
    let error = error.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert!(error.to_string().starts_with("reactor 1: "), "{error}");
    let error = Cluster::new(2).run(|reactor, _| {
        reactor.server.http("/a?b", |_, _| "never");
        Ok(())
    });
    assert!(error.unwrap_err().to_string().starts_with("reactor 0: "));
    let error = Cluster::new(2).run(|_, member| match member.index() {
        1 => panic!("no zone at all"),
        _ => Ok(()),
    });
    assert_eq!(error.unwrap_err().to_string(), "reactor 1 panicked: no zone at all");
}

#[test]
fn panic_of_one_reactor_ends_the_cluster_with_its_name() {
    let running = Running::new(Cluster::new(2).hand_over(true), |reactor, member| {
        site(reactor, member)?;
        assert!(thread::current().name().unwrap().starts_with("reactor-"));
        Ok(())
    });
    let handle = running.handle.clone();
    let remote = handle.remote(1).unwrap();
    // All servers have this zone.
    let zone = switchboard::Server::detached().zone("/", Site { index: 0 });
    remote.call(zone, |_, _| panic!("at the second one")).unwrap();
    let error = running.thread.join().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "reactor 1 panicked: at the second one");
    assert!(handle.remote(0).unwrap().call(zone, |_, _| ()).unwrap_err().is_closed());
    assert!(handle.remote(2).is_none());
}
