//! The servers that are measured: the bare epoll program, the library, and other programs that
//! print their address and serve. This file knows how to start them, not what they cost.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::process::Process;
use super::workload::Workload;

/// A server to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    pub name: String,
    /// Program and arguments; empty means this executable, in a role.
    command: Vec<String>,
    role: &'static str,
}

impl Program {
    /// Makes a program of this executable in one of the `roles`.
    pub fn role(name: &str, role: &'static str) -> Program {
        Program { name: name.to_owned(), command: Vec::new(), role }
    }

    /// Parses a program with its arguments, separated by spaces. Its name is the file name with the
    /// arguments.
    pub fn parse(line: &str) -> Result<Program, String> {
        let command: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let (program, arguments) = command.split_first().ok_or("a command is missing")?;
        let path = Path::new(program);
        let program = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let name = [&[program], arguments].concat().join(" ");
        Ok(Program { name, command, role: "" })
    }

    /// Appends an argument.
    pub fn with(mut self, argument: &str) -> Program {
        self.command.push(argument.to_owned());
        self
    }

    /// Starts the program on `core` and reads its address.
    pub fn start(&self, workload: &Workload, core: usize) -> io::Result<(Process, SocketAddr)> {
        let command = match self.command.split_first() {
            None => ourselves(self.role, &workload.arguments())?,
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments);
                command
            }
        };
        let mut process = Process::start(command, core)?;
        let line = process.read_line()?;
        match line.parse() {
            Ok(address) => Ok((process, address)),
            Err(_) => Err(io::Error::new(
                ErrorKind::InvalidData,
                format!("its first line is no address: {line:?}"),
            )),
        }
    }
}

/// Makes the command that starts this executable in a role.
pub fn ourselves(role: &str, arguments: &[String]) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(role).args(arguments);
    Ok(command)
}

/// The executable of the package `peers`, built on demand.
pub struct Peers(PathBuf);

impl Peers {
    pub fn build() -> io::Result<Peers> {
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers");
        let target = package.join("target");
        eprintln!("building benches/peers: the same servers on other libraries");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = Command::new(cargo)
            .args(["build", "--release", "--locked", "--quiet", "--manifest-path"])
            .arg(package.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&target)
            .stdout(Stdio::null())
            .status()?;
        if status.success() {
            Ok(Peers(target.join("release/peers")))
        } else {
            Err(io::Error::other(
                "benches/peers does not build; leave --peers and the rows that need it out",
            ))
        }
    }

    pub fn named(&self, name: &str) -> Program {
        let command = vec![self.0.to_string_lossy().into_owned(), name.to_owned()];
        Program { name: name.to_owned(), command, role: "" }
    }

    pub fn all(&self) -> io::Result<Vec<Program>> {
        let output = Command::new(&self.0).arg("--list").output()?;
        Ok(String::from_utf8_lossy(&output.stdout).lines().map(|name| self.named(name)).collect())
    }
}
