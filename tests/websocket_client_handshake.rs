//! The client's opening handshake as tables: the request, the accepted responses, the error of each
//! fault.

#[path = "common/processor_time.rs"]
mod processor_time;

use processor_time::processor_time;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use switchboard::proto::http1::{
    HeadLimits, HeaderSlots, Request, ResponseError, ResponseHead, Scan, scan, scan_response,
};
use switchboard::proto::websocket::{
    ClientHandshake, Key, MaskingKeys, Unsendable, check, encode_response, subprotocols,
};

const NONCE: [u8; 16] = *b"the sample nonce";

fn key() -> Key {
    Key::from_nonce(NONCE)
}

fn opening(url: &str) -> ClientHandshake {
    ClientHandshake::new(url.parse().unwrap())
}

/// What asks for as much as there is.
fn demanding() -> ClientHandshake {
    opening("ws://example.com/chat?x=%20")
        .subprotocols(["chat.v2", "chat.v1"])
        .extensions("permessage-deflate; client_max_window_bits, x-other")
}

fn encoded(opening: &ClientHandshake) -> String {
    let mut out = Vec::new();
    opening.encode(&key(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn client_asks_as_the_rfc_says() {
    let plain = "GET / HTTP/1.1\r\nHost: [::1]:9001\r\n\
                 Upgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    assert_eq!(encoded(&opening("ws://[::1]:9001")), plain);
    let full = demanding()
        .origin("https://example.com")
        .header("Cookie", " a=b; c=d\t")
        .header("X-Empty", "");
    let expected = "GET /chat?x=%20 HTTP/1.1\r\nHost: example.com\r\n\
                    Upgrade: websocket\r\nConnection: Upgrade\r\n\
                    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat.v2, chat.v1\r\n\
                    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, \
                    x-other\r\n\
                    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                    Origin: https://example.com\r\nCookie: a=b; c=d\r\nX-Empty: \r\n\r\n";
    assert_eq!(encoded(&full), expected);
    assert_eq!(
        encoded(
            &full
                .clone()
                .subprotocols([""; 0])
                .extensions("")
                .subprotocols(["chat.v2", "chat.v1"])
                .extensions("permessage-deflate; client_max_window_bits, x-other")
        ),
        expected
    );
    assert!(encoded(&opening("wss://example.com:80/")).contains("\r\nHost: example.com:80\r\n"));
    assert_eq!(full.url().host(), "example.com");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn client_sends_nothing_that_may_not_be_sent() {
    let plain = || opening("ws://a/");
    let mut rows = vec![
        (plain().subprotocols(["a", "b", "a"]), Unsendable::DoubledSubprotocol),
        (plain().origin(""), Unsendable::Origin),
        (plain().origin("https://a\r\nX: y"), Unsendable::Origin),
        (plain().origin("https://a b"), Unsendable::Origin),
        (plain().header("", "a"), Unsendable::Header),
        (plain().header("a b", "c"), Unsendable::Header),
        (plain().header("a:", "c"), Unsendable::Header),
        (plain().header("a", "b\r\nc: d"), Unsendable::Header),
        (plain().header("a", "b\0"), Unsendable::Header),
        (plain().header("a", "b\n").header("host", "b").origin(""), Unsendable::Header),
    ];
    for name in ["", "a b", "a,b", "a;b", "a\r\nb", "\u{e9}"] {
        rows.push((plain().subprotocols(["ok", name]), Unsendable::Subprotocol));
    }
    for offer in [
        ",",
        "a,",
        ",a",
        "a, ,b",
        " ",
        "a;",
        "a b",
        "a; b=",
        "a; =b",
        "a; b=\"",
        "a; b=\"c",
        "a; b=\"\"",
        "a\r\nb",
        "a; b=c d",
    ] {
        rows.push((plain().extensions(offer), Unsendable::Extensions));
    }
    for name in [
        "Host",
        "UPGRADE",
        "Connection",
        "Origin",
        "content-length",
        "Transfer-Encoding",
        "sec-websocket-key",
    ] {
        rows.push((plain().header(name, "1"), Unsendable::ReservedHeader));
    }
    for (opening, fault) in rows {
        let mut out = b"before".to_vec();
        assert_eq!(opening.encode(&key(), &mut out), Err(fault), "{opening:?}");
        assert_eq!(out, b"before");
    }
    assert_eq!(Unsendable::Header.to_string(), "a malformed header");
    for offer in ["a", "a;b", "a; b = c", "a; b=\"c\"", "a; b=\"\\c\"", "a;b;c=1,d , a"] {
        assert!(encoded(&plain().extensions(offer)).contains(offer));
    }
}

/// Reads all responses there are in the input, cut once, and judges the last.
fn answer(
    opening: &ClientHandshake,
    input: &[u8],
    cut: usize,
) -> Option<Result<Option<String>, ResponseError>> {
    let limits = HeadLimits::default();
    let (mut begin, mut resume) = (0, 0);
    for end in [cut, input.len()] {
        loop {
            match scan_response(&input[begin.min(end)..end], resume, &limits) {
                Scan::Refused(rejection) => return Some(Err(rejection)),
                Scan::Partial(seen) => {
                    resume = seen;
                    break;
                }
                Scan::Complete(len) => {
                    let mut slots = HeaderSlots::new();
                    let response = match ResponseHead::parse(
                        &input[begin..begin + len],
                        &mut slots,
                        &limits,
                    ) {
                        Err(rejection) => return Some(Err(rejection)),
                        Ok(response) => response,
                    };
                    if !response.is_interim() {
                        return Some(
                            opening
                                .check(&key(), &response)
                                .map(|selected| selected.map(str::to_owned)),
                        );
                    }
                    (begin, resume) = (begin + len, 0);
                }
            }
        }
    }
    None
}

/// The verdict on one input, the same at every split point.
fn verdict(opening: &ClientHandshake, input: &str) -> Result<Option<String>, ResponseError> {
    let whole = answer(opening, input.as_bytes(), input.len());
    for cut in 0..input.len() {
        assert_eq!(answer(opening, input.as_bytes(), cut), whole, "cut at {cut}: {input}");
    }
    whole.unwrap_or(Err(ResponseError::IncompleteHead))
}

const UPGRADE: &str = "Upgrade: websocket";
const CONNECTION: &str = "Connection: Upgrade";
const ACCEPT: &str = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The good response without the lines that begin with `without`, and with the lines of `with`.
fn response(without: &str, with: &[&str]) -> String {
    let kept = [UPGRADE, CONNECTION, ACCEPT]
        .into_iter()
        .filter(|line| without.is_empty() || !line.starts_with(without));
    let lines: Vec<&str> = ["HTTP/1.1 101 Switching Protocols"]
        .into_iter()
        .chain(kept)
        .chain(with.iter().copied())
        .collect();
    format!("{}\r\n\r\n", lines.join("\r\n"))
}

/// Lines left out, lines put in, and the rejection if there is one.
type Row = (&'static str, &'static [&'static str], Option<ResponseError>);

const ROWS: &[Row] = &[
    ("", &[], None),
    ("", &["Server: x", "X-A: 1", "x-a: 2", "Content-Length: 0"], None),
    ("Upgrade", &["uPGRADE: WebSocket"], None),
    ("Upgrade", &[], Some(ResponseError::MissingUpgrade)),
    ("Upgrade", &["Upgrade:"], Some(ResponseError::WrongUpgrade)),
    ("Upgrade", &["Upgrade: websocket2"], Some(ResponseError::WrongUpgrade)),
    ("Upgrade", &["Upgrade: websocket, h2c"], Some(ResponseError::WrongUpgrade)),
    ("Upgrade", &["Upgrade: h2c"], Some(ResponseError::WrongUpgrade)),
    ("", &[UPGRADE], Some(ResponseError::WrongUpgrade)),
    ("Connection", &["Connection: keep-alive, UPGRADE"], None),
    ("Connection", &["Connection: keep-alive", "connection:upgrade"], None),
    ("", &[CONNECTION], None),
    ("Connection", &[], Some(ResponseError::MissingConnectionUpgrade)),
    ("Connection", &["Connection:"], Some(ResponseError::MissingConnectionUpgrade)),
    ("Connection", &["Connection: keep-alive"], Some(ResponseError::MissingConnectionUpgrade)),
    (
        "Connection",
        &["Connection: upgraded, not-upgrade"],
        Some(ResponseError::MissingConnectionUpgrade),
    ),
    ("Connection", &["Connection: \"upgrade\""], Some(ResponseError::MissingConnectionUpgrade)),
    ("Sec", &["sec-websocket-accept: \t s3pPLMBiTxaQ9kYGzzhZRbK+xOo= \t"], None),
    ("Sec", &[], Some(ResponseError::MissingAccept)),
    ("Sec", &["Sec-WebSocket-Accept:"], Some(ResponseError::WrongAccept)),
    ("Sec", &["Sec-WebSocket-Accept: dGhlIHNhbXBsZSBub25jZQ=="], Some(ResponseError::WrongAccept)),
    (
        "Sec",
        &["Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo"],
        Some(ResponseError::WrongAccept),
    ),
    (
        "Sec",
        &["Sec-WebSocket-Accept: S3PPLMBITXAQ9KYGZZHZRBK+XOO="],
        Some(ResponseError::WrongAccept),
    ),
    (
        "Sec",
        &["Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=, x"],
        Some(ResponseError::WrongAccept),
    ),
    (
        "Sec",
        &["Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA="],
        Some(ResponseError::WrongAccept),
    ),
    ("", &[ACCEPT], Some(ResponseError::DoubledAccept)),
    ("", &["Sec-WebSocket-Accept: x"], Some(ResponseError::DoubledAccept)),
    ("", &["Sec-WebSocket-Protocol: chat.v1"], None),
    ("", &["Sec-WebSocket-Protocol: chat.v2"], None),
    ("", &["Sec-WebSocket-Protocol:"], Some(ResponseError::UnaskedSubprotocol)),
    ("", &["Sec-WebSocket-Protocol: chat.v3"], Some(ResponseError::UnaskedSubprotocol)),
    ("", &["Sec-WebSocket-Protocol: CHAT.V2"], Some(ResponseError::UnaskedSubprotocol)),
    ("", &["Sec-WebSocket-Protocol: chat.v2, chat.v1"], Some(ResponseError::UnaskedSubprotocol)),
    (
        "",
        &["Sec-WebSocket-Protocol: chat.v2", "Sec-WebSocket-Protocol: chat.v2"],
        Some(ResponseError::DoubledSubprotocol),
    ),
    ("", &["Sec-WebSocket-Extensions: permessage-deflate"], None),
    ("", &["Sec-WebSocket-Extensions: x-other, permessage-deflate; unknown=\"7\""], None),
    (
        "",
        &["Sec-WebSocket-Extensions: x-other", "Sec-WebSocket-Extensions: permessage-deflate"],
        None,
    ),
    ("", &["Sec-WebSocket-Extensions: x-unknown"], Some(ResponseError::UnofferedExtension)),
    (
        "",
        &["Sec-WebSocket-Extensions: Permessage-Deflate"],
        Some(ResponseError::UnofferedExtension),
    ),
    (
        "",
        &["Sec-WebSocket-Extensions: client_max_window_bits"],
        Some(ResponseError::UnofferedExtension),
    ),
    (
        "",
        &["Sec-WebSocket-Extensions: x-other, permessage-deflate, x-foreign"],
        Some(ResponseError::UnofferedExtension),
    ),
    (
        "",
        &["Sec-WebSocket-Extensions: x-other", "Sec-WebSocket-Extensions: x-other"],
        Some(ResponseError::DoubledExtension),
    ),
    ("", &["Sec-WebSocket-Extensions: x-other, x-other; a"], Some(ResponseError::DoubledExtension)),
    // Empty list elements count for nothing (RFC 9110 section 5.6.1).
    ("", &["Sec-WebSocket-Extensions:"], None),
    ("", &["Sec-WebSocket-Extensions: , ,"], None),
    ("", &["Sec-WebSocket-Extensions: x-other,"], None),
    ("", &["Sec-WebSocket-Extensions: ,x-other,\t, permessage-deflate"], None),
    ("Connection", &["Connection: ,, Upgrade,"], None),
    ("Upgrade", &["Upgrade: ,websocket,"], None),
    ("Upgrade", &["Upgrade: ,"], Some(ResponseError::WrongUpgrade)),
    ("Upgrade", &["Upgrade: websocket, websocket"], Some(ResponseError::WrongUpgrade)),
    ("", &["Sec-WebSocket-Protocol: chat.v1,"], Some(ResponseError::UnaskedSubprotocol)),
    ("", &["Sec-WebSocket-Extensions: ;"], Some(ResponseError::MalformedExtensions)),
    ("", &["Sec-WebSocket-Extensions: ; a"], Some(ResponseError::MalformedExtensions)),
    ("", &["Sec-WebSocket-Extensions: x-other;"], Some(ResponseError::MalformedExtensions)),
    ("", &["Sec-WebSocket-Extensions: x-other; a="], Some(ResponseError::MalformedExtensions)),
    (
        "",
        &["Sec-WebSocket-Extensions: x-other; a=\"b, permessage-deflate"],
        Some(ResponseError::MalformedExtensions),
    ),
    (
        "",
        &["Sec-WebSocket-Extensions: x-other; a=\"b c\""],
        Some(ResponseError::MalformedExtensions),
    ),
    ("", &["Sec-WebSocket-Extensions: x-other; a=\"b\\"], Some(ResponseError::MalformedExtensions)),
    (
        "",
        &["Sec-WebSocket-Extensions: x-other; a=\"b\\\""],
        Some(ResponseError::MalformedExtensions),
    ),
    ("", &["Sec-WebSocket-Extensions: x-other x"], Some(ResponseError::MalformedExtensions)),
    // A 101 ends with its empty line, whatever these say (RFC 9112 section 6.3, item 1).
    ("", &["Content-Length: 5"], None),
    ("", &["Content-Length: 0", "Content-Length: 5"], None),
    ("", &["Content-Length: +0"], None),
    ("", &["Content-Length: five"], None),
    ("", &["Transfer-Encoding: chunked"], None),
    ("", &["Transfer-Encoding: identity"], None),
    ("", &["Transfer-Encoding: chunked", "Content-Length: 18446744073709551616"], None),
];

#[test]
fn client_judges_every_header_of_the_answer() {
    let opening = demanding();
    for &(without, with, rejection) in ROWS {
        let response = response(without, with);
        assert_eq!(
            verdict(&opening, &response).err(),
            rejection,
            "without {without:?}, with {with:?}"
        );
        // All bytes behind the head are frames, however they look.
        assert_eq!(
            verdict(&opening, &format!("{response}\r\n\0HTTP/1.1 200 \r\n\r\n")).err(),
            rejection
        );
    }
}

#[test]
fn client_takes_nothing_that_it_did_not_ask_for() {
    let modest = opening("ws://a/");
    assert_eq!(verdict(&modest, &response("", &[])), Ok(None));
    for name in ["chat.v1", ""] {
        let line = format!("Sec-WebSocket-Protocol: {name}");
        assert_eq!(
            verdict(&modest, &response("", &[&line])),
            Err(ResponseError::UnaskedSubprotocol)
        );
    }
    let deflate = response("", &["Sec-WebSocket-Extensions: permessage-deflate"]);
    assert_eq!(verdict(&modest, &deflate), Err(ResponseError::UnofferedExtension));
    let selected = response("", &["Sec-WebSocket-Protocol: chat.v1"]);
    assert_eq!(verdict(&demanding(), &selected), Ok(Some("chat.v1".into())));
    assert_eq!(verdict(&demanding(), &response("", &[])), Ok(None), "a server need not select any");
}

#[test]
fn client_takes_the_answer_to_its_own_key_only() {
    let opening = opening("ws://a/");
    let response = response("", &[]);
    let judge = |key: Key| {
        let mut slots = HeaderSlots::new();
        let head =
            ResponseHead::parse(response.as_bytes(), &mut slots, &HeadLimits::default()).unwrap();
        opening.check(&key, &head).map(|_| ())
    };
    assert_eq!(judge(key()), Ok(()));
    for bit in 0..128 {
        let mut nonce = NONCE;
        nonce[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(judge(Key::from_nonce(nonce)), Err(ResponseError::WrongAccept), "{bit}");
    }
}

#[test]
fn client_tells_what_came_instead_of_101() {
    let opening = demanding();
    let rows = [
        (200, ResponseError::NotSwitched),
        (204, ResponseError::NotSwitched),
        (300, ResponseError::Redirected),
        (301, ResponseError::Redirected),
        (307, ResponseError::Redirected),
        (308, ResponseError::Redirected),
        (399, ResponseError::Redirected),
        (400, ResponseError::NotSwitched),
        (401, ResponseError::Unauthorized),
        (403, ResponseError::NotSwitched),
        (407, ResponseError::Unauthorized),
        (426, ResponseError::UpgradeRequired),
        (503, ResponseError::NotSwitched),
        (999, ResponseError::NotSwitched),
    ];
    for (status, rejection) in rows {
        for version in ["1.0", "1.1"] {
            let all_else = response("", &["Content-Length: 5"])
                .replace("1.1 101", &format!("{version} {status}"));
            assert_eq!(verdict(&opening, &all_else), Err(rejection), "{status}");
        }
    }
    let old = response("", &[]).replace("HTTP/1.1", "HTTP/1.0");
    assert_eq!(verdict(&opening, &old), Err(ResponseError::SwitchedInHttp10));
}

#[test]
fn client_skips_interim_responses() {
    let hints =
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nUpgrade: websocket\r\n\r\nHTTP/1.1 100 \r\n\r\n";
    assert_eq!(verdict(&demanding(), &format!("{hints}{}", response("", &[]))), Ok(None));
    let refused = format!("{hints}HTTP/1.1 401 \r\n\r\n");
    assert_eq!(verdict(&demanding(), &refused), Err(ResponseError::Unauthorized));
    assert_eq!(verdict(&demanding(), hints), Err(ResponseError::IncompleteHead));
}

/// The client passes an extension's parameters on unchanged.
#[test]
fn field_row_08_client_passes_extension_parameters_on() {
    for value in ["7", "16", "99999", "\"15\"", "0", "-1"] {
        let extension = format!("permessage-deflate; server_max_window_bits={value}; odd");
        let input = response("", &[&format!("Sec-WebSocket-Extensions: {extension}")]);
        let mut slots = HeaderSlots::new();
        let head =
            ResponseHead::parse(input.as_bytes(), &mut slots, &HeadLimits::default()).unwrap();
        assert_eq!(demanding().check(&key(), &head), Ok(None));
        let passed_on: Vec<&[u8]> = head.header_values("sec-websocket-extensions").collect();
        assert_eq!(passed_on, [extension.as_bytes()]);
    }
    let empty =
        response("", &["Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits="]);
    assert_eq!(verdict(&demanding(), &empty), Err(ResponseError::MalformedExtensions));
}

/// The longer input takes 16 times as long. With quadratic work that would be 256 times.
#[test]
fn field_row_03_client_reads_extensions_in_linear_time() {
    let time = |parameters: usize| {
        let line = format!(
            "Sec-WebSocket-Extensions: x-other{}",
            ";a=".repeat(parameters).replace(";a=", ";a=b")
        );
        let input = response("", &[&line]);
        let limits = HeadLimits { head: 1 << 20, ..HeadLimits::default() };
        let mut slots = HeaderSlots::new();
        let head = ResponseHead::parse(input.as_bytes(), &mut slots, &limits).unwrap();
        let opening = demanding();
        let once = || {
            let began = processor_time();
            assert_eq!(opening.check(&key(), &head), Ok(None));
            processor_time() - began
        };
        (0..9).map(|_| once()).min().unwrap_or_default()
    };
    let (short, long) = (time(2_000), time(32_000));
    assert!(long < short * 80, "{short:?} for 2,000 and {long:?} for 32,000");
}

/// Lines of answers, right and wrong, strung together at random.
fn lines() -> impl Strategy<Value = Vec<&'static str>> {
    let all: Vec<&str> =
        ROWS.iter().flat_map(|row| row.1).copied().chain([UPGRADE, CONNECTION, ACCEPT]).collect();
    vec(select(all), 0..6)
}

/// Section 4.1 in the words of the table: the effect of each line on a verdict, in no order of
/// checks.
fn is_good(lines: &[&str]) -> bool {
    let values = |name: &str| -> Vec<String> {
        let lines = lines.iter().filter_map(|line| line.split_once(':'));
        lines
            .filter(|(sent, _)| sent.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned())
            .collect()
    };
    let all_extensions = values("Sec-WebSocket-Extensions").join(",");
    let mut names: Vec<&str> =
        all_extensions.split(',').map(|one| one.split(';').next().unwrap().trim()).collect();
    names.retain(|name| !name.is_empty());
    names.sort_unstable();
    let well_formed = ROWS.iter().filter(|row| row.2 != Some(ResponseError::MalformedExtensions));
    let well_formed: Vec<&str> = well_formed.flat_map(|row| row.1).copied().collect();
    let bare = |value: &String| value.to_lowercase().trim_matches([',', ' ']).to_owned();
    values("Upgrade").iter().map(bare).eq(["websocket"])
        && values("Connection")
            .join(",")
            .to_lowercase()
            .split(',')
            .any(|token| token.trim() == "upgrade")
        && values("Sec-WebSocket-Accept") == ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]
        && matches!(values("Sec-WebSocket-Protocol").join("|").as_str(), "chat.v1" | "chat.v2" | "")
        && (values("Sec-WebSocket-Protocol").iter().all(|value| !value.is_empty()))
        && matches!(
            names[..],
            [] | ["permessage-deflate"] | ["x-other"] | ["permessage-deflate", "x-other"]
        )
        && lines
            .iter()
            .filter(|line| line.contains("Extensions"))
            .all(|line| well_formed.contains(line))
}

proptest! {
    #[test]
    fn client_agrees_with_the_words_of_section_4_1(
        start in select(vec![true, true, false]),
        lines in lines(),
    ) {
        let good = [UPGRADE, CONNECTION, ACCEPT].into_iter().filter(|_| start);
        let lines: Vec<&str> = good.chain(lines).collect();
        let input = format!("HTTP/1.1 101 \r\n{}\r\n\r\n", lines.join("\r\n"));
        let input = if lines.is_empty() { "HTTP/1.1 101 \r\n\r\n".to_owned() } else { input };
        prop_assert_eq!(verdict(&demanding(), &input).is_ok(), is_good(&lines), "{}", input);
    }

    /// Both roles of one house understand one another.
    #[test]
    fn client_and_server_shake_hands(
        nonce in any::<[u8; 16]>(),
        pick in 0_usize..3,
        names in select(vec![0, 1, 2]),
    ) {
        let names = &["chat.v2", "chat.v1"][..names];
        let opening = opening("ws://example.com/chat");
        let opening = opening.subprotocols(names.to_vec()).header("X-A", "b");
        let key = Key::from_nonce(nonce);
        let mut out = Vec::new();
        opening.encode(&key, &mut out).unwrap();
        let limits = HeadLimits::default();
        prop_assert_eq!(scan(&out, 0, &limits), Scan::Complete(out.len()));
        let mut slots = HeaderSlots::new();
        let request = Request::parse(&out, &mut slots, &limits).unwrap();
        prop_assert_eq!((request.host(), request.target()), ("example.com", "/chat"));
        prop_assert_eq!(subprotocols(&request).unwrap().collect::<Vec<_>>(), names);
        let selected = names.get(pick).copied();
        let mut answer = Vec::new();
        encode_response(&mut answer, &check(&request, false).unwrap(), selected, b"X-Node: 7\r\n");
        let mut slots = HeaderSlots::new();
        let response = ResponseHead::parse(&answer, &mut slots, &limits).unwrap();
        prop_assert_eq!(opening.check(&key, &response), Ok(selected));
    }

    #[test]
    fn client_takes_any_bytes_for_an_answer_without_harm(
        head in "HTTP/1.1 101 \r\n(([USC][a-zA-Z-]{3,22}): [ -~]{0,20}\r\n){0,5}\r\n",
        noise in vec(any::<u8>(), 0..99),
    ) {
        verdict(&demanding(), &head).ok();
        answer(&demanding(), &noise, noise.len() / 2);
        let text: String = noise.iter().map(|&byte| char::from(byte)).collect();
        let _ = opening("ws://a/").extensions(text.clone()).encode(&key(), &mut Vec::new());
        let _ = opening("ws://a/").header("a", &text).origin(&text).encode(&key(), &mut Vec::new());
    }
}

#[test]
fn client_draws_a_new_nonce_for_each_handshake() {
    let mut keys = MaskingKeys::new();
    let (first, second) = (Key::from_nonce(keys.nonce()), Key::from_nonce(keys.nonce()));
    assert_ne!(first, second);
    assert_ne!(keys.next_key(), [0; 4]);
}

#[test]
fn client_has_words_for_every_rejection() {
    let mut words: Vec<&str> =
        ResponseError::ALL.iter().map(|rejection| rejection.as_str()).collect();
    assert!(words.iter().all(|words| !words.is_empty() && !words.ends_with('.')));
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), ResponseError::ALL.len());
    assert_eq!(ResponseError::NotHttp.to_string(), ResponseError::NotHttp.as_str());
}
