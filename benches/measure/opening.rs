//! Opens WebSockets from the load generators' side, several at once, and checks every answer. This
//! file knows the handshake, not what the connections are for.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::workload::{ACCEPT, KEY};

/// The time after which an answer counts as lost.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Connections opened at once.
pub const BATCH: usize = 64;

/// Opens `count` WebSockets (RFC 6455 section 4.1) with blocking sockets, in batches: all requests
/// of a batch are sent before the first answer is read.
pub fn open(server: SocketAddr, count: usize) -> io::Result<Vec<TcpStream>> {
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {server}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    );
    let mut streams = Vec::with_capacity(count);
    while streams.len() < count {
        let first = streams.len();
        for _ in first..count.min(first + BATCH) {
            let mut stream = connect(server)?;
            stream.write_all(request.as_bytes())?;
            streams.push(stream);
        }
        for stream in &mut streams[first..] {
            read_answer(stream)?;
        }
    }
    Ok(streams)
}

/// Connects, and retries while no port is free: ports used a moment ago come free within a second.
fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect(server) {
            Err(error)
                if error.kind() == ErrorKind::AddrNotAvailable && Instant::now() < deadline =>
            {
                thread::sleep(Duration::from_millis(10));
            }
            outcome => {
                let stream = outcome?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
        }
    }
}

fn read_answer(stream: &mut TcpStream) -> io::Result<()> {
    let mut answer = [0; 1024];
    let mut len = 0;
    while !answer[..len].ends_with(b"\r\n\r\n") {
        match stream.read(&mut answer[len..])? {
            0 => break,
            more => len += more,
        }
    }
    let answer = String::from_utf8_lossy(&answer[..len]);
    if !answer.starts_with("HTTP/1.1 101 ") || !answer.contains(ACCEPT) {
        return Err(io::Error::new(ErrorKind::InvalidData, format!("no upgrade: {answer:?}")));
    }
    Ok(())
}
