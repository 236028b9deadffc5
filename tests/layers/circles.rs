//! Finds import circles: files of one folder that import each other around. An import of a name
//! that `mod.rs` re-exports counts as an import of the file that defines the name. Test modules are
//! no part of the graph. This file knows no folder of this crate.

use std::collections::{BTreeMap, BTreeSet};

use crate::code::{self, Named};

/// The modules of one crate, by their path below its root.
pub struct Modules(BTreeMap<Path, Module>);

type Path = Vec<String>;

/// Re-exports of re-exports that are followed.
const DEEPEST: usize = 8;

struct Module {
    /// Whether the module is a folder: its source is `mod.rs`, `main.rs` or `lib.rs`.
    is_folder: bool,
    code: String,
    named: Vec<Named>,
}

/// For each folder the arrows between what lies in it: files, folders and `mod`, its `mod.rs`.
type Graphs = BTreeMap<Path, BTreeMap<String, BTreeSet<String>>>;

impl Modules {
    /// Reads modules from their sources, each with its path below the root of the crate.
    pub fn of<'s>(sources: impl IntoIterator<Item = (&'s str, &'s str)>) -> Modules {
        let mut modules = Modules(BTreeMap::new());
        modules.insert(Vec::new(), true, "");
        for (file, source) in sources {
            let mut path: Path =
                file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
            for depth in 1..path.len() {
                if !modules.0.contains_key(&path[..depth]) {
                    modules.insert(path[..depth].to_vec(), true, "");
                }
            }
            let is_folder = matches!(path.last().map(String::as_str), Some("mod" | "main" | "lib"));
            if is_folder {
                path.pop();
            }
            modules.insert(path, is_folder, source);
        }
        modules
    }

    fn insert(&mut self, path: Path, is_folder: bool, source: &str) {
        let code = code::without_tests(&code::code(source));
        let named = code::paths(&code);
        self.0.insert(path, Module { is_folder, code, named });
    }

    /// Describes every circle: the folder, its files in the circle, and the arrows between them.
    pub fn circles(&self) -> Vec<String> {
        let mut circles = Vec::new();
        for (folder, graph) in self.graphs() {
            let reached: BTreeMap<&String, BTreeSet<&String>> =
                graph.keys().map(|start| (start, reach(&graph, start))).collect();
            let mut seen = BTreeSet::new();
            for (&start, from_start) in &reached {
                if seen.contains(start) || !from_start.contains(start) {
                    continue;
                }
                let circle: BTreeSet<&String> = from_start
                    .iter()
                    .copied()
                    .filter(|&other| reached.get(other).is_some_and(|from| from.contains(start)))
                    .collect();
                let arrows: Vec<String> = circle
                    .iter()
                    .flat_map(|&from| graph[from].iter().map(move |to| (from, to)))
                    .filter(|(_, to)| circle.contains(to))
                    .map(|(from, to)| format!("{from} -> {to}"))
                    .collect();
                circles.push(format!("{}: {}", folder.join("/"), arrows.join(", ")));
                seen.extend(circle);
            }
        }
        circles
    }

    fn graphs(&self) -> Graphs {
        let mut graphs = Graphs::new();
        for (path, module) in &self.0 {
            for named in module.named.iter().filter(|named| module.needs(named)) {
                let Some(target) = self.definer(path, &named.path, 0) else { continue };
                let (source, target) = (self.node(path.clone()), self.node(target));
                let shared = source.iter().zip(&target).take_while(|(a, b)| a == b).count();
                if let (Some(from), Some(to)) = (source.get(shared), target.get(shared)) {
                    let graph = graphs.entry(source[..shared].to_vec()).or_default();
                    graph.entry(from.clone()).or_default().insert(to.clone());
                    graph.entry(to.clone()).or_default();
                }
            }
        }
        graphs
    }

    /// The place of a module in the graphs: a folder's own source is called `mod`.
    fn node(&self, mut path: Path) -> Path {
        if self.0[&path].is_folder {
            path.push("mod".to_owned());
        }
        path
    }

    /// The module that defines what the module `at` calls `path`, if it is of this crate.
    fn definer(&self, at: &[String], path: &[String], depth: usize) -> Option<Path> {
        let (mut base, mut rest) = (at.to_vec(), path);
        match path.first().map(String::as_str) {
            Some("crate") => (base, rest) = (Vec::new(), &path[1..]),
            Some("self") => rest = &path[1..],
            Some("super") => {
                while rest.first().is_some_and(|first| first == "super") {
                    base.pop()?;
                    rest = &rest[1..];
                }
            }
            // The path begins with a child or with another crate.
            Some(first) => {
                base.push(first.to_owned());
                self.0.get(&base)?;
                rest = &path[1..];
            }
            None => return None,
        }
        self.follow(base, rest, depth)
    }

    /// Follows the names of `rest` from the module `at` on, through re-exports.
    fn follow(&self, mut at: Path, rest: &[String], depth: usize) -> Option<Path> {
        for (n, name) in rest.iter().enumerate() {
            at.push(name.clone());
            if self.0.contains_key(&at) {
                continue;
            }
            at.pop();
            let module = &self.0[&at];
            let reexport = module.named.iter().find(|named| named.in_use && named.name == *name);
            return match reexport {
                Some(named) if module.is_folder && depth < DEEPEST => {
                    let target = self.definer(&at, &named.path, depth + 1)?;
                    self.follow(target, &rest[n + 1..], depth + 1)
                }
                _ => Some(at),
            };
        }
        Some(at)
    }
}

