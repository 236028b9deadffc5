//! Why the WebSocket of a page does not open. A browser hides the answer to a refused handshake
//! from its page, so the page asks with `POST /why`, and the rules of the handshake judge that
//! request. This file knows no connection and no room.

use switchboard::{Conn, Reply, Request, RequestError, Response, Version};

use super::protocol::valid_room;

/// The path at which the page asks, beside its WebSocket's.
pub const PATH: &str = "/why";

/// Answers 204 where no rule refuses the page, else what the handshake is answered. A host that is
/// not served has been refused before.
pub fn why(conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
    // The handshake takes the same way, and a proxy that speaks HTTP/1.0 passes no upgrade on.
    if request.version() == Version::Http10 {
        return Response::from(RequestError::UpgradeVersion).into();
    }
    if let Err(refusal) = conn.context().check_origin(request) {
        return refusal.into();
    }
    match request.query_value("room").map(|room| valid_room(&room)) {
        Some(Err(fault)) => Response::text(fault.message).with_status(404).into(),
        _ => Response::empty(204).into(),
    }
}
