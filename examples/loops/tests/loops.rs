//! Reactors in tokio and calloop, on real sockets: thousands that are ready at once, timers without
//! traffic, tasks that answer, and the programs.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use switchboard::{Drain, Handler, Reactor, Remote, ZoneId};
use switchboard_loops::{in_calloop, in_tokio, on_a_thread};
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

/// The longest wait of a client. Nothing of the server's own wakes its loop within that time.
const PATIENCE: Duration = Duration::from_secs(20);
/// More than two lists of events.
const SOCKETS: usize = 3_000;
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

type Drive = fn(Reactor) -> io::Result<()>;
const LOOPS: [(&str, Drive); 2] = [("tokio", with_tokio), ("calloop", in_calloop::run)];

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn with_tokio(reactor: Reactor) -> io::Result<()> {
    runtime().block_on(LocalSet::new().run_until(in_tokio::run(reactor)))
}

struct Hello;
impl Handler for Hello {
    fn request(
        &mut self,
        _conn: &mut switchboard::Conn<'_>,
        _request: &mut switchboard::Request<'_>,
    ) -> switchboard::Reply {
        "hello".into()
    }
}

/// A reactor in a loop on a thread of its own.
struct Running {
    address: SocketAddr,
    remote: Remote,
    zone: ZoneId<Hello>,
    thread: JoinHandle<io::Result<()>>,
}

impl Running {
    fn start(drive: Drive) -> Running {
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut reactor = Reactor::new()?;
            let zone = reactor.server.zone("/", Hello);
            let listener = reactor.server.listen("127.0.0.1:0")?;
            let address = reactor.server.local_addr(listener)?;
            tell.send((address, reactor.remote(), zone)).unwrap();
            drive(reactor)
        });
        let (address, remote, zone) = told.recv_timeout(PATIENCE).expect("a loop that runs");
        Running { address, remote, zone, thread }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn end(self) {
        self.remote.drain(Drain::within(Duration::ZERO)).unwrap();
        self.thread.join().unwrap().unwrap();
    }
}

fn read_hello(stream: &mut TcpStream) -> io::Result<()> {
    let (mut answer, mut buf) = (Vec::new(), [0; 1024]);
    while !answer.ends_with(b"hello") {
        match stream.read(&mut buf) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => answer.extend_from_slice(&buf[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[test]
fn sockets_that_are_ready_at_once_are_all_answered() {
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    for (name, drive) in LOOPS {
        let running = Running::start(drive);
        let mut sockets: Vec<_> = (0..SOCKETS).map(|_| running.connect()).collect();
        for socket in &mut sockets {
            socket.write_all(REQUEST).unwrap();
        }
        for socket in &mut sockets {
            read_hello(socket).unwrap();
        }
        // The loop stands still until all of them have sent.
        let (tell_entered, entered) = mpsc::channel();
        let (release, released): (_, Receiver<()>) = mpsc::channel();
        let call = move |_: &mut Hello, _: &mut switchboard::Context| {
            tell_entered.send(()).unwrap();
            let _ = released.recv_timeout(PATIENCE);
        };
        running.remote.call(running.zone, call).unwrap();
        entered.recv_timeout(PATIENCE).expect("a loop that stands still");
        for socket in &mut sockets {
            socket.write_all(REQUEST).unwrap();
        }
        release.send(()).unwrap();
        for (at, socket) in sockets.iter_mut().enumerate() {
            read_hello(socket).unwrap_or_else(|error| panic!("{name}: socket {at} waits: {error}"));
        }
        drop(sockets);
        running.end();
    }
}

#[test]
fn timers_run_without_traffic() {
    for (name, drive) in LOOPS {
        let running = Running::start(drive);
        let (tell, told) = mpsc::channel();
        let zone = running.zone;
        let set = move |_: &mut Hello, cx: &mut switchboard::Context| {
            let last = tell.clone();
            let mut count = 0;
            cx.every(zone, Duration::from_millis(30), move |_, _| {
                count += 1;
                let _ = tell.send(count);
            });
            cx.after(zone, Duration::from_millis(200), move |_, _| {
                let _ = last.send(1_000);
            });
        };
        running.remote.call(zone, set).unwrap();
        let next = || told.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{name}: no timer"));
        assert_eq!([next(), next()], [1, 2], "{name}");
        while next() != 1_000 {}
        running.end();
    }
}

#[test]
fn thread_answers_tasks_and_reports_its_errors() {
    runtime().block_on(async {
        let running = on_a_thread::start(|reactor| Ok(reactor.server.zone("/", Hello))).await;
        let running = running.unwrap();
        let (remote, zone) = (running.remote.clone(), running.set_up);
        let count = on_a_thread::ask(&remote, zone, |_, cx| cx.stats().connections).await;
        assert_eq!(count.unwrap(), 0);
        remote.drain(Drain::within(Duration::ZERO)).unwrap();
        running.join().await.unwrap();
        let error = on_a_thread::ask(&remote, zone, |_, _| ()).await.unwrap_err();
        assert_eq!(error.to_string(), "the server is gone");

        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = taken.local_addr().unwrap().to_string();
        let failed = on_a_thread::start(move |reactor| reactor.server.listen(&*place)).await;
        assert_eq!(failed.err().expect("a taken port").kind(), io::ErrorKind::AddrInUse);
    });
}

const PROGRAMS: [(&str, &str, &str); 3] = [
    ("one_thread", env!("CARGO_BIN_EXE_one_thread"), "answered by a task\n"),
    ("two_threads", env!("CARGO_BIN_EXE_two_threads"), "visit 1\n"),
    ("calloop", env!("CARGO_BIN_EXE_calloop"), "served by calloop\n"),
];

/// A program that runs. Dropping it ends the process.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn programs_serve_until_they_are_ended() {
    for (name, path, answer) in PROGRAMS {
        let mut command = Command::new(path);
        let child = command.arg("127.0.0.1:0").stdout(Stdio::piped()).spawn().unwrap();
        let mut program = Program(child);
        let mut lines = BufReader::new(program.0.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").expect(name).to_owned();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 ") && text.ends_with(answer), "{name}: {text}");
        let ended = Command::new("kill").arg(program.0.id().to_string()).status().unwrap();
        assert!(ended.success());
        assert_eq!(program.0.wait().unwrap().code(), Some(0), "{name} at SIGTERM");
    }
}

#[test]
fn programs_explain_themselves() {
    for (name, path, _) in PROGRAMS {
        let help = Command::new(path).arg("--help").output().unwrap();
        assert!(help.status.success());
        assert!(String::from_utf8(help.stdout).unwrap().starts_with(&format!("usage: {name} ")));
        for arguments in [&["--nonsense"][..], &["here"], &["127.0.0.1:0", "more"]] {
            let wrong = Command::new(path).args(arguments).output().unwrap();
            assert_eq!(wrong.status.code(), Some(2), "{name} {arguments:?}");
            assert!(String::from_utf8(wrong.stderr).unwrap().starts_with(&format!("{name}: ")));
        }
    }
}
