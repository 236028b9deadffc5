//! A URL as a program writes it: user information, which becomes Basic authorization (RFC 7617),
//! and a host outside ASCII, which is looked up in its `xn--` form (UTS 46).
//! This file knows no request.
//!
//! The crate idna depends on some 30 crates for the tables of Unicode, so names outside ASCII are a
//! feature. Without it, a program writes a name as `xn--`.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use super::url::Url;
use crate::http1::is_well_formed;

/// Parses a URL. Returns also the value of the `Authorization` that its user information asks for.
///
/// # Errors
/// The reason, in words that hold no part of the URL.
pub(crate) fn parse_text(text: &str) -> Result<(Url, Option<String>), &'static str> {
    let (text, authorization) = take_user_info(text)?;
    let text = in_ascii(text)?;
    let url = Url::parse(&text).map_err(|malformed| malformed.as_str())?;
    Ok((url, authorization))
}

/// Returns the range of the authority in a URL, if there is one.
fn authority(text: &str) -> Option<std::ops::Range<usize>> {
    let start = text.find("://")? + 3;
    let len = text[start..].find(['/', '?', '#']).unwrap_or(text.len() - start);
    Some(start..start + len)
}

/// Takes the user information out of a URL.
fn take_user_info(text: &str) -> Result<(Cow<'_, str>, Option<String>), &'static str> {
    let Some(range) = authority(text) else { return Ok((text.into(), None)) };
    let Some((user_info, _)) = text[range.clone()].rsplit_once('@') else {
        return Ok((text.into(), None));
    };
    let rest = range.start + user_info.len() + 1;
    let bare = format!("{}{}", &text[..range.start], &text[rest..]);
    let authorization = (!user_info.is_empty()).then(|| basic(user_info)).transpose()?;
    Ok((bare.into(), authorization))
}

/// Returns the value of `Authorization` or `Proxy-Authorization` for `user:password`.
fn basic(user_info: &str) -> Result<String, &'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:%".contains(&byte);
    if !user_info.bytes().all(allowed) || !is_well_formed(user_info) {
        return Err("the user or password in the URL has a character that must be percent-encoded");
    }
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let user: Vec<u8> = percent_decode_str(user).collect();
    let password: Vec<u8> = percent_decode_str(password).collect();
    // RFC 7617 section 2: a colon ends the user, and neither part has control characters.
    if user.contains(&b':') || user.iter().chain(&password).any(u8::is_ascii_control) {
        return Err("the user in the URL has a colon, or user or password a control character");
    }
    Ok(format!("Basic {}", STANDARD.encode([&user[..], b":", &password].concat())))
}

/// Writes a host outside ASCII in its `xn--` form.
fn in_ascii(text: Cow<'_, str>) -> Result<Cow<'_, str>, &'static str> {
    let Some(range) = authority(&text).filter(|range| !text[range.clone()].is_ascii()) else {
        return Ok(text);
    };
    let authority = &text[range.clone()];
    let host_len = authority.rfind(':').unwrap_or(authority.len());
    let (host, port) = authority.split_at(host_len);
    let host = to_ascii(host)?;
    Ok(format!("{}{host}{port}{}", &text[..range.start], &text[range.end..]).into())
}

#[cfg(feature = "idn")]
fn to_ascii(host: &str) -> Result<Cow<'_, str>, &'static str> {
    idna::domain_to_ascii_cow(host.as_bytes(), idna::AsciiDenyList::URL)
        .map_err(|_| "the URL has a host outside ASCII that is no name (UTS 46)")
}

