//! The pages that may open a WebSocket: of the server's own host, of `Server::origins`, of a zone's
//! own list; and the words of the refusal, which a handler asks for with `Context::check_origin`.

mod common;

use common::http::{self, Answer, only};
use common::{Bytes, World};
use switchboard::{Reply, Response, Server, Upgrade, Zone};

/// A server whose Host a proxy has rewritten: pages come from other origins than `example.com`.
fn serving(set_up: impl FnOnce(&mut Server)) -> World {
    World::serving(|server| {
        set_up(server);
        server.websocket("/plain", |conn, message| conn.send(message));
        let own = Zone::new("/own").origins(["https://own.example"]);
        server.websocket(own, |conn, message| conn.send(message));
        server.websocket(Zone::new("/any").any_origin(), |conn, message| conn.send(message));
        server.http(Zone::new("/later").upgrades(true), |conn, _| {
            let id = conn.id();
            conn.context().upgrade(id, Upgrade::new());
            Reply::Later
        });
        server.http("/why", |conn, request| -> Reply {
            match conn.context().check_origin(request) {
                Ok(()) => Response::text("nothing").into(),
                Err(refusal) => refusal.into(),
            }
        });
    })
}

/// The answer to a handshake with these lines; `None` for 101.
fn refusal(sim: &mut World, path: &str, lines: &str) -> Option<Answer> {
    let client = sim.connect();
    let bytes = sim.ask(client, http::handshake_with(path, lines));
    (!bytes.starts_with(b"HTTP/1.1 101 ")).then(|| only(&bytes))
}

fn opens(sim: &mut World, path: &str, origin: &str) -> bool {
    match refusal(sim, path, &format!("Origin: {origin}\r\n")) {
        None => true,
        Some(answer) => {
            assert_eq!((answer.status, answer.closes()), (403, true), "{origin}");
            false
        }
    }
}

/// An origin as it is listed, as it is sent, whether it is accepted.
const LISTED: &[(&str, &str, bool)] = &[
    ("http://localhost:8000", "http://localhost:8000", true),
    ("http://localhost:8000", "HTTP://LOCALHOST:8000", true),
    ("http://localhost:8000", "http://localhost:8001", false),
    ("http://localhost:8000", "https://localhost:8000", false),
    ("http://localhost:8000", "http://127.0.0.1:8000", false),
    ("https://chat.example", "https://chat.example:443", true),
    ("https://chat.example:443", "https://chat.example", true),
    ("https://chat.example/", "https://chat.example", true),
    ("https://chat.example//", "https://chat.example", false),
    ("https://chat.example", "https://chat.example/", false),
    ("https://chat.example", "https://chat.example.evil", false),
    ("https://chat.example", "https://sub.chat.example", false),
    ("https://[::1]:8443", "https://[::1]:8443", true),
    ("https://", "https://", false),
    ("chat.example", "chat.example", false),
    ("*", "https://chat.example", false),
    // Pages without a host: in a sandboxed frame or a `data:` address, and of a local file.
    ("null", "null", true),
    ("null", "NULL", false),
    ("null", "https://null", false),
    ("null", "file://", false),
    ("file://", "file://", true),
    ("file://", "FILE://", true),
    ("file:///", "file://", true),
    ("file://", "file:///", false),
    ("file://", "file://host", false),
    ("file://", "null", false),
    ("content://", "content://", true),
    // Pages inside of programs.
    ("capacitor://localhost", "capacitor://localhost", true),
    ("capacitor://localhost", "Capacitor://Localhost", true),
    ("capacitor://localhost", "http://localhost", false),
    ("capacitor://localhost", "ionic://localhost", false),
    ("capacitor://localhost", "capacitor://localhost:80", false),
    ("ionic://localhost", "ionic://localhost", true),
    ("tauri://localhost", "tauri://localhost", true),
    ("app://obsidian.md", "app://obsidian.md", true),
    ("chrome-extension://abcdef", "chrome-extension://abcdef", true),
    ("chrome-extension://abcdef", "chrome-extension://abcdeg", false),
    ("moz-extension://1b2c-3d", "moz-extension://1b2c-3d", true),
    ("vscode-webview://a1", "vscode-webview://a1", true),
];

#[test]
fn server_accepts_the_origins_of_its_list_at_every_zone_without_its_own() {
    for &(listed, origin, accepted) in LISTED {
        let mut sim = serving(|server| server.origins([listed]));
        for path in ["/plain", "/later"] {
            assert_eq!(opens(&mut sim, path, origin), accepted, "{origin} of {listed}, {path}");
        }
        assert!(!opens(&mut sim, "/own", origin), "its own list wins: {origin}");
        assert!(opens(&mut sim, "/any", origin));
        // A zone's own list has the same forms.
        let mut sim = World::serving(|server| {
            server.websocket(Zone::new("/").origins([listed]), |_, _| {});
        });
        assert_eq!(opens(&mut sim, "/", origin), accepted, "{origin} of the zone's {listed}");
    }
}

