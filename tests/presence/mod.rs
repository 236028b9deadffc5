//! A handler that does what messages say, and sends its pages what it learns of presence.
#![allow(dead_code, reason = "no test binary uses all of it")]

use std::time::Duration;

use switchboard::testing::World;
use switchboard::{
    Change, Close, Conn, Context, EventStream, Handler, Message, Presence, Present, Reply, Request,
    Upgrade, ZoneId,
};

/// Obeys `join TOPIC USER VALUE MILLIS`, `leave TOPIC`, `drain`, and `twice TOPIC USER VALUE`.
#[derive(Default)]
pub struct Hall {
    /// What the zone has learned, with the number of receivers.
    pub log: Vec<String>,
    /// Panics in the next callback of presence.
    pub panics: bool,
    /// Leaves this topic in `close`.
    pub leaves_in_close: bool,
}

fn shown(present: &Present) -> String {
    format!("{}={}", present.user, present.value)
}

/// Turns what a zone learns into one line.
pub fn line(topic: &str, presence: Presence<'_>) -> String {
    match presence {
        Presence::Snapshot { users, .. } => {
            users.iter().fold(format!("{topic}:"), |line, user| line + " " + &shown(user))
        }
        Presence::Changes { changes, .. } => {
            changes.iter().fold(topic.to_owned(), |line, change| {
                line + &match change {
                    Change::Joined(user) => format!(" +{}", shown(user)),
                    Change::Changed(user) => format!(" ~{}", shown(user)),
                    Change::Left(user) => format!(" -{}", shown(user)),
                }
            })
        }
        Presence::Count { count, .. } => format!("{topic} {count}"),
        _ => panic!("unknown"),
    }
}

fn obey(conn: &mut Conn<'_>, words: &str) {
    let words: Vec<&str> = words.split(' ').collect();
    match words[..] {
        ["join", topic, user, value, millis] => {
            let grace = Duration::from_millis(millis.parse().unwrap());
            if let Err(error) = conn.join(topic, user, value, grace) {
                conn.send(&*format!("{error:?}"));
            }
        }
        ["twice", topic, user, value] => {
            conn.join(topic, user, "first", Presence::GRACE).unwrap();
            conn.join(topic, user, value, Presence::GRACE).unwrap();
        }
        ["leave", topic] => conn.leave(topic),
        _ => panic!("{words:?}"),
    }
}

impl Handler for Hall {
    fn request(&mut self, conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        // No exchange is open yet: this does nothing.
        assert_eq!(conn.join("early", "ada", "", Presence::GRACE), Ok(()));
        match request.is_websocket() {
            true => Upgrade::new().into(),
            false => EventStream::new().into(),
        }
    }

    fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
        if let Some(words) = request.query_value("do") {
            obey(conn, &words);
        }
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        if let Message::Text(words) = message {
            obey(conn, words);
        }
    }

    fn close(&mut self, conn: &mut Conn<'_>, _close: Close<'_>) {
        if self.leaves_in_close {
            conn.leave("room");
        }
    }

    fn presence(&mut self, cx: &mut Context, topic: &str, presence: Presence<'_>) {
        let line = line(topic, presence);
        assert!(!std::mem::take(&mut self.panics), "in presence");
        let to = match presence {
            Presence::Snapshot { to, .. }
            | Presence::Changes { to, .. }
            | Presence::Count { to, .. } => to,
            _ => &[],
        };
        self.log.push(format!("{line} ({})", to.len()));
        cx.send_each(to, &*line);
    }
}

pub fn hall() -> (World, ZoneId<Hall>) {
    World::set_up(|server| server.zone("/", Hall::default()))
}
