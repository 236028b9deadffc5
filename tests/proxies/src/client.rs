//! A client of one connection: HTTP/1.1 and WebSocket by hand, over TCP or TLS. It sends what a
//! check writes, and knows no proxy.

use std::fmt::Display;
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use socket2::{Domain, Socket, Type};

/// How long a client waits for bytes.
pub const PATIENCE: Duration = Duration::from_secs(8);

/// The host under which the proxies serve.
pub const HOST: &str = "chat.example";

trait Wire: Write + Send {
    fn socket(&self) -> &TcpStream;

    /// Reads, also where writing has failed: a peer that refuses an upload closes while it comes.
    fn receive(&mut self, room: &mut [u8]) -> Result<usize>;
}

impl Wire for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }

    fn receive(&mut self, room: &mut [u8]) -> Result<usize> {
        self.read(room)
    }
}

impl Wire for StreamOwned<ClientConnection, TcpStream> {
    fn socket(&self) -> &TcpStream {
        &self.sock
    }

    fn receive(&mut self, room: &mut [u8]) -> Result<usize> {
        loop {
            match self.conn.reader().read(room) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                other => return other,
            }
            self.conn.read_tls(&mut self.sock)?;
            self.conn.process_new_packets().map_err(Error::other)?;
        }
    }
}

pub struct Client {
    wire: Box<dyn Wire>,
    /// Bytes that arrived and were not taken yet.
    input: Vec<u8>,
}