#[cfg(not(feature = "idn"))]
fn to_ascii(_host: &str) -> Result<Cow<'_, str>, &'static str> {
    Err("the URL has a host outside ASCII: build switchboard with the feature `idn`, or write the \
         host in its xn-- form")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(String, Option<String>), &'static str> {
        parse_text(text).map(|(url, authorization)| (url.to_string(), authorization))
    }

    #[test]
    fn user_information_becomes_basic_authorization() {
        let basic = |text: &str| Some(format!("Basic {}", STANDARD.encode(text)));
        let rows = [
            ("ws://a/", "ws://a/", None),
            ("ws://@a/", "ws://a/", None),
            ("ws://u:p@a/", "ws://a/", basic("u:p")),
            ("WS://u:p@A:80/x?y@z", "ws://a/x?y@z", basic("u:p")),
            ("wss://u@a:9/", "wss://a:9/", basic("u:")),
            ("ws://u:@a", "ws://a/", basic("u:")),
            ("ws://:p@a", "ws://a/", basic(":p")),
            ("ws://u:p:q@a", "ws://a/", basic("u:p:q")),
            ("ws://a%40b:%2F%3A%3f@[::1]:8/", "ws://[::1]:8/", basic("a@b:/:?")),
            ("ws://%C3%A9:%E2%82%AC@a", "ws://a/", basic("\u{e9}:\u{20ac}")),
            ("ws://a/@b", "ws://a/@b", None),
            ("ws://a?@b", "ws://a/?@b", None),
        ];
        for (text, url, authorization) in rows {
            assert_eq!(parse(text), Ok((url.to_owned(), authorization)), "{text}");
        }
        // RFC 7617 section 2 has this example.
        let aladdin = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==".to_owned();
        let (_, authorization) = parse("ws://Aladdin:open%20sesame@a").unwrap();
        assert_eq!(authorization, Some(aladdin));
    }

    #[test]
    fn user_information_has_one_reading() {
        let texts = [
            "ws://u@v@a/",
            "ws://u v@a/",
            "ws://u\\@a/",
            "ws://\u{e9}@a/",
            "ws://%zz@a/",
            "ws://%4@a/",
            "ws://u%3Av:p@a/",
            "ws://u%0Ap@a/",
            "ws://u:%7F@a/",
            "ws://[u]@a/",
        ];
        for text in texts {
            let fault = parse(text).expect_err(text);
            assert!(fault.starts_with("the user "), "{text}: {fault}");
        }
        assert_eq!(parse("ws://u@").unwrap_err(), "the URL has a malformed host or port");
    }

    #[cfg(feature = "idn")]
    #[test]
    fn names_outside_ascii_become_punycode() {
        let rows = [
            ("ws://b\u{fc}cher.example/", "ws://xn--bcher-kva.example/"),
            ("ws://B\u{dc}CHER.example:9001/x", "ws://xn--bcher-kva.example:9001/x"),
            ("ws://bu\u{308}cher.example/", "ws://xn--bcher-kva.example/"),
            (
                "wss://u:p@\u{4f8b}\u{3048}.\u{30c6}\u{30b9}\u{30c8}",
                "wss://xn--r8jz45g.xn--zckzah/",
            ),
            ("ws://fa\u{df}.example/", "ws://xn--fa-hia.example/"),
            ("ws://example\u{3002}com/", "ws://example.com/"),
            ("ws://\u{ff11}\u{ff12}\u{ff17}.0.0.1:80/", "ws://127.0.0.1/"),
            ("ws://xn--bcher-kva.example/", "ws://xn--bcher-kva.example/"),
        ];
        for (text, url) in rows {
            assert_eq!(parse(text).map(|(url, _)| url), Ok(url.to_owned()), "{text}");
        }
        let faults = [
            "ws://\u{ff11}\u{ff12}\u{ff17}.1/",
            "ws://a\u{2f}b\u{fc}/\u{fc}",
            "ws://\u{ad}/",
            "ws://\u{fc}%41/",
            "ws://\u{fc} b/",
            "ws://\u{2488}x/",
            "ws://\u{fc}:x/",
            "ws://[\u{fc}]/",
            "ws://\u{5d0}a.example/",
            "ws://\u{fffd}/",
        ];
        for text in faults {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[cfg(not(feature = "idn"))]
    #[test]
    fn name_outside_ascii_says_how_to_build() {
        let fault = parse("ws://b\u{fc}cher.example/").unwrap_err();
        assert!(fault.contains("feature `idn`"), "{fault}");
    }
}
