//! Where a client's request goes, in a world with scripted names: redirections, proxies, and the
//! credentials that each of them gets.

mod common;

use common::dialling::{answer_to, dialler, nothing_left};
use common::frames::plain;
use common::{Bytes, Client, Log, Recorder, World, millis, seconds};
use switchboard::{ConnId, Connect, ZoneId};

struct Road {
    world: World,
    zone: ZoneId<Recorder>,
    log: Log,
}

impl Road {
    /// A world in which every host of the tests has an address of its own.
    fn new() -> Road {
        let log = Log::new();
        let (mut world, zone) = dialler(&log);
        for (name, address) in
            [("a.example", "192.0.2.1"), ("b.example", "192.0.2.2"), ("proxy.example", "192.0.2.9")]
        {
            world.host(name, &[address]);
        }
        Road { world, zone, log }
    }

    fn connect(&mut self, connect: Connect) -> ConnId {
        self.world.context().connect(self.zone, connect)
    }

    /// The next connection, which goes to this address, and the request on it.
    #[track_caller]
    fn stop(&mut self, address: &str) -> (Client, String) {
        let dialled = self.world.dialled();
        let to: Vec<String> = dialled.iter().map(|(to, _)| to.to_string()).collect();
        assert_eq!(to, [address]);
        let client = dialled[0].1;
        self.world.establish(client);
        let request = String::from_utf8(self.world.receive(client)).expect("a head in ASCII");
        (client, request)
    }

    #[track_caller]
    fn redirect(&mut self, client: Client, status: u16, location: &str) {
        let answer = format!("HTTP/1.1 {status} Moved\r\nLocation: {location}\r\n\r\nunread");
        self.world.write(client, answer);
    }

    #[track_caller]
    fn open(&mut self, client: Client, request: &str) {
        self.world.write(client, answer_to(request));
        let heard = self.log.take();
        assert!(heard[0].starts_with("open /"), "{heard:?}");
    }
}

fn secrets(request: &str) -> Vec<&str> {
    let names = ["Authorization: ", "Cookie: ", "Proxy-Authorization: ", "X-Kept: "];
    request.lines().filter(|line| names.iter().any(|name| line.starts_with(name))).collect()
}

#[test]
fn redirection_is_followed_where_asked() {
    for status in [301, 302, 303, 307, 308] {
        let mut road = Road::new();
        road.connect(Connect::to("ws://a.example/old").follow_redirects(true));
        let (first, _) = road.stop("192.0.2.1:80");
        road.redirect(first, status, "//b.example:81/new?x=1");
        assert!(road.world.is_gone(first));
        let (second, request) = road.stop("192.0.2.2:81");
        assert!(request.starts_with("GET /new?x=1 HTTP/1.1\r\nHost: b.example:81\r\n"));
        road.open(second, &request);
        road.world.write(second, plain(0x81, "echo"));
        assert_eq!(road.log.take(), ["text echo"]);
    }
    for (status, follow) in [(300, true), (304, true), (302, false)] {
        let mut road = Road::new();
        road.connect(Connect::to("ws://a.example/").follow_redirects(follow));
        let (first, _) = road.stop("192.0.2.1:80");
        road.redirect(first, status, "/new");
        road.world.advance(millis(1_250));
        assert_eq!(road.log.take(), ["close 1006 \"a redirection\""], "{status}");
        assert!(road.world.dialled().is_empty());
    }
}

/// Each request has a nonce of its own, and bytes behind a redirection mean nothing.
#[test]
fn redirection_begins_anew() {
    let mut road = Road::new();
    road.connect(Connect::to("ws://a.example/").follow_redirects(true));
    let (first, request) = road.stop("192.0.2.1:80");
    let stray = answer_to(&request);
    let answer = format!("HTTP/1.1 307 Moved\r\nLocation: /next\r\n\r\n{stray}");
    for piece in answer.as_bytes().chunks(9) {
        if !road.world.is_gone(first) {
            road.world.write(first, piece);
        }
    }
    let (second, next) = road.stop("192.0.2.1:80");
    let key = |text: &str| {
        text.lines().find(|line| line.starts_with("Sec-WebSocket-Key")).map(str::to_owned)
    };
    assert_ne!(key(&request), key(&next));
    assert_eq!(road.log.take(), [""; 0]);
    road.open(second, &next);
}

