//! The recorded figures, and the conditions they were counted under. This file knows which figures
//! are comparable, not how one comes about.

use std::error::Error;
use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.json");

/// The share by which a figure may rise: a change elsewhere moves what the compiler inlines by as
/// much.
const TOLERANCE: f64 = 0.03;

#[derive(Serialize, Deserialize)]
pub struct Record {
    #[serde(flatten)]
    pub environment: Environment,
    pub rows: Vec<Row>,
}

/// The conditions that decide how many instructions one source takes.
#[derive(Serialize, Deserialize, PartialEq)]
pub struct Environment {
    pub rustc: String,
    /// The CPU level that the running program sees, under valgrind.
    pub cpu: String,
    pub compiled_for: String,
    pub profile: String,
    pub features: Vec<String>,
}

#[derive(Serialize, Deserialize)]
pub struct Row {
    pub subject: String,
    /// The library's own instructions, without those of the bare program.
    pub library: f64,
    /// The bare program's instructions for the same system calls.
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

    /// Lists the figures that exceed the recorded ones by more than allowed, or have no recorded
    /// one.
    pub fn risen<'a>(&self, rows: &'a [Row]) -> Vec<&'a Row> {
        rows.iter()
            .filter(|row| self.recorded(row).is_none_or(|old| row.rise_from(old) > TOLERANCE))
            .collect()
    }

    /// Lists the figures that lie as far below the recorded ones: until recorded, they could rise
    /// again unseen.
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
    /// The conditions of this executable; `cpu` is the level that it sees under valgrind.
    pub fn here(cpu: String) -> Result<Environment, Box<dyn Error>> {
        // The compiler that cargo has just used.
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

    /// Describes the differences; empty if figures under both conditions are comparable.
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

/// The level of the x86-64 ABI for which `$has` finds every feature; elsewhere the architecture.
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
