//! What simulations do with a world's clients beyond its own methods: bytes as they are, whole
//! frames in words, and readiness that is not true.

use switchboard::testing::{Client, World};
use switchboard::{Readiness, Stats};

use super::http;
use super::words::words;

/// Clients as peers that send and receive bytes, and do nothing by themselves.
pub trait Bytes {
    /// The peer sends, and the server does all that follows.
    fn send(&mut self, client: Client, bytes: impl AsRef<[u8]>);

    /// Takes what the server has written so far, without a turn.
    fn receive(&mut self, client: Client) -> Vec<u8>;

    /// Sends, and receives what comes back.
    fn ask(&mut self, client: Client, bytes: impl AsRef<[u8]>) -> Vec<u8>;

    /// Sends byte by byte, each in a turn of its own.
    fn trickle(&mut self, client: Client, bytes: &[u8]);

    /// A WebSocket whose frames are left to the test. Its handshake is received already.
    fn raw_websocket(&mut self, path: &str) -> Client;

    /// An event stream whose bytes are left to the test. Its head is received already.
    fn raw_events(&mut self, path: &str) -> Client;

    /// What the peer has received, which must be whole frames, in words.
    fn words(&mut self, client: Client) -> Vec<String>;

    /// Sends, and receives what comes back, in words.
    fn ask_words(&mut self, client: Client, bytes: impl AsRef<[u8]>) -> Vec<String>;

    /// Whether the server has ended its side so far, without a turn.
    fn is_ended(&mut self, client: Client) -> bool;

    /// Whether the server has dropped the connection so far, without a turn.
    fn is_gone(&mut self, client: Client) -> bool;

    /// The peer ends its side; the server learns of it by reading only.
    fn end_quietly(&mut self, client: Client);

    /// Tells the server that something is possible, true or not.
    fn tell(&mut self, client: Client, readiness: Readiness);

    /// The server's counts.
    fn stats(&mut self) -> Stats;
}

impl Bytes for World {
    fn send(&mut self, client: Client, bytes: impl AsRef<[u8]>) {
        self.write(client, bytes);
    }

    fn receive(&mut self, client: Client) -> Vec<u8> {
        self.peer(client).receive()
    }

    fn ask(&mut self, client: Client, bytes: impl AsRef<[u8]>) -> Vec<u8> {
        self.send(client, bytes);
        self.receive(client)
    }

    fn trickle(&mut self, client: Client, bytes: &[u8]) {
        for byte in bytes {
            self.send(client, [*byte]);
        }
    }

    fn raw_websocket(&mut self, path: &str) -> Client {
        let client = self.connect();
        let answer = self.ask(client, http::handshake(path));
        assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer));
        client
    }

    fn raw_events(&mut self, path: &str) -> Client {
        let client = self.connect();
        let answer = self.ask(client, http::get(path));
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
        client
    }

    fn words(&mut self, client: Client) -> Vec<String> {
        words(&self.receive(client))
    }

    fn ask_words(&mut self, client: Client, bytes: impl AsRef<[u8]>) -> Vec<String> {
        words(&self.ask(client, bytes))
    }

    fn is_ended(&mut self, client: Client) -> bool {
        self.peer(client).is_ended()
    }

    fn is_gone(&mut self, client: Client) -> bool {
        self.peer(client).is_gone()
    }

    fn end_quietly(&mut self, client: Client) {
        self.peer(client).end();
        self.write(client, []);
    }

    fn tell(&mut self, client: Client, readiness: Readiness) {
        let token = self.token(client);
        self.server.ready(token, readiness, self.now);
        self.settle();
    }

    fn stats(&mut self) -> Stats {
        self.server.context(self.now).stats()
    }
}
