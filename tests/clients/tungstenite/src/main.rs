//! Talks to the echo example through tungstenite: `switchboard-tungstenite-client ADDRESS`.

use std::net::TcpStream;
use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::Duration;

use tungstenite::client::ClientRequestBuilder;
use tungstenite::error::Error;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame};
use tungstenite::protocol::{WebSocket, WebSocketConfig};
use tungstenite::{Message, client, http};

/// The borders of every length encoding, and the largest message that the server takes.
const SIZES: [usize; 9] = [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20, 16 << 20];
const PATIENCE: Duration = Duration::from_secs(60);

type Socket = WebSocket<TcpStream>;

fn address() -> String {
    std::env::args().nth(1).expect("an address")
}

fn request() -> ClientRequestBuilder {
    ClientRequestBuilder::new(format!("ws://{}/", address()).parse().expect("a URI"))
}

fn connect(request: ClientRequestBuilder) -> (Socket, http::Response<Option<Vec<u8>>>) {
    let stream = TcpStream::connect(address()).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
    client::client_with_config(request, stream, Some(config)).expect("a handshake")
}

fn open() -> Socket {
    connect(request()).0
}

/// So many bytes of UTF-8, with characters of two bytes where there is room.
fn text(size: usize) -> String {
    "é".repeat(size / 2) + &"x".repeat(size % 2)
}

fn binary(size: usize) -> Vec<u8> {
    (0..=u8::MAX).cycle().take(size).collect()
}

fn echoes(ws: &mut Socket, message: Message) {
    ws.send(message.clone()).expect("sent");
    assert!(ws.read().expect("an answer") == message, "another message came back");
}

fn fragment(payload: &[u8], data: Data, fin: bool) -> Message {
    Message::Frame(Frame::message(payload.to_vec(), OpCode::Data(data), fin))
}

/// What the server's Close frame says, and that the connection ends after it.
fn closed_with(ws: &mut Socket) -> Option<CloseFrame> {
    let Message::Close(close) = ws.read().expect("a Close frame") else { panic!("no Close frame") };
    assert!(matches!(ws.read(), Err(Error::ConnectionClosed)));
    close
}

fn code_after(messages: impl IntoIterator<Item = Message>) -> Option<u16> {
    let mut ws = open();
    messages.into_iter().for_each(|message| ws.send(message).expect("sent"));
    closed_with(&mut ws).map(|close| close.code.into())
}

fn client_gets_text_back() {
    let mut ws = open();
    SIZES.iter().for_each(|&size| echoes(&mut ws, Message::text(text(size))));
}

fn client_gets_binary_back() {
    let mut ws = open();
    SIZES.iter().for_each(|&size| echoes(&mut ws, Message::binary(binary(size))));
}

fn client_gets_fragments_back_as_one_message() {
    let mut ws = open();
    let message = text(1001);
    let fragments = message.as_bytes().chunks(7).count();
    for (place, part) in message.as_bytes().chunks(7).enumerate() {
        let data = if place == 0 { Data::Text } else { Data::Continue };
        ws.send(fragment(part, data, place + 1 == fragments)).expect("sent");
        ws.send(Message::Ping(vec![place as u8].into())).expect("sent");
    }
    let mut pongs = 0;
    loop {
        match ws.read().expect("an answer") {
            Message::Pong(_) => pongs += 1,
            answer => {
                break assert!(answer == Message::text(message), "{} bytes came back", answer.len());
            }
        }
    }
    assert!(pongs > 0);
}

fn client_hears_a_pong_for_its_ping() {
    let mut ws = open();
    for payload in [&b""[..], b"payload", &[0; 125]] {
        ws.send(Message::Ping(payload.to_vec().into())).expect("sent");
        assert_eq!(ws.read().expect("an answer"), Message::Pong(payload.to_vec().into()));
    }
}

