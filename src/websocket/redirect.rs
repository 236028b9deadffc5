//! The target of a redirection: a `Location` resolved against the URL that was asked for (RFC 9110
//! section 10.2.2, RFC 3986 section 5.2). This file knows no request and counts no redirections.

use super::url::Url;
use super::url_text::parse_text;

/// Resolves the value of `Location`. The schemes `http` and `https` mean `ws` and `wss`.
///
/// # Errors
/// The reason why the redirection is not followed.
pub(crate) fn redirected(from: &Url, location: &str) -> Result<Url, &'static str> {
    let location = location.split('#').next().unwrap_or_default();
    let secure = from.is_secure();
    let (secure, rest) = match split_scheme(location) {
        Some((scheme, rest)) => (secure_scheme(scheme)?, rest),
        None => (secure, location),
    };
    if from.is_secure() && !secure {
        return Err("a redirection from wss to ws");
    }
    let scheme = if secure { "wss" } else { "ws" };
    let (authority, resource) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len())),
        None if rest.len() < location.len() => {
            return Err("a redirection to a URL without a host");
        }
        None => (from.authority(), rest),
    };
    if authority.contains('@') {
        return Err("a redirection to a URL with a user");
    }
    let is_relative = !rest.starts_with("//");
    let resource = match is_relative {
        true => merged(from.resource(), resource),
        false => resource.to_owned(),
    };
    let (path, query) = split_query(&resource);
    let url = format!("{scheme}://{authority}{}{query}", without_dots(path));
    parse_text(&url).map(|(url, _)| url)
}

fn split_scheme(location: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = location.split_once(':')?;
    let mut bytes = scheme.bytes();
    let starts = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic());
    let goes_on = bytes.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    (starts && goes_on).then_some((scheme, rest))
}

fn secure_scheme(scheme: &str) -> Result<bool, &'static str> {
    match scheme.to_ascii_lowercase().as_str() {
        "ws" | "http" => Ok(false),
        "wss" | "https" => Ok(true),
        _ => Err("a redirection to another scheme"),
    }
}

fn split_query(resource: &str) -> (&str, &str) {
    resource.split_at(resource.find('?').unwrap_or(resource.len()))
}

/// Merges a reference without scheme and host with the resource that was asked for (5.2.2, 5.2.3).
fn merged(base: &str, reference: &str) -> String {
    let (base_path, _) = split_query(base);
    match reference.as_bytes().first() {
        None => base.to_owned(),
        Some(b'/') => reference.to_owned(),
        Some(b'?') => format!("{base_path}{reference}"),
        Some(_) => {
            let folder = base_path.rfind('/').map_or("/", |at| &base_path[..=at]);
            format!("{folder}{reference}")
        }
    }
}

/// Removes the segments `.` and `..` of a path (5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            _ => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn location_is_resolved_against_the_url() {
        let rows = [
            ("ws://b/", "ws://b/"),
            ("http://b:80/x?y", "ws://b/x?y"),
            ("HTTPS://b/", "wss://b/"),
            ("wss://b", "wss://b/"),
            ("//b:9/x", "ws://b:9/x"),
            ("/x", "ws://a:8/x"),
            ("/x/../y/./z/..", "ws://a:8/y/"),
            ("x", "ws://a:8/d/x"),
            ("../x?q", "ws://a:8/x?q"),
            ("../../../x", "ws://a:8/x"),
            (".", "ws://a:8/d/"),
            ("?z", "ws://a:8/d/e?z"),
            ("", "ws://a:8/d/e?q"),
            ("#top", "ws://a:8/d/e?q"),
            ("/x#top", "ws://a:8/x"),
            ("x:y/z", ""),
            ("./x:y", "ws://a:8/d/x:y"),
            ("ftp://b/", ""),
            ("http:/b", ""),
            ("ws:b", ""),
            ("//u:p@b/", ""),
            ("http://u@b/", ""),
            ("//", ""),
            ("/a b", ""),
            ("http://127.1/", ""),
        ];
        let from = Url::parse("ws://a:8/d/e?q").unwrap();
        for (location, expected) in rows {
            let url = redirected(&from, location).map(|url| url.to_string());
            match expected {
                "" => assert!(url.is_err(), "{location}: {url:?}"),
                _ => assert_eq!(url.as_deref(), Ok(expected), "{location}"),
            }
        }
    }

    #[test]
    fn secure_url_stays_secure() {
        let from = Url::parse("wss://a/").unwrap();
        for location in ["ws://a/", "http://b/"] {
            assert_eq!(redirected(&from, location), Err("a redirection from wss to ws"));
        }
        for (location, url) in [("/x", "wss://a/x"), ("//b", "wss://b/"), ("https://b", "wss://b/")]
        {
            assert_eq!(redirected(&from, location).map(|url| url.to_string()), Ok(url.to_owned()));
        }
    }
}
