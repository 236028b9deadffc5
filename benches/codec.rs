//! `cargo bench --bench codec`: measures what the bytes cost without a socket: masks, frames,
//! UTF-8, the handshake and, with `--features deflate`, compression.
//!
//! criterion's single figures compare two versions on one machine. They do not compare machines.

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use switchboard::proto::http1::{HeadLimits, HeaderSlots, Request, scan};
use switchboard::proto::websocket::{
    AcceptKey, Event, Header, Message, Opcode, Role, Rules, Utf8, apply, check, decode,
    encode_masked, encode_message, encode_response,
};

/// A short, a usual and a long message, and one that is larger than the caches near the core.
const SIZES: [usize; 4] = [20, 1 << 10, 16 << 10, 1 << 20];

const MASKING_KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The nonce of RFC 6455 section 1.3.
const NONCE: &[u8] = b"dGhlIHNhbXBsZSBub25jZQ==";

const HEAD: &[u8] = b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Origin: http://server.example.com\r\n\
    Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n";

const RULES: Rules = Rules { role: Role::Server, max_message: 16 << 20, compression: false };

/// One benchmark for each of [`SIZES`], with its throughput.
fn sizes(
    group: &mut BenchmarkGroup<'_, WallTime>,
    mut prepare: impl FnMut(usize) -> Box<dyn FnMut()>,
) {
    for size in SIZES {
        let mut routine = prepare(size);
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(size.to_string(), |bencher| bencher.iter(&mut routine));
    }
}

fn mask(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mask");
    sizes(&mut group, |size| {
        let mut payload = vec![b'x'; size];
        Box::new(move || apply(black_box(&mut payload), black_box(MASKING_KEY)))
    });
    group.finish();
}

fn header(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("header");
    for (name, len) in [("7 bits", 20), ("16 bits", 16 << 10), ("64 bits", 1 << 20)] {
        let header =
            Header { fin: true, rsv1: false, opcode: Opcode::Text, key: Some(MASKING_KEY), len };
        let mut bytes = [0; Header::MAX_LEN];
        let end = header.encode_into(&mut bytes);
        group.bench_function(format!("decode {name}"), |bencher| {
            bencher.iter(|| Header::decode(black_box(&bytes[..end])));
        });
        group.bench_function(format!("encode {name}"), |bencher| {
            bencher.iter(|| black_box(&header).encode_into(black_box(&mut bytes)));
        });
    }
    group.finish();
}

fn utf8(criterion: &mut Criterion) {
    for (name, text) in
        [("utf8 ascii", "plain text "), ("utf8 mixed", "zażółć gęślą jaźń 東京 🦀 ")]
    {
        let mut group = criterion.benchmark_group(name);
        sizes(&mut group, |size| {
            let mut bytes = text.as_bytes().repeat(size / text.len() + 1);
            bytes.truncate(size);
            Box::new(move || {
                assert!(black_box(Utf8::new()).push(black_box(&bytes)).is_ok());
            })
        });
        group.finish();
    }
}

/// Decodes masked bytes into messages as a server does: header, unmasking and UTF-8 in one step.
fn messages(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("receive");
    sizes(&mut group, |size| {
        // A masking key of zero leaves the input unchanged for the next iteration.
        let mut input = Vec::new();
        encode_masked(&mut input, true, Opcode::Text, &vec![b'x'; size], [0; 4]);
        Box::new(move || {
            let (_, event) = decode(&RULES, &mut None, black_box(&mut input));
            assert!(matches!(black_box(event), Event::Message(_)));
        })
    });
    group.finish();
    let mut group = criterion.benchmark_group("send");
    sizes(&mut group, |size| {
        let payload = "x".repeat(size);
        let mut out = Vec::new();
        Box::new(move || {
            out.clear();
            encode_message(black_box(&mut out), Message::Text(black_box(&payload)));
        })
    });
    group.finish();
}

