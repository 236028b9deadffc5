//! The negotiation by `Sec-WebSocket-Extensions` in both roles (RFC 7692 section 7.1), as tables.
#![cfg(feature = "deflate")]

#[path = "common/processor_time.rs"]
mod processor_time;

use std::time::Duration;

use processor_time::processor_time;
use switchboard::proto::http1::{HeadLimits, HeaderSlots, Request};
use switchboard::proto::websocket::{
    Agreed, DeflateConfig, Disagreement, check_answer, encode_offer, negotiate,
};

const SHARED: DeflateConfig = DeflateConfig::shared();
const DEDICATED: DeflateConfig = DeflateConfig::dedicated();
const NO_CONTEXTS: &str =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// The server's answer to these header lines.
fn answer(offers: &[&str], config: &DeflateConfig) -> Option<(Agreed, String)> {
    let mut head = String::from("GET / HTTP/1.1\r\nHost: a\r\n");
    for offer in offers {
        head.push_str(&format!("Sec-WebSocket-Extensions: {offer}\r\n"));
    }
    head.push_str("\r\n");
    let mut slots = HeaderSlots::new();
    let request = Request::parse(head.as_bytes(), &mut slots, &HeadLimits::default()).unwrap();
    let accepted = negotiate(&request, config)?;
    let mut value = Vec::new();
    accepted.encode(&mut value);
    Some((accepted.agreed(), String::from_utf8(value).unwrap()))
}

