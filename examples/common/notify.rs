//! Messages to the supervisor that started the program, such as systemd with `Type=notify`: the
//! program serves, it lives, it ends. Without the variable `NOTIFY_SOCKET` they go nowhere.

use std::time::Instant;

use sd_notify::NotifyState;
use switchboard::{Server, ZoneId};

use crate::output::print_error;

/// Tells the supervisor that the program serves: it listens at all its places.
pub fn ready(program: &str) {
    if let Err(error) = sd_notify::notify(&[NotifyState::Ready]) {
        print_error(format_args!(
            "{program}: the supervisor does not learn that the server is ready: {error}: check \
             NOTIFY_SOCKET"
        ));
    }
}

/// Tells the supervisor that the program ends its connections in order.
pub fn stopping() {
    // A supervisor that is gone needs no message.
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
}

/// Tells the supervisor that the loop turns, twice in each period of `WatchdogSec=`. A loop that
/// stands still sends nothing, and systemd restarts the program.
pub fn alive<H: 'static>(server: &mut Server, zone: ZoneId<H>) {
    if let Some(period) = sd_notify::watchdog_enabled().filter(|period| !period.is_zero()) {
        let cx = server.context(Instant::now());
        cx.every(zone, period / 2, |_, _| {
            let _ = sd_notify::notify(&[NotifyState::Watchdog]);
        });
    }
}