fn client_is_given_the_subprotocol_it_asks_for() {
    let (mut ws, response) =
        connect(request().with_sub_protocol("other").with_sub_protocol("echo"));
    assert_eq!(response.headers()["sec-websocket-protocol"], "echo");
    echoes(&mut ws, Message::text("with a subprotocol"));
    assert!(connect(request()).1.headers().get("sec-websocket-protocol").is_none());
}

fn client_hears_its_close_code_back() {
    for (code, reason) in [(1000, ""), (1001, "bye"), (3000, "é"), (4999, "x")] {
        let mut ws = open();
        let close = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
        ws.close(Some(close)).expect("sent");
        assert_eq!(closed_with(&mut ws).map(|close| u16::from(close.code)), Some(code));
    }
    let mut ws = open();
    ws.close(None).expect("sent");
    assert_eq!(closed_with(&mut ws), None);
}

fn client_hears_1002_for_a_violation() {
    let reserved = |set: fn(&mut Frame)| {
        let mut frame = Frame::message(&b"x"[..], OpCode::Data(Data::Text), true);
        set(&mut frame);
        code_after([Message::Frame(frame)])
    };
    assert_eq!(reserved(|frame| frame.header_mut().rsv2 = true), Some(1002));
    assert_eq!(reserved(|frame| frame.header_mut().rsv3 = true), Some(1002));
    assert_eq!(code_after([fragment(b"nothing begun", Data::Continue, true)]), Some(1002));
    assert_eq!(
        code_after([fragment(b"a", Data::Text, false), fragment(b"b", Data::Text, true)]),
        Some(1002)
    );
}

fn client_hears_1007_for_text_that_is_not_utf8() {
    assert_eq!(code_after([fragment(b"\xFF", Data::Text, true)]), Some(1007));
    assert_eq!(
        code_after([fragment(b"\xE2", Data::Text, false), fragment(b"(", Data::Continue, false)]),
        Some(1007)
    );
}

fn client_hears_1009_for_a_message_too_big() {
    let half = vec![0; 8 << 20];
    let rest = [
        fragment(&half, Data::Binary, false),
        fragment(&half, Data::Continue, false),
        fragment(b"x", Data::Continue, true),
    ];
    assert_eq!(code_after(rest), Some(1009));
}

fn client_of_a_stranger_is_refused() {
    let stream = TcpStream::connect(address()).expect("a connection");
    let refused =
        client::client(request().with_header("Origin", "http://stranger.example"), stream);
    match refused.map(|_| ()).expect_err("refused") {
        tungstenite::HandshakeError::Failure(Error::Http(response)) => {
            assert_eq!(response.status(), 403)
        }
        other => panic!("{other}"),
    }
}

fn main() -> ExitCode {
    let checks: [(&str, fn()); 10] = [
        ("client_gets_text_back", client_gets_text_back),
        ("client_gets_binary_back", client_gets_binary_back),
        ("client_gets_fragments_back_as_one_message", client_gets_fragments_back_as_one_message),
        ("client_hears_a_pong_for_its_ping", client_hears_a_pong_for_its_ping),
        (
            "client_is_given_the_subprotocol_it_asks_for",
            client_is_given_the_subprotocol_it_asks_for,
        ),
        ("client_hears_its_close_code_back", client_hears_its_close_code_back),
        ("client_hears_1002_for_a_violation", client_hears_1002_for_a_violation),
        (
            "client_hears_1007_for_text_that_is_not_utf8",
            client_hears_1007_for_text_that_is_not_utf8,
        ),
        ("client_hears_1009_for_a_message_too_big", client_hears_1009_for_a_message_too_big),
        ("client_of_a_stranger_is_refused", client_of_a_stranger_is_refused),
    ];
    let failed = checks.iter().filter(|(name, check)| {
        let passed = catch_unwind(check).is_ok();
        println!("{} {name}", if passed { "ok  " } else { "FAIL" });
        !passed
    });
    let failed = failed.count();
    println!("{} passed, {failed} failed", checks.len() - failed);
    ExitCode::from(u8::from(failed > 0))
}
