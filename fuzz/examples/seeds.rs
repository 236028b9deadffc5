//! Writes the seeds of every corpus: the vectors of the RFCs and the faults that others had to
//! mend. What a fuzzer found later stands beside them. `cargo run --manifest-path fuzz/Cargo.toml
//! --example seeds`

#[path = "../../tests/proxy_header/vectors.rs"]
mod vectors;

use std::path::Path;
use std::{fs, io};

use switchboard::proto::http1::{LAST_CHUNK, encode_chunk};
use switchboard::proto::websocket::{Opcode, encode_frame, encode_masked};

const HEADS: &[&str] = &[
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "\r\nGET /rooms/caf%C3%A9?since=7&a=b+c#no HTTP/1.1\r\nHost: example.com:80\r\n\
     Cookie: a=1; b=\"2\"\r\n\r\n",
    "POST http://example.com/a/../b?q HTTP/1.1\r\nHost: other\r\n\
     Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
    "POST / HTTP/1.1\r\nHost: [::1]:8080\r\n\
     Transfer-Encoding: chunked\r\nConnection: close, keep-alive\r\n\r\n0\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n",
    "HEAD /%2e%2e/%2f HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\nContent-Length: +5\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n folded\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\nX: y\r\r\n\0\r\n\r\n",
    "GET  /\t HTTP/1.2\r\nHost: a, b\r\nHost: user@a/path\r\n\r\n",
    "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
];

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const UPGRADE: &str =
    "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n";

/// What follows the two lines that are always right.
const HANDSHAKES: &[&str] = &[
    "Origin: http://example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\n",
    "Origin: https://EXAMPLE.com:443\r\n\
     Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=\"15\"\r\n",
    "Origin: http://good.example.com\r\nOrigin: null\r\n",
    "Origin: http://example.com.evil\r\nSec-WebSocket-Origin: http://example.com@evil\r\n",
    "Sec-WebSocket-Protocol: b   x, b, ,\r\nSec-WebSocket-Extensions: a;=;a=;a=1\r\n",
    "Content-Length: 5\r\n",
    "Sec-WebSocket-Key: c2hvcnQ=\r\n",
    "Sec-WebSocket-Version: 8\r\n",
];

/// The last lines of answers to a client; the first three are always right.
const ANSWERS: &[&str] = &[
    "",
    "Sec-WebSocket-Protocol: superchat\r\n",
    "Sec-WebSocket-Protocol: other\r\n",
    "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
     client_max_window_bits=\"8\"\r\n",
    "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=7\r\n",
    "Sec-WebSocket-Extensions: permessage-deflate, permessage-deflate\r\n",
    "Content-Length: 5\r\n",
];

const OFFERS: &[&str] = &[
    "permessage-deflate",
    "permessage-deflate; client_max_window_bits; server_max_window_bits=10",
    "permessage-deflate; server_max_window_bits=8, \
     permessage-deflate; client_max_window_bits=\"12\"",
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    "permessage-deflate; client_max_window_bits=16; client_max_window_bits=010;, x-other; a=b",
];

/// RFC 7692 section 7.2.3, and payloads that are no messages.
const DEFLATED: &[&[u8]] = &[
    &[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00],
    &[0xF2, 0x00, 0x11, 0x00, 0x00],
    &[0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00],
    &[0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00],
    &[0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00],
    &[0x00],
    &[0x00, 0x00, 0xFF, 0xFF, 0x00, 0x00, 0xFF, 0xFF],
    &[0x00, 0xFF, 0xFF, 0x00, 0x00],
    &[0x06],
    &[0xED, 0xC1, 0x01, 0x01, 0x00, 0x00, 0x00, 0x82],
];

const CHUNKED: &[&str] = &[
    "5\r\nhello\r\n0\r\n\r\nGET / ",
    "a;name=value;quoted=\"x;y\"\r\n0123456789\r\n00\r\nTrailer: value\r\nOther:\r\n\r\n",
    "FFFFFFFFFFFFFFFF\r\n",
    "10000000000000000\r\n",
    "0x5\r\nhello\r\n",
    "5 \r\nhello\r\n",
    "+5\r\nhello\r\n",
    "5\nhello\n0\n\n",
    "5\r\nhelloX\r\n",
    "1;\0\r\n",
    "0\r\nA : b\r\n\r\n",
    "0\r\n folded\r\n\r\n",
];

/// Headers at the borders of each length, and those that no length may have.
const HEADERS: &[&[u8]] = &[
    &[0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D],
    &[0x82, 0x7E, 0x00, 0x7E],
    &[0x82, 0x7E, 0x00, 0x7D],
    &[0x02, 0xFE, 0xFF, 0xFF, 1, 2, 3, 4],
    &[0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0],
    &[0x82, 0x7F, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF],
    &[0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4],
    &[0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0],
    &[0x88, 0x02, 0x03, 0xE8],
    &[0x89, 0x7E, 0x00, 0x7E],
    &[0x09, 0x00],
    &[0xC1, 0x00],
    &[0xC0, 0x00],
    &[0xB1, 0x00],
    &[0x83, 0x00],
];

