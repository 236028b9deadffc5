//! Lines for standard output and standard error. A reader that has left and a full disk cost the
//! line, not the program: `println!` panics there.

use std::fmt::Display;
use std::io::{self, Write};

/// Prints a line to standard output.
pub fn print_line(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Prints a line to standard error.
pub fn print_error(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
