//! Limits on connections at a port for TLS: nothing is ever sent without TLS.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;

use switchboard::mio::Poll;
use switchboard::{Listener, Server, Transport};
use switchboard_tls_tests::Sim;

#[test]
fn server_sends_no_plain_text_to_a_connection_beyond_a_limit() {
    type Limit = fn(&mut Server);
    let limits: [(Limit, &str); 2] = [
        (|server| server.max_connections(1), "max_connections"),
        (|server| server.max_connections_per_address(1), "max_connections_per_address"),
    ];
    for (limit, name) in limits {
        let mut sim = Sim::new();
        sim.server = Server::new(Poll::new().unwrap().registry()).unwrap();
        let lines = Rc::new(RefCell::new(Vec::new()));
        let sink = lines.clone();
        sim.server.observe(move |event| sink.borrow_mut().push(event.to_string()));
        limit(&mut sim.server);
        let listener = sim.server.listen(Listener::from("127.0.0.1:0").tls(sim.tls.clone()));
        let listener = listener.unwrap();
        let hello = sim.hello(false);
        let mut connect = || {
            let (transport, mut wire) = Transport::memory();
            wire.set_address("192.0.2.1:4711".parse().unwrap());
            wire.send(&hello);
            (sim.server.adopt_at(listener, transport, sim.now), wire)
        };
        let (first, _open) = connect();
        assert!(first.is_ok());
        let (second, mut wire) = connect();
        assert_eq!(second.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert_eq!((wire.receive(), wire.is_gone()), (Vec::new(), true), "{name}");
        sim.flush();
        let stats = sim.server.context(sim.now).stats();
        assert_eq!((stats.turned_away, stats.rejected), (1, 0), "{name}");
        let expected = format!("192.0.2.1:4711 rejected, as many connections as {name} allows");
        assert_eq!(lines.borrow()[..], [expected]);
    }
}
