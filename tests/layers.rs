//! The house rules that a compiler does not check: who may import whom, what nobody may use, and how a file begins and ends.

use std::fs;
use std::path::{Path, PathBuf};

/// Each folder of `src/`, and those of ours whose names it may say. Nobody imports from above, or from the crate's root.
const LAYERS: [(&str, &[&str]); 11] = [
    ("http1", &["http1"]),
    ("websocket", &["websocket", "http1"]),
    ("net", &["net"]),
    ("outbox", &["outbox", "net", "websocket"]),
    ("connection", &["connection", "outbox", "net", "websocket", "http1"]),
    ("delivery", &["delivery", "connection", "outbox", "net", "websocket", "http1"]),
    ("context", &["context", "delivery", "connection", "outbox", "net", "websocket", "http1"]),
    (
        "server",
        &["server", "context", "delivery", "connection", "outbox", "net", "websocket", "http1"],
    ),
    ("reactor", &["reactor", "server", "context", "connection"]),
    (
        "testing",
        &["testing", "reactor", "server", "context", "connection", "net", "websocket", "http1"],
    ),
    ("guide", &["guide"]),
];

/// What the layers without sockets and clock may not say.
const PURE: [&str; 2] = ["http1", "websocket"];
const IMPURE: [&str; 5] = ["mio", "socket2", "TcpStream", "Instant", "SystemTime"];

const LINES: usize = 500;

/// The code of a Rust source, without comments and the contents of literals.
fn code(source: &str) -> String {
    let mut code = String::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let skipped = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            'r' if raw_hashes(rest).is_some()
                && !code.ends_with(|last: char| last.is_alphanumeric() || last == '_') =>
            {
                let hashes = raw_hashes(rest).unwrap_or(0);
                let end = format!("\"{}", "#".repeat(hashes));
                let start = hashes + 2;
                rest[start..].find(&end).map_or(rest.len(), |at| start + at + end.len())
            }
            '"' => literal(rest, '"'),
            // A lifetime has no second quote so near.
            '\'' if rest[1..].starts_with('\\') => literal(rest, '\''),
            '\'' => rest[1..].chars().next().map_or(0, |inner| {
                let end = 1 + inner.len_utf8();
                if rest[end..].starts_with('\'') { end + 1 } else { 0 }
            }),
            _ => 0,
        };
        match skipped {
            0 => {
                code.push(first);
                rest = &rest[first.len_utf8()..];
            }
            skipped => rest = &rest[skipped..],
        }
    }
    code
}

/// The length of a literal with escapes that begins and ends with this quote.
fn literal(source: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, char) in source.char_indices().skip(1) {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if char == quote => return at + 1,
            _ => {}
        }
    }
    source.len()
}

/// How many hashes a raw string begins with, if it is one.
fn raw_hashes(source: &str) -> Option<usize> {
    let after = source.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then_some(hashes)
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|char: char| !char.is_alphanumeric() && char != '_').filter(|word| !word.is_empty())
}

/// Everything that is wrong with one file, named by its path below `src/`.
fn faults(path: &str, source: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let code = code(source);
    if !source.starts_with("//!") {
        faults.push("does not begin with //!".to_owned());
    }
    if source.lines().count() > LINES {
        faults.push(format!("has more than {LINES} lines"));
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
        .filter(|name| !allowed.contains(&&**name))
        .map(|name| format!("imports crate::{name}"));
    let impure = words(code)
        .filter(|word| PURE.contains(&folder) && IMPURE.contains(word))
        .map(|word| format!("says {word}"));
    above.chain(impure).collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, found),
            false => found.push(path),
        }
    }
}

#[test]
fn sources_keep_to_their_layers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    assert!(paths.len() > 50, "{} files only", paths.len());
    let mut found = Vec::new();
    for path in paths {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        let source = fs::read_to_string(&path).unwrap();
        found.extend(faults(&name, &source).into_iter().map(|fault| format!("src/{name} {fault}")));
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn check_finds_every_kind_of_fault() {
    let rows: [(&str, &str, &str); 18] = [
        ("http1/a.rs", "use crate::websocket::X;", "imports crate::websocket"),
        ("http1/a.rs", "fn f() { crate::net::x() }", "imports crate::net"),
        ("websocket/a.rs", "use crate::connection::X;", "imports crate::connection"),
        ("websocket/a.rs", "use crate::{http1, net};", "imports crate::{"),
        ("websocket/a.rs", "use mio::Token;", "says mio"),
        ("http1/a.rs", "let now = std::time::Instant::now();", "says Instant"),
        ("net/a.rs", "use crate::http1::X;", "imports crate::http1"),
        ("connection/a.rs", "use crate::server::X;", "imports crate::server"),
        ("server/a.rs", "use crate::reactor::X;", "imports crate::reactor"),
        ("server/a.rs", "let code = crate::CloseCode::NORMAL;", "imports crate::CloseCode"),
        ("server/a.rs", "use super::super::x;", "says super::super"),
        ("server/a.rs", "use mio::Poll;", "says Poll"),
        ("connection/a.rs", "let x: Rc<RefCell<u8>>;", "says RefCell"),
        ("net/a.rs", "unsafe { x() }", "says unsafe"),
        ("net/a.rs", "let quote = '\"'; unsafe { x() } // \"", "says unsafe"),
        ("other/a.rs", "", "other is no layer"),
        ("a.rs", "", "lies in no layer"),
        ("net/a.rs", &"\n".repeat(LINES + 1), "has more than 500 lines"),
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
}
