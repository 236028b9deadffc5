//! Instructions per operation: this executable under callgrind, once with so many operations and once with twice as many;
//! the difference is without start and warm-up. Knows nothing of what an operation is.

use std::env;
use std::error::Error;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::subjects::Contestant;

const VALGRIND: &str = "valgrind";

/// Callgrind takes a repeated move of n bytes for n instructions, which would hide all others of a large message; glibc
/// copies in vectors where it is told to.
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

/// A place for callgrind's files, which goes when this is dropped.
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

    /// The CPU level that a program sees here: valgrind hides what it cannot imitate.
    pub fn level(&self) -> Result<String, Box<dyn Error>> {
        Ok(self.run(&["level".to_owned()])?.0)
    }

    /// Instructions of one operation of a subject.
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

    /// What this executable prints when started so, and how many instructions it took.
    fn run(&self, arguments: &[String]) -> Result<(String, u64), Box<dyn Error>> {
        let file = self.directory.join("callgrind.out");
        let mut command = Command::new(VALGRIND);
        // What surrounds the program moves its stack, and how copies are aligned depends on where things lie.
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
        // A directory of temporary files that stays does no harm.
        let _ = fs::remove_dir_all(&self.directory);
    }
}
