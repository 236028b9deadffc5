//! A reactor on a thread of tokio, beside its tasks. The reactor is not `Send`, so it stays on that
//! thread: `tokio::main(flavor = "current_thread")`, or a `LocalSet`.

use std::io;
use std::time::Duration;

use switchboard::Reactor;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Runs a reactor until its server is drained.
///
/// tokio's readiness is edge-triggered. It is cleared only after a turn that leaves nothing, since
/// no new edge reports the events that were left.
///
/// # Errors
/// When tokio cannot poll the reactor's descriptor, or a turn fails.
pub async fn run(reactor: Reactor) -> io::Result<()> {
    // The unsafe constructor that tokio names asks for a descriptor that stays the same, as that of
    // a reactor does.
    #[allow(deprecated, reason = "this package has no unsafe code")]
    let mut reactor = AsyncFd::with_interest(reactor, Interest::READABLE)?;
    // The first turn learns how long to wait.
    let mut wait = Some(Duration::ZERO);
    while !reactor.get_ref().server.is_drained() {
        if wait == Some(Duration::ZERO) {
            // Work is left. Other tasks have their turn before it.
            tokio::task::yield_now().await;
        }
        let ready = match wait {
            Some(wait) => tokio::time::timeout(wait, reactor.readable_mut()).await.ok(),
            None => Some(reactor.readable_mut().await),
        };
        wait = match ready {
            Some(ready) => {
                let mut ready = ready?;
                let turn = ready.get_inner_mut().turn(Some(Duration::ZERO))?;
                if turn.wait != Some(Duration::ZERO) {
                    ready.clear_ready();
                }
                turn.wait
            }
            // The wait is over, and a deadline or a timer is due.
            None => reactor.get_mut().turn(Some(Duration::ZERO))?.wait,
        };
    }
    Ok(())
}
