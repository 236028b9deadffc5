//! `ws:` and `wss:` URLs as tables: the parts of each, and the error of each fault.

use proptest::prelude::*;
use switchboard::proto::http1::{HeadLimits, HeaderSlots, Request};
use switchboard::proto::websocket::{MalformedUrl, Url};

/// URL, secure, host, port, authority, resource.
type Row = (&'static str, bool, &'static str, u16, &'static str, &'static str);

const GOOD: &[Row] = &[
    ("ws://example.com", false, "example.com", 80, "example.com", "/"),
    ("ws://example.com/", false, "example.com", 80, "example.com", "/"),
    ("wss://example.com/chat", true, "example.com", 443, "example.com", "/chat"),
    ("WSS://EXAMPLE.com/Chat", true, "example.com", 443, "example.com", "/Chat"),
    ("ws://example.com:80/", false, "example.com", 80, "example.com", "/"),
    ("ws://example.com:443/", false, "example.com", 443, "example.com:443", "/"),
    ("wss://example.com:443/", true, "example.com", 443, "example.com", "/"),
    ("wss://example.com:80/", true, "example.com", 80, "example.com:80", "/"),
    ("ws://example.com:/", false, "example.com", 80, "example.com", "/"),
    ("ws://example.com:00080/", false, "example.com", 80, "example.com", "/"),
    ("ws://example.com:65535/", false, "example.com", 65535, "example.com:65535", "/"),
    ("ws://example.com?a=b", false, "example.com", 80, "example.com", "/?a=b"),
    ("ws://example.com/?", false, "example.com", 80, "example.com", "/?"),
    ("ws://a/b?c=d?e/f:@", false, "a", 80, "a", "/b?c=d?e/f:@"),
    ("ws://a/b?q=100%", false, "a", 80, "a", "/b?q=100%"),
    ("ws://a?rate=50%&q=%u00e9", false, "a", 80, "a", "/?rate=50%&q=%u00e9"),
    ("ws://a/?%4g%", false, "a", 80, "a", "/?%4g%"),
    ("ws://a/?q=\"é<日>\"", false, "a", 80, "a", "/?q=\"é<日>\""),
    ("ws://a/?{}|^`[]\\?/@:", false, "a", 80, "a", "/?{}|^`[]\\?/@:"),
    ("ws://a//b/../c/.", false, "a", 80, "a", "//b/../c/."),
    ("ws://a/caf%C3%A9%20%23", false, "a", 80, "a", "/caf%C3%A9%20%23"),
    ("ws://a/-._~!$&'()*+,;=:@", false, "a", 80, "a", "/-._~!$&'()*+,;=:@"),
    ("ws://127.0.0.1:9001/", false, "127.0.0.1", 9001, "127.0.0.1:9001", "/"),
    ("ws://[::1]", false, "::1", 80, "[::1]", "/"),
    ("ws://[::1]:9001/x", false, "::1", 9001, "[::1]:9001", "/x"),
    ("wss://[0:0:0::00FF]:443", true, "::ff", 443, "[::ff]", "/"),
    ("ws://localhost.", false, "localhost.", 80, "localhost.", "/"),
    ("ws://a_b-c.d2/", false, "a_b-c.d2", 80, "a_b-c.d2", "/"),
    ("ws://1.example/", false, "1.example", 80, "1.example", "/"),
    ("ws://0xg/", false, "0xg", 80, "0xg", "/"),
];

#[test]
fn client_takes_a_url_apart() {
    for &(text, secure, host, port, authority, resource) in GOOD {
        let url = Url::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
        assert_eq!((url.is_secure(), url.host(), url.port()), (secure, host, port), "{text}");
        assert_eq!((url.authority(), url.resource()), (authority, resource), "{text}");
        let scheme = if secure { "wss" } else { "ws" };
        assert_eq!(url.to_string(), format!("{scheme}://{authority}{resource}"));
        assert_eq!(Url::parse(&url.to_string()), Ok(url), "what is written is what was read");
    }
}

