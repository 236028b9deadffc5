//! Request heads: what is refused and with which status, what is accepted and how it reads, wherever it is cut.

use switchboard::proto::http1::{
    BodyLength, HeadLimits, HeaderSlots, Request, RequestError, Scan, Version, scan,
};

/// A head that is good but for what a row puts into it.
macro_rules! lines {
    ($($line:literal)*) => { concat!("GET / HTTP/1.1\r\nHost: example.com\r\n", $($line, "\r\n",)* "\r\n").as_bytes() };
}
macro_rules! line {
    ($line:literal) => {
        concat!($line, "\r\nHost: example.com\r\n\r\n").as_bytes()
    };
}
macro_rules! get {
    ($target:literal) => {
        concat!("GET ", $target, " HTTP/1.1\r\nHost: example.com\r\n\r\n").as_bytes()
    };
}
macro_rules! host {
    ($host:literal) => {
        concat!("GET / HTTP/1.1\r\nHost: ", $host, "\r\n\r\n").as_bytes()
    };
}
macro_rules! post {
    ($($line:literal)*) => { concat!("POST / HTTP/1.1\r\nHost: example.com\r\n", $($line, "\r\n",)* "\r\n").as_bytes() };
}

use RequestError::*;

/// What it is, its bytes, the status and the fault.
const REFUSED: &[(&str, &[u8], u16, RequestError)] = &[
    // The shape of the head.
    ("bare LF after the request line", b"GET / HTTP/1.1\nHost: a\r\n\r\n", 400, BareLineFeed),
    ("bare LF after a header", b"GET / HTTP/1.1\r\nHost: a\n\r\n", 400, BareLineFeed),
    ("bare LF as the last line", b"GET / HTTP/1.1\r\nHost: a\r\n\n", 400, BareLineFeed),
    ("bare LF before the request line", b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, BareLineFeed),
    ("LF CR", b"GET / HTTP/1.1\n\rHost: a\r\n\r\n", 400, BareLineFeed),
    ("bare CR in a value", lines!("A: b\rc"), 400, BareCarriageReturn),
    ("CR CR LF", lines!("A: b\r"), 400, BareCarriageReturn),
    ("bare CR in a name", lines!("A\rB: c"), 400, BareCarriageReturn),
    ("bare CR in the target", b"GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", 400, BareCarriageReturn),
    (
        "bare CR before the request line",
        b"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        400,
        BareCarriageReturn,
    ),
    ("NUL in a value", lines!("A: b\0c"), 400, ControlCharacter),
    ("NUL in a name", lines!("A\0: b"), 400, ControlCharacter),
    ("NUL in the target", get!("/\0"), 400, ControlCharacter),
    ("escape character in a value", lines!("A: \x1b[0m"), 400, ControlCharacter),
    ("vertical tab in a value", lines!("A: \x0b"), 400, ControlCharacter),
    ("DEL in a value", lines!("A: \x7f"), 400, ControlCharacter),
    (
        "two empty lines first",
        b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        400,
        MissingRequestLine,
    ),
    // The request line.
    ("two spaces after the method", line!("GET  / HTTP/1.1"), 400, MalformedRequestLine),
    ("two spaces before the version", line!("GET /  HTTP/1.1"), 400, MalformedRequestLine),
    ("a space before the method", line!(" GET / HTTP/1.1"), 400, MalformedRequestLine),
    ("a space after the version", line!("GET / HTTP/1.1 "), 400, MalformedRequestLine),
    ("a tab for a space", line!("GET\t/ HTTP/1.1"), 400, MalformedRequestLine),
    ("a space in the target", line!("GET /a b HTTP/1.1"), 400, MalformedRequestLine),
    ("HTTP/0.9", line!("GET /"), 400, MalformedRequestLine),
    ("a method alone", line!("GET"), 400, MalformedRequestLine),
    ("a method that is no token", line!("G(T / HTTP/1.1"), 400, MalformedMethod),
    ("a method that is not ASCII", line!("GÉT / HTTP/1.1"), 400, MalformedMethod),
    (
        "a method of 33 bytes",
        line!("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1"),
        501,
        MethodNotImplemented,
    ),
    ("CONNECT", line!("CONNECT example.com:443 HTTP/1.1"), 501, MethodNotImplemented),
    ("CONNECT of a path", line!("CONNECT / HTTP/1.1"), 501, MethodNotImplemented),
    ("HTTP/2.0", line!("GET / HTTP/2.0"), 505, VersionNotSupported),
    ("HTTP/1.2", line!("GET / HTTP/1.2"), 505, VersionNotSupported),
    ("HTTP/0.9 by name", line!("GET / HTTP/0.9"), 505, VersionNotSupported),
    ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, VersionNotSupported),
    ("a version in lower case", line!("GET / http/1.1"), 400, MalformedVersion),
    ("a version with two digits", line!("GET / HTTP/1.10"), 400, MalformedVersion),
    ("a version of one number", line!("GET / HTTP/1"), 400, MalformedVersion),
    ("a version without a dot", line!("GET / HTTP/111"), 400, MalformedVersion),
    ("another protocol", line!("GET / HTTQ/1.1"), 400, MalformedVersion),
    // Header lines.
    ("a space before the colon", lines!("A : b"), 400, MalformedHeaderName),
    ("a tab before the colon", lines!("A\t: b"), 400, MalformedHeaderName),
    (
        "a space before Content-Length's colon",
        post!("Content-Length : 5"),
        400,
        MalformedHeaderName,
    ),
    ("a space in a name", lines!("A B: c"), 400, MalformedHeaderName),
    ("an empty name", lines!(": b"), 400, MalformedHeaderName),
    ("no colon", lines!("A"), 400, MalformedHeaderName),
    ("a name that is no token", lines!("A(: b"), 400, MalformedHeaderName),
    ("a name that is not ASCII", lines!("É: b"), 400, MalformedHeaderName),
    ("a folded line", lines!("A: b" " c"), 400, FoldedHeader),
    ("a line folded with a tab", lines!("A: b" "\tc"), 400, FoldedHeader),
    ("a folded Transfer-Encoding", post!("Transfer-Encoding:" " chunked"), 400, FoldedHeader),
    ("a space before the first header", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, FoldedHeader),
    ("a line of white space", b"GET / HTTP/1.1\r\nHost: a\r\n \r\n\r\n", 400, FoldedHeader),
    // Host.
    ("no Host", b"GET / HTTP/1.1\r\n\r\n", 400, MissingHost),
    ("two Hosts", lines!("Host: example.com"), 400, DoubledHost),
    ("two Hosts in HTTP/1.0", b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400, DoubledHost),
    ("an empty Host", host!(""), 400, MalformedHost),
    ("a malformed Host in HTTP/1.0", b"GET / HTTP/1.0\r\nHost: a/b\r\n\r\n", 400, MalformedHost),
    ("a Host with user information", host!("user@example.com"), 400, MalformedHost),
    ("a Host with a path", host!("example.com/"), 400, MalformedHost),
    ("a Host with a query", host!("example.com?"), 400, MalformedHost),
    ("a Host with a fragment", host!("example.com#"), 400, MalformedHost),
    ("a Host with a backslash", host!("example.com\\"), 400, MalformedHost),
    ("a list of Hosts", host!("a, b"), 400, MalformedHost),
    ("a list of Hosts without a space", host!("a,b"), 400, MalformedHost),
    ("a Host with a space", host!("a b"), 400, MalformedHost),
    ("a Host with a scheme", host!("http://a"), 400, MalformedHost),
    ("an encoded Host", host!("a%2eb"), 400, MalformedHost),
    ("a Host that is not ASCII", host!("é.example"), 400, MalformedHost),
    ("a port alone", host!(":80"), 400, MalformedHost),
    ("a port of letters", host!("a:b"), 400, MalformedHost),
    ("a port with a sign", host!("a:+80"), 400, MalformedHost),
    ("a port beyond 65535", host!("a:65536"), 400, MalformedHost),
    ("a port of six digits", host!("a:000080"), 400, MalformedHost),
    ("two ports", host!("a:80:80"), 400, MalformedHost),
    ("an IPv6 address without brackets", host!("::1"), 400, MalformedHost),
    ("an IPv6 literal without its end", host!("[::1"), 400, MalformedHost),
    ("an IPv6 literal without its beginning", host!("::1]"), 400, MalformedHost),
    ("an IPv6 literal that is none", host!("[::g]"), 400, MalformedHost),
    ("an empty IPv6 literal", host!("[]"), 400, MalformedHost),
    ("an IPv6 literal with a zone", host!("[fe80::1%eth0]"), 400, MalformedHost),
    ("an IPv6 literal with a bad port", host!("[::1]80"), 400, MalformedHost),
    ("an IPv4 address in brackets", host!("[127.0.0.1]"), 400, MalformedHost),
    // Targets.
    ("a target that is not ASCII", get!("/é"), 400, TargetCharacter),
    ("a target that is not UTF-8", b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400, TargetCharacter),
    ("a quotation mark", get!("/\""), 400, TargetCharacter),
    ("an angle bracket in the query", get!("/?<script>"), 400, TargetCharacter),
    ("a fragment", get!("/a#b"), 400, TargetFragment),
    ("a fragment in the query", get!("/a?b#c"), 400, TargetFragment),
    ("a lone %", get!("/%"), 400, TargetEscape),
    ("an escape of one digit", get!("/%4"), 400, TargetEscape),
    ("an escape that is not hexadecimal", get!("/%zz"), 400, TargetEscape),
    ("an escape with a sign", get!("/%+1"), 400, TargetEscape),
    ("a bad escape in the query", get!("/?a=%4x"), 400, TargetEscape),
    ("%00", get!("/%00"), 400, TargetControl),
    ("%0a", get!("/%0a"), 400, TargetControl),
    ("%7F", get!("/%7F"), 400, TargetControl),
    ("%2F", get!("/a%2Fb"), 400, TargetSeparator),
    ("%2f", get!("/..%2f"), 400, TargetSeparator),
    ("%5C", get!("/a%5Cb"), 400, TargetSeparator),
    ("a backslash", get!("/a\\b"), 400, TargetSeparator),
    ("a path that is not UTF-8", get!("/%ff"), 400, TargetNotUtf8),
    ("an overlong slash", get!("/%c0%af"), 400, TargetNotUtf8),
    ("an overlong NUL", get!("/%c0%80"), 400, TargetNotUtf8),
    ("a surrogate", get!("/%ed%a0%80"), 400, TargetNotUtf8),
    ("a sequence across a slash", get!("/%c3/%a9"), 400, TargetNotUtf8),
    (".. above the root", get!("/.."), 400, TargetAboveRoot),
    (".. above the root after a segment", get!("/a/../../b"), 400, TargetAboveRoot),
    ("an encoded .. above the root", get!("/%2e%2E/etc/passwd"), 400, TargetAboveRoot),
    (".. after empty segments", get!("//../a"), 400, TargetAboveRoot),
    ("a path without its slash", get!("a"), 400, MalformedTarget),
    ("an authority", get!("example.com:80"), 400, MalformedTarget),
    ("a scheme without //", get!("http:/a"), 400, MalformedTarget),
    ("a script for a target", get!("javascript:alert(1)"), 400, MalformedTarget),
    ("* with GET", get!("*"), 400, TargetAsterisk),
    ("** with OPTIONS", line!("OPTIONS ** HTTP/1.1"), 400, MalformedTarget),
    ("an unknown scheme", get!("ftp://example.com/"), 400, TargetScheme),
    ("an empty scheme", get!("://example.com/"), 400, TargetScheme),
    ("an absolute target without an authority", get!("http:///a"), 400, TargetAuthority),
    (
        "an absolute target with user information",
        get!("http://user@example.com/"),
        400,
        TargetAuthority,
    ),
    ("an absolute target with a bad port", get!("http://example.com:x/"), 400, TargetAuthority),
    ("an absolute target without a Host", b"GET http://a/ HTTP/1.1\r\n\r\n", 400, MissingHost),
    (
        "an absolute target with a bad Host",
        b"GET http://a/ HTTP/1.1\r\nHost: a b\r\n\r\n",
        400,
        MalformedHost,
    ),
    // Lengths.
    ("two lengths", post!("Content-Length: 5" "Content-Length: 6"), 400, DoubledContentLength),
    (
        "two equal lengths",
        post!("Content-Length: 5" "Content-Length: 5"),
        400,
        DoubledContentLength,
    ),
    (
        "an empty length, then one",
        post!("Content-Length:" "Content-Length: 5"),
        400,
        MalformedContentLength,
    ),
    (
        "a length, then an empty one",
        post!("Content-Length: 5" "content-length:"),
        400,
        DoubledContentLength,
    ),
    ("a list of lengths", post!("Content-Length: 5, 5"), 400, MalformedContentLength),
    ("an empty length", post!("Content-Length:"), 400, MalformedContentLength),
    ("a length with a plus", post!("Content-Length: +5"), 400, MalformedContentLength),
    ("a negative length", post!("Content-Length: -5"), 400, MalformedContentLength),
    ("a length with a prefix", post!("Content-Length: 0x5"), 400, MalformedContentLength),
    ("a length with leading zeros", post!("Content-Length: 05"), 400, MalformedContentLength),
    ("a length of two zeros", post!("Content-Length: 00"), 400, MalformedContentLength),
    ("a length with a space", post!("Content-Length: 1 2"), 400, MalformedContentLength),
    ("a length with a tab", post!("Content-Length: 1\t2"), 400, MalformedContentLength),
    ("a length with a point", post!("Content-Length: 5.0"), 400, MalformedContentLength),
    ("a length in Arabic digits", post!("Content-Length: ٥"), 400, MalformedContentLength),
    (
        "a length of 2^64",
        post!("Content-Length: 18446744073709551616"),
        400,
        MalformedContentLength,
    ),
    (
        "a length of 21 digits",
        post!("Content-Length: 100000000000000000000"),
        400,
        MalformedContentLength,
    ),
    // Transfer codings.
    (
        "a length and chunked",
        post!("Content-Length: 5" "Transfer-Encoding: chunked"),
        400,
        LengthAndTransferEncoding,
    ),
    (
        "chunked and a length",
        post!("Transfer-Encoding: chunked" "Content-Length: 0"),
        400,
        LengthAndTransferEncoding,
    ),
    (
        "identity and a length",
        post!("Transfer-Encoding: identity" "Content-Length: 5"),
        400,
        LengthAndTransferEncoding,
    ),
    (
        "chunked in HTTP/1.0",
        b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
        TransferEncodingBeforeHttp11,
    ),
    ("chunked twice", post!("Transfer-Encoding: chunked, chunked"), 400, DoubledChunked),
    (
        "chunked in two lines",
        post!("Transfer-Encoding: chunked" "Transfer-Encoding: chunked"),
        400,
        DoubledChunked,
    ),
    ("an empty coding", post!("Transfer-Encoding:"), 400, MalformedTransferEncoding),
    (
        "chunked and an empty element",
        post!("Transfer-Encoding: chunked,"),
        400,
        MalformedTransferEncoding,
    ),
    (
        "chunked with a parameter",
        post!("Transfer-Encoding: chunked;a=b"),
        400,
        MalformedTransferEncoding,
    ),
    ("chunked in quotes", post!("Transfer-Encoding: \"chunked\""), 400, MalformedTransferEncoding),
    ("chunked and a word", post!("Transfer-Encoding: chunked foo"), 400, MalformedTransferEncoding),
    ("identity", post!("Transfer-Encoding: identity"), 501, UnknownTransferCoding),
    ("gzip, chunked", post!("Transfer-Encoding: gzip, chunked"), 501, UnknownTransferCoding),
    (
        "chunked, identity",
        post!("Transfer-Encoding: chunked, identity"),
        501,
        UnknownTransferCoding,
    ),
    (
        "a coding that is nearly chunked",
        post!("Transfer-Encoding: xchunked"),
        501,
        UnknownTransferCoding,
    ),
    (
        "chunked, then identity in a line of its own",
        post!("Transfer-Encoding: chunked" "Transfer-Encoding: identity"),
        501,
        UnknownTransferCoding,
    ),
    // Expectations.
    ("an unknown expectation", post!("Content-Length: 5" "Expect: 200-ok"), 417, ExpectationFailed),
    ("an empty expectation", post!("Content-Length: 5" "Expect:"), 417, ExpectationFailed),
    ("a list of expectations", post!("Expect: 100-continue, a=b"), 417, ExpectationFailed),
    (
        "an expectation twice",
        post!("Expect: 100-continue" "Expect: 100-continue"),
        417,
        ExpectationFailed,
    ),
];

