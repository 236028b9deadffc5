//! The setters of what the kernel keeps of a connection's output. This file sets no option of a
//! socket.

use super::options::Options;

impl Options {
    /// Sets how many bytes of a connection's output the kernel keeps until the peer has
    /// acknowledged them: `SO_SNDBUF` (default: unset, and the kernel grows the buffer to megabytes
    /// as needed).
    ///
    /// What lies in the kernel can be neither dropped nor replaced, and a peer that was slow reads
    /// it first. So a small buffer makes a slow reader's next message a newer one. It also bounds
    /// the throughput to one buffer a round trip: 16 KiB at 100 ms are 160 KiB a second. Linux
    /// doubles the value for its bookkeeping, raises it to 4.5 KiB, and lowers it to
    /// `net.core.wmem_max`.
    ///
    /// The option is set on TCP and Unix sockets, once: the default options' when a socket is
    /// accepted, adopted or dialled, those of [`Connect::options`](crate::Connect::options) when
    /// it is dialled, and those of [`Upgrade::options`](crate::Upgrade::options) or
    /// [`EventStream::options`](crate::EventStream::options) when the exchange opens. A later set
    /// without a value leaves the socket as it is. A socket that refuses the option goes on without
    /// it. Unset, it costs no system call. In-memory transports have no buffer.
    ///
    /// ```
    /// use std::time::Instant;
    /// use switchboard::{Backpressure, Options, Server, Upgrade};
    ///
    /// let mut server = Server::detached();
    /// let latest = Options::new().backpressure(Backpressure::KeepLatest);
    /// let game = latest.send_buffer(16 << 10).not_sent_lowat(4 << 10);
    /// let game = server.context(Instant::now()).add_options(game);
    /// server.http("/about", |_, _| "HTTP has the buffer that the kernel chooses");
    /// let upgrade = Upgrade::new().options(game); // what a handler's `request` returns
    /// # let _ = upgrade;
    /// ```
    #[must_use]
    pub fn send_buffer(mut self, bytes: u32) -> Options {
        self.sending.buffer = Some(bytes);
        self
    }

    /// Sets how many bytes of a connection's output the kernel keeps that it has not sent yet:
    /// `TCP_NOTSENT_LOWAT` (default: unset, and only the send buffer limits them).
    ///
    /// The kernel takes output only while fewer bytes than this are unsent, and asks for more below
    /// half of them. One write may pass the limit by a segment of up to 64 KiB. What was sent and
    /// not acknowledged is not limited: that much is needed to fill a long path. So this limit
    /// costs less throughput than [`send_buffer`](Options::send_buffer), and more turns for the
    /// same output.
    ///
    /// The option is set on TCP sockets of Linux and Android, at the times that
    /// [`send_buffer`](Options::send_buffer) names. 0 counts as 1.
    ///
    /// ```
    /// use switchboard::{Options, Server};
    ///
    /// let mut server = Server::detached();
    /// server.options(Options::new().not_sent_lowat(16 << 10));
    /// ```
    #[must_use]
    pub fn not_sent_lowat(mut self, bytes: u32) -> Options {
        self.sending.not_sent = Some(bytes);
        self
    }
}
