//! PROXY headers: vectors at every cut, headers that a sender writes, and a naive reader that must
//! agree about made-up bytes.

#[path = "proxy_header/naive.rs"]
mod naive;
#[path = "proxy_header/vectors.rs"]
mod vectors;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use naive::naive;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use switchboard::proto::proxy_header::{ProxyHeader, ProxyHeaderFault};
use vectors::{Verdict, block, rows, slow_crc32c};

fn expected(verdict: Verdict) -> Result<Option<SocketAddr>, &'static str> {
    match verdict {
        Verdict::From(address) => Ok(Some(address.parse().unwrap())),
        Verdict::Nameless => Ok(None),
        Verdict::Fault(fault) => Err(fault),
    }
}

/// Reads a header that arrives in two pieces, the second of which arrives byte by byte.
fn read(bytes: &[u8], first: usize) -> ProxyHeader {
    let mut bound = ProxyHeader::MAX_LEN;
    for len in first..=bytes.len() {
        match ProxyHeader::parse(&bytes[..len]) {
            ProxyHeader::Partial(left) => {
                assert!(left > 0 && len + left <= bound, "{left} further bytes after {len}");
                bound = len + left;
            }
            done => return done,
        }
    }
    ProxyHeader::Partial(bound - bytes.len())
}

#[test]
fn header_has_one_reading_at_every_cut() {
    let rows = rows();
    assert!(rows.len() > 120, "{} rows", rows.len());
    for (name, bytes, verdict) in rows {
        let expected = expected(verdict);
        for next in ["", "GET / HTTP/1.1\r\n", "\x16\x03\x01", "\r\n", "PROXY UNKNOWN\r\n"] {
            let stream = [&bytes, next.as_bytes()].concat();
            let cuts = 0..=stream.len();
            // A block of 4 KiB at some cuts only, since each takes 4,000 calls.
            for cut in cuts.filter(|cut| *cut < 300 || *cut + 3 > bytes.len()) {
                match read(&stream, cut) {
                    ProxyHeader::Complete { address, len } => {
                        assert_eq!((Ok(address), len), (expected, bytes.len()), "{name} at {cut}");
                    }
                    ProxyHeader::Malformed(fault) => {
                        assert_eq!(Err(fault.as_str()), expected, "{name} at {cut}");
                    }
                    ProxyHeader::Partial(left) => panic!("{name} at {cut}: {left} further bytes"),
                }
            }
        }
    }
}

#[test]
fn header_that_is_cut_goes_on() {
    for (name, bytes, verdict) in rows() {
        if let Ok(address) = expected(verdict) {
            for len in 0..bytes.len() {
                let outcome = ProxyHeader::parse(&bytes[..len]);
                let ProxyHeader::Partial(left) = outcome else { panic!("{name}: {outcome:?}") };
                assert!(len + left >= bytes.len(), "{name} at {len}: {left}");
            }
            let whole = ProxyHeader::Complete { address, len: bytes.len() };
            assert_eq!(ProxyHeader::parse(&bytes), whole, "{name}");
        }
    }
}

#[test]
fn length_that_is_known_is_the_bound() {
    let header = block(0x21, 0x11, 100, &[0; 100]);
    assert_eq!(ProxyHeader::parse(&[]), ProxyHeader::Partial(16 + 4_096));
    assert_eq!(ProxyHeader::parse(&header[..15]), ProxyHeader::Partial(4_097));
    assert_eq!(ProxyHeader::parse(&header[..16]), ProxyHeader::Partial(100));
    assert_eq!(ProxyHeader::parse(&header[..115]), ProxyHeader::Partial(1));
    assert_eq!(ProxyHeader::parse(b"P"), ProxyHeader::Partial(106));
}

/// Writes a header of version 1 as the specification says.
fn line(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let protocol = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    let ports = (source.port(), destination.port());
    let (source, destination) = (source.ip(), destination.ip());
    format!("PROXY {protocol} {source} {destination} {} {}\r\n", ports.0, ports.1).into_bytes()
}

/// Writes a header of version 2 with fields and, by choice, a checksum after them.
fn fields(
    source: SocketAddr,
    destination: SocketAddr,
    fields: &[(u8, Vec<u8>)],
    has_checksum: bool,
) -> Vec<u8> {
    let octets = |address: SocketAddr| match address.ip() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let mut rest = [octets(source), octets(destination)].concat();
    rest.extend(source.port().to_be_bytes());
    rest.extend(destination.port().to_be_bytes());
    for (kind, value) in fields {
        rest.push(*kind);
        rest.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        rest.extend(value);
    }
    if has_checksum {
        rest.extend([3, 0, 4, 0, 0, 0, 0]);
    }
    let family = if source.is_ipv4() { 0x11 } else { 0x21 };
    let mut bytes = block(0x21, family, rest.len(), &rest);
    if has_checksum {
        let checksum = slow_crc32c(&bytes).to_be_bytes();
        let at = bytes.len() - 4;
        bytes[at..].copy_from_slice(&checksum);
    }
    bytes
}

