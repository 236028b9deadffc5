//! The check of an `Origin` that a handler asks for. The rules are those of origins.rs.

use super::context::Context;
use crate::http1::{Request, RequestError, Response};
use crate::websocket::Origins;

impl Context {
    /// Judges the `Origin` of a request as that of a WebSocket: by the host of the request and by
    /// [`Server::origins`](crate::Server::origins). The lists of zones do not count.
    ///
    /// A browser does not tell a page why its WebSocket was refused. A page that asks a zone of its
    /// server by POST learns it. A handler of other requests that change something keeps foreign
    /// pages out with the same check: browsers send `Origin` with every POST.
    ///
    /// ```
    /// use switchboard::http::Request;
    /// use switchboard::testing::World;
    /// use switchboard::{Reply, Response};
    ///
    /// let mut world = World::new(); // requests name the host example.com
    /// world.server.http("/why", |conn, request| match conn.context().check_origin(request) {
    ///     Ok(()) => Reply::from(Response::new(204)),
    ///     Err(refusal) => refusal.into(),
    /// });
    /// let mut ask = |origin: &str| world.fetch(Request::post("/why").header("Origin", origin));
    /// assert_eq!(ask("https://example.com").status, 204);
    /// let refused = ask("https://evil.example");
    /// assert_eq!(refused.status, 403);
    /// assert!(refused.text().contains("allow it with Server::origins \"https://evil.example\""));
    /// ```
    ///
    /// # Errors
    /// The answer that a WebSocket would get: 403 with a text that names the Origin, the Host and
    /// what to do. A request without `Origin` is accepted.
    pub fn check_origin(&self, request: &Request<'_>) -> Result<(), Response> {
        self.origins
            .check(request, &Origins::SameHost)
            .map_err(|text| Response::from(RequestError::OriginRefused).body(text.into_bytes()))
    }
}
