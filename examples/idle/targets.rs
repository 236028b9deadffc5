//! The servers to be measured: a URL whose port may be a range names many. This file opens nothing.

use std::net::IpAddr;

use switchboard::proto::websocket::Url;

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub url: String,
    pub host: String,
    pub port: u16,
}

impl Target {
    /// Whether the address is on this machine and needs no network.
    pub fn is_loopback(&self) -> bool {
        let address: Option<IpAddr> = self.host.parse().ok();
        self.host == "localhost" || address.is_some_and(|address| address.is_loopback())
    }

    /// Whether connections to the target may come from 127.0.0.2 as well.
    pub fn has_many_sources(&self) -> bool {
        self.host == "localhost" || self.host.starts_with("127.")
    }

    fn new(url: &str) -> Result<Target, String> {
        let judged = Url::parse(url).map_err(|malformed| format!("{url:?}: {malformed}"))?;
        if judged.is_secure() {
            return Err(format!(
                "{url:?}: wss is not spoken; measure behind what ends TLS, with a ws:// URL"
            ));
        }
        Ok(Target { host: judged.host().to_owned(), port: judged.port(), url: judged.to_string() })
    }
}

/// Lists the servers that a URL such as `ws://127.0.0.1:9001-9050/path` names.
pub fn parse(text: &str) -> Result<Vec<Target>, String> {
    let Some((head, first, last, tail)) = range(text) else { return Ok(vec![Target::new(text)?]) };
    let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) else {
        return Err(format!("{text:?}: ports are numbers from 1 to 65535"));
    };
    if first > last {
        return Err(format!("{text:?}: the first port of the range is the greater one"));
    }
    (first..=last).map(|port| Target::new(&format!("{head}{port}{tail}"))).collect()
}

/// The parts before, in and after a range of ports.
fn range(text: &str) -> Option<(&str, &str, &str, &str)> {
    let start = text.find("://")? + 3;
    let end = text[start..].find(['/', '?', '#']).map_or(text.len(), |at| start + at);
    let colon = start + text[start..end].rfind(':')? + 1;
    let (first, last) = text[colon..end].split_once('-')?;
    let digits = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    (digits(first) && digits(last)).then(|| (&text[..colon], first, last, &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_with_a_range_stands_for_every_port_in_it() {
        let targets = parse("ws://127.0.0.1:9001-9003/a?b=1-2").unwrap();
        let urls: Vec<&str> = targets.iter().map(|target| &*target.url).collect();
        assert_eq!(
            urls,
            [
                "ws://127.0.0.1:9001/a?b=1-2",
                "ws://127.0.0.1:9002/a?b=1-2",
                "ws://127.0.0.1:9003/a?b=1-2"
            ]
        );
        assert_eq!(targets[2].port, 9003);
        assert_eq!(parse("ws://[::1]:7-8/").unwrap()[1].url, "ws://[::1]:8/");
        assert_eq!(parse("ws://my-host/a-b").unwrap()[0].host, "my-host");
    }

    #[test]
    fn url_that_names_no_server_is_told_why() {
        for (url, why) in [
            ("http://127.0.0.1/", "does not begin with ws://"),
            ("wss://127.0.0.1/", "wss is not spoken"),
            ("ws://127.0.0.1:9003-9001/", "the greater one"),
            ("ws://127.0.0.1:9-70000/", "1 to 65535"),
            ("ws://127.0.0.1:0-3/", "malformed host or port"),
            ("ws://127.0.0.1:9001/#x", "fragment"),
        ] {
            let error = parse(url).unwrap_err();
            assert!(error.contains(why), "{url}: {error}");
        }
    }
}
