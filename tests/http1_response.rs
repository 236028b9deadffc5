//! Responses and event streams: their bytes on the wire, into which nothing can be injected.

use std::borrow::Cow;
use std::time::Duration;

use http::{Method, StatusCode};
use switchboard::proto::http1::{
    Date, Encoding, Framing, KeepAliveHeader, RequestError, Response, Version, event_stream,
};

const DATE: &[u8; 29] = b"Sun, 06 Nov 1994 08:49:37 GMT";

const OPEN: Encoding<'static> = Encoding {
    date: DATE,
    version: Version::Http11,
    keep_alive: true,
    keep_alive_header: KeepAliveHeader::NONE,
    head_only: false,
};
const CLOSING: Encoding<'static> = Encoding { keep_alive: false, ..OPEN };
const HEAD: Encoding<'static> = Encoding { head_only: true, ..OPEN };
const OLD: Encoding<'static> = Encoding { version: Version::Http10, ..OPEN };
const OLD_CLOSING: Encoding<'static> = Encoding { keep_alive: false, ..OLD };

/// Encodes a response and removes its `Date`, which is the same in all.
fn encoded(response: &Response, encoding: &Encoding<'_>) -> String {
    let mut out = Vec::new();
    response.encode(&mut out, encoding);
    without_date(out)
}

fn head(response: &Response, encoding: &Encoding<'_>, framing: Framing) -> String {
    let mut out = Vec::new();
    response.encode_head(&mut out, encoding, framing);
    without_date(out)
}

fn without_date(out: Vec<u8>) -> String {
    let text = String::from_utf8(out).unwrap();
    let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    assert_eq!(text.matches(date).count(), 1, "{text}");
    text.replace(date, "")
}

