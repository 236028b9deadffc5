//! Heads that are accepted, with their one reading.

/// A name, the bytes of the head, and its reading.
pub const ACCEPTED: &[(&str, &[u8], &str)] = &[
    ("the plainest", get!("/"), "GET / host=example.com keep"),
    ("one CRLF first", b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / host=a keep"),
    ("an unknown method", line!("BREW /pot HTTP/1.1"), "BREW /pot host=example.com keep"),
    (
        "a method of 32 bytes",
        line!("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / HTTP/1.1"),
        "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / host=example.com keep",
    ),
    ("no white space after a colon", b"GET / HTTP/1.1\r\nHost:a\r\n\r\n", "GET / host=a keep"),
    (
        "white space around a value",
        b"GET / HTTP/1.1\r\nHost: \t a \t \r\n\r\n",
        "GET / host=a keep",
    ),
    ("a tab inside a value", lines!("A: b\tc"), "GET / host=example.com keep"),
    ("an empty value", lines!("A:"), "GET / host=example.com keep"),
    ("a value in Latin-1", b"GET / HTTP/1.1\r\nHost: a\r\nA: \xe9\r\n\r\n", "GET / host=a keep"),
    // HTTP/1.0.
    ("HTTP/1.0 without a Host", b"GET / HTTP/1.0\r\n\r\n", "GET / host= 1.0"),
    (
        "HTTP/1.0 keep-alive",
        b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
        "GET / host= 1.0 keep",
    ),
    (
        "HTTP/1.0 in two minds",
        b"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
        "GET / host= 1.0",
    ),
    (
        "HTTP/1.0 expects in vain",
        b"POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: magic\r\n\r\n",
        "POST / host= 1.0 len=1",
    ),
    // Connection.
    ("close", lines!("Connection: close"), "GET / host=example.com"),
    ("close among others", lines!("Connection: a, CLOSE ,b"), "GET / host=example.com"),
    (
        "close in a second line",
        lines!("Connection: keep-alive" "Connection: close"),
        "GET / host=example.com",
    ),
    ("an option that is nearly close", lines!("Connection: closed"), "GET / host=example.com keep"),
    // Hosts.
    ("a port", host!("localhost:65535"), "GET / host=localhost:65535 keep"),
    ("an empty port", host!("localhost:"), "GET / host=localhost: keep"),
    ("an IPv4 address", host!("127.0.0.1:80"), "GET / host=127.0.0.1:80 keep"),
    ("an IPv6 literal", host!("[::1]"), "GET / host=[::1] keep"),
    (
        "an IPv6 literal with a port",
        host!("[2001:DB8::127.0.0.1]:8080"),
        "GET / host=[2001:DB8::127.0.0.1]:8080 keep",
    ),
    ("an underscore", host!("my_host-1.example.com."), "GET / host=my_host-1.example.com. keep"),
    // Targets.
    ("a query", get!("/a?b=c&d?e/f"), "GET /a query=b=c&d?e/f host=example.com keep"),
    ("an empty query", get!("/a?"), "GET /a query= host=example.com keep"),
    (
        "controls encoded in the query",
        get!("/?a=%0A%00"),
        "GET / query=a=%0A%00 host=example.com keep",
    ),
    (
        "a slash encoded in the query",
        get!("/?a=%2F\\"),
        "GET / query=a=%2F\\ host=example.com keep",
    ),
    ("a % in the query", get!("/?q=100%"), "GET / query=q=100% host=example.com keep"),
    ("a bad escape in the query", get!("/?a=%4x"), "GET / query=a=%4x host=example.com keep"),
    ("an escape of Unicode", get!("/?q=%u00e9"), "GET / query=q=%u00e9 host=example.com keep"),
    ("quotation marks in the query", get!("/?\"<>"), "GET / query=\"<> host=example.com keep"),
    ("a query that is not ASCII", get!("/?é=日"), "GET / query=é=日 host=example.com keep"),
    ("an encoded letter", get!("/%61%C3%A9"), "GET /aé host=example.com keep"),
    ("an encoded space and question mark", get!("/a%20b%3Fc"), "GET /a b?c host=example.com keep"),
    ("an escape decoded once", get!("/%2561"), "GET /%61 host=example.com keep"),
    ("dots", get!("/a/./b/../c"), "GET /a/c host=example.com keep"),
    ("encoded dots", get!("/a/%2e/b/.%2E/c"), "GET /a/c host=example.com keep"),
    ("dots last", get!("/a/b/.."), "GET /a/ host=example.com keep"),
    ("a dot last", get!("/a/."), "GET /a/ host=example.com keep"),
    ("back to the root", get!("/a/.."), "GET / host=example.com keep"),
    ("empty segments", get!("//a///b//"), "GET /a/b/ host=example.com keep"),
    (
        "a name that begins with a dot",
        get!("/.well-known/..a/..."),
        "GET /.well-known/..a/... host=example.com keep",
    ),
    ("a plus in the path", get!("/a+b"), "GET /a+b host=example.com keep"),
    ("OPTIONS *", line!("OPTIONS * HTTP/1.1"), "OPTIONS * host=example.com keep"),
    (
        "OPTIONS of an absolute target without a path",
        line!("OPTIONS http://a HTTP/1.1"),
        "OPTIONS * host=a keep",
    ),
    (
        "OPTIONS of an absolute target with a path",
        line!("OPTIONS http://a/ HTTP/1.1"),
        "OPTIONS / host=a keep",
    ),
    (
        "OPTIONS of an absolute target with a query",
        line!("OPTIONS http://a?b HTTP/1.1"),
        "OPTIONS / query=b host=a keep",
    ),
    (
        "an absolute target",
        get!("http://other.example:81/a?b"),
        "GET /a query=b host=other.example:81 keep",
    ),
    ("an absolute target in capitals", get!("HTTPS://A"), "GET / host=A keep"),
    ("an absolute target with a query only", get!("ws://a?b"), "GET / query=b host=a keep"),
    (
        "an absolute target with an IPv6 literal",
        get!("wss://[::1]:8/x"),
        "GET /x host=[::1]:8 keep",
    ),
    // Bodies.
    ("a length", post!("Content-Length: 5"), "POST / host=example.com keep len=5"),
    ("a length of 0", post!("Content-Length: 0"), "POST / host=example.com keep len=0"),
    (
        "a length of 2^64 - 1",
        post!("Content-Length: 18446744073709551615"),
        "POST / host=example.com keep len=18446744073709551615",
    ),
    ("chunked", post!("Transfer-Encoding: chunked"), "POST / host=example.com keep chunked"),
    (
        "chunked in capitals",
        post!("TRANSFER-ENCODING: \tChunked "),
        "POST / host=example.com keep chunked",
    ),
    (
        "chunked among empty elements",
        post!("Transfer-Encoding: ,\t, chunked ,"),
        "POST / host=example.com keep chunked",
    ),
    (
        "chunked after an empty line",
        post!("Transfer-Encoding:" "Transfer-Encoding: chunked"),
        "POST / host=example.com keep chunked",
    ),
    (
        "an empty expectation",
        post!("Content-Length: 5" "Expect:"),
        "POST / host=example.com keep len=5",
    ),
    (
        "an expectation among empty elements",
        post!("Content-Length: 5" "Expect: ,100-continue, " "Expect: ,"),
        "POST / host=example.com keep len=5 expects",
    ),
    (
        "100-continue",
        post!("Content-Length: 5" "Expect: 100-Continue"),
        "POST / host=example.com keep len=5 expects",
    ),
    ("100-continue without a body", lines!("Expect: 100-continue"), "GET / host=example.com keep"),
    (
        "100-continue for no bytes",
        post!("Content-Length: 0" "Expect: 100-continue"),
        "POST / host=example.com keep len=0",
    ),
    // WebSocket.
    ("a WebSocket", lines!("Upgrade: WebSocket"), "GET / host=example.com keep websocket"),
    (
        "a WebSocket among others",
        lines!("Upgrade: h2c, websocket"),
        "GET / host=example.com keep websocket",
    ),
    ("a key alone", lines!("Sec-WebSocket-Key: x"), "GET / host=example.com keep websocket"),
    (
        "a version alone",
        lines!("sec-websocket-version: 13"),
        "GET / host=example.com keep websocket",
    ),
    ("another upgrade", lines!("Upgrade: websockets, h2c"), "GET / host=example.com keep"),
];
