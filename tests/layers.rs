//! The house rules that a compiler does not check: the layers of `src/` and their imports, the size
//! of files and lines, and the first words of documentation.

#[path = "layers/circles.rs"]
mod circles;
#[path = "layers/code.rs"]
mod code;
#[path = "layers/prose.rs"]
mod prose;

use std::fs;
use std::path::Path;

use circles::Modules;
use code::{code, words};

/// Each folder of `src/` with the folders that it may name. No folder imports from above, or from
/// the crate's root.
const LAYERS: [(&str, &[&str]); 14] = [
    ("http1", &["http1"]),
    ("websocket", &["websocket", "http1"]),
    ("net", &["net"]),
    ("outbox", &["outbox", "net", "websocket"]),
    ("connection", &["connection", "outbox", "net", "websocket", "http1"]),
    ("delivery", ALL.split_at(5).1),
    ("history", ALL.split_at(4).1),
    ("presence", ALL.split_at(3).1),
    ("context", ALL.split_at(2).1),
    ("server", ALL.split_at(1).1),
    ("reactor", &ALL),
    ("cluster", &ALL),
    ("testing", &ALL),
    ("guide", &ALL),
];

/// All folders but the three that no folder imports: `cluster`, `testing` and `guide`.
const ALL: [&str; 11] = [
    "reactor",
    "server",
    "context",
    "presence",
    "history",
    "delivery",
    "connection",
    "outbox",
    "net",
    "websocket",
    "http1",
];

/// Words that the layers without sockets and clock may not contain.
const PURE: [&str; 2] = ["http1", "websocket"];
const IMPURE: [&str; 5] = ["mio", "socket2", "TcpStream", "Instant", "SystemTime"];

/// The longest file of `src/`, and the widest line anywhere.
const LINES: usize = 400;
const COLUMNS: usize = 100;

/// Everything that is wrong with one file, named by its path below `src/`.
fn faults(path: &str, source: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let code = code(source);
    if !source.starts_with("//!") {
        faults.push("does not begin with //!".to_owned());
    }
    for word in words(&code) {
        match word {
            "RefCell" | "unsafe" => faults.push(format!("says {word}")),
            "Poll" if path != "reactor/reactor.rs" => faults.push("says Poll".to_owned()),
            _ => {}
        }
    }
    if code.contains("super::super") {
        faults.push("says super::super".to_owned());
    }
    match path.split_once('/') {
        Some((folder, _)) => faults.extend(imports(folder, &code)),
        None if path == "lib.rs" => {}
        None => faults.push("lies in no layer".to_owned()),
    }
    faults
}

fn imports(folder: &str, code: &str) -> Vec<String> {
    let Some((_, allowed)) = LAYERS.iter().find(|(layer, _)| *layer == folder) else {
        return vec![format!("{folder} is no layer")];
    };
    // A group would hide all but its first name.
    let name = |rest: &'_ str| {
        if rest.starts_with('{') { "{" } else { words(rest).next().unwrap_or("") }.to_owned()
    };
    let named = code.match_indices("crate::").map(|(at, found)| name(&code[at + found.len()..]));
    let above = named
        .filter(|name| name != folder && !allowed.contains(&&**name))
        .map(|name| format!("imports crate::{name}"));
    let impure = words(code)
        .filter(|word| PURE.contains(&folder) && IMPURE.contains(word))
        .map(|word| format!("says {word}"));
    above.chain(impure).collect()
}

fn size(source: &str) -> Option<String> {
    let lines = source.lines().count();
    (lines > LINES).then(|| format!("has {lines} lines, more than {LINES}"))
}

fn widths(source: &str) -> Vec<String> {
    let lines = source.lines().enumerate();
    let widths = lines.map(|(number, line)| (number + 1, line.chars().count()));
    widths
        .filter(|(_, width)| *width > COLUMNS)
        .map(|(number, width)| format!("line {number}: {width} columns, more than {COLUMNS}"))
        .collect()
}

