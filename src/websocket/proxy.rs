//! The HTTP proxy that a client asks for a tunnel (RFC 9110 section 9.3.6): its address, its
//! credentials, the request. This file reads no environment and opens no socket.

use std::fmt;

use super::url::Url;
use super::url_text::parse_text;

/// An HTTP proxy.
#[derive(Clone)]
pub(crate) struct Proxy {
    url: Url,
    /// The value of `Proxy-Authorization`.
    authorization: Option<String>,
}

impl Proxy {
    /// Parses `http://user:password@host:port`. The scheme may be absent, the port is 80 then, and
    /// user and password are percent-encoded.
    ///
    /// # Errors
    /// The reason, in words that hold no part of the URL.
    pub(crate) fn parse(text: &str) -> Result<Proxy, &'static str> {
        let rest = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return Err("a proxy whose URL does not begin with http://"),
            None => text,
        };
        let parsed = parse_text(&format!("ws://{rest}"));
        let (url, authorization) = parsed.map_err(|_| "a proxy with a malformed URL")?;
        match url.resource() {
            "/" => Ok(Proxy { url, authorization }),
            _ => Err("a proxy whose URL has a path"),
        }
    }

    /// Chooses the proxy for a URL as curl does, from the values of `http_proxy` or `https_proxy`,
    /// and of `no_proxy`: names separated by commas, each of which stands for its subdomains too.
    pub(crate) fn chosen(
        url: &Url,
        proxy: Option<&str>,
        no_proxy: Option<&str>,
    ) -> Result<Option<Proxy>, &'static str> {
        let Some(proxy) = proxy.filter(|proxy| !proxy.is_empty()) else { return Ok(None) };
        let mut without = no_proxy.unwrap_or_default().split(',').map(str::trim);
        match without.any(|entry| is_of(url.host(), entry)) {
            true => Ok(None),
            false => Proxy::parse(proxy).map(Some),
        }
    }

    pub(crate) fn host(&self) -> &str {
        self.url.host()
    }

    pub(crate) fn port(&self) -> u16 {
        self.url.port()
    }

    /// Appends the request for a tunnel to the host and port of a URL.
    pub(crate) fn encode(&self, url: &Url, out: &mut Vec<u8>) {
        let host = match url.host().contains(':') {
            true => format!("[{}]:{}", url.host(), url.port()),
            false => format!("{}:{}", url.host(), url.port()),
        };
        let mut put =
            |parts: &[&str]| parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
        put(&["CONNECT ", &host, " HTTP/1.1\r\nHost: ", &host, "\r\n"]);
        if let Some(value) = &self.authorization {
            put(&["Proxy-Authorization: ", value, "\r\n"]);
        }
        put(&["\r\n"]);
    }
}

/// Whether a host is the one that an entry of `no_proxy` names, or below it.
fn is_of(host: &str, entry: &str) -> bool {
    let entry = entry.strip_prefix("*.").unwrap_or(entry);
    let entry = entry.trim_start_matches('.').to_ascii_lowercase();
    let entry = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&entry);
    if entry.is_empty() {
        return false;
    }
    let parent = host.strip_suffix(entry);
    entry == "*" || parent.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("host", &self.url.authority()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxy_is_asked_for_a_tunnel() {
        let rows = [
            ("http://p/", "ws://a/x", "p", 80, "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"),
            ("p:3128", "wss://a/", "p", 3128, "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"),
            (
                "HTTP://u:p%40@[::1]:8080",
                "ws://[::2]:9/",
                "::1",
                8080,
                "CONNECT [::2]:9 HTTP/1.1\r\nHost: [::2]:9\r\n\
                 Proxy-Authorization: Basic dTpwQA==\r\n\r\n",
            ),
        ];
        for (proxy, url, host, port, request) in rows {
            let proxy = Proxy::parse(proxy).unwrap();
            assert_eq!((proxy.host(), proxy.port()), (host, port));
            let mut out = Vec::new();
            proxy.encode(&Url::parse(url).unwrap(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), request);
        }
        let texts = ["", "https://p/", "socks5://p", "http://p/x", "http://u:%@p", "http://p:0"];
        for text in texts {
            let fault = Proxy::parse(text).expect_err(text);
            assert!(fault.starts_with("a proxy "), "{fault}");
        }
        assert!(!format!("{:?}", Proxy::parse("http://user:secret@p").unwrap()).contains("dXN"));
    }

    #[test]
    fn environment_names_hosts_without_a_proxy() {
        let url = Url::parse("ws://api.example.com:8/").unwrap();
        let rows = [
            (None, None, false),
            (Some(""), None, false),
            (Some("p"), None, true),
            (Some("p"), Some(""), true),
            (Some("p"), Some("a,example.com"), false),
            (Some("p"), Some(" .Example.COM "), false),
            (Some("p"), Some("*.example.com"), false),
            (Some("p"), Some("api.example.com"), false),
            (Some("p"), Some("ample.com, i.example.com,com.example"), true),
            (Some("p"), Some("*"), false),
        ];
        for (proxy, without, expected) in rows {
            let chosen = Proxy::chosen(&url, proxy, without).unwrap();
            assert_eq!(chosen.is_some(), expected, "{proxy:?} {without:?}");
        }
        assert!(Proxy::chosen(&url, Some("socks5://p"), None).is_err());
    }
}