const BAD: &[(&str, MalformedUrl)] = &[
    ("", MalformedUrl::Scheme),
    ("example.com", MalformedUrl::Scheme),
    ("//example.com", MalformedUrl::Scheme),
    ("://example.com", MalformedUrl::Scheme),
    ("ws:/example.com", MalformedUrl::Scheme),
    ("http://example.com", MalformedUrl::Scheme),
    ("https://example.com", MalformedUrl::Scheme),
    ("wsss://example.com", MalformedUrl::Scheme),
    (" ws://example.com", MalformedUrl::Scheme),
    ("ws://example.com/#", MalformedUrl::Fragment),
    ("ws://example.com#x", MalformedUrl::Fragment),
    ("ws://a@example.com", MalformedUrl::UserInfo),
    ("ws://a:b@example.com/", MalformedUrl::UserInfo),
    ("ws://@example.com", MalformedUrl::UserInfo),
    ("ws://good.example:80@evil.example", MalformedUrl::UserInfo),
    ("ws://", MalformedUrl::Authority),
    ("ws:///chat", MalformedUrl::Authority),
    ("ws://:80/", MalformedUrl::Authority),
    ("ws://a b/", MalformedUrl::Authority),
    ("ws://ex%61mple.com/", MalformedUrl::Authority),
    ("ws://ex\u{e4}mple.com/", MalformedUrl::Authority),
    ("ws://example.com\\@evil/", MalformedUrl::UserInfo),
    ("ws://example.com\\evil/", MalformedUrl::Authority),
    ("ws://example.com:0/", MalformedUrl::Authority),
    ("ws://example.com:+80/", MalformedUrl::Authority),
    ("ws://example.com:65536/", MalformedUrl::Authority),
    ("ws://example.com:80:80/", MalformedUrl::Authority),
    ("ws://example.com:http/", MalformedUrl::Authority),
    ("ws://::1/", MalformedUrl::Authority),
    ("ws://[::1/", MalformedUrl::Authority),
    ("ws://[::1]x/", MalformedUrl::Authority),
    ("ws://[127.0.0.1]/", MalformedUrl::Authority),
    ("ws://[fe80::1%25eth0]/", MalformedUrl::Authority),
    ("ws://[::1]:0", MalformedUrl::Authority),
    ("ws://127.1/", MalformedUrl::Authority),
    ("ws://2130706433/", MalformedUrl::Authority),
    ("ws://0x7f000001/", MalformedUrl::Authority),
    ("ws://0177.0.0.1/", MalformedUrl::Authority),
    ("ws://1.2.3.256/", MalformedUrl::Authority),
    ("ws://127.0.0.1./", MalformedUrl::Authority),
    ("ws://example.0X1/", MalformedUrl::Authority),
    ("ws://a..", MalformedUrl::Authority),
    ("ws://a/b c", MalformedUrl::Character),
    ("ws://a/\u{e9}", MalformedUrl::Character),
    ("ws://a/b\\c", MalformedUrl::Character),
    ("ws://a/<b>", MalformedUrl::Character),
    ("ws://a/\"", MalformedUrl::Character),
    ("ws://a/{}|^`", MalformedUrl::Character),
    ("ws://a/[x]", MalformedUrl::Character),
    ("ws://a/\r\nHost: b", MalformedUrl::Character),
    ("ws://a/\0", MalformedUrl::Character),
    ("ws://a/\u{7f}", MalformedUrl::Character),
    ("ws://a/%", MalformedUrl::Escape),
    ("ws://a/%4", MalformedUrl::Escape),
    ("ws://a/%4g?%", MalformedUrl::Escape),
    ("ws://a/100%?a", MalformedUrl::Escape),
    ("ws://a/é?a", MalformedUrl::Character),
    ("ws://a/?a b", MalformedUrl::Character),
    ("ws://a/?a\tb", MalformedUrl::Character),
    ("ws://a/?a\r\nHost: b", MalformedUrl::Character),
    ("ws://a/?\0", MalformedUrl::Character),
    ("ws://a/?\u{7f}", MalformedUrl::Character),
    ("ws://a/?\u{85}", MalformedUrl::Character),
    ("ws://a/?b#c", MalformedUrl::Fragment),
];

#[test]
fn client_names_what_is_wrong_with_a_url() {
    for &(text, fault) in BAD {
        assert_eq!(Url::parse(text), Err(fault), "{text:?}");
        assert_eq!(
            text.parse::<Url>().map_err(|fault| fault.to_string()),
            Err(fault.as_str().to_owned())
        );
    }
}

proptest! {
    /// A parsed URL fits a request line and a `Host`, and parses to itself again.
    #[test]
    fn client_sends_nothing_but_what_a_request_may_hold(
        text in "(ws|wss|WS)://[a-z0-9.:\\[\\]@%x#-]{0,12}[/?]?\\PC{0,12}",
    ) {
        if let Ok(url) = Url::parse(&text) {
            prop_assert!(url.resource().starts_with('/'));
            let (path, query) = url.resource().split_once('?').unwrap_or((url.resource(), ""));
            let mut strict = path.bytes().chain(url.authority().bytes());
            prop_assert!(strict.all(|byte| byte.is_ascii_graphic()));
            prop_assert!(!query.contains(|c: char| c.is_control() || c == ' ' || c == '#'));
            let head = format!("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", url.resource());
            let mut slots = HeaderSlots::new();
            let parsed = Request::parse(head.as_bytes(), &mut slots, &HeadLimits::default());
            // A path may be refused for what its escapes and dots mean.
            prop_assert!(parsed.is_ok() || path.contains(['%', '.']), "{head}");
            prop_assert!(!url.host().is_empty() && url.port() != 0);
            prop_assert_eq!(Url::parse(&url.to_string()), Ok(url));
        }
    }

    #[test]
    fn client_takes_any_text_for_a_url_without_harm(text in "\\PC*") {
        let _ = Url::parse(&text);
        let _ = Url::parse(&format!("ws://{text}"));
    }
}
