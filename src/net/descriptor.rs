//! A descriptor of any kind as a source of mio. This file does not know what is read from it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use mio::event::Source;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

/// A descriptor of any kind in non-blocking mode, for [`Reactor::watch`](crate::Reactor::watch): a
/// pipe, a timerfd, an inotify, the output of a child process.
///
/// The mode belongs to the open file, which other processes may share: a terminal is shared with
/// the shell. Regular files have no readiness, so [`Reactor::watch`](crate::Reactor::watch) refuses
/// them.
///
/// ```
/// use std::io::{ErrorKind, Read, Write};
/// use switchboard::Descriptor;
///
/// let (read, mut write) = std::io::pipe()?;
/// let mut read = Descriptor::new(read)?;
/// let mut buf = [0; 16];
/// assert_eq!(read.get_mut().read(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
/// write.write_all(b"tick")?;
/// assert_eq!(read.get_mut().read(&mut buf)?, 4);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Descriptor<T>(T);

impl<T: AsFd> Descriptor<T> {
    /// Sets the non-blocking mode of a descriptor.
    ///
    /// # Errors
    /// When the kernel refuses the mode, which it does for no open descriptor.
    pub fn new(descriptor: T) -> io::Result<Descriptor<T>> {
        rustix::io::ioctl_fionbio(&descriptor, true)?;
        Ok(Descriptor(descriptor))
    }

    /// Returns the descriptor's owner, to read from or write to.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.0
    }

    /// Returns the descriptor's owner. The non-blocking mode stays.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T: AsFd> AsFd for Descriptor<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl<T: AsFd> Source for Descriptor<T> {
    fn register(&mut self, to: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        SourceFd(&self.0.as_fd().as_raw_fd()).register(to, token, interest)
    }

    fn reregister(&mut self, to: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        SourceFd(&self.0.as_fd().as_raw_fd()).reregister(to, token, interest)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        SourceFd(&self.0.as_fd().as_raw_fd()).deregister(registry)
    }
}
