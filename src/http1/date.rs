//! The `Date` header's 29 bytes, formatted once a second (RFC 9110 section 5.6.7).
//! Knows no clock: the seconds are an argument.

use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

use httpdate::HttpDate;

/// The last second that has a four-digit year: 9999-12-31 23:59:59.
const LAST_SECOND: u64 = 253_402_300_799;

/// A formatted date that is kept for as long as its second lasts.
///
/// ```
/// use switchboard::proto::http1::Date;
///
/// let mut date = Date::new();
/// assert_eq!(date.at(784_111_777), b"Sun, 06 Nov 1994 08:49:37 GMT");
/// ```
#[derive(Clone, Debug)]
pub struct Date {
    second: u64,
    text: [u8; 29],
}

impl Date {
    /// The date at the beginning of 1970.
    pub const fn new() -> Date {
        Date { second: 0, text: *b"Thu, 01 Jan 1970 00:00:00 GMT" }
    }

    /// The date at a number of seconds since the beginning of 1970; formatted anew only when that changed.
    pub fn at(&mut self, unix_seconds: u64) -> &[u8; 29] {
        if unix_seconds != self.second {
            self.second = unix_seconds;
            self.text = format(unix_seconds);
        }
        &self.text
    }

    /// The date that was asked for last.
    pub fn last(&self) -> &[u8; 29] {
        &self.text
    }
}

impl Default for Date {
    fn default() -> Date {
        Date::new()
    }
}

fn format(unix_seconds: u64) -> [u8; 29] {
    // httpdate panics beyond the last four-digit year.
    let since = Duration::from_secs(unix_seconds.min(LAST_SECOND));
    let mut text = Fixed { bytes: [0; 29], len: 0 };
    match write!(text, "{}", HttpDate::from(UNIX_EPOCH + since)) {
        Ok(()) => text.bytes,
        Err(_) => Date::new().text,
    }
}

/// Twenty-nine bytes to be formatted into.
struct Fixed {
    bytes: [u8; 29],
    len: usize,
}

impl Write for Fixed {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.len + text.len();
        let room = self.bytes.get_mut(self.len..end).ok_or(std::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
