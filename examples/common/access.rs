//! An access log: one line for each request, in the manner of the Common Log Format, and one for
//! the end of each WebSocket, event stream and takeover.

use std::time::{SystemTime, UNIX_EPOCH};

use switchboard::Observed;
use switchboard::proto::http1::Date;

/// Makes lines, and keeps the date of the current second.
#[derive(Default)]
pub struct AccessLog(Date);

impl AccessLog {
    /// The line of an event that has one. A byte of a peer neither begins a line of its own nor
    /// reaches a terminal as a control character.
    pub fn line(&mut self, event: &Observed<'_>) -> Option<String> {
        let (client, what) = match event {
            Observed::Answered(it) => {
                // 499 is what nginx writes for a client that left before its answer.
                let status = it.status.map_or(499, |status| status.as_u16());
                let (bytes, seconds) = (it.bytes, it.time.as_secs_f64());
                let cut = it.cause.map_or(String::new(), |cause| format!(" {}", cause.as_str()));
                let line = format!("{} {} {}", it.method, it.path, it.version);
                (it.client, format!("\"{line}\" {status} {bytes} {seconds:.6}{cut}"))
            }
            Observed::Refused(it) => {
                let (line, status) = (it.request_line, it.status.as_u16());
                (it.client, format!("\"{line}\" {status} - - refused: {}", it.reason))
            }
            Observed::Ended(it) => {
                let (code, seconds) = (it.code?.as_u16(), it.time.as_secs_f64());
                let cause = it.cause.as_str();
                (it.client, format!("\"{}\" {code} - {seconds:.6} {cause}", it.protocol))
            }
            _ => return None,
        };
        let client = client.map_or("-".to_owned(), |client| client.to_string());
        Some(format!("{client} - - [{}] {what}", self.date()))
    }

    /// The date, made of that of a `Date` header: `Sun, 06 Nov 1994 08:49:37 GMT`.
    fn date(&mut self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let date = String::from_utf8_lossy(self.0.at(now.as_secs()));
        format!("{}/{}/{}:{} +0000", &date[5..7], &date[8..11], &date[12..16], &date[17..25])
    }
}
