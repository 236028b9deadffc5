//! How much output the kernel keeps for one connection, as options of its socket. This file does
//! not know which connections have limits.

use socket2::SockRef;

use super::transport::Transport;

/// The limits of one socket, in bytes. `None` leaves the socket as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SendLimits {
    /// SO_SNDBUF: all that the peer has not acknowledged.
    pub(crate) buffer: Option<u32>,
    /// TCP_NOTSENT_LOWAT: all that was not sent yet.
    pub(crate) not_sent: Option<u32>,
}

impl SendLimits {
    /// Whether there is a limit to set.
    #[inline]
    pub(crate) fn is_set(self) -> bool {
        self != SendLimits::default()
    }

    // A socket that takes no limit works without one. If its peer is gone, the next read says so.
    fn set_buffer(self, socket: &SockRef<'_>) {
        if let Some(bytes) = self.buffer {
            // The kernel reads a signed number.
            let _refused = socket.set_send_buffer_size(bytes.min(i32::MAX as u32) as usize);
        }
    }

    fn set_not_sent(self, socket: &SockRef<'_>) {
        if let Some(bytes) = self.not_sent {
            // The kernel takes 0 for its own default.
            #[cfg(any(target_os = "linux", target_os = "android"))]
            let _refused = socket.set_tcp_notsent_lowat(bytes.max(1));
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            let _ = (socket, bytes);
        }
    }
}

impl Transport {
    /// Limits what the kernel keeps of this connection's output. A Unix socket has a buffer alone,
    /// and memory has no limit.
    #[cold]
    pub(crate) fn limit_sending(&self, limits: SendLimits) {
        match self {
            Transport::Tcp(socket) => {
                let socket = SockRef::from(socket);
                limits.set_buffer(&socket);
                limits.set_not_sent(&socket);
            }
            Transport::Unix(socket) => limits.set_buffer(&SockRef::from(socket)),
            #[cfg(feature = "tls")]
            Transport::Tls(stream) => stream.carrier().limit_sending(limits),
            Transport::Memory(_) | Transport::Unconnected => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;

    use super::*;

    /// The kernel doubles a buffer, for its own bookkeeping.
    #[test]
    fn limits_are_options_of_the_socket() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let ours = socket.try_clone().unwrap();
        ours.set_nonblocking(true).unwrap();
        let tcp = Transport::from(mio::net::TcpStream::from_std(ours));
        let (near, _far) = UnixStream::pair().unwrap();
        let unix = Transport::from(mio::net::UnixStream::from_std(near.try_clone().unwrap()));
        let options = |of: SockRef<'_>| of.send_buffer_size().unwrap();
        let before = options(SockRef::from(&socket));
        tcp.limit_sending(SendLimits::default());
        assert_eq!(options(SockRef::from(&socket)), before);
        let limits = SendLimits { buffer: Some(16 << 10), not_sent: Some(4 << 10) };
        for transport in [&tcp, &unix, &Transport::memory().0, &Transport::Unconnected] {
            transport.limit_sending(limits);
        }
        for transport in [&tcp, &unix] {
            transport.limit_sending(SendLimits::default());
        }
        if cfg!(target_os = "linux") {
            assert_eq!(options(SockRef::from(&socket)), 32 << 10);
            assert_eq!(options(SockRef::from(&near)), 32 << 10);
            #[cfg(target_os = "linux")]
            assert_eq!(SockRef::from(&socket).tcp_notsent_lowat().unwrap(), 4 << 10);
        }
        // Any value is taken: the kernel has bounds of its own.
        tcp.limit_sending(SendLimits { buffer: Some(u32::MAX), not_sent: Some(u32::MAX) });
        tcp.limit_sending(SendLimits { buffer: Some(0), not_sent: Some(0) });
        assert!(options(SockRef::from(&socket)) > 0);
    }
}
