//! PROXY headers, sound and malformed: what stands in the specification, what proxies send, and
//! what a lenient parser takes for a header.

/// The verdict that a row expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A header with this address of the client.
    From(&'static str),
    /// A header that names no address.
    Nameless,
    /// No header, with this fault.
    Fault(&'static str),
}

use Verdict::{Fault, From, Nameless};

const MISSING: Verdict = Fault("no PROXY header");
const PROTOCOL: Verdict = Fault("unknown protocol in a PROXY header");
const ADDRESS: Verdict = Fault("malformed address in a PROXY header");
const PORT: Verdict = Fault("malformed port in a PROXY header");
const LINE_END: Verdict = Fault("PROXY header that does not end with CR LF");
const TOO_LONG: Verdict = Fault("PROXY header that is too long");
const VERSION: Verdict = Fault("unknown version of a PROXY header");
const COMMAND: Verdict = Fault("unknown command in a PROXY header");
const FAMILY: Verdict = Fault("unknown address family in a PROXY header");
const TOO_SHORT: Verdict = Fault("PROXY header that is too short for its addresses");
const FIELD: Verdict = Fault("malformed field in a PROXY header");
const CHECKSUM: Verdict = Fault("wrong checksum in a PROXY header");

/// A name, the bytes of a line, and the verdict.
pub const LINES: &[(&str, &[u8], Verdict)] = &[
    // Sound.
    ("IPv4", b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", From("192.168.0.1:56324")),
    ("shortest IPv4", b"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", From("0.0.0.0:0")),
    (
        "longest IPv4",
        b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
        From("255.255.255.255:65535"),
    ),
    ("IPv6", b"PROXY TCP6 2001:db8::1 ::1 52953 25\r\n", From("[2001:db8::1]:52953")),
    ("shortest IPv6", b"PROXY TCP6 :: :: 0 0\r\n", From("[::]:0")),
    (
        "longest IPv6",
        b"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff \
          ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
        From("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"),
    ),
    ("digits in both cases", b"PROXY TCP6 2001:DB8::aB ::1 1 2\r\n", From("[2001:db8::ab]:1")),
    ("four digits each", b"PROXY TCP6 2001:0db8:0000::0001 ::1 1 2\r\n", From("[2001:db8::1]:1")),
    ("IPv4 in IPv6", b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c633:6401 1 2\r\n", From("192.0.2.1:1")),
    ("UNKNOWN", b"PROXY UNKNOWN\r\n", Nameless),
    ("UNKNOWN and a space", b"PROXY UNKNOWN \r\n", Nameless),
    (
        "longest UNKNOWN",
        b"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff \
          ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
        Nameless,
    ),
    ("UNKNOWN and an address", b"PROXY UNKNOWN 192.0.2.1 192.0.2.2 1 2\r\n", Nameless),
    ("UNKNOWN and bytes", b"PROXY UNKNOWN  \0\xff\t PROXY\r\n", Nameless),
    // Not a header.
    ("a request", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", MISSING),
    ("a hello of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", MISSING),
    ("a line before", b"\r\nPROXY UNKNOWN\r\n", MISSING),
    ("a space before", b" PROXY UNKNOWN\r\n", MISSING),
    ("lower case", b"proxy UNKNOWN\r\n", MISSING),
    ("another method", b"PROXYTCP4 192.0.2.1 192.0.2.2 1 2\r\n", MISSING),
    ("a tab", b"PROXY\tTCP4 192.0.2.1 192.0.2.2 1 2\r\n", MISSING),
    ("NUL", b"\0", MISSING),
    ("no protocol", b"PROXY\r\n", MISSING),
    // The protocol.
    ("an empty protocol", b"PROXY \r\n", PROTOCOL),
    ("two spaces", b"PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n", PROTOCOL),
    ("a protocol in lower case", b"PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n", PROTOCOL),
    ("UDP", b"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n", PROTOCOL),
    ("TCP5", b"PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n", PROTOCOL),
    ("TCP44", b"PROXY TCP44 192.0.2.1 192.0.2.2 1 2\r\n", PROTOCOL),
    ("TCP4 alone", b"PROXY TCP4\r\n", PROTOCOL),
    ("UNKNOWNS", b"PROXY UNKNOWNS\r\n", PROTOCOL),
    ("UNKNOW", b"PROXY UNKNOW\r\n", PROTOCOL),
    // Addresses.
    ("no address", b"PROXY TCP4 \r\n", ADDRESS),
    ("a leading zero", b"PROXY TCP4 192.0.02.1 192.0.2.2 1 2\r\n", ADDRESS),
    ("a leading zero of the other address", b"PROXY TCP4 192.0.2.1 192.0.2.02 1 2\r\n", ADDRESS),
    ("256", b"PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n", ADDRESS),
    ("three numbers", b"PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n", ADDRESS),
    ("five numbers", b"PROXY TCP4 192.0.2.1.1 192.0.2.2 1 2\r\n", ADDRESS),
    ("one number", b"PROXY TCP4 3221225985 192.0.2.2 1 2\r\n", ADDRESS),
    ("hexadecimal", b"PROXY TCP4 0xc0.0.2.1 192.0.2.2 1 2\r\n", ADDRESS),
    ("a dot at the end", b"PROXY TCP4 192.0.2.1. 192.0.2.2 1 2\r\n", ADDRESS),
    ("a name", b"PROXY TCP4 localhost 192.0.2.2 1 2\r\n", ADDRESS),
    ("IPv6 as IPv4", b"PROXY TCP4 ::1 ::1 1 2\r\n", ADDRESS),
    ("IPv4 as IPv6", b"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", ADDRESS),
    ("both families", b"PROXY TCP6 2001:db8::1 192.0.2.2 1 2\r\n", ADDRESS),
    ("brackets", b"PROXY TCP6 [2001:db8::1] ::1 1 2\r\n", ADDRESS),
    ("a zone", b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", ADDRESS),
    ("two gaps", b"PROXY TCP6 2001::db8::1 ::1 1 2\r\n", ADDRESS),
    ("five digits", b"PROXY TCP6 2001:00db8::1 ::1 1 2\r\n", ADDRESS),
    ("seven groups", b"PROXY TCP6 1:2:3:4:5:6:7 ::1 1 2\r\n", ADDRESS),
    ("nine groups", b"PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 1 2\r\n", ADDRESS),
    ("a gap of no group", b"PROXY TCP6 1:2:3:4::5:6:7:8 ::1 1 2\r\n", ADDRESS),
    ("two spaces between the addresses", b"PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n", ADDRESS),
    ("a tab between the addresses", b"PROXY TCP4 192.0.2.1\t192.0.2.2 1 2\r\n", ADDRESS),
    ("CR between the addresses", b"PROXY TCP4 192.0.2.1\r192.0.2.2\r1\r2\r\n", ADDRESS),
    ("NUL in an address", b"PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n", ADDRESS),
    ("one address", b"PROXY TCP4 192.0.2.1\r\n", ADDRESS),
    // Ports.
    ("no port", b"PROXY TCP4 192.0.2.1 192.0.2.2 \r\n", PORT),
    ("one port", b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", PORT),
    ("a leading zero of a port", b"PROXY TCP4 192.0.2.1 192.0.2.2 080 2\r\n", PORT),
    ("a leading zero of the other port", b"PROXY TCP4 192.0.2.1 192.0.2.2 80 02\r\n", PORT),
    ("two zeros", b"PROXY TCP4 192.0.2.1 192.0.2.2 00 2\r\n", PORT),
    ("a sign", b"PROXY TCP4 192.0.2.1 192.0.2.2 +80 2\r\n", PORT),
    ("a sign of the other port", b"PROXY TCP4 192.0.2.1 192.0.2.2 80 +2\r\n", PORT),
    ("a negative port", b"PROXY TCP4 192.0.2.1 192.0.2.2 -80 2\r\n", PORT),
    ("65536", b"PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n", PORT),
    ("two spaces between the ports", b"PROXY TCP4 192.0.2.1 192.0.2.2 1  2\r\n", PORT),
    // The end.
    ("a space at the end", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n", LINE_END),
    ("a fifth part", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n", LINE_END),
    ("LF alone", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n", LINE_END),
    ("CR alone", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\rGET", LINE_END),
    ("two CR", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\r\n", LINE_END),
    ("UNKNOWN and LF", b"PROXY UNKNOWN\n", LINE_END),
    ("UNKNOWN with LF within", b"PROXY UNKNOWN a\nGET / HTTP/1.1\r\n", LINE_END),
    ("UNKNOWN with CR within", b"PROXY UNKNOWN a\rb\r\n", LINE_END),
    (
        "108 bytes",
        b"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff \
          ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535 \r\n",
        TOO_LONG,
    ),
    (
        "an address without an end",
        b"PROXY TCP6 0000000000000000000000000000000000000000000000000000000000000000000000000000\
          0000000000000000000000000000000 ::1 1 2\r\n",
        TOO_LONG,
    ),
];

pub const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const IPV4: &[u8] = b"\xc0\x00\x02\x01\xc6\x33\x64\x01\xdc\x04\x01\xbb";
const IPV6: &[u8] = b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\xdc\x04\x01\xbb";
const MAPPED: &[u8] = b"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x01\
    \0\0\0\0\0\0\0\0\0\0\xff\xff\xc6\x33\x64\x01\xdc\x04\x01\xbb";
const UNIX: &[u8] = &[b'/'; 216];

/// A name, the 13th and the 14th byte, the length that is declared, the block that follows in
/// parts, and the verdict.
type Row = (&'static str, u8, u8, usize, &'static [&'static [u8]], Verdict);

const BLOCKS: &[Row] = &[
    // Sound.
    ("TCP over IPv4", 0x21, 0x11, 12, &[IPV4], From("192.0.2.1:56324")),
    ("UDP over IPv4", 0x21, 0x12, 12, &[IPV4], From("192.0.2.1:56324")),
    ("TCP over IPv6", 0x21, 0x21, 36, &[IPV6], From("[2001:db8::1]:56324")),
    ("UDP over IPv6", 0x21, 0x22, 36, &[IPV6], From("[2001:db8::1]:56324")),
    ("IPv4 in IPv6", 0x21, 0x21, 36, &[MAPPED], From("192.0.2.1:56324")),
    ("a Unix stream", 0x21, 0x31, 216, &[UNIX], Nameless),
    ("a Unix datagram", 0x21, 0x32, 216, &[UNIX], Nameless),
    ("an unspecified family", 0x21, 0x00, 0, &[], Nameless),
    ("bytes of an unspecified family", 0x21, 0x00, 12, &[IPV4], Nameless),
    ("LOCAL", 0x20, 0x00, 0, &[], Nameless),
    ("LOCAL with a family", 0x20, 0x11, 12, &[IPV4], Nameless),
    ("LOCAL with a family and no addresses", 0x20, 0x11, 0, &[], Nameless),
    ("LOCAL with an unknown family", 0x20, 0xf7, 3, &[b"abc"], Nameless),
    ("LOCAL with bytes", 0x20, 0x00, 5, &[b"\xff\xff\xff\xff\xff"], Nameless),
    ("a field", 0x21, 0x11, 17, &[IPV4, b"\x05\x00\x02id"], From("192.0.2.1:56324")),
    ("an empty field", 0x21, 0x11, 15, &[IPV4, b"\x04\x00\x00"], From("192.0.2.1:56324")),
    (
        "a field of an unknown type",
        0x21,
        0x11,
        16,
        &[IPV4, b"\xee\0\x01\0"],
        From("192.0.2.1:56324"),
    ),
    (
        "fields after Unix addresses",
        0x21,
        0x31,
        223,
        &[UNIX, b"\x01\x00\x01a\x04\x00\x00"],
        Nameless,
    ),
    (
        "the longest block",
        0x21,
        0x11,
        4_096,
        &[IPV4, b"\x04\x0f\xf1", &[0; 4_081]],
        From("192.0.2.1:56324"),
    ),
    ("a checksum", 0x21, 0x11, 19, &[IPV4, b"\x03\x00\x04CRC4"], From("192.0.2.1:56324")),
    (
        "a checksum between fields",
        0x21,
        0x21,
        48,
        &[IPV6, b"\x05\x00\x02id", b"\x03\x00\x04CRC4"],
        From("[2001:db8::1]:56324"),
    ),
    ("a checksum of LOCAL", 0x20, 0x00, 7, &[b"\x03\x00\x04CRC4"], Nameless),
    // Malformed.
    ("version 1", 0x11, 0x11, 12, &[IPV4], VERSION),
    ("version 3", 0x31, 0x11, 12, &[IPV4], VERSION),
    ("version 0", 0x01, 0x11, 12, &[IPV4], VERSION),
    ("command 2", 0x22, 0x11, 12, &[IPV4], COMMAND),
    ("command 15", 0x2f, 0x11, 12, &[IPV4], COMMAND),
    ("family 4", 0x21, 0x41, 12, &[IPV4], FAMILY),
    ("IPv4 without a transport", 0x21, 0x10, 12, &[IPV4], FAMILY),
    ("IPv6 without a transport", 0x21, 0x20, 36, &[IPV6], FAMILY),
    ("transport 3", 0x21, 0x13, 12, &[IPV4], FAMILY),
    ("a transport without a family", 0x21, 0x01, 12, &[IPV4], FAMILY),
    ("no addresses", 0x21, 0x11, 0, &[], TOO_SHORT),
    ("11 bytes", 0x21, 0x11, 11, &[IPV4], TOO_SHORT),
    ("IPv4 as IPv6", 0x21, 0x21, 12, &[IPV4], TOO_SHORT),
    ("35 bytes", 0x21, 0x21, 35, &[IPV6], TOO_SHORT),
    ("215 bytes", 0x21, 0x31, 215, &[UNIX], TOO_SHORT),
    ("4,097 bytes", 0x21, 0x11, 4_097, &[IPV4, &[0; 4_085]], TOO_LONG),
    ("65,535 bytes", 0x21, 0x11, 65_535, &[IPV4], TOO_LONG),
    ("LOCAL of 4,097 bytes", 0x20, 0x00, 4_097, &[&[0; 4_097]], TOO_LONG),
    ("a byte after the addresses", 0x21, 0x11, 13, &[IPV4, b"\x04"], FIELD),
    ("half a field", 0x21, 0x11, 14, &[IPV4, b"\x04\x00"], FIELD),
    ("a field that is cut", 0x21, 0x11, 16, &[IPV4, b"\x05\x00\x02i"], FIELD),
    ("a field beyond the header", 0x21, 0x11, 15, &[IPV4, b"\x05\xff\xff"], FIELD),
    ("a short checksum", 0x21, 0x11, 18, &[IPV4, b"\x03\x00\x03CRC"], FIELD),
    ("a long checksum", 0x21, 0x11, 20, &[IPV4, b"\x03\x00\x05CRC45"], FIELD),
    ("two checksums", 0x21, 0x11, 26, &[IPV4, b"\x03\x00\x04\0\0\0\0\x03\x00\x04\0\0\0\0"], FIELD),
    ("a wrong checksum", 0x21, 0x11, 19, &[IPV4, b"\x03\x00\x04\0\0\0\0"], CHECKSUM),
    (
        "a wrong checksum of Unix addresses",
        0x21,
        0x31,
        223,
        &[UNIX, b"\x03\x00\x04\0\0\0\0"],
        CHECKSUM,
    ),
    ("a wrong checksum of LOCAL", 0x20, 0x00, 7, &[b"\x03\x00\x04\0\0\0\0"], CHECKSUM),
];

/// What HAProxy 2.6 sends, with checksums of its own.
const HAPROXY: &[(&str, &[u8], Verdict)] = &[
    ("send-proxy", b"PROXY TCP4 127.0.0.1 127.0.0.1 39456 21001\r\n", From("127.0.0.1:39456")),
    ("send-proxy over IPv6", b"PROXY TCP6 ::1 ::1 41338 21005\r\n", From("[::1]:41338")),
    ("send-proxy for a Unix socket", b"PROXY UNKNOWN\r\n", Nameless),
    (
        "send-proxy-v2",
        b"\r\n\r\n\0\r\nQUIT\n!\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\x86\x82R\n",
        From("127.0.0.1:34434"),
    ),
    (
        "crc32c, unique-id",
        b"\r\n\r\n\0\r\nQUIT\n!\x11\0!\x7f\0\0\x01\x7f\0\0\x01\xb3\xeeR\x0b\
          \x03\0\x04?1\xc8\xbb\x05\0\x0b127.0.0.1-2",
        From("127.0.0.1:46062"),
    ),
    (
        "crc32c over IPv6",
        b"\r\n\r\n\0\r\nQUIT\n!!\0+\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\
          \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x84\nR\x0c\x03\0\x04\xb1QJ\xdd",
        From("[::1]:33802"),
    ),
    ("send-proxy-v2 for a Unix socket", b"\r\n\r\n\0\r\nQUIT\n \0\0\0", Nameless),
    ("check-send-proxy", b"\r\n\r\n\0\r\nQUIT\n \0\0\x07\x03\0\x04\xa9\xb8~\x8f", Nameless),
];

/// Every row: its name, its bytes and its verdict.
pub fn rows() -> Vec<(String, Vec<u8>, Verdict)> {
    let lines = LINES
        .iter()
        .map(|(name, bytes, verdict)| (format!("v1, {name}"), bytes.to_vec(), *verdict));
    let blocks = BLOCKS.iter().map(|(name, command, family, len, parts, verdict)| {
        (format!("v2, {name}"), block(*command, *family, *len, &parts.concat()), *verdict)
    });

    let spoiled = (0..SIGNATURE.len()).map(|at| {
        let mut bytes = block(0x21, 0x11, 12, IPV4);
        bytes[at] ^= 0x20;
        (format!("v2, byte {at} of the signature"), bytes, MISSING)
    });
    let sent = HAPROXY
        .iter()
        .map(|(name, bytes, verdict)| (format!("HAProxy, {name}"), bytes.to_vec(), *verdict));
    lines.chain(blocks).chain(spoiled).chain(sent).collect()
}

/// Makes a block. The text `CRC4` in the fields stands for the right checksum.
pub fn block(command: u8, family: u8, len: usize, rest: &[u8]) -> Vec<u8> {
    let len = u16::try_from(len).unwrap().to_be_bytes();
    let mut bytes = [SIGNATURE, &[command, family], &len, rest].concat();
    if let Some(at) = bytes.windows(4).position(|four| four == b"CRC4") {
        bytes[at..at + 4].fill(0);
        let checksum = slow_crc32c(&bytes);
        bytes[at..at + 4].copy_from_slice(&checksum.to_be_bytes());
    }
    bytes
}

/// The CRC32C bit by bit (RFC 9260 appendix A).
pub fn slow_crc32c(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 };
        }
    }
    !crc
}
