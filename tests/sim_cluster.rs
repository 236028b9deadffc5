//! Several servers as one cluster, over memory: connections handed over, shared limits, topics over
//! all, and the end.

mod common;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Instant;

use common::seconds;
use switchboard::http::Request;
use switchboard::testing::{Client, World};
use switchboard::{
    Cluster, ClusterHandle, Conn, Drain, Handler, Listener, ListenerId, MemoryPeer, Message,
    Outgoing, Reply, Server, Stats, Transport, TrustedHeader, Upgrade,
};

/// The most connections that wait for one reactor.
const WAITING: usize = 1_024;

/// The servers of a cluster, each in a world of its own.
struct Sim {
    worlds: Vec<World>,
    handle: ClusterHandle,
    listener: ListenerId,
}

/// Subscribes to `topic`, and publishes each message to it.
struct Room;

impl Handler for Room {
    fn request(&mut self, _: &mut Conn<'_>, request: &mut switchboard::Request<'_>) -> Reply {
        match request.path() {
            "/later" => Reply::Later,
            _ if request.is_websocket() => Upgrade::new().into(),
            _ => "hello".into(),
        }
    }

    fn open(&mut self, conn: &mut Conn<'_>, _: &switchboard::Request<'_>) {
        conn.subscribe("topic");
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        conn.publish_to_others("topic", message);
    }
}

impl Sim {
    fn new(cluster: Cluster) -> Sim {
        Sim::at(cluster, "127.0.0.1:0")
    }

    fn at(cluster: Cluster, listener: impl Into<Listener>) -> Sim {
        Sim::with(cluster, listener, |_| ())
    }

    fn with(cluster: Cluster, listener: impl Into<Listener>, set_up: impl Fn(&mut Server)) -> Sim {
        let mut cluster = cluster.hand_over(true);
        let listener = cluster.listen(listener).unwrap();
        let handle = cluster.handle();
        let worlds = (0..handle.reactors()).map(|index| {
            let mut server = Server::detached();
            let member = cluster.join(&mut server).unwrap();
            assert_eq!((member.index(), member.listeners()), (index, &[listener][..]));
            server.zone("/", Room);
            set_up(&mut server);
            World::over(server)
        });
        let worlds = worlds.collect();
        Sim { worlds, handle, listener }
    }

    fn stats(&mut self) -> Vec<Stats> {
        self.worlds.iter_mut().map(|world| world.context().stats()).collect()
    }

    fn connections(&mut self) -> Vec<usize> {
        self.stats().iter().map(|stats| stats.connections).collect()
    }

    /// Hands a connection over, to the least loaded. It waits there.
    fn offer(&self, address: &str) -> Result<MemoryPeer, switchboard::AdoptError> {
        let (transport, mut peer) = Transport::memory();
        peer.set_address(address.parse().unwrap());
        self.handle.adopt(transport, None, self.listener).map(|()| peer)
    }

    /// Hands a connection over, and returns the world that has it.
    fn arrive(&mut self, address: &str) -> (usize, Client) {
        let arrived = |stats: &Stats| stats.accepted + stats.turned_away;
        let before: Vec<u64> = self.stats().iter().map(arrived).collect();
        let peer = self.offer(address).unwrap();
        self.settle();
        let after = self.stats();
        let index = (0..after.len()).find(|index| arrived(&after[*index]) > before[*index]);
        let index = index.expect("a server that has the connection");
        (index, self.worlds[index].handed_over(peer))
    }

    fn settle(&mut self) {
        // Mail from one to another may cause more of it.
        for _ in 0..3 {
            self.worlds.iter_mut().for_each(World::settle);
        }
    }

    fn end(&mut self, (world, client): (usize, Client)) {
        self.worlds[world].end(client);
        self.settle();
    }

    /// The status of the answer that came without a request.
    fn refusal(&mut self, (world, client): (usize, Client)) -> String {
        let bytes = self.worlds[world].read(client);
        String::from_utf8_lossy(&bytes).split(' ').nth(1).unwrap_or("none").to_owned()
    }
}