#[test]
fn response_encodes_to_the_byte() {
    let text = || Response::text("hi");
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n";
    let close = "Connection: close\r\n";
    let typed = "Content-Type: text/plain; charset=utf-8\r\n";
    let rows: &[(Response, Encoding<'_>, String)] = &[
        (text(), OPEN, format!("{ok}{typed}\r\nhi")),
        (text(), CLOSING, format!("{ok}{close}{typed}\r\nhi")),
        (text().close(), OPEN, format!("{ok}{close}{typed}\r\nhi")),
        (text(), HEAD, format!("{ok}{typed}\r\n")),
        (text(), OLD, format!("{ok}Connection: keep-alive\r\n{typed}\r\nhi")),
        (text(), OLD_CLOSING, format!("{ok}{close}{typed}\r\nhi")),
        (Response::new(404), OPEN, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".into()),
        (Response::new(599), OPEN, "HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n".into()),
        // RFC 9110 section 8.6 and 6.4.1: neither a length nor a body, even if a handler set one.
        (text().with_status(204), OPEN, format!("HTTP/1.1 204 No Content\r\n{typed}\r\n")),
        (text().with_status(304), OPEN, format!("HTTP/1.1 304 Not Modified\r\n{typed}\r\n")),
        (
            text().with_status(205),
            OPEN,
            format!("HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n{typed}\r\n"),
        ),
        (Response::new(100).body(&b"x"[..]), CLOSING, "HTTP/1.1 100 Continue\r\n\r\n".into()),
        (
            Response::redirect(303, "/there"),
            OPEN,
            "HTTP/1.1 303 See Other\r\nContent-Length: 0\r\nLocation: /there\r\n\r\n".into(),
        ),
        (
            Response::bytes("image/png", vec![b'x'])
                .header("ETag", "\"1\"")
                .header("Vary", "a")
                .header("Vary", "b"),
            OPEN,
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Type: image/png\r\n\
            ETag: \"1\"\r\nVary: a\r\nVary: b\r\n\r\nx"
                .into(),
        ),
    ];
    for (response, encoding, expected) in rows {
        assert_eq!(&encoded(response, encoding), expected);
    }
}

#[test]
fn response_head_says_how_the_body_ends() {
    let response = Response::new(200).header("A", "b");
    let header = KeepAliveHeader::new(Duration::from_secs(75));
    let kept = Encoding { keep_alive_header: header, ..OPEN };
    let rows: &[(Encoding<'_>, Framing, &str)] = &[
        (OPEN, Framing::Length(5), "Content-Length: 5\r\n"),
        (OPEN, Framing::Length(u64::MAX), "Content-Length: 18446744073709551615\r\n"),
        (OPEN, Framing::Chunked, "Transfer-Encoding: chunked\r\n"),
        (CLOSING, Framing::Chunked, "Transfer-Encoding: chunked\r\nConnection: close\r\n"),
        (OPEN, Framing::UntilClose, "Connection: close\r\n"),
        (OLD, Framing::UntilClose, "Connection: close\r\n"),
        (OPEN, Framing::None, ""),
        (kept, Framing::None, ""),
        (kept, Framing::UntilClose, "Connection: close\r\n"),
        (
            kept,
            Framing::Chunked,
            "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\nKeep-Alive: timeout=70\r\n",
        ),
    ];
    for (encoding, framing, expected) in rows {
        let expected = format!("HTTP/1.1 200 OK\r\n{expected}A: b\r\n\r\n");
        assert_eq!(head(&response, encoding, *framing), expected, "{framing:?}");
    }
    assert_eq!(
        head(&Response::new(204), &OPEN, Framing::Chunked),
        "HTTP/1.1 204 No Content\r\n\r\n"
    );
}

#[test]
fn response_names_its_upgrade_in_connection() {
    let takeover = Response::new(101).header("Upgrade", "tunnel");
    for encoding in [OPEN, CLOSING] {
        assert_eq!(
            head(&takeover, &encoding, Framing::None),
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: tunnel\r\n\r\n"
        );
    }
    let wanted = Response::new(200).header("upgrade", "websocket");
    for (encoding, options) in [
        (OPEN, "upgrade"),
        (CLOSING, "close, upgrade"),
        (OLD, "keep-alive, upgrade"),
        (OLD_CLOSING, "close, upgrade"),
    ] {
        assert!(encoded(&wanted, &encoding).contains(&format!("\r\nConnection: {options}\r\n")));
    }
}

#[test]
fn response_turns_what_may_not_be_sent_into_500() {
    let rows: &[(&str, &str)] = &[
        ("X", "a\r\nSet-Cookie: b"),
        ("X", "a\nb"),
        ("X", "a\rb"),
        ("X", "a\0b"),
        ("X", "a\x7fb"),
        ("X\r\nY", "a"),
        ("X: y\r\n\r\nbody", "a"),
        ("X Y", "a"),
        ("X:", "a"),
        ("É", "a"),
        ("", "a"),
        ("Content-Length", "5"),
        ("TRANSFER-ENCODING", "chunked"),
        ("connection", "keep-alive"),
    ];
    for (name, value) in rows {
        let response = Response::html("secret").header("A", "kept").header(name, value);
        assert_eq!(response.status(), 500, "{name:?}");
        let shown: String = name.escape_default().collect();
        let body = String::from_utf8(response.body_bytes().to_vec()).unwrap();
        assert!(body.contains(&shown) && body.is_ascii(), "{body}");
        // Later setters do not hide the mistake.
        let response = response.header("B", "later").body(&b"fine"[..]).with_status(200);
        assert_eq!((response.status().as_u16(), response.body_bytes()), (500, body.as_bytes()));
        let bytes = encoded(&response, &OPEN);
        assert_eq!(bytes.matches("\r\n\r\n").count(), 1, "{bytes}");
        assert!(
            !bytes.contains("Set-Cookie") && !bytes.contains("kept") && !bytes.contains("later"),
            "{bytes}"
        );
        assert_eq!(
            bytes.matches("Content-Length").count(),
            1 + usize::from(*name == "Content-Length")
        );
    }
    let long = Response::text("").header(&"é".repeat(10_000), "");
    assert!(long.status() == 500 && long.body_bytes().len() < 1 << 10);
    assert_eq!(Response::redirect(302, "/\r\nSet-Cookie: a").status(), 500);
    assert_eq!(Response::bytes("a\r\nb", vec![]).status(), 500);
}

#[test]
fn response_sends_what_may_be_sent() {
    let response = Response::new(200).header("X", " \t a\tb é ").header("Y", "");
    assert!(encoded(&response, &OPEN).ends_with("\r\nX: a\tb é\r\nY: \r\n\r\n"));
}

#[test]
fn response_replaces_single_headers() {
    let response = Response::text("x").header("content-type", "a/b").header("Content-Type", "c/d");
    let bytes = encoded(&response, &OPEN);
    assert_eq!(bytes.to_lowercase().matches("content-type").count(), 1, "{bytes}");
    assert!(bytes.contains("\r\nContent-Type: c/d\r\n"));
    let response =
        Response::redirect(302, "/a").header("Location-Hint", "x").header("Location", "/b");
    assert!(encoded(&response, &OPEN).ends_with("\r\nLocation-Hint: x\r\nLocation: /b\r\n\r\n"));

    let mut out = Vec::new();
    Response::new(200).header("Date", "Thu, 01 Jan 1970 00:00:00 GMT").encode(&mut out, &OPEN);
    let bytes = String::from_utf8(out).unwrap();
    assert_eq!(bytes.matches("Date: ").count(), 1);
    assert!(bytes.contains("1970"));
}

#[test]
fn response_takes_any_status_and_survives_none() {
    assert_eq!(Response::new(StatusCode::IM_A_TEAPOT).status(), 418);
    assert_eq!(Response::empty(204).status(), 204);
    for wrong in [0, 99, 1000, u16::MAX] {
        assert_eq!(Response::new(wrong).status(), 500);
        assert_eq!(Response::text("").with_status(wrong).status(), 500);
    }
}

#[test]
fn response_is_made_of_text() {
    assert_eq!(Response::from("a").body_bytes(), b"a");
    assert_eq!(Response::from(String::from("b")).status(), 200);
    assert_eq!(Response::json(Cow::Borrowed("{}")).body_bytes(), b"{}");
    assert!(encoded(&Response::json("{}"), &OPEN).contains("Content-Type: application/json\r\n"));
    assert!(
        encoded(&Response::html("<p>"), &OPEN)
            .contains("Content-Type: text/html; charset=utf-8\r\n")
    );
}

#[test]
fn response_names_the_allowed_methods() {
    let bytes = encoded(&Response::method_not_allowed(&[Method::GET, Method::HEAD]), &OPEN);
    assert!(bytes.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"));
    assert!(bytes.contains("\r\nAllow: GET, HEAD\r\n"));
    assert!(encoded(&Response::method_not_allowed(&[]), &OPEN).contains("\r\nAllow: \r\n"));
}

#[test]
fn refusal_becomes_an_answer_that_closes() {
    for &error in RequestError::ALL {
        let response = Response::from(error);
        assert_eq!(response.status(), error.status());
        assert_eq!(response.body_bytes(), error.as_str().as_bytes());
        assert!(encoded(&response, &OPEN).contains("\r\nConnection: close"), "{error:?}");
        assert!(error.status().is_client_error() || error.status().is_server_error());
    }
}

#[test]
fn refusal_has_the_status_of_its_fault() {
    use RequestError::*;
    let rows = [
        (HeadTimeout, 408),
        (BodyTimeout, 408),
        (BodyTooLarge, 413),
        (TargetTooLong, 414),
        (HeadTooLarge, 431),
        (TooManyHeaders, 431),
        (TrailersTooLarge, 431),
        (ExpectationFailed, 417),
        (UnknownTransferCoding, 501),
        (MethodNotImplemented, 501),
        (VersionNotSupported, 505),
        (OriginRefused, 403),
        (HostRefused, 421),
        (TooManyOfClient, 429),
        (UnsupportedWebSocketVersion, 426),
    ];
    for &error in RequestError::ALL {
        let expected =
            rows.iter().find(|(named, _)| *named == error).map_or(400, |(_, status)| *status);
        assert_eq!(error.status().as_u16(), expected, "{error:?}");
        let same = RequestError::ALL.iter().filter(|other| other.as_str() == error.as_str());
        assert_eq!(same.count(), 1, "{error:?}: words of its own");
    }
}

#[test]
fn field_row_17_an_unsupported_version_is_told_the_right_one() {
    let response = Response::from(RequestError::UnsupportedWebSocketVersion);
    let bytes = encoded(&response, &OPEN);
    assert!(bytes.starts_with("HTTP/1.1 426 Upgrade Required\r\n"));
    assert!(bytes.contains("\r\nConnection: close, upgrade\r\n"));
    assert!(bytes.contains("\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"));
    for error in [
        RequestError::UpgradeMethod,
        RequestError::UpgradeVersion,
        RequestError::MissingConnectionUpgrade,
    ] {
        let bytes = encoded(&Response::from(error), &OPEN);
        assert!(bytes.starts_with("HTTP/1.1 400 ") && !bytes.contains("Upgrade"));
    }
}

#[test]
fn date_follows_the_seconds() {
    let mut date = Date::new();
    let rows: &[(u64, &[u8; 29])] = &[
        (0, b"Thu, 01 Jan 1970 00:00:00 GMT"),
        (784_111_777, DATE),
        (784_111_777, DATE),
        (1_709_164_800, b"Thu, 29 Feb 2024 00:00:00 GMT"),
        (253_402_300_799, b"Fri, 31 Dec 9999 23:59:59 GMT"),
        (u64::MAX, b"Fri, 31 Dec 9999 23:59:59 GMT"),
        (1, b"Thu, 01 Jan 1970 00:00:01 GMT"),
        (0, b"Thu, 01 Jan 1970 00:00:00 GMT"),
    ];
    for (seconds, text) in rows {
        assert_eq!(date.at(*seconds), *text);
    }
}

#[test]
fn event_stream_encodes_to_the_byte() {
    let rows: &[(Option<&str>, Option<&str>, &str, &str)] = &[
        (None, None, "hello", "data: hello\n\n"),
        (None, None, "", "data: \n\n"),
        (None, None, " led by a space", "data:  led by a space\n\n"),
        (None, None, "a\nb", "data: a\ndata: b\n\n"),
        (None, None, "a\r\nb\rc\n", "data: a\ndata: b\ndata: c\ndata: \n\n"),
        (None, None, "\n\r", "data: \ndata: \ndata: \n\n"),
        (None, None, "é\0:", "data: é\0:\n\n"),
        (Some("news"), Some("7"), "x", "event: news\nid: 7\ndata: x\n\n"),
        (Some("a\nb"), Some("1\r2"), "x", "data: x\n\n"),
        (Some("a\0"), Some("\0"), "x", "data: x\n\n"),
        (Some("a\n\ndata: forged"), None, "x", "data: x\n\n"),
        (None, Some(""), "x", "id: \ndata: x\n\n"),
    ];
    for (event, id, data, expected) in rows {
        let mut out = Vec::new();
        event_stream::encode(&mut out, *event, *id, data);
        assert_eq!(String::from_utf8(out).unwrap(), *expected);
    }
    // A block without data dispatches nothing (HTML standard, 9.2.6); an id with a line break or a
    // NUL would be another field, or be ignored.
    let rows: &[(&str, bool, &str)] = &[
        ("7-42", false, "id: 7-42\n\n"),
        ("7-42", true, "id: 7-42\ndata:\n\n"),
        ("", false, "id: \n\n"),
        (" 7", false, "id:  7\n\n"),
        ("7\n", false, ""),
        ("7\r", true, ""),
        ("7\n\ndata: forged", false, ""),
        ("7\0", true, ""),
    ];
    for (id, with_data, expected) in rows {
        let mut out = Vec::new();
        event_stream::encode_id(&mut out, id, *with_data);
        assert_eq!(String::from_utf8(out).unwrap(), *expected);
    }
    let mut out = event_stream::KEEP_ALIVE.to_vec();
    event_stream::encode_retry(&mut out, Duration::from_millis(1500));
    assert_eq!(out, b":\n\nretry: 1500\n\n");
}
