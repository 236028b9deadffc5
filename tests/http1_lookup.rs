//! Lookups in a request: headers, query, cookies, path and extensions.

use switchboard::proto::http1::{HeadLimits, HeaderSlots, Request};

macro_rules! lines {
    ($($line:literal)*) => {
        concat!("GET / HTTP/1.1\r\nHost: example.com\r\n", $($line, "\r\n",)* "\r\n").as_bytes()
    };
}
macro_rules! get {
    ($target:literal) => {
        concat!("GET ", $target, " HTTP/1.1\r\nHost: example.com\r\n\r\n").as_bytes()
    };
}
macro_rules! post {
    ($($line:literal)*) => {
        concat!("POST / HTTP/1.1\r\nHost: example.com\r\n", $($line, "\r\n",)* "\r\n").as_bytes()
    };
}

fn with_request(head: &[u8], look: impl FnOnce(Request<'_>)) {
    let mut slots = HeaderSlots::new();
    look(Request::parse(head, &mut slots, &HeadLimits::default()).unwrap());
}

#[test]
fn request_finds_headers_in_any_case() {
    let head = lines!(
        "X-A: 1" "Origin: http://a" "x-a: 2" "ORIGIN: http://b" "X-B: \u{e9}" "Upgrade: h2c"
    );
    with_request(head, |request| {
        assert_eq!(request.header("x-A"), Some("1"));
        assert_eq!(request.header_values("X-a").collect::<Vec<_>>(), [b"1", b"2"]);
        // Known names, whose values are noted: on one line, on several, and absent.
        assert_eq!(request.header("origin"), Some("http://a"));
        assert_eq!(request.header_values("Origin").collect::<Vec<_>>(), [b"http://a", b"http://b"]);
        assert_eq!(request.header("UPGRADE"), Some("h2c"));
        assert_eq!(request.header_values("upgrade").count(), 1);
        assert_eq!(request.header("sec-websocket-key"), None);
        assert_eq!(request.header_values("sec-websocket-key").count(), 0);
        assert_eq!(request.header_bytes("x-b"), Some("é".as_bytes()));
        assert_eq!(request.headers().count(), 7);
        assert_eq!(request.headers().next(), Some(("Host", &b"example.com"[..])));
        assert_eq!(request.header(""), None);
        // Folding the case must not turn another name into a known one.
        assert_eq!(request.header("\u{f}rigin"), None);
        assert_eq!(request.header("hos\u{54}"), Some("example.com"));
    });
    with_request(lines!("Content-Length: 0"), |request| {
        assert_eq!(request.header("content-length"), Some("0"));
        assert_eq!(request.header("content\rlength"), None);
        assert_eq!(request.header_values("content\rlength").count(), 0);
    });
    with_request(b"GET / HTTP/1.1\r\nHost: a\r\nA: \xe9\r\n\r\n", |request| {
        assert_eq!(request.header("a"), None);
        assert_eq!(request.header_bytes("a"), Some(&b"\xe9"[..]));
    });
}

#[test]
fn request_finds_every_known_header_wherever_it_stands() {
    let known = [
        "cookie",
        "origin",
        "upgrade",
        "connection",
        "content-length",
        "sec-websocket-key",
        "sec-websocket-origin",
        "sec-websocket-version",
        "sec-websocket-protocol",
        "sec-websocket-extensions",
    ];
    for (place, name) in known.iter().enumerate() {
        let fill = "X: y\r\n".repeat(place * 7);
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{fill}{}: 7\r\n\r\n", name.to_uppercase());
        with_request(head.as_bytes(), |request| {
            assert_eq!(request.header(name), Some("7"), "{name}");
            assert_eq!(request.header_values(name).count(), 1, "{name}");
        });
    }
}

#[test]
fn request_takes_queries_apart() {
    with_request(get!("/?a=1&b=x+y%2Bz&&c&=d&e=f=g&a=2&%C3%A9=%ff"), |request| {
        let pairs: Vec<(String, String)> = request
            .query_pairs()
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        let expected = [
            ("a", "1"),
            ("b", "x y+z"),
            ("c", ""),
            ("", "d"),
            ("e", "f=g"),
            ("a", "2"),
            ("é", "\u{FFFD}"),
        ];
        let expected: Vec<(String, String)> =
            expected.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
        assert_eq!(pairs, expected);
        assert_eq!(request.query_value("a").as_deref(), Some("1"));
        assert_eq!(request.query_value("c").as_deref(), Some(""));
        assert_eq!(request.query_value("z"), None);
    });
    with_request(get!("/"), |request| assert_eq!(request.query_pairs().count(), 0));
}

#[test]
fn request_finds_cookies() {
    let head = lines!("Cookie: a=1; ab=2;c=\"3\" ; d=; e" "Cookie: a=9; f=x=y");
    with_request(head, |request| {
        for (name, value) in [("a", "1"), ("ab", "2"), ("c", "3"), ("d", ""), ("f", "x=y")] {
            assert_eq!(request.cookie(name), Some(value), "{name}");
        }
        for name in ["b", "e", "A", ""] {
            assert_eq!(request.cookie(name), None, "{name}");
        }
    });
}

#[test]
fn request_borrows_a_path_that_needs_no_change() {
    let head = get!("/.well-known/a.b/~c?d");
    let within = |part: &str| head.as_ptr_range().contains(&part.as_ptr());
    with_request(head, |request| {
        assert!(within(request.path()) && within(request.target()) && within(request.host()));
        assert_eq!(request.target(), "/.well-known/a.b/~c?d");
        assert_eq!(request.head(), head);
    });
}

#[test]
fn request_ends_at_the_end_of_its_head() {
    let input = [post!("Content-Length: 3"), b"abc"].concat();
    let expected = post!("Content-Length: 3");
    with_request(&input, |request| {
        assert_eq!(request.head(), expected);
        assert_eq!(request.content_length(), Some(3));
    });
}

#[test]
fn request_hands_extensions_on() {
    #[derive(Debug, PartialEq)]
    struct User(u32);
    let head = get!("/");
    let mut kept = None;
    with_request(head, |mut request| {
        assert!(request.extensions().is_empty());
        assert_eq!(request.extensions_mut().insert(User(1)), None);
        assert_eq!(request.extensions_mut().insert(User(2)), Some(User(1)));
        request.extensions_mut().insert("a note");
        kept = Some(request.into_extensions());
    });
    with_request(head, |request| {
        let mut request = request.with_extensions(kept.take().unwrap());
        assert_eq!(request.extensions().get(), Some(&User(2)));
        request.extensions_mut().get_mut::<User>().unwrap().0 = 3;
        assert_eq!(request.extensions_mut().remove(), Some(User(3)));
        assert_eq!(request.extensions().get::<User>(), None);
        assert_eq!(request.extensions_mut().remove(), Some("a note"));
        assert_eq!(request.extensions_mut().remove::<User>(), None);
        assert!(request.extensions().is_empty());
    });
}
