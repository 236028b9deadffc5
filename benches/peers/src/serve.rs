//! Serves a port with a task for each connection, on a tokio runtime of one thread, for every tokio
//! library. This file does not know WebSocket.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Builder;
use tokio::task;

/// The connections that a bench may make before the first is accepted.
const BACKLOG: u32 = 4096;

/// Listens at a free port, prints the address, and runs `connection` for each connection. `runtime`
/// names the drivers that the library needs.
pub fn run<F>(runtime: &mut Builder, connection: impl Fn(TcpStream) -> F) -> io::Result<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    runtime.build()?.block_on(async {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let listener = socket.listen(BACKLOG)?;
        println!("{}", listener.local_addr()?);
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            // The echo examples of fastwebsockets and tokio-websockets lift tokio's budget. Lifting
            // it for those two alone would be unfair.
            tokio::spawn(task::unconstrained(connection(stream)));
        }
    })
}
