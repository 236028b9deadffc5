//! Metrics and the checks of health, on a listener of their own: the public one does not show them.

use std::io;

use switchboard::{Health, Listener, Metrics, Ready, Server, Zone};

/// Serves `/metrics`, `/healthz` and `/readyz` at a place, and returns the URL of the metrics. A
/// port alone is one of the loopback address.
pub fn serve(server: &mut Server, place: &str) -> io::Result<String> {
    server.measure_turns(true);
    let internal = |path| Zone::new(path).internal(true);
    server.zone(internal("/metrics"), Metrics);
    server.zone(internal("/healthz"), Health);
    server.zone(internal("/readyz"), Ready);
    let address = match place.parse::<u16>() {
        Ok(port) => format!("127.0.0.1:{port}"),
        Err(_) => place.to_owned(),
    };
    let listener = server
        .listen(Listener::from(address).internal(true))
        .map_err(|error| io::Error::new(error.kind(), format!("--metrics-listen: {error}")))?;
    let bound = server.listening_at(listener)?;
    let places: Vec<String> = bound.iter().map(|place| format!("http://{place}/metrics")).collect();
    Ok(places.join(" and "))
}
