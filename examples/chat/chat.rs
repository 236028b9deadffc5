//! The chat: rooms, their members, and what each command does to them. A program registers it at
//! [`PREFIXES`] and calls [`Chat::start`]. This file knows no socket, and of HTTP the answer only.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use switchboard::http::Method;
use switchboard::{
    Close, CloseCode, Conn, ConnId, Context, EventStream, Handler, Message, Options, OptionsId,
    Outgoing, Reply, Request, Response, Upgrade, ZoneId,
};

use super::members::{Member, Members};
use super::names::mixed_scripts;
use super::protocol::{Command, Event, Fault, RoomLine, Said, encode, valid_room};
use super::room::{self, Room};

/// Where the chat stands: the WebSocket of the page, and `/events/<room>` for an `EventSource`.
pub const PREFIXES: &[&str] = &["/ws", "/events"];

/// The rooms that are always there.
const ROOMS: &[&str] = &["lobby", "kitchen", "workshop"];
const MAX_ROOMS: usize = 64;
/// The topic of the list of rooms.
const LIST: &str = "rooms";
/// Who does not say that they still type has stopped.
const TYPING: Duration = Duration::from_secs(6);
/// At most this often the list of rooms goes to everybody, however many come and go.
const LIST_EVERY: Duration = Duration::from_millis(500);

/// The whole state of the chat.
pub struct Chat {
    /// Names this run of the server: message ids begin anew with every run.
    epoch: String,
    rooms: BTreeMap<String, Room>,
    members: Members,
    last_who: u64,
    last_said: u64,
    list_changed: bool,
    options: OptionsId,
}

impl Chat {
    pub fn new() -> Chat {
        Chat {
            epoch: unix_millis().to_string(),
            rooms: ROOMS.iter().map(|&name| (name.to_owned(), Room::new(name))).collect(),
            members: Members::new(),
            last_who: 0,
            last_said: 0,
            list_changed: false,
            options: OptionsId::default(),
        }
    }

    /// Sets the limits of the chat's connections and the clock of the list of rooms.
    pub fn start(&mut self, zone: ZoneId<Chat>, cx: &mut Context) {
        let options = Options::new()
            .max_message(64 << 10)
            .max_buffered(2 << 20)
            .idle_timeout(Duration::from_secs(30));
        self.options = cx.add_options(options);
        cx.every(zone, LIST_EVERY, |chat, cx| {
            if std::mem::take(&mut chat.list_changed) {
                cx.publish(LIST, chat.list().as_str());
            }
        });
    }

    fn list(&self) -> String {
        let rooms =
            self.rooms.iter().map(|(name, room)| RoomLine { name, people: room.members().len() });
        encode(&Event::Rooms { rooms: rooms.collect() })
    }

    fn act(&mut self, conn: &mut Conn<'_>, message: Message<'_>) -> Result<(), Fault> {
        let Message::Text(text) = message else {
            return Err(Fault::new(
                "malformed",
                "This chat speaks JSON in text messages; that was a binary one.",
            ));
        };
        match Command::parse(text)? {
            Command::Join { nick, room, session, secret } => {
                let scripts = mixed_scripts(&nick);
                let typing = false;
                self.join(conn, Member { who: 0, nick, scripts, room, session, secret, typing })
            }
            Command::Say { text, mark } => self.say(conn, text, mark),
            Command::Typing { on } => self.typing(conn, on),
            Command::Ping => {
                conn.send(encode(&Event::Pong).as_str());
                Ok(())
            }
        }
    }

