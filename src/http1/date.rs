//! The 29 bytes of a `Date` header, formatted once a second (RFC 9110 section 5.6.7).
//! This file knows no clock: the seconds are an argument.

use std::io::Write;
use std::time::{Duration, UNIX_EPOCH};

use httpdate::HttpDate;

/// The last second of the year 9999, beyond which httpdate panics.
const LAST_SECOND: u64 = 253_402_300_799;

/// A formatted date, kept for as long as its second lasts.
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
    /// Creates the date of the first second of 1970.
    #[must_use]
    pub const fn new() -> Date {
        Date { second: 0, text: *b"Thu, 01 Jan 1970 00:00:00 GMT" }
    }

    /// Returns the date that lies `unix_seconds` after the beginning of 1970, and formats it if the
    /// second has changed. A time after the year 9999 is its last second.
    pub fn at(&mut self, unix_seconds: u64) -> &[u8; 29] {
        if unix_seconds != self.second {
            self.second = unix_seconds;
            let date = UNIX_EPOCH + Duration::from_secs(unix_seconds.min(LAST_SECOND));
            // Every date fills the 29 bytes exactly, so the write cannot fail.
            let _ = write!(&mut self.text[..], "{}", HttpDate::from(date));
        }
        &self.text
    }
}

impl Default for Date {
    fn default() -> Date {
        Date::new()
    }
}