/// Answers 64 messages of 20 B, which arrived together, into one buffer.
fn segment(criterion: &mut Criterion) {
    const FRAMES: usize = 64;
    let mut segment = Vec::new();
    for _ in 0..FRAMES {
        encode_masked(&mut segment, true, Opcode::Text, b"twenty bytes of text", [0; 4]);
    }
    let mut out = Vec::new();
    let mut group = criterion.benchmark_group("echo without a socket");
    group.throughput(Throughput::Elements(FRAMES as u64));
    group.bench_function("64 messages of 20", |bencher| {
        bencher.iter(|| {
            out.clear();
            let mut rest = black_box(&mut segment[..]);
            while !rest.is_empty() {
                let (consumed, event) = decode(&RULES, &mut None, rest);
                if let Event::Message(message) = event {
                    encode_message(&mut out, message);
                }
                rest = &mut rest[consumed..];
            }
            black_box(&out);
        });
    });
    group.finish();
}

fn handshake(criterion: &mut Criterion) {
    let limits = HeadLimits::default();
    let mut group = criterion.benchmark_group("handshake");
    group.bench_function("accept key", |bencher| {
        bencher.iter(|| AcceptKey::from_key(black_box(NONCE)))
    });
    group.throughput(Throughput::Bytes(HEAD.len() as u64));
    group.bench_function("scan", |bencher| bencher.iter(|| scan(black_box(HEAD), 0, &limits)));
    group.bench_function("parse", |bencher| {
        bencher.iter(|| {
            let mut slots = HeaderSlots::new();
            assert!(black_box(Request::parse(black_box(HEAD), &mut slots, &limits)).is_ok());
        });
    });
    let mut slots = HeaderSlots::new();
    let Ok(request) = Request::parse(HEAD, &mut slots, &limits) else {
        panic!("the head of this bench is refused");
    };
    let mut out = Vec::new();
    group.bench_function("check and answer", |bencher| {
        bencher.iter(|| {
            out.clear();
            if let Ok(accept) = check(black_box(&request), false) {
                encode_response(&mut out, &accept, None, b"");
            }
            assert!(!black_box(&out).is_empty());
        });
    });
    group.finish();
}

/// 64 messages of 1 KiB, together more than a window. They resemble each other, but no two within a
/// window are equal.
#[cfg(feature = "deflate")]
fn json() -> Vec<Vec<u8>> {
    let mut message = String::new();
    (0..64)
        .map(|number: u64| {
            message.clear();
            for row in number * 100.. {
                if message.len() >= 1 << 10 {
                    break;
                }
                let odd = row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
                message.push_str(&format!(
                    r#"{{"id":{odd},"user":"member {}","text":"hello {row}"}},"#,
                    odd % 100
                ));
            }
            message.as_bytes()[..1 << 10].to_vec()
        })
        .collect()
}

/// Compresses 1 KiB of JSON, which refers to nothing (shared) or to the messages before
/// (dedicated).
#[cfg(feature = "deflate")]
fn deflate(criterion: &mut Criterion) {
    use switchboard::proto::websocket::{DeflateConfig, Deflater, Inflater};

    let messages = json();
    let mut group = criterion.benchmark_group("deflate");
    group.throughput(Throughput::Bytes(1 << 10));
    for (name, config, keep) in [
        ("shared", DeflateConfig::shared(), false),
        ("dedicated", DeflateConfig::dedicated(), true),
    ] {
        let (mut deflater, mut out) = (Deflater::new(&config, 15), Vec::new());
        let mut next = messages.iter().cycle();
        group.bench_function(format!("deflate {name}"), |bencher| {
            bencher.iter(|| {
                out.clear();
                deflater.deflate(black_box(next.next().unwrap()), &mut out, keep);
            });
        });
        let mut deflater = Deflater::new(&config, 15);
        let payloads: Vec<_> = messages
            .iter()
            .map(|message| {
                let mut payload = Vec::new();
                deflater.deflate(message, &mut payload, keep);
                payload
            })
            .collect();
        let mut inflater = Inflater::new();
        // An iteration refers to nothing before its own start, so the payloads may repeat.
        let mut next = payloads.iter().cycle();
        group.bench_function(format!("inflate {name}"), |bencher| {
            bencher.iter(|| {
                out.clear();
                inflater.inflate(black_box(next.next().unwrap()), &mut out, 1 << 20, keep).unwrap();
                assert_eq!(black_box(&out).len(), 1 << 10);
            });
        });
    }
    group.finish();
}

fn main() {
    let times = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3));
    let mut criterion = times.configure_from_args();
    for codec in [mask, header, utf8, messages, segment, handshake] {
        codec(&mut criterion);
    }
    #[cfg(feature = "deflate")]
    deflate(&mut criterion);
    criterion.final_summary();
}
