//! What the servers show to operators, and to nobody else.

use std::io::{BufRead, BufReader};
use std::process::Command;

use nix::sys::signal::Signal;

use super::listening as arguments_of;
use super::programs::{Program, Sink, exchange, executable, free_port};

fn get(program: &mut Program, address: &str, path: &str) -> String {
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    exchange(program, address, head.as_bytes())
}

#[test]
fn servers_show_metrics_at_their_own_listener_alone() {
    for name in ["chat", "echo"] {
        let address = format!("127.0.0.1:{}", free_port());
        // A port alone is one of the loopback address.
        let port = free_port().to_string();
        let internal = format!("127.0.0.1:{port}");
        let mut arguments = arguments_of(name, &address);
        arguments.extend(["--metrics-listen", &port]);
        let mut program = Program::start(name, &arguments, Sink::Nothing, Sink::Pipe);
        let metrics = get(&mut program, &internal, "/metrics");
        assert!(metrics.starts_with("HTTP/1.1 200 "), "{name}: {metrics}");
        assert!(metrics.contains("\nswitchboard_zone_open{zone=\"/"), "{name}: {metrics}");
        assert!(metrics.contains("\nswitchboard_turn_seconds_count "), "{name}: {metrics}");
        assert!(get(&mut program, &internal, "/healthz").ends_with("ok\n"));
        assert!(get(&mut program, &internal, "/readyz").ends_with("ready\n"));
        assert!(get(&mut program, &internal, "/").starts_with("HTTP/1.1 404 "));
        let public = get(&mut program, &address, "/metrics");
        assert!(!public.contains("switchboard_"), "{name}: {public}");
        assert!(get(&mut program, &address, "/").starts_with("HTTP/1.1 200 "));
    }
}

#[test]
fn servers_say_what_to_give_in_place_of_a_wrong_place_for_metrics() {
    for (name, place) in [("chat", "nowhere"), ("echo", "nowhere"), ("echo", "99999")] {
        let address = format!("127.0.0.1:{}", free_port());
        let mut arguments = arguments_of(name, &address);
        arguments.extend(["--metrics-listen", place]);
        let output = Command::new(executable(name)).args(&arguments).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{errors}");
        let advice =
            format!("--metrics-listen {place:?}: give a port up to 65535, such as 9464, or");
        assert!(errors.contains(&advice), "{errors}");
    }
}

#[test]
fn metrics_at_a_unix_socket_are_no_url() {
    let path = std::env::temp_dir().join(format!("metrics-{}.sock", std::process::id()));
    let place = format!("unix:{}", path.display());
    let address = format!("127.0.0.1:{}", free_port());
    let arguments = [&*address, "--metrics-listen", &place];
    let mut program = Program::start("echo", &arguments, Sink::Pipe, Sink::Nothing);
    let mut lines = BufReader::new(program.child.stdout.take().unwrap()).lines();
    let mut line = || lines.next().unwrap().unwrap();
    assert_eq!(line(), format!("metrics at {place}"));
    assert_eq!(line(), format!("listening on {address}")); // signals are handled from here on
    program.signal(Signal::SIGTERM);
    assert_eq!(program.end(), Some(0));
}