/// The Rust sources below a folder of the package, each with its path below that folder.
fn sources(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let (mut folders, mut found) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_built = path.file_name().is_some_and(|name| name == "target");
            if path.is_dir() && !is_built {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// What `judge` finds wrong with each source below some folders.
fn judged<F>(folders: &[&str], judge: impl Fn(&str, &str) -> F) -> Vec<String>
where
    F: IntoIterator<Item = String>,
{
    let mut found = Vec::new();
    for folder in folders {
        for (name, source) in sources(folder) {
            let path = format!("{folder}/{name}");
            found.extend(judge(&name, &source).into_iter().map(|fault| format!("{path} {fault}")));
        }
    }
    found
}

fn assert_none(found: Vec<String>) {
    assert!(found.is_empty(), "{} faults\n{}", found.len(), found.join("\n"));
}

#[test]
fn sources_keep_to_their_layers() {
    let count = sources("src").len();
    assert!(count > 50, "{count} files only");
    let found = judged(&["src"], faults);
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn files_of_a_folder_form_no_import_circle() {
    let mut found = Vec::new();
    // Each folder with a `main.rs` is a crate of its own.
    let roots = [
        "src",
        "benches",
        "benches/instructions",
        "benches/peers/src",
        "benches/tls/src",
        "examples/idle",
    ];
    for root in roots {
        let sources = sources(root);
        let sources = sources.iter().map(|(name, source)| (&**name, &**source));
        let circles = Modules::of(sources).circles();
        found.extend(circles.iter().map(|circle| format!("{root}/{circle}")));
    }
    assert_none(found);
}

#[test]
fn files_are_short() {
    assert_none(judged(&["src"], |_, source| size(source)));
}

#[test]
fn lines_are_narrow() {
    let folders = ["src", "tests", "benches", "examples", "fuzz"];
    assert_none(judged(&folders, |_, source| widths(source)));
}

#[test]
fn documentation_begins_with_nouns() {
    assert_none(judged(&["src"], |_, source| prose::faults(source)));
}

#[test]
fn check_finds_every_kind_of_fault() {
    let rows: [(&str, &str, &str); 29] = [
        ("http1/a.rs", "use crate::websocket::X;", "imports crate::websocket"),
        ("http1/a.rs", "fn f() { crate::net::x() }", "imports crate::net"),
        ("websocket/a.rs", "use crate::connection::X;", "imports crate::connection"),
        ("websocket/a.rs", "use crate::{http1, net};", "imports crate::{"),
        ("websocket/a.rs", "use mio::Token;", "says mio"),
        ("http1/a.rs", "let now = std::time::Instant::now();", "says Instant"),
        ("net/a.rs", "use crate::http1::X;", "imports crate::http1"),
        ("outbox/a.rs", "use crate::http1::X;", "imports crate::http1"),
        ("outbox/a.rs", "use crate::connection::X;", "imports crate::connection"),
        ("connection/a.rs", "use crate::server::X;", "imports crate::server"),
        ("connection/a.rs", "use crate::delivery::X;", "imports crate::delivery"),
        ("delivery/a.rs", "use crate::context::X;", "imports crate::context"),
        ("delivery/a.rs", "use crate::history::X;", "imports crate::history"),
        ("history/a.rs", "use crate::presence::X;", "imports crate::presence"),
        ("presence/a.rs", "use crate::context::X;", "imports crate::context"),
        ("context/a.rs", "use crate::server::X;", "imports crate::server"),
        ("server/a.rs", "use crate::reactor::X;", "imports crate::reactor"),
        ("reactor/a.rs", "use crate::testing::X;", "imports crate::testing"),
        ("reactor/a.rs", "use crate::cluster::X;", "imports crate::cluster"),
        ("cluster/a.rs", "use crate::testing::X;", "imports crate::testing"),
        ("server/a.rs", "let code = crate::CloseCode::NORMAL;", "imports crate::CloseCode"),
        ("guide/a.rs", "use crate::Server;", "imports crate::Server"),
        ("server/a.rs", "use super::super::x;", "says super::super"),
        ("server/a.rs", "use mio::Poll;", "says Poll"),
        ("connection/a.rs", "let x: Rc<RefCell<u8>>;", "says RefCell"),
        ("net/a.rs", "unsafe { x() }", "says unsafe"),
        ("net/a.rs", "let quote = '\"'; unsafe { x() } // \"", "says unsafe"),
        ("other/a.rs", "", "other is no layer"),
        ("a.rs", "", "lies in no layer"),
    ];
    for (path, line, fault) in rows {
        assert_eq!(faults(path, &format!("//! A file.\n{line}")), [fault], "{path}: {line}");
    }
    assert_eq!(faults("net/a.rs", "// A file."), ["does not begin with //!"]);
    let innocent = [
        "// unsafe RefCell Poll crate::server",
        "/* unsafe */ let text = \"a Poll, \\\" unsafe\";",
        "let raw = r#\"unsafe \" Poll\"#; let character = '\\''; fn f<'a>(x: &'a str) {}",
        "#![forbid(unsafe_code)] pub(crate) fn f() { crate::connection::x() }",
    ];
    for line in innocent {
        assert_eq!(faults("server/a.rs", &format!("//! A file.\n{line}")), [""; 0], "{line}");
    }
    assert_eq!(faults("reactor/reactor.rs", "//! A file.\nuse mio::Poll;"), [""; 0]);
    assert_eq!(faults("testing/a.rs", "//! A file.\nuse crate::reactor::X;"), [""; 0]);
    assert_eq!(size(&"\n".repeat(LINES + 1)), Some("has 401 lines, more than 400".to_owned()));
    assert_eq!(size(&"\n".repeat(LINES)), None);
    let wide = format!("{}\n{}\n", "ä".repeat(COLUMNS), "a".repeat(COLUMNS + 1));
    assert_eq!(widths(&wide), ["line 2: 101 columns, more than 100"]);
}
