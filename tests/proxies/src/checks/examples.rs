//! The example programs behind the proxies, with the options that a proxy needs; and a browser.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use crate::client::HOST;
use crate::proxy::{Kind, Rig, end};

/// An example that listens.
pub struct Program {
    child: Child,
    pub address: String,
}

impl Program {
    pub fn start(rig: &Rig, name: &str, arguments: &[&str]) -> Program {
        let mut command = Command::new(rig.example(name));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().trim_end_matches('/').rsplit([' ', '/']).next().unwrap();
        Program { child, address: address.to_owned() }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

pub fn echo_takes_the_origin_of_its_option(rig: &Arc<Rig>, kind: Kind) {
    let partner = "Origin: https://partner.example\r\n";
    let status = |program: &Program| {
        let proxy = rig.config(kind).start(&program.address).unwrap();
        proxy.websocket("/").unwrap().echo(1, b"hello").unwrap();
        proxy.client().unwrap().handshake("/", partner).unwrap()
    };
    let refused = status(&Program::start(rig, "echo", &["127.0.0.1:0"]));
    assert_eq!(refused.status, 403);
    let option = "--origin \"https://partner.example\"";
    assert!(refused.body.contains(option), "{refused:?}");
    let arguments = ["127.0.0.1:0", "--origin", "https://partner.example"];
    let taken = status(&Program::start(rig, "echo", &arguments));
    assert_eq!(taken.status, 101, "{taken:?}");
}

pub fn echo_takes_the_header_of_its_option(rig: &Arc<Rig>, kind: Kind) {
    let arguments = ["127.0.0.1:0", "--proxy-protocol", "--trusted-proxy", "127.0.0.1"];
    let echo = Program::start(rig, "echo", &arguments);
    let proxy = rig.config(kind).start(&echo.address).unwrap();
    let mut ws = proxy.client().unwrap();
    assert_eq!(ws.handshake("/", "").unwrap().status, 101);
    ws.echo(1, b"hello").unwrap();
}

pub fn chat_takes_the_host_of_its_option(rig: &Arc<Rig>, kind: Kind) {
    let page = |arguments: &[&str]| {
        let arguments = [&["--listen", "127.0.0.1:0"], arguments].concat();
        let chat = Program::start(rig, "chat", &arguments);
        let config = rig.config(kind).without("proxy_set_header Host");
        config.start(&chat.address).unwrap().get("/").unwrap()
    };
    let refused = page(&["--allow-host", HOST]);
    assert_eq!(refused.status, 421);
    assert!(refused.body.contains("--allow-host \"chat\""), "{refused:?}");
    assert_eq!(page(&["--allow-host", HOST, "--allow-host", "chat"]).status, 200);
}

/// The tests of the chat's page that restart no server.
const TALKS: [&str; 2] = ["page_talks_both_ways", "late_joiner_gets_the_last_fifty_once"];

pub fn chat_talks_in_a_browser(rig: &Arc<Rig>, kind: Kind) {
    let chat = Program::start(rig, "chat", &["--listen", "127.0.0.1:0"]);
    let proxy = rig.config(kind).start(&chat.address).unwrap();
    let browser = Command::new("node")
        .arg(rig.root().join("tests/browser/chat.test.mjs"))
        .args(TALKS)
        .env("CHAT_URL", format!("https://{HOST}:{}/", proxy.address.port()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&browser.stdout);
    let sum = format!("{} passed, 0 failed\n", TALKS.len());
    assert!(printed.ends_with(&sum), "{printed}\n{}", proxy.output());
}
