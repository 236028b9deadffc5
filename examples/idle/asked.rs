//! What every handshake asks for beyond the URL: headers, subprotocols, an origin. This file judges
//! what may be sent, and sends nothing.

use serde::{Deserialize, Serialize};
use switchboard::Connect;
use switchboard::proto::websocket::{ClientHandshake, Key, Url};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Names and values, in their order.
    pub headers: Vec<(String, String)>,
    /// Best first.
    pub subprotocols: Vec<String>,
    pub origin: Option<String>,
}

impl Asked {
    /// Adds a header that is written as on the wire: `Name: value`.
    pub fn add_header(&mut self, line: &str) -> Result<(), String> {
        let (name, value) = line.split_once(':').ok_or_else(|| {
            format!("--header {line:?}: give name and value, such as \"Cookie: a=1\"")
        })?;
        let (name, value) = (name.to_owned(), value.trim().to_owned());
        sendable(|handshake| handshake.header(&name, &value)).map_err(|fault| {
            let hint = if name.eq_ignore_ascii_case("origin") { "; use --origin" } else { "" };
            format!("--header {line:?}: {fault}{hint}")
        })?;
        self.headers.push((name, value));
        Ok(())
    }

    /// Adds subprotocols, separated by commas.
    pub fn add_subprotocols(&mut self, names: &str) -> Result<(), String> {
        self.subprotocols.extend(names.split(',').map(|name| name.trim().to_owned()));
        sendable(|handshake| handshake.subprotocols(self.subprotocols.clone()))
            .map_err(|fault| format!("--subprotocol {names:?}: {fault}"))
    }

    pub fn set_origin(&mut self, origin: String) -> Result<(), String> {
        sendable(|handshake| handshake.origin(&origin)).map_err(|fault| {
            format!("--origin {origin:?}: {fault}; give one such as https://a.example")
        })?;
        self.origin = Some(origin);
        Ok(())
    }

    /// Adds all of it to a request.
    pub fn hand_to(&self, connect: Connect) -> Connect {
        let mut connect = connect;
        for (name, value) in &self.headers {
            connect = connect.header(name, value);
        }
        if !self.subprotocols.is_empty() {
            connect = connect.subprotocols(self.subprotocols.clone());
        }
        match &self.origin {
            Some(origin) => connect.origin(origin),
            None => connect,
        }
    }
}

/// Whether a handshake with such a part may be sent.
fn sendable(add: impl FnOnce(ClientHandshake) -> ClientHandshake) -> Result<(), String> {
    let url = Url::parse("ws://127.0.0.1/").map_err(|malformed| malformed.to_string())?;
    let key = Key::from_nonce(*b"a nonce of 16 B.");
    let encoded = add(ClientHandshake::new(url)).encode(&key, &mut Vec::new());
    encoded.map_err(|unsendable| unsendable.to_string())
}

#[cfg(test)]
mod tests {
    use switchboard::Handler;
    use switchboard::testing::World;

    use super::*;

    struct Silent;

    impl Handler for Silent {}

    #[test]
    fn asked_is_written_into_the_request() {
        let mut asked = Asked::default();
        asked.add_header("Cookie: a=1:2").unwrap();
        asked.add_subprotocols("v2, v1").unwrap();
        asked.set_origin("https://a.example".into()).unwrap();
        let mut world = World::new();
        let zone = world.server.zone("/", Silent);
        let (far, _id) = world.dial(zone, asked.hand_to(Connect::to("ws://h/")));
        let request = String::from_utf8(world.read(far)).unwrap();
        for line in ["Cookie: a=1:2\r\n", "Protocol: v2, v1\r\n", "Origin: https://a.example\r\n"] {
            assert!(request.contains(line), "{request}");
        }
    }

    #[test]
    fn asked_that_may_not_be_sent_is_refused() {
        for (line, why) in [
            ("Cookie", "name and value"),
            ("Host: a", "the handshake's own"),
            ("origin: a", "use --origin"),
            ("a b: c", "--header"),
            ("a: b\nc", "--header"),
        ] {
            let error = Asked::default().add_header(line).unwrap_err();
            assert!(error.contains(why), "{line}: {error}");
        }
        for names in ["", "a b", "a,a"] {
            assert!(Asked::default().add_subprotocols(names).is_err(), "{names}");
        }
        assert!(Asked::default().set_origin("a b".into()).is_err());
    }
}