/// A response with its whole body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Client {
    /// Connects from a loopback address, such as `127.0.0.2`. With `tls`, it speaks TLS.
    pub fn from(source: &str, to: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> Result<Client> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(source.parse().unwrap(), 0).into())?;
        socket.connect_timeout(&to.into(), PATIENCE)?;
        socket.set_tcp_nodelay(true)?;
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let wire: Box<dyn Wire> = match tls {
            None => Box::new(stream),
            Some(config) => {
                let name = ServerName::try_from(HOST).unwrap();
                let tls = ClientConnection::new(config.clone(), name).map_err(Error::other)?;
                Box::new(StreamOwned::new(tls, stream))
            }
        };
        Ok(Client { wire, input: Vec::new() })
    }

    pub fn patience(&self, patience: Duration) {
        self.wire.socket().set_read_timeout(Some(patience)).unwrap();
    }

    pub fn write(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.wire.write_all(bytes.as_ref())?;
        self.wire.flush()
    }

    /// Sends a FIN and stays able to read.
    pub fn half_close(&self) {
        self.wire.socket().shutdown(Shutdown::Write).unwrap();
    }

    /// Breaks the connection off: the peer gets a RST.
    pub fn abort(self) {
        let socket = Socket::from(self.wire.socket().try_clone().unwrap());
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Writes a request for [`HOST`]. `lines` are further header lines, each with its CR LF.
    pub fn request(&mut self, method: &str, path: &str, lines: &str, body: &[u8]) -> Result<()> {
        let length = match (method, body.len()) {
            ("GET", 0) => String::new(),
            (_, length) => format!("Content-Length: {length}\r\n"),
        };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n{lines}{length}\r\n");
        self.write(head)?;
        self.write(body)
    }

    pub fn get(&mut self, path: &str, lines: &str) -> Result<Answer> {
        self.request("GET", path, lines, b"")?;
        self.answer()
    }

    pub fn post(&mut self, path: &str, body: &[u8]) -> Result<Answer> {
        self.request("POST", path, "", body)?;
        self.answer()
    }

    /// Asks for a WebSocket; the answer is a 101, or a refusal.
    pub fn handshake(&mut self, path: &str, lines: &str) -> Result<Answer> {
        let lines = format!(
            "{lines}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        self.get(path, &lines)
    }

    /// Reads until the input has `len` bytes.
    fn fill(&mut self, len: usize) -> Result<()> {
        let mut room = [0; 16 << 10];
        while self.input.len() < len {
            match self.wire.receive(&mut room)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                count => self.input.extend_from_slice(&room[..count]),
            }
        }
        Ok(())
    }

    pub fn take(&mut self, len: usize) -> Result<Vec<u8>> {
        self.fill(len)?;
        Ok(self.input.drain(..len).collect())
    }

    /// Reads up to and with some bytes.
    pub fn take_until(&mut self, end: &str) -> Result<String> {
        loop {
            let at = self.input.windows(end.len()).position(|bytes| bytes == end.as_bytes());
            match at {
                Some(at) => {
                    let taken = self.take(at + end.len())?;
                    return Ok(String::from_utf8_lossy(&taken).into_owned());
                }
                None => self.fill(self.input.len() + 1)?,
            }
        }
    }

    pub fn head(&mut self) -> Result<(u16, String)> {
        let head = self.take_until("\r\n\r\n")?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.map(|status| (status, head)).ok_or(ErrorKind::InvalidData.into())
    }

    /// Reads a response; one that informs, such as a 100, is none.
    pub fn answer(&mut self) -> Result<Answer> {
        let (mut status, mut head) = self.head()?;
        while (100..200).contains(&status) && status != 101 {
            (status, head) = self.head()?;
        }
        let body = match (field(&head, "content-length"), field(&head, "transfer-encoding")) {
            _ if matches!(status, 101 | 204 | 304) => Vec::new(),
            (Some(length), _) => self.take(length.parse().unwrap())?,
            (None, Some(_)) => {
                let mut body = Vec::new();
                while let Some(chunk) = self.chunk()? {
                    body.extend(chunk);
                }
                body
            }
            (None, None) => {
                self.rest()?;
                std::mem::take(&mut self.input)
            }
        };
        Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// Reads to the end of the connection, which may be a rude one.
    pub fn rest(&mut self) -> Result<()> {
        loop {
            match self.fill(self.input.len() + 1) {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
                other => other?,
            }
        }
    }

    /// Whether the connection ends, with whatever comes before its end.
    pub fn ends(&mut self) -> bool {
        !matches!(self.rest(), Err(error)
            if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }

    /// The next chunk of a chunked body; `None` is its end.
    pub fn chunk(&mut self) -> Result<Option<Vec<u8>>> {
        let line = self.take_until("\r\n")?;
        let length = usize::from_str_radix(line.trim(), 16).map_err(Error::other)?;
        let chunk = self.take(length)?;
        self.take(2)?;
        Ok((length > 0).then_some(chunk))
    }

    /// Sends a frame, masked with zeros (RFC 6455 5.2).
    pub fn send(&mut self, opcode: u8, payload: &[u8]) -> Result<()> {
        let mut frame = vec![0x80 | opcode];
        match payload.len() {
            len @ 0..126 => frame.push(0x80 | len as u8),
            len @ 126..0x1_0000 => {
                frame.push(0x80 | 126);
                frame.extend((len as u16).to_be_bytes());
            }
            len => {
                frame.push(0x80 | 127);
                frame.extend((len as u64).to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        self.write(frame)
    }

    /// The next frame: opcode and payload.
    pub fn frame(&mut self) -> Result<(u8, Vec<u8>)> {
        let start = self.take(2)?;
        let len = match start[1] {
            126 => u16::from_be_bytes(self.take(2)?.try_into().unwrap()).into(),
            127 => u64::from_be_bytes(self.take(8)?.try_into().unwrap()) as usize,
            len => len.into(),
        };
        Ok((start[0] & 0x0f, self.take(len)?))
    }

    /// Sends a message, and checks that its echo comes.
    pub fn echo(&mut self, opcode: u8, payload: &[u8]) -> Result<()> {
        self.send(opcode, payload)?;
        match self.frame()? {
            (op, echoed) if op == opcode && echoed == payload => Ok(()),
            (op, echoed) => Err(other(format!("{op:#x} of {} bytes in place of it", echoed.len()))),
        }
    }
}

/// The value of a field in a head.
pub fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| {
        let (field, value) = line.split_once(':')?;
        field.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

pub fn other(what: impl Display) -> Error {
    Error::other(what.to_string())
}
