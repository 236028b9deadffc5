//! The messages between page and server: one JSON object each, its kind in `type`, with the limits
//! of every text. What a name may be is in [`names`]. This file knows no connection, no room and no
//! clock.

use serde::{Deserialize, Serialize};

use super::names;

/// Longest message, in characters.
pub const MAX_TEXT: usize = 2000;
/// Longest session, secret or mark that a page may choose for itself, in bytes.
const MAX_MARK: usize = 64;

/// What a page says.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Command {
    /// Enters a room and leaves the last one. An equal `session` takes over from an older
    /// connection of the same page, which the server may not yet know to be dead. An equal `secret`
    /// takes over the nickname: the browser keeps it for all its pages, and no event contains it.
    Join {
        nick: String,
        room: String,
        #[serde(default)]
        session: String,
        #[serde(default)]
        secret: String,
    },
    /// Says something in the room. `mark` comes back, so that the page knows its own message.
    Say {
        text: String,
        #[serde(default)]
        mark: String,
    },
    /// A text is being written, or no longer.
    Typing { on: bool },
    /// Is anybody there? Browsers cannot send a WebSocket ping of their own.
    Ping,
}

impl Command {
    /// Reads one message, in its one form and within its limits. A fault is the answer to its
    /// sender, with the mark of the message wherever one can be read.
    pub fn parse(text: &str) -> Result<Command, Fault> {
        Command::checked(text).map_err(|fault| fault.about(mark_of(text)))
    }

    fn checked(text: &str) -> Result<Command, Fault> {
        let command =
            serde_json::from_str(text).map_err(|error| Fault::malformed(&error.to_string()))?;
        Ok(match command {
            Command::Join { nick, room, session, secret } => Command::Join {
                nick: names::nick(&nick).map_err(|reason| Fault::new("nick", reason))?,
                room: valid_room(&room)?,
                session: valid_mark(session)?,
                secret: valid_mark(secret)?,
            },
            Command::Say { text, mark } => {
                Command::Say { mark: valid_mark(mark)?, text: valid_text(&text)? }
            }
            other => other,
        })
    }
}

/// What the server says.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Event<'a> {
    /// The rooms there are.
    Rooms { rooms: Vec<RoomLine<'a>> },
    /// The answer to `Join`. `epoch` names this run of the server: ids of another run mean nothing.
    Welcome {
        epoch: &'a str,
        who: u64,
        nick: &'a str,
        room: &'a str,
        people: Vec<Person<'a>>,
        history: Vec<&'a Said>,
    },
    /// Somebody came in.
    Joined {
        who: u64,
        nick: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        scripts: &'a str,
    },
    /// Somebody left.
    Left { who: u64, nick: &'a str },
    /// Somebody writes, or stopped.
    Typing { who: u64, on: bool },
    /// This connection's place was taken by a newer one of the same session.
    Replaced,
    /// The answer to `Ping`.
    Pong,
}

/// One message of a room, the same for WebSockets and event streams.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename = "said")]
pub struct Said {
    /// Grows by at least one from message to message.
    pub id: u64,
    /// Milliseconds since 1970.
    pub at: u64,
    pub who: u64,
    pub nick: String,
    /// As in [`Person`].
    #[serde(skip_serializing_if = "String::is_empty")]
    pub scripts: String,
    pub text: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mark: String,
}

/// One room in the list of rooms.
#[derive(Debug, Serialize)]
pub struct RoomLine<'a> {
    pub name: &'a str,
    pub people: usize,
}

/// Somebody in a room.
#[derive(Debug, Serialize)]
pub struct Person<'a> {
    pub who: u64,
    pub nick: &'a str,
    /// The scripts of a nickname that mixes them, like "Cyrillic and Latin": readers look twice.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub scripts: &'a str,
    pub typing: bool,
}

/// Why a message was not acted upon. It costs its sender nothing but this answer.
#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename = "error")]
pub struct Fault {
    pub code: &'static str,
    pub message: String,
    /// The mark of the message that this is about, if it had one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mark: String,
}

impl Fault {
    pub fn new(code: &'static str, message: impl Into<String>) -> Fault {
        Fault { code, message: message.into(), mark: String::new() }
    }

    /// A parser may quote its input at any length; the answer does not.
    fn malformed(reason: &str) -> Fault {
        let reason: String = reason.chars().take(120).collect();
        Fault::new("malformed", format!("Not a message of this chat: {reason}."))
    }