fn facts(agreed: Agreed) -> (Option<u8>, bool, bool) {
    (agreed.window_bits(), agreed.our_takeover(), agreed.peer_takeover())
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn server_answers_an_offer_by_the_letter() {
    let rows = [
        ("permessage-deflate", "permessage-deflate", (Some(15), true, true)),
        (
            " permessage-deflate ;\tclient_max_window_bits ",
            "permessage-deflate",
            (Some(15), true, true),
        ),
        (
            "permessage-deflate; client_max_window_bits=8",
            "permessage-deflate",
            (Some(15), true, true),
        ),
        (
            "permessage-deflate; server_no_context_takeover",
            "permessage-deflate; server_no_context_takeover",
            (Some(15), false, true),
        ),
        (
            "permessage-deflate; client_no_context_takeover",
            "permessage-deflate; client_no_context_takeover",
            (Some(15), true, false),
        ),
        (
            "permessage-deflate; server_max_window_bits=15",
            "permessage-deflate; server_max_window_bits=15",
            (Some(15), true, true),
        ),
        (
            "permessage-deflate; server_max_window_bits=9; client_no_context_takeover; \
             client_max_window_bits=15",
            "permessage-deflate; client_no_context_takeover; server_max_window_bits=9",
            (Some(9), true, false),
        ),
        (
            r#"permessage-deflate; server_max_window_bits="12""#,
            "permessage-deflate; server_max_window_bits=12",
            (Some(12), true, true),
        ),
        (
            r#"permessage-deflate; server_max_window_bits = "1\1""#,
            "permessage-deflate; server_max_window_bits=11",
            (Some(11), true, true),
        ),
    ];
    for (offer, expected, agreed) in rows {
        let (seen, value) = answer(&[offer], &DEDICATED).expect(offer);
        assert_eq!((value.as_str(), facts(seen)), (expected, agreed), "{offer}");
        let (seen, value) = answer(&[offer], &SHARED).expect(offer);
        assert!(value.starts_with(NO_CONTEXTS), "{offer}: {value}");
        assert_eq!(facts(seen), (agreed.0, false, false), "{offer}");
    }
    assert_eq!(answer(&["permessage-deflate"], &DeflateConfig::off()), None);
    assert_eq!(answer(&[], &SHARED), None);
    assert_eq!(size_of::<Option<Agreed>>(), 1);
}

#[test]
fn server_asks_for_the_windows_that_it_is_configured_to() {
    let config = DEDICATED.server_bits(12).client_bits(10);
    let rows = [
        ("permessage-deflate", "permessage-deflate; server_max_window_bits=12", 12),
        (
            "permessage-deflate; server_max_window_bits=14; client_max_window_bits",
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=10",
            12,
        ),
        (
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits=11",
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits=10",
            10,
        ),
        (
            "permessage-deflate; client_max_window_bits=9",
            "permessage-deflate; server_max_window_bits=12",
            12,
        ),
    ];
    for (offer, expected, bits) in rows {
        let (agreed, value) = answer(&[offer], &config).expect(offer);
        assert_eq!((value.as_str(), agreed.window_bits()), (expected, Some(bits)), "{offer}");
    }
    let (_, clamped) = answer(&["permessage-deflate"], &DEDICATED.server_bits(0)).unwrap();
    assert_eq!(clamped, "permessage-deflate; server_max_window_bits=9");
    assert_eq!(
        answer(&["permessage-deflate"], &DEDICATED.server_bits(255)).unwrap().1,
        "permessage-deflate"
    );
}

/// What makes an extension malformed in an offer and in an answer alike.
const MALFORMED: [&str; 28] = [
    "server_max_window_bits",
    "server_max_window_bits=",
    "server_max_window_bits=\"\"",
    "server_max_window_bits=7",
    "server_max_window_bits=16",
    "server_max_window_bits=99999",
    "server_max_window_bits=18446744073709551625",
    "server_max_window_bits=09",
    "server_max_window_bits=+9",
    "server_max_window_bits=1 0",
    "server_max_window_bits=\"10",
    "server_max_window_bits=10\"",
    "server_max_window_bits=\"1\"0\"",
    "server_max_window_bits=\"10\\\"",
    "server_max_window_bits=10; server_max_window_bits=10",
    "client_max_window_bits=",
    "client_max_window_bits=7",
    "client_max_window_bits=16",
    "client_max_window_bits=010",
    "client_max_window_bits=10; client_max_window_bits=11",
    "server_no_context_takeover=1",
    "client_no_context_takeover=\"\"",
    "server_no_context_takeover; server_no_context_takeover",
    "client_no_context_takeover; client_no_context_takeover",
    "unknown",
    "=10",
    "Server_No_Context_Takeover",
    "",
];

#[test]
fn server_declines_a_malformed_offer_and_takes_the_next() {
    let also = [
        "server_max_window_bits=8",
        "client_max_window_bits; client_max_window_bits",
        "; server_no_context_takeover",
    ];
    for parameter in MALFORMED.into_iter().chain(also) {
        let offer = format!("permessage-deflate; {parameter}");
        assert_eq!(answer(&[&offer], &DEDICATED), None, "{offer}");
        let next = "permessage-deflate; server_max_window_bits=13";
        let (_, value) = answer(&[&offer, next], &DEDICATED).expect(&offer);
        assert_eq!(value, next, "{offer}");
        // An open quote reaches to the end of its line.
        if offer.matches('"').count() % 2 == 0 && !offer.contains('\\') {
            let (_, value) =
                answer(&[&format!("{offer}, , x-other; a=\"b,c\\\",\", {next}")], &DEDICATED)
                    .expect(&offer);
            assert_eq!(value, next, "{offer}");
        }
    }
    let quoted = "x; y=\", permessage-deflate\"";
    assert_eq!(answer(&[quoted], &DEDICATED), None);
    assert_eq!(answer(&["x-webkit-deflate-frame, Permessage-Deflate"], &DEDICATED), None);
}

#[test]
fn field_row_03_server_reads_a_long_offer_in_linear_time() {
    let fastest = |times: usize, piece: &str| {
        let value = format!("permessage-deflate{};a", piece.repeat(times));
        let head =
            format!("GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Extensions: {value}\r\n\r\n");
        let limits = HeadLimits { head: 1 << 20, ..HeadLimits::default() };
        let mut slots = HeaderSlots::new();
        let request = Request::parse(head.as_bytes(), &mut slots, &limits).unwrap();
        let time = |_| {
            let begin = processor_time();
            assert!(negotiate(&request, &DEDICATED).is_none());
            processor_time() - begin
        };
        (0..9).map(time).min().unwrap_or(Duration::MAX)
    };
    // What is not linear takes 64 times as long for 8 times as much.
    for piece in [
        ";a=",
        ";a",
        "; server_max_window_bits=8, permessage-deflate",
        ";=\"\", permessage-deflate",
        ";\"",
        "    ",
    ] {
        let piece = if piece.trim().is_empty() { "    ;" } else { piece };
        let (short, long) = (fastest(500, piece), fastest(4000, piece));
        assert!(long < short * 24 + Duration::from_micros(200), "{piece}: {short:?}, {long:?}");
    }
}

#[test]
fn client_offers_what_it_is_configured_to() {
    let rows = [
        (DeflateConfig::off(), ""),
        (DEDICATED, "permessage-deflate; client_max_window_bits"),
        (
            SHARED,
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             client_max_window_bits",
        ),
        (
            DEDICATED.server_bits(9).client_bits(10),
            "permessage-deflate; server_max_window_bits=9; client_max_window_bits=10",
        ),
    ];
    for (config, expected) in rows {
        let mut offer = Vec::new();
        encode_offer(&mut offer, &config);
        assert_eq!(String::from_utf8_lossy(&offer), expected);
        // Our own server accepts the offer, and our client the answer.
        let answered = answer(&[expected], &DEDICATED);
        let values = answered.iter().map(|(_, value)| value.as_bytes());
        let agreed = check_answer(values, &config).unwrap();
        assert_eq!(agreed.is_some(), !expected.is_empty());
        if let (Some(client), Some((server, _))) = (agreed, answered) {
            assert_eq!(client.our_takeover(), server.peer_takeover());
            assert_eq!(client.peer_takeover(), server.our_takeover());
        }
    }
}

#[test]
fn client_judges_the_answer_by_its_offer() {
    use Disagreement::{InvalidValue, MalformedParameter, NotOffered, OfferNotMet, Repeated};
    let narrow = DEDICATED.server_bits(12).client_bits(11);
    let ok = |bits, ours, peers| Ok(Some((bits, ours, peers)));
    let rows: [(&DeflateConfig, &[&str], Result<Option<_>, Disagreement>); 19] = [
        (&DEDICATED, &[], Ok(None)),
        (&DEDICATED, &[""], Ok(None)),
        (&DEDICATED, &["permessage-deflate"], ok(Some(15), true, true)),
        (&DEDICATED, &["permessage-deflate; client_max_window_bits=9"], ok(Some(9), true, true)),
        // A client limited to 8 sends uncompressed messages.
        (&DEDICATED, &["permessage-deflate; client_max_window_bits=8"], ok(None, true, true)),
        (&DEDICATED, &["permessage-deflate; server_max_window_bits=8"], ok(Some(15), true, true)),
        (
            &DEDICATED,
            &["permessage-deflate; server_no_context_takeover"],
            ok(Some(15), true, false),
        ),
        (
            &DEDICATED,
            &["permessage-deflate; client_no_context_takeover"],
            ok(Some(15), false, true),
        ),
        (&SHARED, &["permessage-deflate; server_no_context_takeover"], ok(Some(15), false, false)),
        (&SHARED, &["permessage-deflate"], Err(OfferNotMet)),
        (&narrow, &["permessage-deflate; server_max_window_bits=12"], ok(Some(11), true, true)),
        (&narrow, &["permessage-deflate; server_max_window_bits=13"], Err(InvalidValue)),
        (&narrow, &["permessage-deflate"], Err(OfferNotMet)),
        (
            &narrow,
            &["permessage-deflate; server_max_window_bits=9; client_max_window_bits=12"],
            Err(InvalidValue),
        ),
        (&DEDICATED, &["permessage-deflate; client_max_window_bits"], Err(InvalidValue)),
        (&DEDICATED, &["permessage-deflate, permessage-deflate"], Err(Repeated)),
        (&DEDICATED, &["permessage-deflate", "permessage-deflate"], Err(Repeated)),
        (&DEDICATED, &["permessage-bzip2"], Err(NotOffered)),
        (&DeflateConfig::off(), &["permessage-deflate"], Err(NotOffered)),
    ];
    for (config, values, expected) in rows {
        let seen = check_answer(values.iter().map(|value| value.as_bytes()), config);
        assert_eq!(seen.map(|agreed| agreed.map(facts)), expected, "{values:?}");
    }
    // Values of a server, those of FIELD 8 among them, never cause a panic.
    for parameter in MALFORMED {
        let value = format!("permessage-deflate; {parameter}");
        assert!(check_answer([value.as_bytes()], &DEDICATED).is_err(), "{value}");
    }
    let value: &[u8] = b"permessage-deflate; \x80\xFF";
    assert_eq!(check_answer([value], &DEDICATED), Err(MalformedParameter));
}