fn differ(numbers: &[usize]) -> usize {
    numbers.iter().max().unwrap() - numbers.iter().min().unwrap()
}

#[test]
fn arrivals_differ_by_at_most_one_between_reactors() {
    let mut sim = Sim::new(Cluster::new(4));
    let now = Instant::now();
    let mut peers = Vec::new();
    for arrival in 1..=10_000_usize {
        peers.push(sim.offer("192.0.2.1:1").unwrap());
        if arrival.is_multiple_of(97) {
            sim.worlds.iter_mut().for_each(|world| world.server.flush(now));
            assert!(differ(&sim.connections()) <= 1, "{:?}", sim.connections());
        }
    }
    sim.worlds.iter_mut().for_each(|world| world.server.flush(now));
    assert_eq!(sim.connections(), [2_500; 4]);
}

#[test]
fn churn_leaves_reactors_one_percent_apart() {
    let mut sim = Sim::new(Cluster::new(4));
    let mut open: Vec<(usize, Client)> = (0..1_200).map(|_| sim.arrive("192.0.2.1:1")).collect();
    let mut random = 1_u64;
    for _round in 0..30 {
        for _ in 0..12 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let (world, client) = open.swap_remove((random % open.len() as u64) as usize);
            sim.worlds[world].end(client);
        }
        open.extend((0..12).map(|_| sim.arrive("192.0.2.1:1")));
        let connections = sim.connections();
        assert_eq!(connections.iter().sum::<usize>(), 1_200);
        assert!(differ(&connections) <= 3, "{connections:?}");
    }
}

#[test]
fn connection_is_served_by_the_reactor_that_gets_it() {
    let mut sim = Sim::new(Cluster::new(3));
    for _ in 0..6 {
        let (world, client) = sim.arrive("192.0.2.1:4711");
        let world = &mut sim.worlds[world];
        world.request(client, "/");
        assert_eq!(world.answer(client).text(), "hello");
    }
    assert_eq!(sim.connections(), [2; 3]);
}

#[test]
fn full_queue_goes_to_the_next_least_loaded_and_all_full_gives_the_socket_back() {
    let mut sim = Sim::new(Cluster::new(2));
    let held: Vec<_> = (0..20).map(|_| sim.arrive("192.0.2.1:1")).collect();
    let now = sim.worlds[0].now;
    // The second server does not run, and is the less loaded one.
    held.iter().filter(|(world, _)| *world == 1).for_each(|(_, client)| sim.worlds[1].end(*client));
    let peers: Vec<_> = (0..2 * WAITING).map(|_| sim.offer("192.0.2.1:1").unwrap()).collect();
    let error = sim.offer("192.0.2.1:1").unwrap_err();
    assert!(error.is_full() && !error.is_closed());
    assert!(error.to_string().contains("stop accepting, and try again later"), "{error}");
    // One of them runs: it takes what waits for it, and more.
    sim.worlds[0].server.flush(now);
    assert_eq!(sim.connections(), [10 + WAITING, 0]);
    assert!(sim.handle.adopt(error.into_inner(), None, sim.listener).is_ok());
    sim.worlds.iter_mut().for_each(|world| world.server.flush(now));
    assert_eq!(sim.connections(), [10 + WAITING + 1, WAITING]);
    assert!(!peers.iter().any(MemoryPeer::is_gone), "none is lost");
}

#[test]
fn limit_of_connections_holds_for_all_reactors() {
    let mut sim = Sim::new(Cluster::new(2).max_connections(3));
    let mut open: Vec<_> =
        (0..3).map(|number| sim.arrive(&format!("192.0.2.{number}:1"))).collect();
    let beyond = sim.arrive("192.0.2.9:1");
    assert_eq!(sim.refusal(beyond), "503");
    assert_eq!(sim.connections(), [2, 1]);
    sim.end(beyond);
    let first = open.remove(0);
    sim.end(first);
    let (world, client) = sim.arrive("192.0.2.9:1");
    sim.worlds[world].request(client, "/");
    assert_eq!(sim.worlds[world].answer(client).status, 200);
    let beyond = sim.arrive("192.0.2.9:1");
    assert_eq!(sim.refusal(beyond), "503");
    let stats: Stats = sim.stats().into_iter().sum();
    assert_eq!((stats.accepted, stats.turned_away, stats.connections), (4, 2, 3));
}

