//! The opening handshake as tables: accepted requests, the error of each fault, the origins of
//! pages.

#[path = "common/processor_time.rs"]
mod processor_time;

use std::fmt::Write;

use processor_time::processor_time;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use sha1::{Digest, Sha1};
use switchboard::proto::http1::{HeadLimits, HeaderSlots, Request, RequestError};
use switchboard::proto::websocket::{
    AcceptKey, Key, Origins, check, check_origin, encode_response, subprotocols,
};

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &[u8; 28] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const GOOD: [&str; 5] = [
    "Host: example.com",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    KEY,
];

/// Parses a request of these lines and lends the request.
fn with_request<R>(request_line: &str, lines: &[&str], then: impl FnOnce(&Request<'_>) -> R) -> R {
    let mut head = format!("{request_line}\r\n");
    for line in lines {
        write!(head, "{line}\r\n").unwrap();
    }
    head.push_str("\r\n");
    let mut slots = HeaderSlots::new();
    let limits = HeadLimits { head: 1 << 20, ..HeadLimits::default() };
    then(
        &Request::parse(head.as_bytes(), &mut slots, &limits)
            .unwrap_or_else(|refusal| panic!("{refusal:?}: {head}")),
    )
}

/// The verdict on the good request without the lines that begin with `without`, with the lines of
/// `with`.
fn verdict(without: &str, with: &[&str], legacy_versions: bool) -> Result<AcceptKey, RequestError> {
    let kept = GOOD.into_iter().filter(|line| without.is_empty() || !line.starts_with(without));
    let lines: Vec<&str> = kept.chain(with.iter().copied()).collect();
    with_request("GET /chat HTTP/1.1", &lines, |request| check(request, legacy_versions))
}

#[test]
fn server_answers_the_key_of_the_rfc() {
    let accept = AcceptKey::from_key(b"dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!(accept.as_bytes(), ACCEPT);
    assert_eq!(verdict("", &[], false), Ok(accept));
    let mut out = Vec::new();
    encode_response(&mut out, &accept, None, b"");
    let expected = "HTTP/1.1 101 Switching Protocols\r\n\
                    Upgrade: websocket\r\nConnection: Upgrade\r\n\
                    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    assert_eq!(out, format!("{expected}\r\n").as_bytes());
    out.clear();
    encode_response(&mut out, &accept, Some("chat.v2"), b"X-Node: 7\r\nSet-Cookie: a=b\r\n");
    let more = "Sec-WebSocket-Protocol: chat.v2\r\nX-Node: 7\r\nSet-Cookie: a=b\r\n\r\n";
    assert_eq!(out, [expected, more].concat().as_bytes());
    out.clear();
    encode_response(&mut out, &accept, Some("a\r\nSet-Cookie: b"), b"");
    assert_eq!(
        out,
        format!("{expected}\r\n").as_bytes(),
        "a subprotocol is no way to write headers"
    );
}

/// Lines left out, lines put in, and the refusal if there is one.
type Row = (&'static str, &'static [&'static str], Option<RequestError>);

const ROWS: &[Row] = &[
    ("Upgrade", &["upgrade: WebSocket"], None),
    ("Upgrade", &["Upgrade: h2c, websocket"], None),
    ("Upgrade", &["Upgrade: h2c", "Upgrade: websocket"], None),
    ("Upgrade", &["Upgrade: ,websocket,"], None),
    ("Connection", &["Connection: keep-alive, Upgrade"], None),
    ("Connection", &["Connection: ,, Upgrade,"], None),
    ("Connection", &["Connection: keep-alive", "Connection: UPGRADE"], None),
    ("", &["Content-Length: 0"], None),
    ("Upgrade", &[], Some(RequestError::MissingUpgrade)),
    ("Upgrade", &["Upgrade: websocket2"], Some(RequestError::MissingUpgrade)),
    ("Upgrade", &["Upgrade: websocket/13"], Some(RequestError::MissingUpgrade)),
    ("Connection", &[], Some(RequestError::MissingConnectionUpgrade)),
    ("Connection", &["Connection: keep-alive"], Some(RequestError::MissingConnectionUpgrade)),
    ("Connection", &["Connection: not-upgrade"], Some(RequestError::MissingConnectionUpgrade)),
    ("Sec-WebSocket-Version", &[], Some(RequestError::MissingWebSocketVersion)),
    (
        "Sec-WebSocket-Version",
        &["Sec-WebSocket-Version:"],
        Some(RequestError::MissingWebSocketVersion),
    ),
    ("", &["Sec-WebSocket-Version: 13"], Some(RequestError::MissingWebSocketVersion)),
    (
        "Sec-WebSocket-Version",
        &["Sec-WebSocket-Version: 13, 8"],
        Some(RequestError::MissingWebSocketVersion),
    ),
    (
        "Sec-WebSocket-Version",
        &["Sec-WebSocket-Version: 12"],
        Some(RequestError::UnsupportedWebSocketVersion),
    ),
    (
        "Sec-WebSocket-Version",
        &["Sec-WebSocket-Version: 14"],
        Some(RequestError::UnsupportedWebSocketVersion),
    ),
    (
        "Sec-WebSocket-Version",
        &["Sec-WebSocket-Version: 013"],
        Some(RequestError::UnsupportedWebSocketVersion),
    ),
    (
        "Sec-WebSocket-Version",
        &["Sec-WebSocket-Version: +13"],
        Some(RequestError::UnsupportedWebSocketVersion),
    ),
    (
        "Sec-WebSocket-Version",
        &["Sec-WebSocket-Version: 8"],
        Some(RequestError::UnsupportedWebSocketVersion),
    ),
    ("Sec-WebSocket-Key", &[], Some(RequestError::MissingKey)),
    ("", &[KEY], Some(RequestError::DoubledKey)),
    ("Sec-WebSocket-Key", &["Sec-WebSocket-Key:"], Some(RequestError::MalformedKey)),
    // Bits beyond the last byte count for nothing, as in the example of section 4.1.
    ("Sec-WebSocket-Key", &["Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEC=="], None),
    ("Sec-WebSocket-Key", &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR=="], None),
    // 15 and 17 bytes, no padding, padding doubled, a foreign character, white space.
    (
        "Sec-WebSocket-Key",
        &["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA"],
        Some(RequestError::MalformedKey),
    ),
    (
        "Sec-WebSocket-Key",
        &["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA="],
        Some(RequestError::MalformedKey),
    ),
    (
        "Sec-WebSocket-Key",
        &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"],
        Some(RequestError::MalformedKey),
    ),
    (
        "Sec-WebSocket-Key",
        &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ===="],
        Some(RequestError::MalformedKey),
    ),
    (
        "Sec-WebSocket-Key",
        &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ-=="],
        Some(RequestError::MalformedKey),
    ),
    (
        "Sec-WebSocket-Key",
        &["Sec-WebSocket-Key: dGhlIHNhbXBs ZSBub25jZQ="],
        Some(RequestError::MalformedKey),
    ),
    (
        "Sec-WebSocket-Key",
        &["Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEC="],
        Some(RequestError::MalformedKey),
    ),
    (
        "Sec-WebSocket-Key",
        &["Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEBF="],
        Some(RequestError::MalformedKey),
    ),
    // Section 9.1: what does not follow the grammar fails the handshake.
    ("", &["Sec-WebSocket-Extensions: permessage-deflate"], None),
    ("", &["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"], None),
    ("", &["Sec-WebSocket-Extensions: a; b=\"c\", ,d;e = f"], None),
    ("", &["Sec-WebSocket-Extensions:"], None),
    ("", &["Sec-WebSocket-Extensions: a; ="], Some(RequestError::MalformedExtensions)),
    ("", &["Sec-WebSocket-Extensions: a; b c"], Some(RequestError::MalformedExtensions)),
    ("", &["Sec-WebSocket-Extensions: a;"], Some(RequestError::MalformedExtensions)),
    ("", &["Sec-WebSocket-Extensions: a; b=\"c"], Some(RequestError::MalformedExtensions)),
    (
        "",
        &["Sec-WebSocket-Extensions: permessage-deflate", "Sec-WebSocket-Extensions: a b"],
        Some(RequestError::MalformedExtensions),
    ),
    ("", &["Content-Length: 1"], Some(RequestError::UpgradeWithBody)),
    ("", &["Transfer-Encoding: chunked"], Some(RequestError::UpgradeWithBody)),
];

#[test]
fn server_judges_every_header_of_the_handshake() {
    for &(without, with, refusal) in ROWS {
        assert_eq!(
            verdict(without, with, false).err(),
            refusal,
            "without {without:?}, with {with:?}"
        );
    }
}

#[test]
fn server_takes_the_last_drafts_where_told() {
    for version in ["7", "8", "13"] {
        let line = format!("Sec-WebSocket-Version: {version}");
        assert!(verdict("Sec-WebSocket-Version", &[&line], true).is_ok(), "{version}");
        assert_eq!(verdict("Sec-WebSocket-Version", &[&line], false).is_ok(), version == "13");
    }
    let refused = verdict("Sec-WebSocket-Version", &["Sec-WebSocket-Version: 6"], true);
    assert_eq!(refused, Err(RequestError::UnsupportedWebSocketVersion));
}

#[test]
fn field_row_17_upgrades_that_the_rfc_forbids_are_refused() {
    for line in [
        "POST /chat HTTP/1.1",
        "HEAD /chat HTTP/1.1",
        "OPTIONS /chat HTTP/1.1",
        "get /chat HTTP/1.1",
    ] {
        let refused = with_request(line, &GOOD, |request| check(request, false));
        assert_eq!(refused, Err(RequestError::UpgradeMethod), "{line}");
    }
    let refused = with_request("GET /chat HTTP/1.0", &GOOD, |request| check(request, false));
    assert_eq!(refused, Err(RequestError::UpgradeVersion));
    for &(_, with, refusal) in ROWS {
        let Some(refusal) = refusal else { continue };
        let status = if refusal == RequestError::UnsupportedWebSocketVersion { 426 } else { 400 };
        assert_eq!(refusal.status().as_u16(), status, "{with:?}");
    }
}

fn origin_verdict(host: &str, origins: &Origins, lines: &[&str]) -> bool {
    let host = format!("Host: {host}");
    let lines: Vec<&str> = [host.as_str()].into_iter().chain(lines.iter().copied()).collect();
    let verdict = with_request("GET / HTTP/1.1", &lines, |request| check_origin(request, origins));
    assert!(verdict.is_ok() || verdict == Err(RequestError::OriginRefused));
    verdict.is_ok()
}

/// Host, origin, whether they are the same host.
const SAME_HOST: &[(&str, &str, bool)] = &[
    ("good.example", "https://good.example", true),
    ("good.example", "http://good.example", true),
    ("GOOD.example", "https://good.example", true),
    ("good.example", "HTTPS://Good.Example", true),
    ("good.example", "https://good.example:443", true),
    ("good.example:443", "https://good.example", true),
    ("good.example:", "https://good.example", true),
    ("good.example:8080", "http://good.example:8080", true),
    ("127.0.0.1:9001", "http://127.0.0.1:9001", true),
    ("[::1]:9001", "http://[::1]:9001", true),
    ("[::1]", "http://[::1]", true),
    ("good.example:70", "gopher://good.example:70", true),
    ("good.example", "https://evil", false),
    ("good.example", "https://good.example.evil", false),
    ("good.example", "https://evilgood.example", false),
    ("good.example", "https://evil/good.example", false),
    ("good.example", "https://evil#good.example", false),
    ("good.example", "https://evil@good.example", false),
    ("good.example", "https://evil:80@good.example", false),
    ("good.example", "https://good.example:8443", false),
    ("good.example", "https://good.example:80", false),
    ("good.example:80", "https://good.example", false),
    ("good.example:8080", "http://good.example", false),
    ("good.example:8080", "http://good.example:8081", false),
    ("good.example", "null", false),
    ("good.example", "", false),
    ("good.example", "good.example", false),
    ("good.example", "//good.example", false),
    ("good.example", "://good.example", false),
    ("good.example:70", "3://good.example:70", false),
    ("good.example:70", "x y://good.example:70", false),
    ("good.example", "https:good.example", false),
    ("good.example", "https://", false),
    ("good.example", "https://good.example/", false),
    ("good.example", "https://good.example:", false),
    ("good.example", "https://good.example:+443", false),
    ("good.example", "https://good.example:65979", false),
    ("good.example", "https://good.example https://evil", false),
    ("good.example", "https://good.example, https://good.example", false),
    ("good.example", "https://good.exampl\u{e9}", false),
    ("good.example", "gopher://good.example", false),
];

#[test]
fn field_row_20_pages_of_other_hosts_are_refused() {
    for &(host, origin, same) in SAME_HOST {
        let line = format!("Origin: {origin}");
        assert_eq!(origin_verdict(host, &Origins::SameHost, &[&line]), same, "{origin} at {host}");
        let line = format!("Sec-WebSocket-Origin: {origin}");
        assert_eq!(
            origin_verdict(host, &Origins::SameHost, &[&line]),
            same,
            "{origin} at {host}, of a draft"
        );
        assert!(origin_verdict(host, &Origins::Any, &[&line]));
    }
    assert!(origin_verdict("good.example", &Origins::default(), &[]), "no browser");
    let good = "Origin: https://good.example";
    assert!(!origin_verdict("good.example", &Origins::SameHost, &[good, good]));
    assert!(!origin_verdict(
        "good.example",
        &Origins::SameHost,
        &[good, "Sec-WebSocket-Origin: https://good.example"]
    ));
    assert!(origin_verdict("good.example", &Origins::Any, &[good, good]));
    for origin in ["Origin: http://", "Origin: https://", "Origin: http://good.example", "Origin:"]
    {
        let nowhere = |request: &Request<'_>| check_origin(request, &Origins::SameHost);
        assert_eq!(
            with_request("GET / HTTP/1.0", &[origin], nowhere),
            Err(RequestError::OriginRefused),
            "{origin} at no host"
        );
    }
    assert_eq!(RequestError::OriginRefused.status().as_u16(), 403);
}

#[test]
fn server_compares_listed_origins_with_their_scheme() {
    let origins = Origins::List(vec![
        "https://example.com".into(),
        "http://localhost:8080".into(),
        "null".into(),
    ]);
    let rows = [
        ("https://example.com", true),
        ("https://EXAMPLE.com:443", true),
        ("http://localhost:8080", true),
        ("http://example.com", false),
        ("http://example.com:443", false),
        ("https://example.com:444", false),
        ("https://sub.example.com", false),
        ("http://localhost", false),
        ("https://here.example", false),
        ("null", true),
        ("junk", false),
    ];
    for (origin, accepted) in rows {
        let line = format!("Origin: {origin}");
        assert_eq!(origin_verdict("here.example", &origins, &[&line]), accepted, "{origin}");
    }
    assert!(origin_verdict("here.example", &origins, &[]));
    let good = "Origin: https://example.com";
    assert!(!origin_verdict("here.example", &origins, &[good, good]));
    assert!(!origin_verdict("here.example", &Origins::List(Vec::new()), &[good]));
    assert!(!origin_verdict(
        "here.example",
        &Origins::List(vec!["https://null".into()]),
        &["Origin: null"]
    ));
}

/// An origin taken apart by the letter of RFC 6454: scheme and host in small letters, and the port.
fn take_apart(origin: &str) -> Option<(String, String, Option<u32>)> {
    let (scheme, authority) = origin.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let mut characters = scheme.chars();
    if !characters.next()?.is_ascii_lowercase()
        || !characters.all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    {
        return None;
    }
    let default = ["http", "ws", "https", "wss"]
        .iter()
        .position(|known| *known == scheme)
        .map(|at| [80, 443][at / 2]);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            let digits = !port.is_empty() && port.chars().all(|c| c.is_ascii_digit());
            (host, Some(port.parse().ok().filter(|&port| digits && port < 1 << 16)?))
        }
        _ => (authority, default),
    };
    (!host.is_empty()).then(|| (scheme, host.to_ascii_lowercase(), port))
}

/// A host and an optional port, well-formed.
const AUTHORITY: &str = "(a|A|b[.]a|127[.]0[.]0[.]1|\\[::1\\])(:|:80|:0080|:443|:8080)?";

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2048,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn server_compares_origins_by_the_letter(
        host in AUTHORITY,
        scheme in "http|https|HTTP|ws|wss|ftp|h|3|a:b||null",
        slashes in prop_oneof![
            8 => Just("://"),
            1 => select(vec![":", ":/", "//", "://x@", ":///", ""]),
        ],
        other in AUTHORITY,
        same: bool,
        tail in prop_oneof![
            8 => Just(""),
            1 => select(vec![":", ":1", ":65536", ":+1", "/", " ", "]", "\u{e9}"]),
        ],
    ) {
        let origin = format!("{scheme}{slashes}{}{tail}", if same { &host } else { &other });
        prop_assume!(origin.trim() == origin);
        let line = format!("Origin: {origin}");
        let from = take_apart(&origin);
        // A host without a port, or with an empty one, stands at the port of the origin's scheme.
        let bare = host.strip_suffix(':').unwrap_or(&host);
        let at = take_apart(&format!("{}://{bare}", if scheme.is_empty() { "x" } else { &scheme }));
        let has_port = from.as_ref().is_some_and(|(.., port)| port.is_some());
        let expected = from.is_some() && from == at && has_port;
        let verdict = origin_verdict(&host, &Origins::SameHost, &[&line]);
        prop_assert_eq!(verdict, expected, "{} at {}", origin, host);
        let listed = format!("{scheme}://{host}");
        let expected = from.is_some() && from == take_apart(&listed);
        let origins = Origins::List(vec!["null".into(), listed.clone()]);
        let verdict = origin_verdict("x", &origins, &[&line]);
        prop_assert_eq!(verdict, expected, "{} in a list with {}", origin, listed);
    }
}

fn offered(lines: &[&str]) -> Result<Vec<String>, RequestError> {
    let lines: Vec<&str> = GOOD.into_iter().chain(lines.iter().copied()).collect();
    with_request("GET / HTTP/1.1", &lines, |request| {
        subprotocols(request).map(|offers| offers.map(str::to_owned).collect())
    })
}

#[test]
fn server_reads_the_subprotocols_in_their_order() {
    assert_eq!(offered(&[]), Ok(vec![]));
    assert_eq!(offered(&["Sec-WebSocket-Protocol: chat"]), Ok(vec!["chat".into()]));
    let several = offered(&["Sec-WebSocket-Protocol: b , a.v2,\tc", "sec-websocket-protocol: D"]);
    assert_eq!(several, Ok(["b", "a.v2", "c", "D"].map(String::from).to_vec()));
    // Names differ by case (RFC 6455 4.1 compares bytes).
    assert!(offered(&["Sec-WebSocket-Protocol: chat, Chat"]).is_ok());
    // Empty elements count for nothing (RFC 9110 section 5.6.1).
    for (line, names) in [
        ("", &[][..]),
        (",", &[]),
        (" ,\t, ", &[]),
        ("a, ", &["a"]),
        (",a", &["a"]),
        ("a,,b", &["a", "b"]),
    ] {
        let line = format!("Sec-WebSocket-Protocol: {line}");
        assert_eq!(
            offered(&[&line]),
            Ok(names.iter().map(|&name| name.into()).collect()),
            "{line}"
        );
    }
    for bad in ["a b", "a;b", "a/b", "\"a\"", "a, a", "a,,a", "caf\u{e9}", "a b,", ",\"\""] {
        let line = format!("Sec-WebSocket-Protocol: {bad}");
        assert_eq!(offered(&[&line]), Err(RequestError::MalformedSubprotocol), "{bad}");
    }
    let twice = offered(&["Sec-WebSocket-Protocol: a, b", "Sec-WebSocket-Protocol: a"]);
    assert_eq!(twice, Err(RequestError::MalformedSubprotocol));
}

/// The longer input takes 16 times as long. With quadratic work that would be 256 times.
#[test]
fn field_row_03_subprotocols_are_read_in_linear_time() {
    let spaces = format!("Sec-WebSocket-Protocol: b{}x", " ".repeat(7000));
    assert_eq!(offered(&[&spaces]), Err(RequestError::MalformedSubprotocol));
    let time = |offers: usize| {
        let names: Vec<String> = (0..offers).map(|n| format!("{n:x}")).collect();
        let line = format!("Sec-WebSocket-Protocol: {}", names.join(","));
        let once = || {
            with_request("GET / HTTP/1.1", &["Host: a", &line], |request| {
                let began = processor_time();
                assert_eq!(subprotocols(request).map(Iterator::count), Ok(offers));
                processor_time() - began
            })
        };
        (0..9).map(|_| once()).min().unwrap_or_default()
    };
    let (short, long) = (time(2_000), time(32_000));
    assert!(long < short * 80, "{short:?} for 2,000 and {long:?} for 32,000");
}

/// The alphabet of base64 (RFC 4648 section 4).
const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 by the letter: the bits in a row, six for each character, then padding.
fn naive_base64(bytes: &[u8]) -> String {
    let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    let mut text: String = bits
        .as_bytes()
        .chunks(6)
        .map(|six| format!("{:0<6}", String::from_utf8_lossy(six)))
        .map(|six| char::from(ALPHABET.as_bytes()[usize::from_str_radix(&six, 2).unwrap()]))
        .collect();
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// Whether this text is the base64 of 16 bytes, whatever the bits behind them are.
fn encodes_16_bytes(text: &str) -> bool {
    let six = |character| ALPHABET.find(character).map(|value| format!("{value:06b}"));
    let bits: Option<String> = text.trim_end_matches('=').chars().map(six).collect();
    let bytes: Vec<u8> = bits
        .unwrap_or_default()
        .as_bytes()
        .chunks_exact(8)
        .map(|eight| u8::from_str_radix(&String::from_utf8_lossy(eight), 2).unwrap())
        .collect();
    // All but the last character before the padding is that of the bytes.
    bytes.len() == 16 && text.len() == 24 && naive_base64(&bytes)[..21] == text[..21]
}

/// The characters of base64, and some that are not.
fn base64_like() -> impl Strategy<Value = String> {
    let like = select("AQgwBYz09+/+/=-_ .~\u{e9}".chars().collect::<Vec<_>>());
    prop_oneof![vec(like.clone(), 0..30), vec(like, 24)]
        .prop_map(|characters| characters.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn server_answers_as_sha1_and_base64_say(nonce: [u8; 16], key in vec(any::<u8>(), 0..200)) {
        let sent = Key::from_nonce(nonce);
        prop_assert_eq!(sent.as_bytes().to_vec(), naive_base64(&nonce).into_bytes());
        for key in [&sent.as_bytes()[..], &key] {
            let digest = Sha1::digest([key, b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"].concat());
            let accept = AcceptKey::from_key(key);
            prop_assert_eq!(accept.as_bytes().to_vec(), naive_base64(&digest).into_bytes());
        }
    }

    #[test]
    fn server_takes_for_a_key_what_decodes_to_16_bytes(
        nonce: [u8; 16],
        at: Index,
        other: char,
        made_up in base64_like(),
    ) {
        let good = naive_base64(&nonce);
        let mut spoiled: Vec<char> = good.chars().collect();
        *at.get_mut(&mut spoiled) = other;
        for key in [good, spoiled.into_iter().collect(), made_up] {
            let line = format!("Sec-WebSocket-Key:{key}");
            if key.contains(|c: char| c.is_ascii_control()) || key.trim() != key {
                continue;
            }
            let expected = encodes_16_bytes(&key)
                .then(|| AcceptKey::from_key(key.as_bytes()))
                .ok_or(RequestError::MalformedKey);
            prop_assert_eq!(verdict("Sec-WebSocket-Key", &[&line], false), expected, "{}", key);
        }
    }
}

#[test]
fn server_takes_every_last_character_of_the_alphabet() {
    for last in 0..=0x7F_u8 {
        for at in [0, 20, 21] {
            let mut key = *b"dGhlIHNhbXBsZSBub25jZQ==";
            key[at] = last;
            let line =
                format!("Sec-WebSocket-Key: {}", key.map(char::from).iter().collect::<String>());
            if last.is_ascii_control() || last == b' ' && at == 0 {
                continue;
            }
            let good = encodes_16_bytes(std::str::from_utf8(&key).unwrap());
            assert_eq!(verdict("Sec-WebSocket-Key", &[&line], false).is_ok(), good, "{line}");
        }
    }
}
