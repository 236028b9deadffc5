//! The pages for operators: metrics for Prometheus, and the two checks of a load balancer or an
//! orchestrator. This file counts nothing.

use http::Method;

use super::handler::Handler;
use crate::context::{Conn, Reply};
use crate::http1::{Request, Response};

/// The content type of the text format 0.0.4 of Prometheus.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A handler that answers with [`Stats::to_prometheus`](crate::Stats::to_prometheus).
///
/// It takes GET and HEAD, at the path of its zone and not below. The names are in the guide, in the
/// chapter [metrics](crate::guide::metrics). An [internal](crate::Zone::internal) zone keeps
/// the page from the public.
///
/// ```
/// use switchboard::Metrics;
/// use switchboard::testing::World;
///
/// let mut world = World::new();
/// world.server.zone("/metrics", Metrics);
/// let answer = world.get("/metrics");
/// assert_eq!(answer.header("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
/// assert!(answer.text().contains("\nswitchboard_requests_total 1\n"));
/// assert_eq!(world.get("/metrics/below").status, 404);
/// assert_eq!(world.post("/metrics", "").status, 405);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Metrics;

/// A handler that answers 200 as long as the loop turns: a check of liveness.
///
/// It takes GET and HEAD, at the path of its zone and not below.
///
/// ```
/// use switchboard::Health;
/// use switchboard::testing::World;
///
/// let mut world = World::new();
/// world.server.zone("/healthz", Health);
/// assert_eq!(world.get("/healthz").text(), "ok\n");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Health;

/// A handler that answers 200, and 503 from the call of [`drain`](crate::Context::drain) on: a
/// check whether further clients should be sent here.
///
/// It takes GET and HEAD, at the path of its zone and not below.
///
/// ```
/// use switchboard::Ready;
/// use switchboard::testing::World;
///
/// let mut world = World::new();
/// world.server.zone("/readyz", Ready);
/// assert_eq!(world.get("/readyz").text(), "ready\n");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Ready;

impl Handler for Metrics {
    fn request(&mut self, conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        page(request, || Response::bytes(TEXT_FORMAT, conn.cx.stats().to_prometheus().into_bytes()))
    }
}

impl Handler for Health {
    fn request(&mut self, _conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        page(request, || Response::text("ok\n"))
    }
}

impl Handler for Ready {
    fn request(&mut self, conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        page(request, || match conn.cx.is_ready() {
            true => Response::text("ready\n"),
            false => Response::text("draining\n").with_status(503),
        })
    }
}

/// Answers a request for the path of the zone itself.
fn page(request: &Request<'_>, response: impl FnOnce() -> Response) -> Reply {
    let (path, zone) = (request.path(), request.zone());
    if path.trim_end_matches('/') != zone.trim_end_matches('/') || request.is_websocket() {
        return Reply::Pass;
    }
    match *request.method() {
        // No cache may answer in place of the server.
        Method::GET | Method::HEAD => response().header("Cache-Control", "no-store").into(),
        _ => Response::method_not_allowed(&[Method::GET, Method::HEAD]).into(),
    }
}
