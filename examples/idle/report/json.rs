//! Writes an outcome as a JSON file, and reads one back. This file knows its schema number, and no
//! other.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::outcome::{Outcome, SCHEMA};

pub fn write(file: &Path, outcome: &Outcome) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| {
        format!("{} cannot be written: {error}; name another file", file.display())
    };
    let text = serde_json::to_string_pretty(outcome).map_err(|error| failed(&error))?;
    fs::write(file, text + "\n").map_err(|error| failed(&error))
}

/// The schema number, which every schema has.
#[derive(Deserialize)]
struct Numbered {
    schema: u32,
}

/// # Errors
///
/// When the file is no outcome, or one of another schema.
pub fn read(file: &Path) -> Result<Outcome, String> {
    let name = file.display();
    let text = fs::read_to_string(file).map_err(|error| {
        format!("{name} cannot be read: {error}; name a file that --json wrote")
    })?;
    let numbered: Numbered = serde_json::from_str(&text)
        .map_err(|_| format!("{name} has no schema number: name a file that --json wrote"))?;
    if numbered.schema != SCHEMA {
        return Err(format!(
            "{name} has schema {}, and only schema {SCHEMA} is understood here: measure again",
            numbered.schema
        ));
    }
    serde_json::from_str(&text)
        .map_err(|error| format!("{name} is damaged ({error}): measure again"))
}