#[test]
fn at_most_five_redirections_are_followed() {
    let mut road = Road::new();
    road.connect(Connect::to("ws://a.example/0").follow_redirects(true));
    for step in 0..5 {
        let (client, request) = road.stop("192.0.2.1:80");
        assert!(request.starts_with(&format!("GET /{step} ")), "{request}");
        road.redirect(client, 302, &format!("/{}", step + 1));
    }
    let (client, _) = road.stop("192.0.2.1:80");
    road.redirect(client, 302, "/6");
    road.world.advance(millis(1_250));
    assert_eq!(road.log.take(), ["close 1006 \"more than 5 redirections\""]);
    nothing_left(&mut road.world);
}

/// All redirections have the time of one attempt.
#[test]
fn redirections_share_the_deadline() {
    let mut road = Road::new();
    let connect = Connect::to("ws://a.example/").follow_redirects(true).timeout(seconds(3));
    road.connect(connect);
    for _ in 0..2 {
        let (client, _) = road.stop("192.0.2.1:80");
        road.world.advance(seconds(1));
        road.redirect(client, 302, "/again");
    }
    let (client, _) = road.stop("192.0.2.1:80");
    road.world.advance(millis(1_251));
    assert_eq!(road.log.take(), ["close 1006 \"not open in time\""]);
    assert!(road.world.is_gone(client));
    nothing_left(&mut road.world);
}

/// Credentials go to the same scheme, host and port, and do not come back.
#[test]
fn credentials_stay_where_they_belong() {
    let own = ["Authorization: Basic dTpw", "Cookie: user=7", "X-Kept: 1"];
    let rows: [(&str, &str, &[&str]); 5] = [
        ("/next", "192.0.2.1:80", &own),
        ("http://A.example:80/next", "192.0.2.1:80", &own),
        ("ws://a.example:81/next", "192.0.2.1:81", &own[2..]),
        ("//b.example/next", "192.0.2.2:80", &own[2..]),
        ("ws://192.0.2.1/next", "192.0.2.1:80", &own[2..]),
    ];
    for given in [false, true] {
        for (location, address, expected) in rows {
            let mut road = Road::new();
            let connect = match given {
                true => Connect::to("ws://a.example/").header("authorization", "Basic dTpw"),
                false => Connect::to("ws://u:p@a.example/"),
            };
            let connect = connect.header("Cookie", "user=7").header("X-Kept", "1");
            road.connect(connect.follow_redirects(true));
            let (first, request) = road.stop("192.0.2.1:80");
            let sorted = |text: &str| {
                let text = text.replace("authorization:", "Authorization:");
                let mut found: Vec<String> =
                    secrets(&text).into_iter().map(str::to_owned).collect();
                found.sort();
                found
            };
            assert_eq!(sorted(&request), own);
            road.redirect(first, 307, location);
            let (second, request) = road.stop(address);
            assert_eq!(sorted(&request), expected, "{location}");
            road.redirect(second, 307, "ws://a.example/back");
            let (_, request) = road.stop("192.0.2.1:80");
            assert_eq!(sorted(&request), expected, "{location} and back");
        }
    }
}

#[test]
fn redirection_that_is_not_followed_says_why() {
    let rows = [
        #[cfg(not(feature = "tls"))]
        ("wss://a.example/", "wss needs TLS: build switchboard with the feature `tls`"),
        #[cfg(feature = "tls")]
        ("wss://a..example/", "the URL has a host that no certificate can name"),
        ("ftp://a.example/", "a redirection to another scheme"),
        ("http:/b", "a redirection to a URL without a host"),
        ("ws://u:p@b.example/", "a redirection to a URL with a user"),
        ("ws://127.1/", "the URL has a malformed host or port"),
    ];
    for (location, reason) in rows {
        let mut road = Road::new();
        road.connect(Connect::to("ws://a.example/").follow_redirects(true));
        let (client, _) = road.stop("192.0.2.1:80");
        road.redirect(client, 302, location);
        road.world.advance(millis(1_250));
        assert_eq!(road.log.take(), [format!("close 1006 {reason:?}")], "{location}");
        nothing_left(&mut road.world);
    }
}