/// Frames as (fin, opcode, payload); several make a conversation.
const CONVERSATIONS: &[&[(bool, Opcode, &[u8])]] = &[
    &[(true, Opcode::Text, b"Hello")],
    &[
        (false, Opcode::Text, b"Hel"),
        (true, Opcode::Ping, b"?"),
        (true, Opcode::Continuation, b"lo"),
    ],
    &[
        (true, Opcode::Binary, &[0x5A; 126]),
        (true, Opcode::Pong, b""),
        (true, Opcode::Close, b"\x03\xE8bye"),
    ],
    &[
        (false, Opcode::Binary, b""),
        (false, Opcode::Continuation, b""),
        (true, Opcode::Continuation, b""),
    ],
    &[(false, Opcode::Text, b"\xCE\xBA\xE1"), (true, Opcode::Continuation, b"\xBD\xB9\xCF\x83")],
    &[(true, Opcode::Text, b"good"), (false, Opcode::Text, b"bad \xF4\x90\x80\x80")],
    &[(true, Opcode::Continuation, b"nothing begun")],
    &[(false, Opcode::Text, b"one"), (true, Opcode::Text, b"two")],
    &[(true, Opcode::Close, b""), (true, Opcode::Text, b"after")],
    &[(true, Opcode::Close, b"\x03")],
    &[(true, Opcode::Close, b"\x03\xED")],
    &[(true, Opcode::Close, b"\x0B\xB8\xFF")],
    &[(false, Opcode::Binary, &[0; 600]), (true, Opcode::Continuation, &[0; 600])],
];

fn write(target: &str, seeds: impl IntoIterator<Item = Vec<u8>>) -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&corpus)?;
    for (number, seed) in seeds.into_iter().enumerate() {
        fs::write(corpus.join(format!("seed-{number:02}")), seed)?;
    }
    Ok(())
}

fn handshakes() -> impl Iterator<Item = Vec<u8>> {
    HANDSHAKES.iter().map(|lines| format!("{UPGRADE}{KEY}{lines}\r\n").into_bytes())
}

fn answers() -> impl Iterator<Item = Vec<u8>> {
    let first = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    let accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    let redirection = b"HTTP/1.1 301 Moved\r\nLocation: /\r\nContent-Length: 0\r\n\r\n".to_vec();
    ANSWERS
        .iter()
        .map(move |lines| format!("{first}{accept}{lines}\r\nframes").into_bytes())
        .chain([redirection])
}

/// Behind the byte that chooses the parameters and the one that says where the payload is cut.
fn deflated() -> impl Iterator<Item = Vec<u8>> {
    let both = DEFLATED.iter().copied().chain(OFFERS.iter().map(|offers| offers.as_bytes()));
    both.flat_map(|bytes| [[0xE2, 0x04], [0x0D, 0xFF]].map(|options| [&options, bytes].concat()))
}

/// A compressed message, whole and in fragments with a ping between (RFC 7692 section 7.2.3.1), to
/// a client that knows how.
fn compressed() -> [Vec<u8>; 3] {
    let whole = [0xC1, 0x07, 0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
    let fragments = [0x41, 0x03, 0xF2, 0x48, 0xCD, 0x89, 0x00, 0x80, 0x04, 0xC9, 0xC9, 0x07, 0x00];
    let wrong = [0x41, 0x01, 0xF2, 0xC0, 0x01, 0x48];
    [&whole[..], &fragments, &wrong].map(|frames| [&[0x05, 0x01], frames].concat())
}

/// Headers that fit into a fuzzer's input, with a request after them.
fn proxy_headers() -> impl Iterator<Item = Vec<u8>> {
    let rows = vectors::rows().into_iter().filter(|(_, bytes, _)| bytes.len() < 300);
    rows.map(|(_, bytes, _)| [&bytes[..], b"GET / HTTP/1.1\r\n\r\n"].concat())
}

/// The conversation, behind the byte that says which role hears it and the one that says how it is
/// cut.
fn conversation(frames: &[(bool, Opcode, &[u8])], client: bool) -> Vec<u8> {
    let mut out = vec![u8::from(client), 2];
    for &(fin, opcode, payload) in frames {
        match client {
            true => encode_frame(&mut out, fin, opcode, payload),
            false => encode_masked(&mut out, fin, opcode, payload, [0x37, 0xFA, 0x21, 0x3D]),
        }
    }
    out
}

fn main() -> io::Result<()> {
    write("request_head", HEADS.iter().map(|head| head.as_bytes().to_vec()))?;
    write("handshake", handshakes())?;
    let mut long = vec![16];
    (0..20).for_each(|n| encode_chunk(&mut long, &vec![b'x'; n]));
    long.extend_from_slice(LAST_CHUNK);
    write("chunked", CHUNKED.iter().map(|body| [&[4], body.as_bytes()].concat()).chain([long]))?;
    write("frame_header", HEADERS.iter().map(|header| header.to_vec()))?;
    write("proxy_header", proxy_headers())?;
    write("answer", answers())?;
    write("deflate", deflated())?;
    let conversations = CONVERSATIONS
        .iter()
        .flat_map(|frames| [false, true].map(|client| conversation(frames, client)));
    write("protocol", conversations.chain(compressed()))
}
