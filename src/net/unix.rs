//! Unix sockets to listen at: the socket file and its mode, the file that an ended program left
//! behind, and the removal at the end. This file accepts no connection.
//!
//! A socket file cannot tell whether a program still listens at it; only a connection attempt can.
//! So a file is removed when the kernel refuses a connection to it. It is moved aside first and
//! asked again there: if another program has begun to listen meanwhile, the file is put back.

use std::ffi::OsStr;
use std::fs::{self, FileType, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};

/// A socket file of ours. Dropping the value removes the file, if it still is the same one.
#[derive(Debug)]
pub(crate) struct SocketFile {
    pub(super) path: PathBuf,
    /// Device and inode. A socket that is open keeps its inode, so no other file can have it.
    identity: (u64, u64),
}

impl SocketFile {
    fn at(path: PathBuf) -> io::Result<SocketFile> {
        let identity = identity(&path)?;
        Ok(SocketFile { path, identity })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            // A directory that has become read-only keeps the file: the next start removes it.
            let _kept = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

/// Attempts to bind: each further one follows a file that was removed.
const ATTEMPTS: usize = 4;

/// Binds a socket at a path and listens; at `@name` in Linux' abstract namespace.
///
/// # Errors
/// When the path cannot be bound, or a program listens there, or a file is there that is no socket.
pub(super) fn bind(
    path: &Path,
    mode: Option<u32>,
    backlog: i32,
) -> io::Result<(Socket, Option<SocketFile>)> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.is_empty() || bytes.contains(&0) {
        let advice = "give a path without a NUL byte, such as /run/app.sock";
        return Err(fault(path, ErrorKind::InvalidInput, advice));
    }
    if let Some(mode) = mode.filter(|mode| *mode > 0o777) {
        let advice = format!("the mode {mode} is 0o{mode:o}: give nine bits in octal, as 0o660");
        return Err(fault(path, ErrorKind::InvalidInput, &advice));
    }
    if let Some(name) = bytes.strip_prefix(b"@") {
        return bind_abstract(path, name, mode, backlog).map(|socket| (socket, None));
    }
    let address = address(path)?;
    for _ in 0..ATTEMPTS {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        match socket.bind(&address) {
            Ok(()) => return open(socket, path, mode, backlog).map(|(s, file)| (s, Some(file))),
            Err(error) if error.kind() == ErrorKind::AddrInUse => make_way(path)?,
            Err(error) => return Err(unbound(path, &error)),
        }
    }
    Err(fault(
        path,
        ErrorKind::AddrInUse,
        "other programs bind this path at this moment: try again",
    ))
}

/// Listens at a socket file that was just made. The mode is set before the socket listens: until
/// then the kernel refuses all connections, so no moment has a wider mode.
fn open(
    socket: Socket,
    path: &Path,
    mode: Option<u32>,
    backlog: i32,
) -> io::Result<(Socket, SocketFile)> {
    let file = std::path::absolute(path).and_then(SocketFile::at);
    let file = file.map_err(|error| unbound(path, &error))?;
    if let Some(mode) = mode {
        fs::set_permissions(&file.path, Permissions::from_mode(mode))
            .map_err(|error| unbound(path, &error))?;
    }
    socket.listen(backlog)?;
    if !identity(&file.path).is_ok_and(|identity| identity == file.identity) {
        let advice = "another program has taken this path at this moment: end one of the two";
        return Err(fault(path, ErrorKind::AddrInUse, advice));
    }
    Ok((socket, file))
}

#[cfg(target_os = "linux")]
fn bind_abstract(path: &Path, name: &[u8], mode: Option<u32>, backlog: i32) -> io::Result<Socket> {
    if mode.is_some() {
        let advice = "an abstract name has no mode: give a path in place of it";
        return Err(fault(path, ErrorKind::InvalidInput, advice));
    }
    if name.is_empty() {
        return Err(fault(path, ErrorKind::InvalidInput, "give a name after @, such as @app"));
    }
    let bytes = [b"\0", name].concat();
    let address = SockAddr::unix(OsStr::from_bytes(&bytes)).map_err(|_| too_long(path))?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&address).map_err(|error| unbound(path, &error))?;
    socket.listen(backlog)?;
    Ok(socket)
}