#[test]
fn server_accepts_its_own_host_beside_its_list() {
    let lists: [&[&str]; 3] = [&[], &["null"], &["https://one.example", "https://two.example"]];
    for list in lists {
        let mut sim = serving(|server| server.origins(list));
        assert!(opens(&mut sim, "/plain", "https://example.com"), "{list:?}");
        assert!(!opens(&mut sim, "/plain", "https://evil.example"), "{list:?}");
        assert!(refusal(&mut sim, "/plain", "").is_none(), "no browser");
        assert_eq!(opens(&mut sim, "/plain", "https://two.example"), list.len() == 2);
        assert!(opens(&mut sim, "/own", "https://own.example"));
        assert!(!opens(&mut sim, "/own", "https://example.com"));
        let two = "Origin: https://one.example\r\nOrigin: https://two.example\r\n";
        assert_eq!(refusal(&mut sim, "/plain", two).map(|answer| answer.status), Some(403));
    }
}

/// Zones that were there before the list have it, too.
#[test]
fn list_of_origins_is_replaced_by_the_next() {
    let mut sim = serving(|_| {});
    assert!(!opens(&mut sim, "/plain", "https://one.example"));
    sim.server.origins(["https://one.example"]);
    assert!(opens(&mut sim, "/plain", "https://one.example"));
    sim.server.origins([String::from("https://two.example")]);
    assert!(!opens(&mut sim, "/plain", "https://one.example"));
    assert!(opens(&mut sim, "/plain", "https://two.example"));
}

/// The refusal names the Origin, the Host, and what would allow it.
#[test]
fn refusal_of_an_origin_says_what_to_do() {
    let fault = "an Origin that may not open a WebSocket here";
    let proxy = "or have the proxy pass Host on as it came";
    let long = format!("https://{}", "a".repeat(5_000));
    let shown = format!("{}..", &long[..128]);
    let rows = [
        ("http://localhost:8000", "http://localhost:8000"),
        ("null", "null"),
        ("http://a@b", "http://a@b"),
        ("http://a\"b\u{e9}", "http://a\\\"b\\xc3\\xa9"),
        (&*long, &*shown),
    ];
    for (origin, shown) in rows {
        let line = format!("Origin: {origin}\r\n");
        for (remedy, path) in
            [("Server::origins", "/plain"), ("--origin", "/plain"), ("Zone::origins", "/own")]
        {
            let mut sim = serving(|server| match remedy {
                "--origin" => server.remedies("--origin", "--allow-host"),
                _ => server.origins(["https://one.example"]),
            });
            let expected = match path {
                "/own" => format!(
                    "{fault}: \"{shown}\", at the Host \"example.com\"; allow it with \
                     {remedy} \"{shown}\""
                ),
                _ => format!(
                    "{fault}: \"{shown}\", at the Host \"example.com\"; allow it with \
                     {remedy} \"{shown}\", {proxy}"
                ),
            };
            let answer = refusal(&mut sim, path, &line).expect("a refusal");
            assert_eq!(answer.text(), expected);
            assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
            assert_eq!(sim.stats().refused, 1);
        }
    }
    let mut sim = serving(|_| {});
    let draft = refusal(&mut sim, "/plain", "Sec-WebSocket-Origin: http://a\r\n").expect("refused");
    assert!(draft.text().contains("\"http://a\""), "{draft:?}");
}

/// No list accepts these: to list them would not help.
#[test]
fn refusal_of_a_malformed_origin_says_what_one_is() {
    let rows = [
        ("Origin: \r\n", ""),
        ("Origin: http://a\r\nOrigin: http://b\r\n", "http://a, http://b"),
        ("Origin: http://a\r\nSec-WebSocket-Origin: http://a\r\n", "http://a, http://a"),
        ("Origin: http://a http://b\r\n", "http://a http://b"),
        ("Origin: http://a/\r\n", "http://a/"),
        ("Origin: http://a:port\r\n", "http://a:port"),
        ("Origin: http://\r\n", "http://"),
        ("Origin: a.example\r\n", "a.example"),
        ("Origin: NULL\r\n", "NULL"),
    ];
    for (lines, shown) in rows {
        for path in ["/plain", "/own"] {
            let mut sim = serving(|server| server.remedies("--origin", "--allow-host"));
            let answer = refusal(&mut sim, path, lines).expect("a refusal");
            assert_eq!(
                answer.text(),
                format!(
                    "an Origin that may not open a WebSocket here: \"{shown}\", at the Host \
                     \"example.com\"; an Origin is one scheme, host and perhaps port, such as \
                     https://chat.example"
                )
            );
        }
    }
}

/// What a handler is told about a request is what the handshake would be told.
#[test]
fn handler_learns_why_a_handshake_would_be_refused() {
    let mut sim = serving(|server| {
        server.origins(["https://one.example"]);
        server.remedies("--origin", "--allow-host");
    });
    for origin in ["https://evil.example", "null", "http://example.com:81", "x"] {
        let line = format!("Origin: {origin}\r\n");
        let handshake = refusal(&mut sim, "/plain", &line).expect("a refusal");
        let client = sim.connect();
        let post = http::request("POST", "/why", &format!("{line}Content-Length: 0\r\n"), "");
        let why = only(&sim.ask(client, post));
        assert_eq!((why.status, why.text()), (403, handshake.text()), "{origin}");
    }
    for line in ["Origin: https://one.example\r\n", "Origin: https://example.com\r\n", ""] {
        let client = sim.connect();
        let post = http::request("POST", "/why", &format!("{line}Content-Length: 0\r\n"), "");
        assert_eq!(only(&sim.ask(client, post)).text(), "nothing", "{line}");
    }
}
