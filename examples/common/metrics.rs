//! Metrics and the checks of health, on a listener of their own: the public one does not show them.

use std::io::{self, ErrorKind};

use switchboard::{Health, ListenAddr, Listener, Metrics, Ready, Server, Zone};

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
        Err(_) if place.contains(':') => place.to_owned(),
        Err(_) => {
            let text = format!(
                "--metrics-listen {place:?}: give a port up to 65535, such as 9464, or HOST:PORT"
            );
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
    };
    let listener = server
        .listen(Listener::from(address).internal(true))
        .map_err(|error| io::Error::new(error.kind(), format!("--metrics-listen: {error}")))?;
    let bound = server.listening_at(listener)?;
    let places: Vec<String> = bound.iter().map(url).collect();
    Ok(places.join(" and "))
}

/// The URL of the metrics. A Unix socket has none.
fn url(place: &ListenAddr) -> String {
    match place {
        ListenAddr::Tcp(address) => format!("http://{address}/metrics"),
        place => place.to_string(),
    }
}