impl Module {
    /// Whether a path makes the module depend on what the path names. A re-export of a `mod.rs`
    /// does so only if the rest of `mod.rs` says the name.
    fn needs(&self, named: &Named) -> bool {
        if !self.is_folder || !named.in_use {
            return true;
        }
        let others = self.code.split(';').filter(|statement| !declares(statement));
        others.flat_map(code::words).any(|word| word == named.name)
    }
}

/// Whether a statement is a `use` or names a child module.
fn declares(statement: &str) -> bool {
    let words: Vec<&str> = code::words(statement).collect();
    let names_child = !statement.contains('{') && words.iter().rev().nth(1) == Some(&"mod");
    names_child || words.iter().take(6).any(|&word| word == "use")
}

/// Everything that can be reached from `start` along arrows, at least one of them.
fn reach<'g>(
    graph: &'g BTreeMap<String, BTreeSet<String>>,
    start: &String,
) -> BTreeSet<&'g String> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&String> = graph[start].iter().collect();
    while let Some(name) = next.pop() {
        if reached.insert(name) {
            next.extend(&graph[name]);
        }
    }
    reached
}

/// Files, each with its path and its code.
#[cfg(test)]
type Sources = &'static [(&'static str, &'static str)];

/// Made-up crates, and the circles in them.
#[cfg(test)]
const ROWS: [(Sources, &[&str]); 13] = [
    (&[("f/a.rs", "use super::b::B;"), ("f/b.rs", "")], &[]),
    (&[("f/a.rs", "use super::b::B;"), ("f/b.rs", "use super::a::A;")], &["f: a -> b, b -> a"]),
    (
        &[("f/a.rs", "fn x() { super::b::y() }"), ("f/b.rs", "use crate::f::a::A;")],
        &["f: a -> b, b -> a"],
    ),
    (
        &[("f/a.rs", "use super::{b::{self, B}, c};"), ("f/b.rs", ""), ("f/c.rs", "use super::a;")],
        &["f: a -> c, c -> a"],
    ),
    // Three files around, and a fourth beside them.
    (
        &[
            ("f/a.rs", "use super::b::B;"),
            ("f/b.rs", "use super::c::C;"),
            ("f/c.rs", "use super::{a::A, d::D};"),
            ("f/d.rs", ""),
        ],
        &["f: a -> b, b -> c, c -> a"],
    ),
    // A re-exported name means the file that defines the name.
    (
        &[
            ("f/mod.rs", "mod a; mod b; pub use a::A; pub(crate) use b::{B as C};"),
            ("f/a.rs", "use super::C;"),
            ("f/b.rs", "use crate::f::A;"),
        ],
        &["f: a -> b, b -> a"],
    ),
    (
        &[
            ("lib.rs", "mod f; pub use f::A;"),
            ("f/mod.rs", "mod a; mod b; pub use a::A;"),
            ("f/a.rs", "use super::b;"),
            ("f/b.rs", "use crate::A;"),
        ],
        &["f: a -> b, b -> a"],
    ),
    // What mod.rs itself defines.
    (
        &[("f/mod.rs", "mod a; use a::A; pub struct B(A);"), ("f/a.rs", "use super::B;")],
        &["f: a -> mod, mod -> a"],
    ),
    (&[("f/mod.rs", "mod a; pub use a::A; pub struct B;"), ("f/a.rs", "use super::B;")], &[]),
    // A folder in a folder is one of its files.
    (
        &[
            ("f/mod.rs", "mod a; mod g; pub use g::B;"),
            ("f/a.rs", "use super::B;"),
            ("f/g/mod.rs", "mod b; pub use b::B;"),
            ("f/g/b.rs", "use crate::f::a::A;"),
        ],
        &["f: a -> g, g -> a"],
    ),
    (
        &[("f/a.rs", "use crate::g::b::B;"), ("g/b.rs", "use crate::f::a::A;")],
        &[": f -> g, g -> f"],
    ),
    // Tests may import around, other crates cannot.
    (
        &[
            ("f/a.rs", "use super::b::B; #[cfg(test)] mod tests { use super::A; }"),
            ("f/b.rs", "use std::a; #[cfg(test)] mod tests { use crate::f::a::A; }"),
        ],
        &[],
    ),
    (&[("f/a.rs", "use super::b::B; // \"\n"), ("f/b.rs", "// use super::a::A;\n")], &[]),
];

#[test]
fn circles_are_found_in_every_form() {
    for (sources, circles) in ROWS {
        assert_eq!(Modules::of(sources.iter().copied()).circles(), circles, "{sources:?}");
    }
}