/// A header that the program adds itself takes precedence over the user of the URL.
#[test]
fn authorization_is_sent_once() {
    let mut road = Road::new();
    let connect = Connect::to("ws://u:p@a.example/").header("authorization", "Bearer t");
    road.connect(connect);
    let (_, request) = road.stop("192.0.2.1:80");
    assert!(request.contains("\r\nauthorization: Bearer t\r\n"), "{request}");
    assert!(!request.contains("Basic"), "{request}");
}

#[test]
fn secrets_show_in_no_debug_and_no_error() {
    let connect = Connect::to("ws://user:secret@a.example/")
        .header("Cookie", "secret")
        .proxy("http://user:secret@proxy.example");
    let shown = format!("{connect:?}{connect:#?}");
    let encoded = "dXNlcjpzZWNyZXQ";
    assert!(!shown.contains("secret") && !shown.contains(encoded), "{shown}");
    assert!(shown.contains("a.example") && shown.contains("Cookie"), "{shown}");
    for url in ["ws://user:secret%@a/", "ws://secret@a:x/", "xs://secret@a/", "ws://se cret@a/"] {
        let log = Log::new();
        let (mut world, zone) = dialler(&log);
        world.context().connect(zone, Connect::to(url).proxy("p://secret@a"));
        world.settle();
        let heard = log.take();
        assert!(heard.len() == 1 && !heard[0].contains("secret"), "{heard:?}");
    }
}

#[test]
fn proxy_is_dialled_in_place_of_the_server() {
    let mut road = Road::new();
    let connect = Connect::to("ws://nowhere.example:9001/chat")
        .proxy("http://u:p@proxy.example:3128")
        .header("Cookie", "user=7");
    road.connect(connect);
    let (client, request) = road.stop("192.0.2.9:3128");
    assert_eq!(
        request,
        "CONNECT nowhere.example:9001 HTTP/1.1\r\nHost: nowhere.example:9001\r\n\
         Proxy-Authorization: Basic dTpw\r\n\r\n"
    );
    // A proxy's length and interim answers mean nothing (RFC 9110 section 9.3.6).
    for byte in b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 Yes\r\nContent-Length: 9\r\n\r\n" {
        road.world.write(client, [*byte]);
    }
    let request = String::from_utf8(road.world.receive(client)).expect("a head in ASCII");
    assert!(request.starts_with("GET /chat HTTP/1.1\r\nHost: nowhere.example:9001\r\n"));
    assert_eq!(secrets(&request), ["Cookie: user=7"]);
    road.open(client, &request);
}

#[test]
fn proxy_that_opens_no_tunnel_ends_the_attempt() {
    for status in ["407 Proxy Authentication Required", "302 Found", "101 Switching", "502 Bad"] {
        let mut road = Road::new();
        let connect = Connect::to("ws://a.example/").proxy("proxy.example").follow_redirects(true);
        road.connect(connect);
        let (client, _) = road.stop("192.0.2.9:80");
        let answer = format!("HTTP/1.1 {status}\r\nLocation: /\r\nContent-Length: 2\r\n\r\nno");
        road.world.write(client, answer);
        assert_eq!(
            road.log.take(),
            ["close 1006 \"the proxy opens no tunnel to the server\""],
            "{status}"
        );
        nothing_left(&mut road.world);
    }
}

/// A redirection goes through the proxy again.
#[test]
fn proxy_stays_after_a_redirection() {
    let mut road = Road::new();
    let connect = Connect::to("ws://u:p@a.example/").proxy("proxy.example").follow_redirects(true);
    road.connect(connect);
    for host in ["a.example:80", "b.example:80"] {
        let (client, request) = road.stop("192.0.2.9:80");
        assert!(request.starts_with(&format!("CONNECT {host} HTTP/1.1\r\n")), "{request}");
        assert_eq!(secrets(&request), [""; 0], "the server's credentials are not the proxy's");
        road.world.write(client, "HTTP/1.1 200 Yes\r\n\r\n");
        let request = String::from_utf8(road.world.receive(client)).expect("a head in ASCII");
        if host.starts_with('b') {
            assert_eq!(secrets(&request), [""; 0]);
            return road.open(client, &request);
        }
        assert_eq!(secrets(&request), ["Authorization: Basic dTpw"]);
        road.redirect(client, 307, "//b.example/");
    }
}