    /// Lets a newcomer in, whose `who` is not known yet.
    fn join(&mut self, conn: &mut Conn<'_>, mut member: Member) -> Result<(), Fault> {
        let id = conn.id();
        // The page's connection before this one, if the server has not yet heard of its end.
        let ghost = self.members.with_session(&member.session);
        let holders: Vec<ConnId> = self.members.with_nick(&member.nick).collect();
        let is_own = |holder: ConnId| {
            let owner = self.members.get(holder).map_or("", |owner| &owner.secret);
            holder == id || Some(holder) == ghost || (!owner.is_empty() && owner == member.secret)
        };
        if let Some(&holder) = holders.iter().find(|&&holder| !is_own(holder)) {
            let holder = self.members.get(holder).map_or("", |holder| &holder.nick);
            return Err(Fault::new(
                "nick_taken",
                format!("Somebody is here as “{holder}” already. Choose another nickname."),
            ));
        }
        self.open_room(&member.room)?;

        let mut who = None;
        for old in [Some(id), ghost].into_iter().flatten().chain(holders) {
            let Some(before) = self.members.get(old) else {
                continue;
            };
            let stays = before.room == member.room && before.nick == member.nick;
            who = who.or(stays.then_some(before.who));
            self.leave(conn, old, stays);
            if old != id
                && let Some(mut old) = conn.context().conn(old)
            {
                old.send(encode(&Event::Replaced).as_str());
                old.close(CloseCode::NORMAL, "went on in another connection");
            }
        }
        let is_new = who.is_none();
        member.who = who.unwrap_or_else(|| {
            self.last_who += 1;
            self.last_who
        });
        self.enter(conn, member, is_new);
        Ok(())
    }

    /// Opens a room, unless it is open. With too many rooms, the empty one that has been silent
    /// longest goes.
    fn open_room(&mut self, name: &str) -> Result<(), Fault> {
        if self.rooms.contains_key(name) {
            return Ok(());
        }
        if self.rooms.len() >= MAX_ROOMS {
            let is_free = |(name, room): &(&String, &Room)| {
                room.members().is_empty() && !ROOMS.contains(&name.as_str())
            };
            let oldest = self.rooms.iter().filter(is_free).min_by_key(|(_, room)| room.newest());
            let Some(oldest) = oldest.map(|(name, _)| name.clone()) else {
                return Err(Fault::new(
                    "rooms_full",
                    format!("There are {MAX_ROOMS} rooms already. Join one of them."),
                ));
            };
            self.rooms.remove(&oldest);
        }
        self.rooms.insert(name.to_owned(), Room::new(name));
        Ok(())
    }

    fn enter(&mut self, conn: &mut Conn<'_>, member: Member, is_new: bool) {
        let id = conn.id();
        let Some(room) = self.rooms.get_mut(&member.room) else {
            return;
        };
        room.enter(id);
        conn.subscribe(&room.topic);
        conn.subscribe(&room.presence);
        if is_new {
            let joined =
                Event::Joined { who: member.who, nick: &member.nick, scripts: &member.scripts };
            conn.publish_to_others(&room.presence, encode(&joined).as_str());
        }
        self.members.insert(id, member);
        self.list_changed = true;
        self.welcome(conn);
    }

    /// Sends the state of the room. Nothing comes between it and the subscription, so the member
    /// misses no message and gets none twice.
    fn welcome(&self, conn: &mut Conn<'_>) {
        let Some(member) = self.members.get(conn.id()) else {
            return;
        };
        let Some(room) = self.rooms.get(&member.room) else {
            return;
        };
        let people = room.members().iter().filter_map(|&id| self.members.get(id));
        let welcome = Event::Welcome {
            epoch: &self.epoch,
            who: member.who,
            nick: &member.nick,
            room: &member.room,
            people: people.map(Member::seen).collect(),
            history: room.said_after(0).collect(),
        };
        conn.send(encode(&welcome).as_str());
    }

    /// Takes a member out of its room. The others are told unless it comes right back. `conn` is
    /// the member's own connection or the one that replaces it.
    fn leave(&mut self, conn: &mut Conn<'_>, id: ConnId, silently: bool) {
        let Some(member) = self.members.remove(id) else {
            return;
        };
        self.list_changed = true;
        let Some(room) = self.rooms.get_mut(&member.room) else {
            return;
        };
        room.leave(id);
        if let Some(mut conn) = conn.context().conn(id) {
            conn.unsubscribe(&room.topic);
            conn.unsubscribe(&room.presence);
            conn.set_timeout(None);
        }
        let Member { who, nick, .. } = &member;
        if member.typing {
            conn.context()
                .publish(&room.presence, encode(&Event::Typing { who: *who, on: false }).as_str());
        }
        if !silently {
            conn.context()
                .publish(&room.presence, encode(&Event::Left { who: *who, nick }).as_str());
        }
    }

