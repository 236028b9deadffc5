//! Whether clients are told how long an idle connection is kept.

use super::options::Options;
use crate::http1::KeepAliveHeader;

impl Options {
    /// Tells HTTP clients how long the server keeps an idle connection (default: yes).
    ///
    /// An answer after which the connection stays open has `Connection: keep-alive` and
    /// `Keep-Alive: timeout=70`: five seconds less than
    /// [`keep_alive_timeout`](Options::keep_alive_timeout), so that no request crosses the end of
    /// the connection on its way. Neither line is sent where that is below 1 s, where there is no
    /// timeout, and where [`lifetime`](Options::lifetime) may end the connection first. HTTP/1.0
    /// clients get `Connection: keep-alive` in any case, since they close without it.
    ///
    /// ```
    /// use switchboard::Options;
    /// use switchboard::testing::World;
    ///
    /// let mut world = World::new();
    /// world.server.http("/", |_, _| "hello");
    /// assert_eq!(world.get("/").header("Keep-Alive"), Some("timeout=70"));
    /// world.server.options(Options::new().keep_alive_header(false));
    /// assert_eq!(world.get("/").header("Keep-Alive"), None);
    /// ```
    #[must_use]
    pub fn keep_alive_header(mut self, yes: bool) -> Options {
        self.keep_alive_header = yes.then_some(KeepAliveHeader::NONE);
        self
    }
}
