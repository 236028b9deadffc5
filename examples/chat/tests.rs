//! The chat as its clients see it: names, rooms, texts and errors as tables, in a world without
//! sockets.

use std::time::Instant;

use serde_json::{Value, json};
use switchboard::testing::{Client, World};

use super::chat::{Chat, PREFIXES};

fn world() -> World {
    World::serving(|server| {
        let chat = server.zones(PREFIXES, Chat::new());
        server.with(chat, Instant::now(), |handler, cx| handler.start(chat, cx));
    })
}

/// All events that a client received since it was last asked.
fn events(world: &mut World, client: Client) -> Vec<Value> {
    let heard = world.hear(client);
    heard.iter().map(|event| serde_json::from_str(event.text()).unwrap()).collect()
}

/// Sends one text, and returns the one answer of the types that concern its sender.
fn answer(world: &mut World, client: Client, text: &str) -> Value {
    world.say(client, text);
    let mut events = events(world, client);
    events.retain(|event| ["welcome", "said", "error"].contains(&event["type"].as_str().unwrap()));
    assert_eq!(events.len(), 1, "{text}: {events:?}");
    events.remove(0)
}

/// Joins, and returns the answer.
fn join(world: &mut World, client: Client, nick: &str, room: &str) -> Value {
    answer(world, client, &json!({ "type": "join", "nick": nick, "room": room }).to_string())
}

/// A client that is in a room.
fn member(world: &mut World, nick: &str, room: &str) -> Client {
    let client = world.websocket("/ws");
    let welcome = join(world, client, nick, room);
    assert_eq!(welcome["type"], "welcome", "{nick}: {welcome}");
    client
}

/// The code of an error, or the field of another answer.
fn verdict<'a>(answer: &'a Value, field: &str) -> &'a str {
    match answer["type"].as_str() {
        Some("error") => answer["code"].as_str().unwrap(),
        _ => answer[field].as_str().unwrap(),
    }
}

/// What a page sends as a nickname, and what is shown or the code of the error.
const NICKS: &[(&str, &str)] = &[
    // One form for every spelling.
    ("  Ada  ", "Ada"),
    ("Ａｄａ", "Ada"),
    ("Ine\u{302}s", "Inês"),
    ("Ada \u{3000}\u{a0} Lovelace", "Ada Lovelace"),
    // Names that need a joiner, a selector or a mark keep it.
    ("علی\u{200c}رضا", "علی\u{200c}رضا"),
    ("ක්\u{200d}ෂ", "ක්\u{200d}ෂ"),
    ("हिन्दी", "हिन्दी"),
    ("❤\u{fe0f}", "❤\u{fe0f}"),
    ("👩\u{200d}🚀", "👩\u{200d}🚀"),
    ("1\u{fe0f}\u{20e3}", "1\u{fe0f}\u{20e3}"),
    (
        "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
        "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
    ),
    // Nothing to see.
    ("", "nick"),
    (" ", "nick"),
    ("\u{3164}", "nick"),
    ("\u{ffa0}", "nick"),
    ("\u{115f}\u{1160}", "nick"),
    ("\u{2800}", "nick"),
    ("\u{ad}", "nick"),
    ("\u{200b}", "nick"),
    ("\u{200d}", "nick"),
    ("\u{fe0f}", "nick"),
    ("\u{34f}", "nick"),
    ("\u{180e}", "nick"),
    ("\u{2064}", "nick"),
    ("\u{17b5}", "nick"),
    ("\u{e0020}", "nick"),
    ("\u{1d173}", "nick"),
    ("\u{1d159}", "nick"),
    ("\u{16fe4}", "nick"),
    ("\u{13441}", "nick"),
    ("\u{fffc}", "nick"),
    ("\u{fff9}", "nick"),
    ("\u{feff}", "nick"),
    // A mark without a letter sits on the text before it.
    ("\u{301}", "nick"),
    ("\u{301}Ada", "nick"),
    // Something hidden beside what is seen.
    ("Ada\u{ad}", "nick"),
    ("A\u{200b}da", "nick"),
    ("Ada\u{200d}", "nick"),
    ("Ada\u{fe0f}", "nick"),
    ("Ада\u{200c}", "nick"),
    ("Ada\u{2800}", "nick"),
    ("Ada\u{3164}", "nick"),
    ("Ada\u{1d159}", "nick"),
    ("Ada\u{e0041}", "nick"),
    ("a\u{202e}b", "nick"),
    ("a\u{2066}b", "nick"),
    ("a\u{2028}b", "nick"),
    ("a\nb", "nick"),
    ("a\u{7}b", "nick"),
    // The limit counts what is shown.
    ("ﷺﷺ", "nick"),
];

