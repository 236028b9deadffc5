//! A reactor on a thread of its own, for a program with a tokio runtime. The program calls it by a
//! `Remote`; answers come back through a channel of tokio.

use std::io;
use std::thread::{self, JoinHandle};

use switchboard::{Context, Reactor, Remote, ZoneId};
use tokio::sync::oneshot;

/// A reactor that runs, and what its set-up returned, such as zones and addresses.
pub struct Running<T> {
    pub remote: Remote,
    pub set_up: T,
    thread: JoinHandle<io::Result<()>>,
}

/// Starts a reactor on a thread of its own. The set-up registers zones and listens.
///
/// # Errors
/// When the thread cannot be started, and those of the set-up.
pub async fn start<T, F>(set_up: F) -> io::Result<Running<T>>
where
    T: Send + 'static,
    F: FnOnce(&mut Reactor) -> io::Result<T> + Send + 'static,
{
    let (tell, told) = oneshot::channel();
    let thread = thread::Builder::new().name("reactor".into()).spawn(move || {
        let mut reactor = Reactor::new()?;
        let set_up = set_up(&mut reactor)?;
        let _ = tell.send((reactor.remote(), set_up));
        reactor.run()
    })?;
    match told.await {
        Ok((remote, set_up)) => Ok(Running { remote, set_up, thread }),
        // The thread has ended without a word, so joining it does not wait.
        Err(_) => Err(ended(thread.join()).err().unwrap_or(io::ErrorKind::BrokenPipe.into())),
    }
}

impl<T> Running<T> {
    /// Waits until the server is drained.
    ///
    /// # Errors
    /// Those of the reactor.
    pub async fn join(self) -> io::Result<()> {
        let thread = self.thread;
        ended(tokio::task::spawn_blocking(move || thread.join()).await.map_err(io::Error::other)?)
    }
}

fn ended(result: thread::Result<io::Result<()>>) -> io::Result<()> {
    result.unwrap_or_else(|_| Err(io::Error::other("the reactor's thread panicked")))
}

/// Runs a closure with a zone's handler on the reactor's thread, and returns what it returns.
///
/// # Errors
/// When the server is gone, or 65,536 calls wait.
pub async fn ask<H: 'static, R: Send + 'static>(
    remote: &Remote,
    zone: ZoneId<H>,
    call: impl FnOnce(&mut H, &mut Context) -> R + Send + 'static,
) -> io::Result<R> {
    let (tell, told) = oneshot::channel();
    remote
        .call(zone, move |handler, cx| {
            // The task that asked may have given up.
            let _ = tell.send(call(handler, cx));
        })
        .map_err(|refused| io::Error::other(refused.to_string()))?;
    told.await.map_err(|_| io::Error::other("the server is gone"))
}
