//! What the servers report to a supervisor that sets `NOTIFY_SOCKET`; two processes at one port.

use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

use super::programs::{PATIENCE, Program, Sink, assert_serves, executable, free_port};
use nix::sys::signal::Signal;

/// The socket of a supervisor, removed at the end.
struct Reports(UnixDatagram, String);

impl Reports {
    fn new(name: &str) -> Reports {
        let path = std::env::temp_dir().join(format!("sw-{name}-{}", std::process::id()));
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Reports(socket, path.into_os_string().into_string().unwrap())
    }

    /// Reads reports up to this one, and returns how many others came before.
    fn skip_to(&self, report: &str) -> usize {
        let mut buf = [0; 256];
        let next =
            || self.0.recv(&mut buf).map(|n| String::from_utf8_lossy(&buf[..n]).into_owned());
        let reports = std::iter::repeat_with(next).map(|read| read.expect(report));
        reports.take_while(|read| read.trim_end() != report).count()
    }
}

impl Drop for Reports {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.1);
    }
}

#[test]
fn servers_report_to_their_supervisor() {
    for (name, option) in [("echo", None), ("chat", Some("--listen"))] {
        let reports = Reports::new(name);
        let address = format!("127.0.0.1:{}", free_port());
        let mut command = Command::new(executable(name));
        command.args(option).arg(&address).env("NOTIFY_SOCKET", &reports.1);
        command.env("WATCHDOG_USEC", "20000").stdout(Stdio::null());
        let mut program = Program { child: command.spawn().unwrap() };
        assert_eq!(reports.skip_to("READY=1"), 0, "{name}");
        assert_serves(&mut program, &address); // it listened before its report
        reports.skip_to("WATCHDOG=1");
        program.signal(Signal::SIGTERM);
        reports.skip_to("STOPPING=1");
        assert_eq!(program.end(), Some(0), "{name}");
    }
}

#[test]
fn echo_shares_its_port_with_the_next_version() {
    let address = format!("127.0.0.1:{}", free_port());
    let arguments = [&*address, "--reuse-port"];
    let start = || {
        let mut program = Program::start("echo", &arguments, Sink::Pipe, Sink::Nothing);
        assert!(super::listening::first_line(&mut program).ends_with(&address));
        program
    };
    let (mut last, mut next) = (start(), start());
    last.signal(Signal::SIGTERM);
    assert_eq!(last.end(), Some(0));
    assert_serves(&mut next, &address);
}