/// The limit counts as one server alone does, whatever becomes of a connection.
#[test]
fn limit_of_connections_forgets_what_one_server_forgets() {
    let listener = Listener::from("127.0.0.1:0").proxy_protocol(["unix", "127.0.0.1"]);
    let cluster = Cluster::new(2).max_connections(2).max_connections_per_address(1);
    let mut sim = Sim::at(cluster, listener);
    for _ in 0..300 {
        // Beyond the limit of its address, in the header: it lingers, or is closed at once.
        let (transport, mut one) = Transport::memory();
        one.send("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n");
        let (other, mut two) = Transport::memory();
        two.send("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n");
        for transport in [transport, other] {
            sim.handle.adopt(transport, None, sim.listener).unwrap();
        }
        sim.settle();
        let connections = sim.connections();
        assert!(connections.iter().sum::<usize>() <= 2, "{connections:?}");
        for peer in [&mut one, &mut two] {
            peer.fail(std::io::ErrorKind::ConnectionReset);
        }
        drop((one, two));
        sim.worlds.iter_mut().for_each(|world| world.advance(seconds(60)));
        assert_eq!(sim.connections(), [0, 0]);
    }
    let (world, client) = {
        let (transport, mut peer) = Transport::memory();
        peer.send("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
        sim.handle.adopt(transport, None, sim.listener).unwrap();
        sim.settle();
        let world = sim.connections().iter().position(|open| *open == 1).unwrap();
        (world, sim.worlds[world].handed_over(peer))
    };
    sim.worlds[world].push(client, "");
    sim.settle();
    assert!(sim.worlds[world].read(client).starts_with(b"HTTP/1.1 200 "));
}

/// Operators reach a cluster that is full, as they reach one server: 16 beyond the limit.
#[test]
fn internal_listener_of_a_cluster_admits_sixteen_beyond_the_limit() {
    let cluster = Cluster::new(2).max_connections(4);
    let mut sim = Sim::at(cluster, Listener::from("127.0.0.1:0").internal(true));
    let arrivals: Vec<_> = (0..21).map(|_| sim.arrive("192.0.2.1:1")).collect();
    let stats: Stats = sim.stats().into_iter().sum();
    assert_eq!((stats.connections, stats.turned_away), (20, 1));
    for arrival in arrivals {
        sim.end(arrival);
    }
    let again: Vec<_> = (0..20).map(|_| sim.arrive("192.0.2.1:1")).collect();
    assert!(again.into_iter().all(|arrival| sim.refusal(arrival) == "none"));
}

#[test]
fn limit_of_an_address_holds_for_all_reactors() {
    let mut sim = Sim::new(Cluster::new(2).max_connections_per_address(2));
    let one = sim.arrive("192.0.2.1:1");
    let two = sim.arrive("192.0.2.1:2");
    assert_ne!(one.0, two.0, "each has one");
    let beyond = sim.arrive("192.0.2.1:3");
    assert_eq!(sim.refusal(beyond), "429");
    let other = sim.arrive("192.0.2.2:3");
    assert_eq!(sim.refusal(other), "none");
    // What the other server frees counts here.
    sim.end(one);
    let again = sim.arrive("192.0.2.1:4");
    assert_eq!(sim.refusal(again), "none");
    let beyond = sim.arrive("192.0.2.1:5");
    assert_eq!(sim.refusal(beyond), "429");
    // A server that is dropped takes its connections with it.
    let gone = sim.worlds.remove(two.0);
    drop(gone);
    let stats: Stats = sim.stats().into_iter().sum();
    let left = stats.connections;
    let again = sim.offer("192.0.2.1:6");
    assert!(again.is_ok(), "the other server is there");
    sim.settle();
    assert_eq!(sim.connections(), [left + 1]);
}

#[test]
fn connection_beyond_the_limit_of_its_address_takes_no_place_of_all() {
    let mut sim = Sim::new(Cluster::new(2).max_connections(3).max_connections_per_address(1));
    let _held = sim.arrive("192.0.2.1:1");
    for _ in 0..10 {
        let beyond = sim.arrive("192.0.2.1:2");
        assert_eq!(sim.refusal(beyond), "429");
    }
    for address in ["192.0.2.2:1", "192.0.2.3:1"] {
        let arrival = sim.arrive(address);
        assert_eq!(sim.refusal(arrival), "none");
    }
    let beyond = sim.arrive("192.0.2.4:1");
    assert_eq!(sim.refusal(beyond), "503");
}

/// One program can give the address that it got when it accepted.
#[test]
fn given_address_counts_in_place_of_the_sockets() {
    let mut sim = Sim::new(Cluster::new(2).max_connections_per_address(1));
    let peer = Some("192.0.2.7:1".parse().unwrap());
    let ends: Vec<_> = (0..2)
        .map(|_| {
            let (transport, end) = Transport::memory(); // without an address of its own
            sim.handle.adopt(transport, peer, sim.listener).unwrap();
            sim.settle();
            end
        })
        .collect();
    let stats: Stats = sim.stats().into_iter().sum();
    assert_eq!((stats.connections, stats.turned_away), (1, 1));
    drop(ends);
}

#[test]
fn clients_behind_a_proxy_count_over_all_reactors() {
    let cluster = Cluster::new(2).max_connections_per_address(1);
    let mut sim = Sim::with(cluster, "127.0.0.1:0", |server| {
        server.trusted_proxies(["10.0.0.0/8"], TrustedHeader::XForwardedFor).unwrap();
    });
    let request = |path: &str| Request::get(path).header("X-Forwarded-For", "192.0.2.1");
    let (one, two) = (sim.arrive("10.0.0.1:1"), sim.arrive("10.0.0.1:2"));
    assert_ne!(one.0, two.0);
    sim.worlds[one.0].upgrade(one.1, request("/"));
    sim.worlds[two.0].request(two.1, request("/later"));
    assert_eq!(sim.worlds[two.0].answer(two.1).status, 429);
    sim.end(one);
    sim.worlds[two.0].request(two.1, request("/later"));
    assert!(sim.worlds[two.0].try_answer(two.1).is_none(), "it waits for its answer");
    let three = sim.arrive("10.0.0.1:3");
    sim.worlds[three.0].request(three.1, request("/later"));
    assert_eq!(sim.worlds[three.0].answer(three.1).status, 429);
}

#[test]
fn handed_over_connection_meets_the_listeners_proxy_header() {
    let listener = Listener::from("127.0.0.1:0").proxy_protocol(["192.0.2.1"]);
    let mut sim = Sim::at(Cluster::new(2), listener);
    let stranger = sim.offer("192.0.2.66:1").unwrap();
    sim.settle();
    assert!(stranger.is_gone());
    let stats: Stats = sim.stats().into_iter().sum();
    assert_eq!((stats.rejected, stats.accepted), (1, 0));
    // Both are equally loaded again.
    let (one, two) = (sim.arrive("192.0.2.1:1"), sim.arrive("192.0.2.1:2"));
    assert_ne!(one.0, two.0);
    let head = "PROXY TCP4 198.51.100.7 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    sim.worlds[one.0].write(one.1, head);
    assert!(sim.worlds[one.0].read(one.1).ends_with(b"hello"));
}

#[test]
fn drain_admits_what_was_handed_over_and_ends_it_after_a_second() {
    let mut sim = Sim::new(Cluster::new(2).max_connections(10).max_connections_per_address(10));
    let waiting: Vec<_> = (0..6).map(|_| sim.offer("192.0.2.1:1").unwrap()).collect();
    sim.handle.drain(Drain::within(seconds(10))).unwrap();
    let late: Vec<_> = (0..4).map(|_| sim.offer("192.0.2.1:1").unwrap()).collect();
    sim.settle();
    // As at a listener, what waits is admitted, and its first request has a second to come.
    assert!(!waiting.iter().chain(&late).any(MemoryPeer::is_gone));
    sim.worlds.iter_mut().for_each(|world| world.advance(seconds(2)));
    sim.settle();
    assert!(waiting.iter().chain(&late).all(MemoryPeer::is_gone));
    assert_eq!(sim.connections(), [0, 0]);
    assert!(sim.worlds.iter().all(|world| world.server.is_drained()));
    let error = sim.offer("192.0.2.1:1").unwrap_err();
    assert!(error.is_closed());
    assert_eq!(error.to_string(), "the server is draining");
    sim.worlds.clear();
    let error = sim.offer("192.0.2.1:1").unwrap_err();
    assert!(error.is_closed());
    assert_eq!(error.to_string(), "the server is gone");
    assert!(sim.handle.drain(Drain::within(seconds(1))).is_ok(), "all have ended");
}

/// A reactor that drains has ever fewer connections, and must not attract all that arrive.
#[test]
fn connections_pass_a_reactor_that_drains() {
    let mut sim = Sim::new(Cluster::new(2));
    let held: Vec<_> = (0..10).map(|_| sim.arrive("192.0.2.1:1")).collect();
    let stays = sim.worlds[1].websocket("/");
    let drain = Drain { window: seconds(60), ..Drain::within(seconds(60)) };
    // One arrives in the very turn that begins the window, behind the calls that this turn runs.
    let (transport, mut last) = Transport::memory();
    last.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let (remote, listener) = (sim.handle.remote(1).unwrap(), sim.listener);
    let zone = Server::detached().zone("/", Room);
    let own = remote.clone();
    remote.call(zone, move |_, _| own.adopt(transport, None, listener).unwrap()).unwrap();
    remote.drain(drain).unwrap();
    sim.settle();
    assert!(last.receive().starts_with(b"HTTP/1.1 200 "));
    let peers: Vec<_> = (0..20).map(|_| sim.offer("192.0.2.1:1").unwrap()).collect();
    sim.settle();
    for peer in peers {
        assert!(!peer.is_gone());
        let client = sim.worlds[0].handed_over(peer);
        sim.worlds[0].request(client, "/");
        assert_eq!(sim.worlds[0].answer(client).text(), "hello");
    }
    assert_eq!(sim.connections()[0], 5 + 20);
    assert!(sim.worlds[1].is_open(stays) && held.len() == 10);
    // The one that drains says so to a program that chooses it.
    let (transport, _peer) = Transport::memory();
    let error = remote.adopt(transport, None, listener).unwrap_err();
    assert!(error.is_closed() && !error.is_full());
    assert_eq!(error.to_string(), "the server is draining");
}

#[test]
fn publish_reaches_the_subscribers_of_all_reactors_once() {
    let mut sim = Sim::new(Cluster::new(3));
    let clients: Vec<Client> = sim.worlds.iter_mut().map(|world| world.websocket("/")).collect();
    // To all others, and not to the publisher.
    sim.worlds[0].say(clients[0], "one");
    sim.settle();
    assert_eq!(sim.worlds[0].hear(clients[0]).len(), 0);
    for at in [1, 2] {
        assert_eq!(sim.worlds[at].hear(clients[at]), ["one"]);
    }
    // From outside of a turn, and binary.
    sim.worlds[2].context().publish("topic", Outgoing::binary(b"two"));
    sim.worlds[2].context().publish("other", "nobody subscribes");
    sim.settle();
    for (world, client) in sim.worlds.iter_mut().zip(&clients) {
        let heard = world.hear(*client);
        assert_eq!(heard.len(), 1, "{heard:?}");
        assert_eq!(heard[0], switchboard::testing::Received::Binary(b"two".to_vec()));
    }
    // By the handle.
    sim.handle.publish("topic", "three").unwrap();
    sim.settle();
    for (world, client) in sim.worlds.iter_mut().zip(&clients) {
        assert_eq!(world.hear(*client), ["three"]);
    }
}

#[test]
fn messages_of_one_publisher_keep_their_order() {
    let mut sim = Sim::new(Cluster::new(3));
    let listener = sim.worlds[2].websocket("/");
    for number in 0..1_000 {
        let text = number.to_string();
        sim.worlds[0].context().publish("topic", &*format!("a {text}"));
        sim.worlds[1].context().publish("topic", &*format!("b {text}"));
        if number % 7 == 0 {
            sim.worlds[number % 2].settle();
        }
        if number % 50 == 0 {
            sim.worlds[2].settle();
        }
    }
    sim.settle();
    let heard = sim.worlds[2].hear(listener);
    assert_eq!(heard.len(), 2_000);
    for publisher in ["a ", "b "] {
        let numbers = heard.iter().filter_map(|text| text.text().strip_prefix(publisher));
        let numbers: Vec<usize> = numbers.map(|number| number.parse().unwrap()).collect();
        assert_eq!(numbers, Vec::from_iter(0..1_000));
    }
}

#[test]
fn full_mail_is_counted_and_later_messages_pass() {
    let mut sim = Sim::new(Cluster::new(2));
    let listener = sim.worlds[1].websocket("/");
    let big = vec![b'x'; 1 << 20];
    for _ in 0..20 {
        sim.worlds[0].context().publish("topic", &big[..]);
        sim.worlds[0].turn();
    }
    let [stats, other] = &sim.stats()[..] else { panic!("two") };
    assert_eq!((stats.not_passed_on, other.not_passed_on), (5, 0), "16 MiB hold 15 messages");
    let error = sim.handle.publish("topic", &big[..]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    assert!(error.to_string().starts_with("the queues of 1 of 2 reactors are full"), "{error}");
    sim.settle();
    sim.worlds[0].context().publish("topic", "small");
    sim.settle();
    let heard = sim.worlds[1].hear(listener);
    assert_eq!(heard.last().map(|last| last.text()), Some("small"));
}

/// What a turn publishes has the same bound, and is lost once for each other reactor.
#[test]
fn turn_that_publishes_beyond_the_bound_counts_what_is_lost() {
    let mut sim = Sim::new(Cluster::new(3));
    let big = vec![b'x'; 1 << 20];
    for _ in 0..20 {
        sim.worlds[0].context().publish("topic", &big[..]);
    }
    sim.worlds[0].turn();
    assert_eq!(sim.stats()[0].not_passed_on, 2 * 5, "16 MiB hold 15 messages");
}

#[test]
fn handle_collects_from_all_reactors() {
    let mut sim = Sim::new(Cluster::new(3));
    let clients: Vec<Client> = sim.worlds.iter_mut().map(|world| world.websocket("/")).collect();
    let (tell, told) = mpsc::channel();
    let ask = |sim: &Sim, tell: &mpsc::Sender<usize>| {
        let (tell, other) = (tell.clone(), tell.clone());
        sim.handle.subscribers("topic", move |count| tell.send(count).unwrap()).unwrap();
        sim.handle.stats(move |stats| other.send(100 + stats.websockets).unwrap()).unwrap();
    };
    ask(&sim, &tell);
    sim.worlds[0].settle();
    sim.worlds[1].settle();
    assert!(told.try_recv().is_err(), "one has not answered");
    sim.settle();
    assert_eq!(Vec::from_iter(told.try_iter()), [3, 103]);
    assert_eq!(sim.worlds[0].context().subscribers("topic"), 1);
    // A server that ends before it answers does not answer.
    ask(&sim, &tell);
    let _ = clients;
    drop(sim.worlds.pop());
    sim.settle();
    assert_eq!(Vec::from_iter(told.try_iter()), [2, 102]);
}

#[test]
fn server_joins_only_before_it_serves_and_while_a_place_is_free() {
    let mut cluster = Cluster::new(2);
    let mut server = Server::detached();
    let (transport, _peer) = Transport::memory();
    server.adopt(transport, Instant::now()).unwrap();
    let error = cluster.join(&mut server).unwrap_err();
    assert!(error.to_string().contains("before its first connection"), "{error}");
    let mut servers = [Server::detached(), Server::detached()];
    servers.iter_mut().for_each(|server| drop(cluster.join(server).unwrap()));
    let error = cluster.join(&mut Server::detached()).unwrap_err();
    assert!(error.to_string().contains("give Cluster::new a larger number"), "{error}");
    let error = cluster.listen("127.0.0.1:0").unwrap_err();
    assert!(error.to_string().contains("before its first reactor joins"), "{error}");
    let error = cluster.run(|_, _| Ok(())).unwrap_err();
    assert!(error.to_string().contains("a server has joined"), "{error}");
}

#[test]
fn servers_without_a_cluster_adopt_from_other_threads_too() {
    let mut reactor = switchboard::Reactor::new().unwrap();
    let count = Rc::new(Cell::new(0));
    let counter = Rc::clone(&count);
    reactor.server.max_connections_per_address(1);
    reactor.server.http("/", move |_, _| {
        counter.set(counter.get() + 1);
        "hello"
    });
    let listener = reactor.server.listen("127.0.0.1:0").unwrap();
    let remote = reactor.remote();
    let peers: Vec<MemoryPeer> = (0..2)
        .map(|_| {
            let (transport, mut peer) = Transport::memory();
            peer.set_address("192.0.2.1:1".parse().unwrap());
            peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            remote.adopt(transport, None, listener).unwrap();
            peer
        })
        .collect();
    reactor.turn(Some(seconds(0))).unwrap();
    let answers = peers.into_iter().map(|mut peer| {
        String::from_utf8(peer.receive()).unwrap().split(' ').nth(1).unwrap_or("none").to_owned()
    });
    let answers: Vec<String> = answers.collect();
    assert_eq!(answers[1], "429");
    // The first one is read from at once, or when its readiness is reported.
    assert!(["200", "none"].contains(&&*answers[0]), "{answers:?}");
    assert_eq!(reactor.server.context(Instant::now()).stats().accepted, 1);
}

#[test]
fn cluster_that_is_dropped_closes_the_queues_of_those_that_never_joined() {
    let mut cluster = Cluster::new(3).hand_over(true);
    let listener = cluster.listen("127.0.0.1:0").unwrap();
    let handle = cluster.handle();
    let mut first = Server::detached();
    cluster.join(&mut first).unwrap();
    drop(cluster);
    assert!(handle.remote(0).unwrap().adopt(Transport::memory().0, None, listener).is_ok());
    for never in [1, 2] {
        let error = handle.remote(never).unwrap().adopt(Transport::memory().0, None, listener);
        assert!(error.unwrap_err().is_closed());
    }
    let (tell, told) = mpsc::channel();
    handle.stats(move |sum| tell.send(sum.connections).unwrap()).unwrap();
    first.flush(Instant::now());
    assert_eq!(told.try_recv(), Ok(1));
}

#[test]
fn mail_that_came_before_the_waker_ends_the_wait() {
    use std::sync::Arc;
    use switchboard::mio::{Events, Poll, Token, Waker};

    let mut poll = Poll::new().unwrap();
    let mut cluster = Cluster::new(2);
    let mut server = Server::new(poll.registry()).unwrap();
    cluster.join(&mut server).unwrap();
    cluster.handle().publish("news", "rain").unwrap();
    let waker = Waker::new(poll.registry(), Token(1)).unwrap();
    let _remote = server.remote(Arc::new(waker));
    let mut events = Events::with_capacity(8);
    poll.poll(&mut events, Some(std::time::Duration::ZERO)).unwrap();
    assert_eq!(events.iter().map(|event| event.token()).collect::<Vec<_>>(), [Token(1)]);
}

#[test]
fn closure_of_the_counters_that_panics_is_caught() {
    let mut cluster = Cluster::new(1);
    let handle = cluster.handle();
    let mut server = Server::detached();
    cluster.join(&mut server).unwrap();
    server.catch_panics(true);
    handle.stats(|_sum| panic!("of the program")).unwrap();
    server.flush(Instant::now());
    assert!(!server.is_poisoned());
    assert_eq!(server.context(Instant::now()).stats().panics, 1);
}
