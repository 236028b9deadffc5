//! The recorded figures, and on what they were counted. Knows what may be compared with what, not how a figure comes about.

use std::error::Error;
use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.json");

/// A figure may rise by this share: a change elsewhere moves what the compiler inlines by as much.
const TOLERANCE: f64 = 0.03;

#[derive(Serialize, Deserialize)]
pub struct Record {
    #[serde(flatten)]
    pub environment: Environment,
    pub rows: Vec<Row>,
}

/// What decides how many instructions the same source takes.
#[derive(Serialize, Deserialize, PartialEq)]
pub struct Environment {
    pub rustc: String,
    /// What the running program sees, under valgrind.
    pub cpu: String,
    pub compiled_for: String,
    pub profile: String,
    pub features: Vec<String>,
}

#[derive(Serialize, Deserialize)]
pub struct Row {
    pub subject: String,
    /// The library's own instructions: all but those of the bare program.
    pub library: f64,
    /// The bare program's, which makes the same system calls.
    pub floor: f64,
}

impl Row {
    pub fn new(subject: &str, library: f64, floor: f64) -> Row {
        let [library, floor] = [library, floor].map(|figure| (figure * 10.0).round() / 10.0);
        Row { subject: subject.to_owned(), library, floor }
    }

    pub fn rise_from(&self, old: &Row) -> f64 {
        self.library / old.library - 1.0
    }
}

impl Record {
    pub fn read() -> Result<Record, Box<dyn Error>> {
        let text = fs::read_to_string(FILE).map_err(|error| {
            format!("{FILE}: {error}; cargo bench --bench instructions -- --record writes it")
        })?;
        Ok(serde_json::from_str(&text)?)
    }

    pub fn write(&self) -> Result<(), Box<dyn Error>> {
        fs::write(FILE, serde_json::to_string_pretty(self)? + "\n")?;
        Ok(())
    }

    /// Those that are above the recorded figure by more than may be, and those that have none.
    pub fn risen<'a>(&self, rows: &'a [Row]) -> Vec<&'a Row> {
        rows.iter()
            .filter(|row| self.recorded(row).is_none_or(|old| row.rise_from(old) > TOLERANCE))
            .collect()
    }

    /// Those that are as far below it: until they are recorded, they could rise again unseen.
    pub fn fallen<'a>(&self, rows: &'a [Row]) -> Vec<&'a Row> {
        rows.iter()
            .filter(|row| self.recorded(row).is_some_and(|old| row.rise_from(old) < -TOLERANCE))
            .collect()
    }

    pub fn recorded(&self, row: &Row) -> Option<&Row> {
        self.rows.iter().find(|old| old.subject == row.subject)
    }
}

impl Environment {
    /// Of this executable; `cpu` is what it sees under valgrind.
    pub fn here(cpu: String) -> Result<Environment, Box<dyn Error>> {
        // The one that cargo has just used.
        let rustc = Command::new(std::env::var_os("RUSTC").unwrap_or("rustc".into()))
            .arg("--version")
            .output()
            .map_err(|error| format!("rustc does not say its version: {error}"))?;
        let features: &[&str] = if cfg!(feature = "deflate") { &["deflate"] } else { &[] };
        Ok(Environment {
            rustc: String::from_utf8(rustc.stdout)?.trim_end().to_owned(),
            cpu,
            compiled_for: compiled_for().to_owned(),
            profile: if cfg!(debug_assertions) { "dev" } else { "release" }.to_owned(),
            features: features.iter().map(|&feature| feature.to_owned()).collect(),
        })
    }

    /// In words; empty when figures of one may be compared with those of the other.
    pub fn differences(&self, recorded: &Environment) -> Vec<String> {
        let (features, recorded_features) = (self.features.join(","), recorded.features.join(","));
        [
            ("compiler", &self.rustc, &recorded.rustc),
            ("CPU level", &self.cpu, &recorded.cpu),
            ("compiled for", &self.compiled_for, &recorded.compiled_for),
            ("profile", &self.profile, &recorded.profile),
            ("features", &features, &recorded_features),
        ]
        .into_iter()
        .filter(|(_, here, there)| here != there)
        .map(|(name, here, there)| format!("{name} {here:?}, recorded on {there:?}"))
        .collect()
    }
}

/// The level of the x86-64 ABI, and elsewhere the architecture, for which `$has` finds every feature.
#[cfg(target_arch = "x86_64")]
macro_rules! level {
    ($has:ident) => {
        if $has!("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl") {
            "x86-64-v4"
        } else if $has!("avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "lzcnt", "movbe") {
            "x86-64-v3"
        } else if $has!("cmpxchg16b", "popcnt", "sse3", "sse4.1", "sse4.2", "ssse3") {
            "x86-64-v2"
        } else {
            "x86-64-v1"
        }
    };
}

#[cfg(target_arch = "x86_64")]
macro_rules! detected {
    ($($feature:tt),*) => { true $(&& std::arch::is_x86_feature_detected!($feature))* };
}

#[cfg(target_arch = "x86_64")]
macro_rules! enabled {
    ($($feature:tt),*) => { true $(&& cfg!(target_feature = $feature))* };
}

/// The level of the CPU that this program runs on: libraries choose their vector code by it.
#[cfg(target_arch = "x86_64")]
pub fn cpu() -> &'static str {
    level!(detected)
}

#[cfg(target_arch = "x86_64")]
fn compiled_for() -> &'static str {
    level!(enabled)
}

#[cfg(not(target_arch = "x86_64"))]
pub fn cpu() -> &'static str {
    std::env::consts::ARCH
}

#[cfg(not(target_arch = "x86_64"))]
fn compiled_for() -> &'static str {
    std::env::consts::ARCH
}