    pub fn about(self, mark: String) -> Fault {
        Fault { mark, ..self }
    }
}

/// The JSON of an event.
pub fn encode(event: &impl Serialize) -> String {
    // Only maps without string keys and types that refuse fail: there are none here.
    serde_json::to_string(event).unwrap_or_default()
}

/// Returns a room name in its one form.
pub fn valid_room(room: &str) -> Result<String, Fault> {
    names::room(room).map_err(|reason| Fault::new("room", reason))
}

fn valid_text(text: &str) -> Result<String, Fault> {
    let text: String =
        text.trim().chars().filter(|&c| !c.is_control() || c == '\n' || c == '\t').collect();
    if names::is_blank(&text) {
        return Err(Fault::new("text", "A message has at least one character that can be seen."));
    }
    if text.chars().count() > MAX_TEXT {
        return Err(Fault::new("text", format!("A message has at most {MAX_TEXT} characters.")));
    }
    Ok(text)
}

fn valid_mark(mark: String) -> Result<String, Fault> {
    if mark.len() > MAX_MARK {
        return Err(Fault::new(
            "malformed",
            format!("A session, secret or mark has at most {MAX_MARK} bytes."),
        ));
    }
    Ok(mark)
}

/// Reads the mark of a message that is no command. It must be JSON, in which half a surrogate pair
/// may stand.
fn mark_of(text: &str) -> String {
    #[derive(Deserialize)]
    struct Marked {
        mark: String,
    }
    let marked = serde_json::from_str(text).ok().map(|Marked { mark }| mark);
    marked.filter(|mark| mark.len() <= MAX_MARK).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::names::{MAX_NICK, MAX_ROOM};
    use super::*;

    fn code(text: &str) -> &'static str {
        Command::parse(text).map_or_else(|fault| fault.code, |_| "fine")
    }

    #[test]
    fn protocol_reads_what_a_page_says() {
        let join = Command::Join {
            nick: "Ada".into(),
            room: "über-uns".into(),
            session: String::new(),
            secret: String::new(),
        };
        assert_eq!(Command::parse(r#"{"type":"join","nick":" Ada ","room":"Über-Uns"}"#), Ok(join));
        let say = Command::Say { text: "a\nb".into(), mark: "7".into() };
        assert_eq!(
            Command::parse("{\"type\":\"say\",\"text\":\" a\\n\\u0007b \",\"mark\":\"7\"}"),
            Ok(say)
        );
        assert_eq!(
            Command::parse(r#"{"type":"typing","on":true}"#),
            Ok(Command::Typing { on: true })
        );
        assert_eq!(Command::parse(r#"{"type":"ping"}"#), Ok(Command::Ping));
    }

    #[test]
    fn protocol_tells_what_is_wrong() {
        for text in
            ["", "[]", "{}", r#"{"type":"fly"}"#, r#"{"type":"say"}"#, r#"{"type":"ping"} {}"#]
        {
            assert_eq!(code(text), "malformed", "{text}");
        }
        let fault = Command::parse(&format!(r#"{{"type":"{}"}}"#, "x".repeat(10_000))).unwrap_err();
        assert!(fault.message.len() < 200, "{}", fault.message);
    }

    #[test]
    fn protocol_limits_every_name_and_text() {
        for (nick, expected) in [
            ("x".repeat(MAX_NICK), "fine"),
            ("é".repeat(MAX_NICK + 1), "nick"),
            (" ".into(), "nick"),
        ] {
            assert_eq!(code(&format!(r#"{{"type":"join","nick":"{nick}","room":"a"}}"#)), expected);
        }
        for (room, expected) in [
            ("x".repeat(MAX_ROOM), "fine"),
            ("x".repeat(MAX_ROOM + 1), "room"),
            ("a/b".into(), "room"),
        ] {
            assert_eq!(code(&format!(r#"{{"type":"join","nick":"a","room":"{room}"}}"#)), expected);
        }
        for (text, expected) in [
            ("😀".repeat(MAX_TEXT), "fine"),
            ("x".repeat(MAX_TEXT + 1), "text"),
            ("".into(), "text"),
        ] {
            assert_eq!(code(&format!(r#"{{"type":"say","text":"{text}"}}"#)), expected);
        }
    }
}