fn addresses() -> impl Strategy<Value = (SocketAddr, SocketAddr)> {
    let v4 = (any::<Ipv4Addr>(), any::<u16>()).prop_map(SocketAddr::from);
    let v6 = (any::<Ipv6Addr>(), any::<u16>()).prop_map(SocketAddr::from);
    prop_oneof![(v4.clone(), v4), (v6.clone(), v6)]
}

proptest! {
    #[test]
    fn header_of_a_sender_is_read_back(
        (source, destination) in addresses(),
        more in vec((4_u8.., vec(any::<u8>(), 0..40)), 0..5),
        has_checksum: bool,
        follows in vec(any::<u8>(), 0..40),
    ) {
        let address = Some(SocketAddr::new(source.ip().to_canonical(), source.port()));
        for mut bytes in
            [line(source, destination), fields(source, destination, &more, has_checksum)]
        {
            let len = bytes.len();
            bytes.extend(&follows);
            prop_assert_eq!(ProxyHeader::parse(&bytes), ProxyHeader::Complete { address, len });
        }
    }

    #[test]
    fn header_with_a_checksum_bears_no_wrong_bit(
        (source, destination) in addresses(),
        more in vec((4_u8.., vec(any::<u8>(), 0..40)), 0..5),
        bit: Index,
    ) {
        let mut bytes = fields(source, destination, &more, true);
        // The first 16 bytes say where the checksum is; they are checked by themselves.
        let bit = 16 * 8 + bit.index((bytes.len() - 16) * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        let is_refused = matches!(ProxyHeader::parse(&bytes), ProxyHeader::Malformed(_));
        // A bit of a type or of a length can hide the checksum.
        let hides = !more.is_empty() || bit / 8 >= bytes.len() - 7;
        prop_assert!(is_refused || hides);
    }

    #[test]
    fn naive_reader_agrees(bytes in spoiled()) {
        let outcome = ProxyHeader::parse(&bytes);
        match naive(&bytes) {
            Some((address, len)) => {
                prop_assert_eq!(outcome, ProxyHeader::Complete { address, len });
            }
            None => {
                let is_complete = matches!(outcome, ProxyHeader::Complete { .. });
                prop_assert!(!is_complete, "{:?}", outcome);
            }
        }
        prop_assert!(outcome == read(&bytes, 0) || matches!(outcome, ProxyHeader::Partial(_)));
    }
}

/// Bytes that take the place of others.
const SPOILERS: &[&[u8]] = &[
    b"",
    b" ",
    b"  ",
    b"\r\n",
    b"\r",
    b"\n",
    b"\0",
    b"\t",
    b"0",
    b"00",
    b"1",
    b"65535",
    b"65536",
    b"+",
    b"-",
    b".",
    b":",
    b"::",
    b"f",
    b"F",
    b"g",
    b"255",
    b"256",
    b"TCP4",
    b"TCP6",
    b"UNKNOWN",
    b"PROXY ",
    b"192.0.2.1",
    b"2001:db8::1",
    b"\x20",
    b"\x21",
    b"\x11",
    b"\x12",
    b"\x22",
    b"\x31",
    b"\x0c",
    b"\x24",
    b"\xd8",
    b"\x03\x00\x04",
    b"\x04\x00\x00",
    b"\xff",
    b"\x10\x00",
];

/// Sound headers with bytes that were replaced, cut or doubled.
fn spoiled() -> impl Strategy<Value = Vec<u8>> {
    let rows: Vec<Vec<u8>> = rows().into_iter().map(|(_, bytes, _)| bytes).collect();
    let edits = vec((any::<Index>(), 0..4_usize, select(SPOILERS)), 0..4);
    (select(rows), edits, any::<bool>()).prop_map(|(mut bytes, edits, follows)| {
        for (at, taken, put) in edits {
            let at = at.index(bytes.len() + 1);
            let end = (at + taken).min(bytes.len());
            bytes.splice(at..end, put.iter().copied());
        }
        if follows {
            bytes.extend(b"\r\nGET / HTTP/1.1\r\n\r\n");
        }
        bytes
    })
}

#[test]
fn faults_are_errors_in_words() {
    let error: Box<dyn std::error::Error> = ProxyHeaderFault::Checksum.into();
    assert_eq!(error.to_string(), "wrong checksum in a PROXY header");
}
