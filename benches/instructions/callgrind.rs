//! Counts instructions per operation: callgrind runs this executable with N and with 2 N
//! operations, and the difference is free of start and warm-up. This file does not know what an
//! operation is.

use std::env;
use std::error::Error;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::subjects::Contestant;

const VALGRIND: &str = "valgrind";

/// Callgrind counts a repeated move of n bytes as n instructions, which would hide all others of a
/// large message. This makes glibc copy with vectors.
const TUNABLES: &str = "GLIBC_TUNABLES";
const NO_REPEATED_MOVES: &str = "glibc.cpu.x86_rep_movsb_threshold=1000000000";

pub fn is_installed() -> bool {
    let version = Command::new(VALGRIND)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    version.is_ok_and(|status| status.success())
}

/// A directory for callgrind's files, removed on drop.
pub struct Callgrind {
    directory: PathBuf,
}

impl Callgrind {
    pub fn new() -> io::Result<Callgrind> {
        let directory =
            env::temp_dir().join(format!("switchboard-instructions-{}", std::process::id()));
        fs::create_dir_all(&directory)?;
        Ok(Callgrind { directory })
    }

    /// The CPU level that a program sees here: valgrind hides the features that it cannot simulate.
    pub fn level(&self) -> Result<String, Box<dyn Error>> {
        Ok(self.run(&["level".to_owned()])?.0)
    }

    /// Counts the instructions of one operation of a subject.
    pub fn per_operation(
        &self,
        subject: usize,
        contestant: Contestant,
        operations: u32,
    ) -> Result<f64, Box<dyn Error>> {
        let total = |operations: u32| {
            let arguments = [
                "count".to_owned(),
                subject.to_string(),
                contestant.to_string(),
                operations.to_string(),
            ];
            self.run(&arguments).map(|(_, instructions)| instructions)
        };
        let (once, twice) = (total(operations)?, total(2 * operations)?);
        Ok((twice as f64 - once as f64) / f64::from(operations))
    }

    /// Runs this executable, and returns its output and its instructions.
    fn run(&self, arguments: &[String]) -> Result<(String, u64), Box<dyn Error>> {
        let file = self.directory.join("callgrind.out");
        let mut command = Command::new(VALGRIND);
        // Environment and arguments move the stack, and with it the alignment of copies.
        command
            .env_clear()
            .envs(env::var_os("PATH").map(|path| ("PATH", path)))
            .env(TUNABLES, NO_REPEATED_MOVES);
        command.args(["--quiet", "--tool=callgrind"]);
        command.arg(format!("--callgrind-out-file={}", file.display()));
        let output = command.arg(env::current_exe()?).args(arguments).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim_end().into());
        }
        let profile = fs::read_to_string(&file)?;
        let total = profile.lines().find_map(|line| line.strip_prefix("totals: "));
        let instructions = total
            .and_then(|total| total.trim().parse().ok())
            .ok_or("callgrind has written no total")?;
        Ok((String::from_utf8_lossy(&output.stdout).trim_end().to_owned(), instructions))
    }
}

impl Drop for Callgrind {
    fn drop(&mut self) {
        // A directory that stays behind does no harm.
        let _ = fs::remove_dir_all(&self.directory);
    }
}