/// What it is and its bytes; [`reading`] says what they mean.
const ACCEPTED: &[(&str, &[u8], &str)] = &[
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

fn judge(input: &[u8]) -> Result<String, RequestError> {
    judge_within(input, &HeadLimits::default())
}

fn judge_within(input: &[u8], limits: &HeadLimits) -> Result<String, RequestError> {
    match scan(input, 0, limits) {
        Scan::Complete(len) => {
            let mut slots = HeaderSlots::new();
            Request::parse(&input[..len], &mut slots, limits).map(|request| reading(&request))
        }
        Scan::Partial(_) => panic!("{} is not a whole head", input.escape_ascii()),
        Scan::Refused(refusal) => Err(refusal),
    }
}

/// All that decides how a request is routed and framed, in one line.
fn reading(request: &Request<'_>) -> String {
    let mut words = vec![request.method().to_string(), request.path().to_string()];
    words.extend(request.query().map(|query| format!("query={query}")));
    words.push(format!("host={}", request.host()));
    words.extend((request.version() == Version::Http10).then(|| "1.0".into()));
    words.extend(request.keep_alive().then(|| "keep".into()));
    words.extend(match request.body_length() {
        BodyLength::None => None,
        BodyLength::Known(len) => Some(format!("len={len}")),
        BodyLength::Chunked => Some("chunked".into()),
    });
    words.extend(request.expects_continue().then(|| "expects".into()));
    words.extend(request.is_websocket().then(|| "websocket".into()));
    words.join(" ")
}

/// The same verdict in two pieces, cut anywhere, and byte by byte.
fn assert_scans_alike(name: &str, input: &[u8], limits: &HeadLimits) {
    let whole = scan(input, 0, limits);
    for cut in 0..=input.len() {
        let verdict = match scan(&input[..cut], 0, limits) {
            Scan::Partial(resume) => scan(input, resume, limits),
            verdict => verdict,
        };
        assert_eq!(verdict, whole, "{name}, cut at {cut}");
    }
    let mut verdict = Scan::Partial(0);
    for len in 0..=input.len() {
        let Scan::Partial(resume) = verdict else { break };
        assert!(resume <= len);
        verdict = scan(&input[..len], resume, limits);
    }
    assert_eq!(verdict, whole, "{name}, byte by byte");
}

#[test]
fn parser_refuses_every_malformed_head() {
    for (name, input, status, refusal) in REFUSED {
        assert_eq!(judge(input), Err(*refusal), "{name}");
        assert_eq!(refusal.status().as_u16(), *status, "{name}");
    }
}

#[test]
fn parser_reads_every_accepted_head_one_way() {
    for (name, input, expected) in ACCEPTED {
        assert_eq!(judge(input).as_deref(), Ok(*expected), "{name}");
    }
}

#[test]
fn scanner_gives_one_verdict_at_every_split() {
    let limits = HeadLimits::default();
    for (name, input, ..) in REFUSED {
        assert_scans_alike(name, input, &limits);
    }
    for (name, input, _) in ACCEPTED {
        assert_scans_alike(name, input, &limits);
        let followed = [input, &b"\0\n what follows is not looked at"[..]].concat();
        assert_eq!(scan(&followed, 0, &limits), Scan::Complete(input.len()), "{name}");
    }
}

#[test]
fn parser_needs_no_scanner() {
    let limits = HeadLimits::default();
    for (name, input, ..) in REFUSED {
        assert!(Request::parse(input, &mut HeaderSlots::new(), &limits).is_err(), "{name}");
    }
    for (name, input, expected) in ACCEPTED {
        let followed = [input, &b"\0\n what follows is not looked at"[..]].concat();
        let mut slots = HeaderSlots::new();
        let request = Request::parse(&followed, &mut slots, &limits);
        assert_eq!(request.as_ref().map(reading).as_deref(), Ok(*expected), "{name}");
        assert_eq!(request.map(|request| request.head()), Ok(*input), "{name}");
        for cut in 0..input.len() {
            assert!(
                Request::parse(&input[..cut], &mut HeaderSlots::new(), &limits).is_err(),
                "{name}, cut at {cut}"
            );
        }
    }
}
