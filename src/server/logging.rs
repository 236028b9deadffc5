//! Hands the events of an observer to the crate `log`. This file stands on what any observer gets.

use log::Level;

use super::observer::Observed;

impl Observed<'_> {
    /// Hands the event to the crate `log`, as one line.
    ///
    /// | event | level | target |
    /// | --- | --- | --- |
    /// | [`Answered`](Observed::Answered) | info | `switchboard::access` |
    /// | [`Refused`](Observed::Refused), [`Rejected`](Observed::Rejected) | warn | `switchboard` |
    /// | [`Violated`](Observed::Violated), [`Dropped`](Observed::Dropped) | warn | `switchboard` |
    /// | [`Panicked`](Observed::Panicked) | warn | `switchboard` |
    /// | [`Opened`](Observed::Opened), [`Ended`](Observed::Ended) | debug | `switchboard` |
    ///
    /// `server.observe(|event| event.log())` logs all events. A server has one observer, so a
    /// program with a closure of its own calls this method in it. The program chooses the logger,
    /// which runs on the server's thread and must not block.
    ///
    /// ```
    /// use std::sync::Mutex;
    /// use switchboard::testing::World;
    ///
    /// static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
    ///
    /// struct Lines;
    /// impl log::Log for Lines {
    ///     fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
    ///         metadata.target().starts_with("switchboard")
    ///     }
    ///     fn log(&self, record: &log::Record<'_>) {
    ///         let line = format!("{} {}: {}", record.level(), record.target(), record.args());
    ///         LINES.lock().unwrap().push(line);
    ///     }
    ///     fn flush(&self) {}
    /// }
    ///
    /// log::set_logger(&Lines).unwrap();
    /// log::set_max_level(log::LevelFilter::Info); // `Opened` and `Ended` cost nothing then
    /// let mut world = World::new();
    /// world.server.http("/hello", |_, _| "hello");
    /// world.server.observe(|event| event.log());
    /// world.get("/hello");
    /// world.get("/nowhere");
    /// let lines = LINES.lock().unwrap();
    /// assert!(lines[0].starts_with("INFO switchboard::access: ? answered with 200, "));
    /// assert!(lines[0].ends_with(": \"GET /hello HTTP/1.1\""));
    /// assert!(lines[1].starts_with("WARN switchboard: ? refused with 404, no zone answers"));
    /// assert_eq!(lines.len(), 2);
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "log")))]
    pub fn log(&self) {
        let (level, target) = match self {
            Observed::Answered(_) => (Level::Info, "switchboard::access"),
            Observed::Opened(_) | Observed::Ended(_) => (Level::Debug, "switchboard"),
            _ => (Level::Warn, "switchboard"),
        };
        log::log!(target: target, level, "{self}");
    }
}
