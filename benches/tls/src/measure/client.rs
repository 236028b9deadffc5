//! One TLS client over a socket, blocking or not, and how many of them are opened at once. This
//! file knows the handshakes of TLS and of WebSocket, not what the connections are for.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection};

use super::certificate;
use super::opening::{BATCH, PATIENCE};
use super::session::{self, Received};
use super::workload::{ACCEPT, KEY};

/// The size of the buffer that [`Client::receive`] expects.
pub const BUFFER: usize = 256 << 10;

/// A client's side of one connection.
pub struct Client {
    pub stream: TcpStream,
    pub tls: ClientConnection,
}

impl Client {
    /// Connects, and sends the ClientHello.
    pub fn connect(server: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<Client> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let tls = ClientConnection::new(Arc::clone(config), certificate::name())
            .map_err(io::Error::other)?;
        let mut client = Client { stream, tls };
        client.flush()?;
        Ok(client)
    }

    /// Sends ciphertext until none is left or the socket is full.
    pub fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.stream) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads once; the plaintext lies at the front of `buf` then.
    pub fn receive(&mut self, buf: &mut [u8]) -> io::Result<Option<Received>> {
        session::receive(&mut self.tls, &self.stream, buf)
    }

    /// Completes the handshake of a blocking socket. The last messages of it are not sent yet.
    pub fn shake_hands(&mut self, buf: &mut [u8]) -> io::Result<()> {
        while self.tls.is_handshaking() {
            self.flush()?;
            match self.receive(buf)? {
                Some(received) if !received.ended => {}
                _ => return Err(lost("the server ended a handshake")),
            }
        }
        Ok(())
    }

    /// Encrypts a WebSocket's request (RFC 6455 section 4.1).
    pub fn request(&mut self, server: SocketAddr) -> io::Result<()> {
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {server}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
        );
        io::Write::write_all(&mut self.tls.writer(), request.as_bytes())
    }

    /// Awaits the answer to the request on a blocking socket.
    fn read_answer(&mut self, buf: &mut [u8]) -> io::Result<()> {
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            match self.receive(buf)? {
                Some(received) if !received.ended => answer.extend(&buf[..received.plaintext]),
                _ => return Err(lost("the server ended instead of an upgrade")),
            }
        }
        check_answer(&answer)
    }
}

/// Checks the answer to [`Client::request`].
pub fn check_answer(answer: &[u8]) -> io::Result<()> {
    let answer = String::from_utf8_lossy(answer);
    if answer.starts_with("HTTP/1.1 101 ") && answer.contains(ACCEPT) {
        return Ok(());
    }
    Err(io::Error::new(ErrorKind::InvalidData, format!("no upgrade: {answer:?}")))
}

/// Opens `count` WebSockets over TLS with blocking sockets, in batches.
pub fn open(
    server: SocketAddr,
    config: &Arc<ClientConfig>,
    count: usize,
) -> io::Result<Vec<Client>> {
    let mut buf = vec![0; BUFFER];
    let mut clients = Vec::with_capacity(count);
    while clients.len() < count {
        let first = clients.len();
        for _ in first..count.min(first + BATCH) {
            clients.push(Client::connect(server, config)?);
        }
        for client in &mut clients[first..] {
            client.shake_hands(&mut buf)?;
            client.request(server)?;
            client.flush()?;
        }
        for client in &mut clients[first..] {
            client.read_answer(&mut buf)?;
        }
    }
    Ok(clients)
}

/// Makes a batch of connections, each with a full handshake, and awaits that the server closes them
/// after close_notify.
pub fn come_and_go(server: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<()> {
    let mut buf = vec![0; BUFFER];
    let mut clients = Vec::with_capacity(BATCH);
    for _ in 0..BATCH {
        clients.push(Client::connect(server, config)?);
    }
    for client in &mut clients {
        client.shake_hands(&mut buf)?;
        client.flush()?;
    }
    for client in &mut clients {
        // The tickets, which the server sends at the end of a handshake.
        match client.receive(&mut buf)? {
            Some(received) if !received.ended => {}
            _ => return Err(lost("the server ended a connection after its handshake")),
        }
        client.tls.send_close_notify();
        client.flush()?;
    }
    for client in &mut clients {
        // The close_notify shows that the server has taken the handshake's last message.
        loop {
            match client.receive(&mut buf)? {
                Some(received) if received.close_notify => break,
                Some(received) if !received.ended => {}
                _ => return Err(lost("the server closes without close_notify")),
            }
        }
    }
    Ok(())
}

fn lost(what: &str) -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, what)
}