#[cfg(not(target_os = "linux"))]
fn bind_abstract(path: &Path, _: &[u8], _: Option<u32>, _: i32) -> io::Result<Socket> {
    let advice = "only Linux has abstract names: give a path, such as /run/app.sock";
    Err(fault(path, ErrorKind::Unsupported, advice))
}

fn address(path: &Path) -> io::Result<SockAddr> {
    SockAddr::unix(path).map_err(|_| too_long(path))
}

/// Removes the socket file of a program that has ended.
fn make_way(path: &Path) -> io::Result<()> {
    match is_stale(path)? {
        None => return Ok(()),
        Some(false) => return Err(live(path)),
        Some(true) => {}
    }
    static ASIDE: AtomicU32 = AtomicU32::new(0);
    let number = ASIDE.fetch_add(1, Ordering::Relaxed);
    let aside = path.with_file_name(format!(".{:x}-{number:x}", std::process::id()));
    match fs::rename(path, &aside) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        renamed => renamed.map_err(|error| unbound(path, &error))?,
    }
    // The name aside may be too long for a connection: then the first answer counts.
    let stale = is_stale(&aside).is_ok_and(|stale| stale == Some(false));
    if stale {
        // Another program has begun to listen: its file gets its name back.
        let _taken = fs::hard_link(&aside, path);
    }
    fs::remove_file(&aside).map_err(|error| unbound(path, &error))?;
    if stale { Err(live(path)) } else { Ok(()) }
}

/// Whether no program listens at a socket file; `None` if the file is gone.
///
/// # Errors
/// When the file is no socket, or this program may not connect to it.
fn is_stale(path: &Path) -> io::Result<Option<bool>> {
    let kind = match fs::symlink_metadata(path) {
        Ok(file) => file.file_type(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unbound(path, &error)),
    };
    if !kind.is_socket() {
        let advice = format!("{} is there: remove it, or give another path", noun(kind));
        return Err(fault(path, ErrorKind::AlreadyExists, &advice));
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    let outcome = socket.connect(&address(path)?);
    match outcome.as_ref().map_err(Errno::from_io_error) {
        Ok(()) => Ok(Some(false)),
        Err(Some(Errno::CONNREFUSED)) => Ok(Some(true)),
        // A full queue, or a datagram socket.
        Err(Some(Errno::AGAIN | Errno::PROTOTYPE)) => Ok(Some(false)),
        Err(Some(Errno::NOENT)) => Ok(None),
        Err(_) => {
            let error = outcome.err().map_or_else(String::new, |error| error.to_string());
            let advice = format!(
                "a socket is there, and this user cannot ask whether a program listens \
                 ({error}): remove the file, or give another path"
            );
            Err(fault(path, ErrorKind::AddrInUse, &advice))
        }
    }
}

fn noun(kind: FileType) -> &'static str {
    match kind {
        _ if kind.is_dir() => "a directory",
        _ if kind.is_symlink() => "a symbolic link",
        _ if kind.is_file() => "a regular file",
        _ => "a file that is no socket",
    }
}

fn live(path: &Path) -> io::Error {
    let advice = "a program listens there: end it, or give another path";
    fault(path, ErrorKind::AddrInUse, advice)
}

fn too_long(path: &Path) -> io::Error {
    let len = path.as_os_str().len();
    let advice = format!("{len} bytes are more than the kernel takes (107 on Linux): give less");
    fault(path, ErrorKind::InvalidInput, &advice)
}

/// Names the path in an error of the kernel, and says what to do.
fn unbound(path: &Path, error: &io::Error) -> io::Error {
    let advice = match error.kind() {
        ErrorKind::NotFound => "make its directory first",
        ErrorKind::PermissionDenied => "give a directory that this user may write to",
        ErrorKind::AddrInUse => "end the program that listens there, or give another name",
        _ => "give another path, such as /run/app.sock",
    };
    fault(path, error.kind(), &format!("{error}: {advice}"))
}

pub(super) fn fault(path: &Path, kind: ErrorKind, advice: &str) -> io::Error {
    let place = format!("unix:{}", path.display());
    io::Error::new(kind, format!("cannot listen at {place:?}: {advice}"))
}
