//! How a server ends: three options of the command line, and the drain that they ask for. This file
//! knows neither the signals nor the server.

use std::time::Duration;

use switchboard::Drain;

/// How long goodbyes may take, beside notice and window.
const GOODBYE: Duration = Duration::from_secs(3);

/// What the command line says about the end.
#[derive(Default)]
pub struct Ending {
    notice: Duration,
    window: Duration,
    deadline: Option<Duration>,
}

impl Ending {
    /// Whether an option, without its dashes, is one of those.
    pub fn has(option: &str) -> bool {
        matches!(option, "drain-notice" | "drain-window" | "drain-deadline")
    }

    /// Takes the value of an option in seconds, such as `30` or `0.5`.
    pub fn set(&mut self, option: &str, value: &str) -> Result<(), String> {
        let seconds = value.parse().ok().and_then(|n| Duration::try_from_secs_f64(n).ok());
        let seconds = seconds
            .ok_or_else(|| format!("--{option} {value:?}: give seconds, such as 30 or 0.5"))?;
        match option {
            "drain-notice" => self.notice = seconds,
            "drain-window" => self.window = seconds,
            _ => self.deadline = Some(seconds),
        }
        Ok(())
    }

    /// Returns the drain. Without a deadline, goodbyes have 3 s after the window.
    pub fn drain(&self) -> Result<Drain, String> {
        let Ending { notice, window, deadline } = *self;
        let deadline = deadline.unwrap_or(notice.saturating_add(window).saturating_add(GOODBYE));
        let drain = Drain { notice, window, deadline, ..Drain::default() };
        drain.check().map_err(|error| format!("--drain-deadline: {error}"))?;
        Ok(drain)
    }
}