#[test]
fn chat_shows_a_nickname_in_one_form_or_refuses_it() {
    let mut wrong = Vec::new();
    for (nick, expected) in NICKS {
        let mut world = world();
        let client = world.websocket("/ws");
        let answer = join(&mut world, client, nick, "lobby");
        if verdict(&answer, "nick") != *expected {
            wrong.push(format!("{nick:?}: {:?}", verdict(&answer, "nick")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn chat_takes_no_twin_of_a_nickname() {
    let cases = [
        ("Ada", "aDA", "nick_taken"),
        ("Ada", "Ａｄａ", "nick_taken"),
        ("Ada", "Аԁа", "nick_taken"),
        ("Ada", "ᴬᵈᵃ", "nick_taken"),
        ("Inês", "Ine\u{302}s", "nick_taken"),
        ("Ine\u{302}s", "INÊS", "nick_taken"),
        ("Å", "\u{212b}", "nick_taken"),
        ("ạ\u{302}", "a\u{302}\u{323}", "nick_taken"),
        ("ace", "асе", "nick_taken"),
        ("علی", "علی\u{200c}", "nick_taken"),
        ("علیرضا", "علی\u{200c}رضا", "nick_taken"),
        ("❤", "❤\u{fe0f}", "nick_taken"),
        ("ſam", "Sam", "nick_taken"),
        // Alike in capital letters only, within one script.
        ("BOB", "ВОВ", "nick_taken"),
        ("ВОВ", "bob", "nick_taken"),
        ("Hope", "Норе", "nick_taken"),
        ("ZOE", "ΖΟΕ", "nick_taken"),
        ("МАРТА", "марта", "nick_taken"),
        ("Ada", "Ꭺda", "nick_taken"),
        ("Ada B", "Ada\u{2003} B", "nick_taken"),
        // Other people.
        ("Ada", "Adah", "Adah"),
        ("Ines", "Inês", "Inês"),
        ("user1", "userl", "userl"),
        ("Bern", "Bem", "Bem"),
        ("Ada B", "AdaB", "AdaB"),
        ("Ада", "Ada", "Ada"),
    ];
    let mut wrong = Vec::new();
    for (first, second, expected) in cases {
        let mut world = world();
        member(&mut world, first, "lobby");
        let client = world.websocket("/ws");
        let answer = join(&mut world, client, second, "lobby");
        if verdict(&answer, "nick") != expected {
            wrong.push(format!("{first} and {second}: {:?}", verdict(&answer, "nick")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn chat_marks_names_of_mixed_scripts() {
    let cases = [
        ("Ada", None),
        ("Ада", None),
        ("Ada 7 😀", None),
        ("日本カタかな", None),
        ("김 철수", None),
        ("अदा", None),
        ("Аda", Some("Cyrillic and Latin")),
        ("Αda", Some("Greek and Latin")),
        ("Ωлga", Some("Greek, Cyrillic and Latin")),
    ];
    for (nick, expected) in cases {
        let mut world = world();
        let bo = member(&mut world, "Bo", "lobby");
        let client = world.websocket("/ws");
        let welcome = join(&mut world, client, nick, "lobby");
        let person = &welcome["people"][1];
        assert_eq!((person["nick"].as_str(), person["scripts"].as_str()), (Some(nick), expected));
        let said = answer(&mut world, client, r#"{"type":"say","text":"hello"}"#);
        assert_eq!(said["scripts"].as_str(), expected, "{nick}");
        let heard = events(&mut world, bo);
        let joined = heard.iter().find(|event| event["type"] == "joined").unwrap();
        assert_eq!(joined["scripts"].as_str(), expected, "{nick}");
    }
}

#[test]
fn chat_names_the_mark_in_every_error() {
    let long = "x".repeat(2001);
    let too_long = format!(r#"{{"type":"say","mark":"m1","text":"{long}"}}"#);
    let cases = [
        (r#"{"type":"say","text":"half an emoji \ud83d","mark":"m1"}"#, "malformed"),
        (r#"{"type":"say","mark":"m1","text":"\ude00"}"#, "malformed"),
        (r#"{"type":"say","text":7,"mark":"m1"}"#, "malformed"),
        (r#"{"type":"say","mark":"m1"}"#, "malformed"),
        (r#"{"type":"fly","text":"a","mark":"m1"}"#, "malformed"),
        (r#"{"text":"a","mark":"m1"}"#, "malformed"),
        (r#"{"type":"say","text":"a","text":"b","mark":"m1"}"#, "malformed"),
        (r#"{"type":"say","text":" ","mark":"m1"}"#, "text"),
        (too_long.as_str(), "text"),
    ];
    let mut world = world();
    let stranger = world.websocket("/ws");
    let early = answer(&mut world, stranger, r#"{"type":"say","text":"early","mark":"m1"}"#);
    assert_eq!((verdict(&early, "code"), &early["mark"]), ("not_joined", &json!("m1")));
    let ada = member(&mut world, "Ada", "lobby");
    for (text, code) in cases {
        let error = answer(&mut world, ada, text);
        assert_eq!((verdict(&error, "code"), &error["mark"]), (code, &json!("m1")), "{text}");
    }
    for text in [
        "{",
        r#"{"type":"say","text":"a","mark":7}"#,
        r#"{"type":"say","text":"a","mark":"\ud83d"}"#,
    ] {
        let error = answer(&mut world, ada, text);
        assert_eq!((verdict(&error, "code"), error.get("mark")), ("malformed", None), "{text}");
    }
    let endless = json!({ "type": "say", "text": "a", "mark": "x".repeat(65) }).to_string();
    assert_eq!(answer(&mut world, ada, &endless).get("mark"), None, "an answer stays short");
}

#[test]
fn chat_refuses_messages_that_cannot_be_seen() {
    let blank = [
        "",
        " \n\t ",
        "\u{3164}",
        "\u{2800}\u{2800}",
        "\u{ad}",
        "\u{200b}",
        "\u{fe0f}",
        "\u{200d}",
        "\u{ffa0}",
        "\u{e0041}",
        "\u{1d159}",
        "\u{16fe4}",
        "\u{13441}",
        "\u{fffc}",
        "\u{fff9}",
        "\u{202e}",
        "\u{feff}",
        "\u{3000}",
        "\u{2028}",
        "\u{7}",
        "\u{115f}\u{200b}\n\u{2800}",
    ];
    let seen =
        ["a\u{200b}", "❤\u{fe0f}", "👩\u{200d}🚀", "⠓⠊\u{2800}⠓⠕", "ि", ".", "می\u{200c}خواهم"];
    let mut world = world();
    let ada = member(&mut world, "Ada", "lobby");
    let mut say = |text: &str| {
        let answer = answer(&mut world, ada, &json!({ "type": "say", "text": text }).to_string());
        verdict(&answer, "text").to_owned()
    };
    let wrong: Vec<_> = blank.iter().filter(|text| say(text) != "text").collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    for text in seen {
        assert_eq!(say(text), text);
    }
}

#[test]
fn chat_has_one_name_for_a_room_on_the_page_and_in_the_stream() {
    let cases = [
        ("Über-Uns", "über-uns"),
        ("U\u{308}ber", "über"),
        ("हिन्दी", "हिन्दी"),
        ("ไทยนี้", "ไทยนี้"),
        ("مُحَمَّد", "مُحَمَّد"),
        ("בְּרֵאשִׁית", "בְּרֵאשִׁית"),
        ("می\u{200c}خواهم", "میخواهم"),
        ("lob\u{ad}by", "lobby"),
        ("ｌｏｂｂｙ", "lobby"),
    ];
    let mut wrong = Vec::new();
    for (asked, name) in cases {
        let mut world = world();
        let ada = world.websocket("/ws");
        let welcome = join(&mut world, ada, "Ada", asked);
        if verdict(&welcome, "room") != name {
            wrong.push(format!("{asked}: {}", verdict(&welcome, "room")));
            continue;
        }
        let path: String = asked.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let stream = world.events(format!("/events/{path}").as_str());
        answer(&mut world, ada, r#"{"type":"say","text":"hello"}"#);
        assert_eq!(events(&mut world, stream)[0]["text"], "hello", "{asked}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");

    let refused = [
        "",
        "\u{3164}",
        "\u{200b}",
        "\u{ffa0}",
        "\u{301}",
        "\u{301}a",
        "\u{16fe4}",
        "a/b",
        "a b",
        "a\u{2800}b",
    ];
    for room in refused {
        let mut world = world();
        let ada = world.websocket("/ws");
        assert_eq!(verdict(&join(&mut world, ada, "Ada", room), "room"), "room", "{room:?}");
    }
}

#[test]
fn chat_gives_a_nickname_back_to_the_browser_that_had_it() {
    let enter = |session: &str, secret: &str| {
        let mut join =
            json!({ "type": "join", "nick": "Ada", "room": "lobby", "session": session });
        join["secret"] = secret.into();
        join.to_string()
    };
    let mut world = world();
    let bo = member(&mut world, "Bo", "lobby");
    let lost = world.websocket("/ws");
    let first = answer(&mut world, lost, &enter("tab 1", "hers alone"));
    events(&mut world, bo);

    // Her line is lost, but nothing tells the server. She opens the page anew.
    let found = world.websocket("/ws");
    let again = answer(&mut world, found, &enter("tab 2", "hers alone"));
    assert_eq!((verdict(&again, "nick"), &again["who"]), ("Ada", &first["who"]));
    assert_eq!(events(&mut world, lost).last().unwrap()["type"], "replaced");
    assert!(world.closed(lost).is_some());
    assert_eq!(events(&mut world, bo), Vec::<Value>::new(), "the others notice nothing");

    for (session, secret) in [("tab 3", "another"), ("tab 4", ""), ("", "")] {
        let thief = world.websocket("/ws");
        let refused = answer(&mut world, thief, &enter(session, secret));
        assert_eq!(verdict(&refused, "nick"), "nick_taken", "{secret:?}");
    }
    answer(&mut world, found, r#"{"type":"say","text":"here"}"#);
    let nosy = world.websocket("/ws");
    world.say(nosy, r#"{"type":"join","nick":"Nosy","room":"lobby"}"#);
    for client in [bo, nosy, found] {
        for event in events(&mut world, client) {
            assert!(!event.to_string().contains("hers alone"), "{event}");
        }
    }

    // Nobody owns a nickname by an empty secret.
    let plain = member(&mut world, "Plain", "lobby");
    let other = world.websocket("/ws");
    assert_eq!(verdict(&join(&mut world, other, "Plain", "lobby"), "nick"), "nick_taken");
    assert!(world.is_open(plain));

    // Two tabs under two names both stay; the older gives way when the newer takes its name.
    let two = enter("tab 5", "hers alone").replace("Ada", "Second").replace("lobby", "kitchen");
    let second = world.websocket("/ws");
    answer(&mut world, second, &two);
    assert!(world.is_open(found));
    let moved = answer(&mut world, second, &enter("tab 5", "hers alone"));
    assert_eq!((verdict(&moved, "nick"), &moved["who"]), ("Ada", &first["who"]));
    assert!(!world.is_open(found));
}