    fn say(&mut self, conn: &mut Conn<'_>, text: String, mark: String) -> Result<(), Fault> {
        let Some(member) = self.members.get_mut(conn.id()) else {
            return Err(not_joined().about(mark));
        };
        let Some(room) = self.rooms.get_mut(&member.room) else {
            return Err(not_joined().about(mark));
        };
        // Whoever hears a message takes its author to have stopped typing.
        member.typing = false;
        conn.set_timeout(None);
        self.last_said += 1;
        let said = Said {
            id: self.last_said,
            at: unix_millis(),
            who: member.who,
            nick: member.nick.clone(),
            scripts: member.scripts.clone(),
            text,
            mark,
        };
        conn.publish(&room.topic, Outgoing::text(&encode(&said)).id(&event_id(&self.epoch, &said)));
        room.remember(said);
        Ok(())
    }

    fn typing(&mut self, conn: &mut Conn<'_>, on: bool) -> Result<(), Fault> {
        let Some(member) = self.members.get_mut(conn.id()) else {
            return Err(not_joined());
        };
        conn.set_timeout(on.then_some(TYPING));
        if std::mem::replace(&mut member.typing, on) != on
            && let Some(room) = self.rooms.get(&member.room)
        {
            conn.publish_to_others(
                &room.presence,
                encode(&Event::Typing { who: member.who, on }).as_str(),
            );
        }
        Ok(())
    }

    /// Begins an event stream with what its client has not seen: all that the room remembers, or
    /// what followed the event whose id the client names.
    fn replay(&self, conn: &mut Conn<'_>, room: &str, last_event_id: &str) {
        conn.subscribe(&room::topic(room));
        let seen = last_event_id.split_once('-').filter(|(epoch, _)| *epoch == self.epoch);
        let seen = seen.and_then(|(_, id)| id.parse().ok()).unwrap_or(0);
        for said in self.rooms.get(room).into_iter().flat_map(|room| room.said_after(seen)) {
            conn.send(Outgoing::text(&encode(said)).id(&event_id(&self.epoch, said)));
        }
    }
}

impl Handler for Chat {
    fn request(&mut self, _conn: &mut Conn<'_>, request: &mut Request<'_>) -> Reply {
        if request.zone() == "/events" {
            if ![Method::GET, Method::HEAD].contains(request.method()) {
                return Response::method_not_allowed(&[Method::GET, Method::HEAD]).into();
            }
            return match streamed_room(request) {
                Ok(_) => {
                    EventStream::new().retry(Duration::from_secs(2)).options(self.options).into()
                }
                Err(fault) => Response::text(fault.message).with_status(404).into(),
            };
        }
        if request.is_websocket() {
            return Upgrade::new().options(self.options).into();
        }
        let answer = Response::text("This is the WebSocket of the chat; its page is at /.\n")
            .with_status(426);
        answer.header("Upgrade", "websocket").into()
    }

    fn open(&mut self, conn: &mut Conn<'_>, request: &Request<'_>) {
        if request.zone() != "/events" {
            conn.subscribe(LIST);
            conn.send(self.list().as_str());
        } else if let Ok(room) = streamed_room(request) {
            self.replay(conn, &room, request.header("Last-Event-ID").unwrap_or_default());
        }
    }

    fn message(&mut self, conn: &mut Conn<'_>, message: Message<'_>) {
        if let Err(fault) = self.act(conn, message) {
            conn.send(encode(&fault).as_str());
        }
    }

    fn timeout(&mut self, conn: &mut Conn<'_>) {
        // Somebody who left in between types nowhere.
        let _ = self.typing(conn, false);
    }

    fn close(&mut self, conn: &mut Conn<'_>, _close: Close<'_>) {
        self.leave(conn, conn.id(), false);
    }
}

fn streamed_room(request: &Request<'_>) -> Result<String, Fault> {
    valid_room(request.suffix().trim_start_matches('/'))
}

fn not_joined() -> Fault {
    Fault::new("not_joined", "Join a room first.")
}

fn event_id(epoch: &str, said: &Said) -> String {
    format!("{epoch}-{}", said.id)
}

fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
