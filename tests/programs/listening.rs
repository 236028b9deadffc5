//! Where the echo example listens: several places at once, Unix sockets, sockets that a supervisor
//! hands over, and the errors of options that do not fit.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::programs::{
    PATIENCE, Program, Sink, assert_serves, exchange, executable, free_port, run, wait_until,
};
use nix::sys::signal::Signal;

/// A folder of one test, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("sw-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }

    /// The text of a path in the folder.
    fn path(&self, name: &str) -> String {
        self.0.join(name).into_os_string().into_string().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The first line that a program prints.
pub fn first_line(program: &mut Program) -> String {
    let mut output = BufReader::new(program.child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

/// Asserts that a program serves at a path.
fn assert_serves_at(program: &mut Program, path: &str) {
    let mut socket = None;
    wait_until(&format!("a listener at {path}"), || {
        assert!(program.is_running(), "the program has ended");
        socket = UnixStream::connect(path).ok();
        socket.is_some()
    });
    let mut socket = socket.unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
}

fn mode(path: &str) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn echo_listens_at_several_places_and_prints_them() {
    let folder = Folder::new("places");
    let (one, two) = (format!("127.0.0.1:{}", free_port()), format!("[::1]:{}", free_port()));
    let (path, other) = (folder.path("s"), folder.path("other"));
    let other_place = format!("unix:{other}");
    let arguments = [&*one, "--unix", &path, &two, &other_place];
    let mut program = Program::start("echo", &arguments, Sink::Pipe, Sink::Nothing);
    let said = first_line(&mut program);
    assert_eq!(said, format!("listening on {one} and {two} and {other_place} and unix:{path}"));
    assert_serves(&mut program, &one);
    assert_serves(&mut program, &two);
    assert_serves_at(&mut program, &path);
    assert_serves_at(&mut program, &other);
    assert_eq!(mode(&path), 0o660, "the default of --mode");
    program.signal(Signal::SIGTERM);
    assert_eq!(program.end(), Some(0));
    assert!(!Path::new(&path).exists() && !Path::new(&other).exists());
}

#[test]
fn echo_makes_the_mode_that_it_is_given_and_replaces_what_a_killed_program_left() {
    let folder = Folder::new("killed");
    let path = folder.path("s");
    for given in ["600", "0666", "777"] {
        let arguments = ["--unix", &path, "--mode", given];
        let mut program = Program::start("echo", &arguments, Sink::Nothing, Sink::Nothing);
        assert_serves_at(&mut program, &path);
        assert_eq!(format!("{:o}", mode(&path)), given.trim_start_matches('0'));
        // A second program does not take the path of the first.
        let second = run("echo", &["--unix", &path]);
        let errors = String::from_utf8_lossy(&second.stderr);
        assert_eq!(second.status.code(), Some(1), "{errors}");
        assert!(errors.contains("a program listens there: end it"), "{errors}");
        assert_serves_at(&mut program, &path);
        program.signal(Signal::SIGKILL);
        assert_eq!(program.end(), None);
        assert!(Path::new(&path).exists());
    }
}

#[test]
fn echo_says_what_to_give_in_place_of_a_wrong_place_or_option() {
    let folder = Folder::new("wrong");
    let (path, file) = (folder.path("s"), folder.path("file"));
    std::fs::write(&file, "precious").unwrap();
    let none = folder.path("none/s");
    let long = folder.path(&"n".repeat(200));
    let (tls_code, tls_says) = match cfg!(feature = "tls") {
        true => (1, "absent.pem"),
        false => (2, "run `cargo run --release --features tls --example echo -- --tls CERT KEY`"),
    };
    let rows: [(&[&str], i32, &str); 24] = [
        (&["--unix"], 2, "--unix"),
        (&["--unix", ""], 2, "give a path"),
        (&["--unix", &file], 1, "a regular file is there: remove it"),
        (&["--unix", &none], 1, "make its directory first"),
        (&["--unix", &long], 2, "107 on Linux"),
        (&["--unix", &path, "--mode"], 2, "--mode"),
        (&["--unix", &path, "--mode", "rw"], 2, "such as 660"),
        (&["--unix", &path, "--mode", "689"], 2, "such as 660"),
        (&["--unix", &path, "--mode", "1777"], 2, "such as 660"),
        (&["--mode", "660"], 2, "give --unix PATH as well"),
        (&["--reuse-port"], 2, "give one as well, such as 127.0.0.1:9001"),
        (&["--reuse-port", "--unix", "@s"], 2, "give one as well, such as 127.0.0.1:9001"),
        (&["/run/app.sock"], 2, "unix:/run/app.sock"),
        (&["--proxy-protocol"], 2, "give --trusted-proxy 127.0.0.1 as well"),
        (&["--proxy-protocol", "--trusted-proxy", "lan"], 2, "\"lan\" is no network"),
        (&["--proxy-protocol", "--trusted-proxy", "::1", "--unix", &path], 2, "add unix to"),
        (&["--origin", "app.example"], 2, "such as https://app.example"),
        (&["--origin", "https://app.example/path"], 2, "such as https://app.example"),
        (&["--origin", "https://*.example"], 2, "such as https://app.example"),
        (&["--trusted-proxy"], 2, "--trusted-proxy"),
        (&["--trusted-proxy", "10.0.0/8"], 2, "\"10.0.0/8\" is no network"),
        (&["--forwarded"], 2, "give --trusted-proxy 127.0.0.1 as well"),
        (&["--tls", "chain.pem"], 2, "--tls"),
        (&["--tls", "absent.pem", "key.pem"], tls_code, tls_says),
    ];
    for (arguments, code, says) in rows {
        let output = run("echo", arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
        assert!(errors.starts_with("echo: ") && errors.contains(says), "{arguments:?}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
    }
}

/// Starts the echo example with inherited sockets, as a supervisor does: from descriptor 3 on.
fn inheriting(sockets: [OwnedFd; 2], count: usize, arguments: &[&str]) -> Program {
    let [first, second] = sockets;
    let script = "exec 3<&0 4<&2 0</dev/null 2>/dev/null; export LISTEN_PID=$$; exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(executable("echo")).args(arguments);
    command.env("LISTEN_FDS", count.to_string());
    command.stdin(Stdio::from(first)).stderr(Stdio::from(second)).stdout(Stdio::piped());
    Program { child: command.spawn().unwrap() }
}

#[test]
fn echo_serves_at_sockets_that_a_supervisor_hands_over() {
    let folder = Folder::new("inherited");
    let path = folder.path("s");
    let (tcp, unix) =
        (TcpListener::bind("127.0.0.1:0").unwrap(), UnixListener::bind(&path).unwrap());
    let address = tcp.local_addr().unwrap().to_string();
    // A connection may wait since before the program begins.
    let mut early = UnixStream::connect(&path).unwrap();
    early.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut program = inheriting([tcp.into(), unix.into()], 2, &[]);
    assert_eq!(first_line(&mut program), format!("listening on {address} and unix:{path}"));
    let mut answer = String::new();
    early.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_serves(&mut program, &address);
    assert_serves_at(&mut program, &path);
    program.signal(Signal::SIGTERM);
    assert_eq!(program.end(), Some(0));
    assert!(Path::new(&path).exists(), "the file is the supervisor's");
}

#[test]
fn echo_listens_beside_inherited_sockets_at_what_it_is_given() {
    let folder = Folder::new("beside");
    let path = folder.path("s");
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap().to_string();
    let null = std::fs::File::open("/dev/null").unwrap();
    let mut program = inheriting([tcp.into(), null.into()], 1, &["--unix", &path]);
    assert_eq!(first_line(&mut program), format!("listening on {address} and unix:{path}"));
    assert_serves_at(&mut program, &path);
    assert_serves(&mut program, &address);
}

#[test]
fn inherited_descriptor_that_is_no_socket_is_an_error() {
    let file = std::fs::File::open("/dev/null").unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut program = inheriting([tcp.into(), file.into()], 2, &[]);
    assert_eq!(program.end(), Some(1));
    let mut command = Command::new("sh");
    command.args(["-c", "exec 3</dev/null; export LISTEN_PID=$$; exec \"$0\""]);
    let output = command.arg(executable("echo")).env("LISTEN_FDS", "1").output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.trim_end().ends_with("that listens, or unset LISTEN_FDS"), "{errors}");
}

#[test]
fn chat_listens_at_a_unix_socket() {
    let folder = Folder::new("chat");
    let path = folder.path("s");
    let arguments = ["--listen", &*format!("unix:{path}"), "--trusted-proxy", "unix"];
    let mut program = Program::start("chat", &arguments, Sink::Pipe, Sink::Nothing);
    assert_eq!(first_line(&mut program), format!("listening on unix:{path}"));
    assert_serves_at(&mut program, &path);
}

#[test]
fn verbose_echo_without_descriptors_turns_unix_peers_away_in_words() {
    let folder = Folder::new("emfile");
    let path = folder.path("s");
    let arguments = ["--unix", &*path, "--verbose"];
    let mut program = Program::after("ulimit -n 30", "echo", &arguments, Sink::Pipe);
    assert_serves_at(&mut program, &path);
    let mut peers: Vec<_> = (0..40).map(|_| UnixStream::connect(&path).unwrap()).collect();
    let errors = program.read_errors("a refusal", |errors| errors.ends_with('\n'));
    let line = errors.lines().next().unwrap();
    assert!(
        line.starts_with("echo: ? refused with 503, no descriptor or memory is left"),
        "{line}"
    );
    let last = peers.last_mut().unwrap();
    last.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = String::new();
    last.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    // When descriptors are free again, the server accepts again.
    drop(peers);
    assert_serves_at(&mut program, &path);
}

#[test]
fn echo_behind_a_proxy_reads_a_proxy_header_from_each_connection() {
    let folder = Folder::new("proxy");
    let (address, path) = (format!("127.0.0.1:{}", free_port()), folder.path("s"));
    let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let with_header = format!("PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n{request}");
    let arguments = [
        &*address,
        "--unix",
        &path,
        "--proxy-protocol",
        "--trusted-proxy",
        "127.0.0.0/8",
        "--trusted-proxy",
        "unix",
    ];
    let mut program = Program::start("echo", &arguments, Sink::Nothing, Sink::Nothing);
    let answer = exchange(&mut program, &address, with_header.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.ends_with("You come from 192.0.2.7.\n"), "{answer}");
    assert_eq!(exchange(&mut program, &address, request.as_bytes()), "");
    for (bytes, begins) in [(&*with_header, "HTTP/1.1 200 "), (request, "")] {
        let mut socket = UnixStream::connect(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(bytes.as_bytes()).unwrap();
        let mut answer = String::new();
        let _reset = socket.read_to_string(&mut answer);
        assert!(answer.starts_with(begins) && answer.is_empty() == begins.is_empty(), "{answer}");
    }
}

#[test]
fn echo_behind_a_proxy_believes_the_header_that_it_is_given() {
    let folder = Folder::new("believes");
    let both = "X-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.2\r\n";
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{both}Connection: close\r\n\r\n");
    for (proxy, option, client) in [
        ("127.0.0.1", None, "192.0.2.1"),
        ("127.0.0.1", Some("--forwarded"), "192.0.2.2"),
        ("10.0.0.0/8", None, "127.0.0.1"),
        ("unix", None, "192.0.2.1"),
    ] {
        let (address, path) = (format!("127.0.0.1:{}", free_port()), folder.path("s"));
        let mut arguments = vec![&*address, "--unix", &path, "--trusted-proxy", proxy];
        arguments.extend(option);
        let mut program = Program::start("echo", &arguments, Sink::Nothing, Sink::Nothing);
        let answer = match proxy {
            "unix" => {
                assert_serves_at(&mut program, &path);
                let mut socket = UnixStream::connect(&path).unwrap();
                socket.write_all(request.as_bytes()).unwrap();
                std::io::read_to_string(socket).unwrap()
            }
            _ => exchange(&mut program, &address, request.as_bytes()),
        };
        assert!(answer.ends_with(&format!("You come from {client}.\n")), "{proxy}: {answer}");
        program.signal(Signal::SIGTERM);
        assert_eq!(program.end(), Some(0));
    }
}
