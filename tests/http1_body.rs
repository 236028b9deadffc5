//! The chunked coding: bodies that are refused or accepted, cut anywhere, and the limits.

use switchboard::proto::http1::{Chunked, LAST_CHUNK, Progress, RequestError, encode_chunk};

use RequestError::*;

const LIMIT: usize = 1 << 10;

/// A name, the bytes, and the payload. Every byte belongs to the body.
const ACCEPTED: &[(&str, &[u8], &[u8])] = &[
    ("no payload", b"0\r\n\r\n", b""),
    ("one chunk", b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
    ("two chunks", b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", b"abc"),
    (
        "digits in both cases",
        b"a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n",
        b"01234567890123456789a",
    ),
    ("a size of 16 digits", b"0000000000000001\r\na\r\n0000000000000000\r\n\r\n", b"a"),
    ("payload that looks like the end", b"7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n\r\n"),
    ("an extension", b"1;a=b;c=\"d e\"\r\nx\r\n0;z\r\n\r\n", b"x"),
    ("white space in extensions", b"1; a\t=  b ;\tc = \"d\" ; e\r\nx\r\n0\r\n\r\n", b"x"),
    ("an empty quoted value", b"1;a=\"\"\r\nx\r\n0\r\n\r\n", b"x"),
    ("quoted delimiters", b"1;a=\";=, \xe9\\\"\\\\\t\";b\r\nx\r\n0\r\n\r\n", b"x"),
    ("odd tokens", b"1;!#$%&'*+-.^_`|~9=0!\r\nx\r\n0\r\n\r\n", b"x"),
    ("a trailer", b"1\r\nx\r\n0\r\nA: b\r\n\r\n", b"x"),
    (
        "trailers that would frame",
        b"0\r\nContent-Length: 5\r\nTransfer-Encoding:chunked\r\nHost:\tb\r\n\r\n",
        b"",
    ),
];

/// A name, the bytes, and the fault.
const REFUSED: &[(&str, &[u8], RequestError)] = &[
    ("no size", b"\r\nhello\r\n0\r\n\r\n", MalformedChunkSize),
    ("a size with a sign", b"+5\r\nhello\r\n", MalformedChunkSize),
    ("a negative size", b"-5\r\nhello\r\n", MalformedChunkSize),
    ("a size with a prefix", b"0x5\r\nhello\r\n", MalformedChunkSize),
    ("a space before the size", b" 5\r\nhello\r\n", MalformedChunkSize),
    ("a space after the size", b"5 \r\nhello\r\n", MalformedChunkSize),
    ("a space before the extension", b"5 ;a\r\nhello\r\n", MalformedChunkSize),
    ("a tab after the size", b"5\t\r\nhello\r\n", MalformedChunkSize),
    ("an underscore", b"1_0\r\n", MalformedChunkSize),
    ("a letter beyond f", b"g\r\n", MalformedChunkSize),
    ("a comma", b"5,5\r\nhello\r\n", MalformedChunkSize),
    ("an extension without a size", b";a\r\n", MalformedChunkSize),
    ("a size of 17 digits", b"00000000000000001\r\na\r\n", MalformedChunkSize),
    ("a size beyond 64 bits", b"10000000000000000\r\n", MalformedChunkSize),
    ("a size that ends with LF", b"5\nhello\r\n", MalformedChunkSize),
    ("a size that is NUL", b"\0", MalformedChunkSize),
    ("a size line that ends with CR", b"5\rhello", MalformedChunkEnd),
    ("a size line that ends with CR CR LF", b"5\r\r\nhello", MalformedChunkEnd),
    ("a chunk that is too long", b"5\r\nhello!\r\n", MalformedChunkEnd),
    ("a chunk that ends with LF", b"5\r\nhello\n0\r\n\r\n", MalformedChunkEnd),
    ("a chunk that ends with CR", b"5\r\nhello\r0\r\n\r\n", MalformedChunkEnd),
    ("a chunk that does not end", b"5\r\nhello0\r\n\r\n", MalformedChunkEnd),
    ("an extension that ends with LF", b"5;a\nhello\r\n", MalformedChunkExtension),
    ("an extension with NUL", b"5;a\0\r\n", MalformedChunkExtension),
    ("an extension without a name", b"5;\r\nhello\r\n", MalformedChunkExtension),
    ("a last chunk with such an extension", b"0;\r\n\r\n", MalformedChunkExtension),
    ("an extension of white space", b"5; \t\r\nhello\r\n", MalformedChunkExtension),
    ("two semicolons", b"5;;a\r\nhello\r\n", MalformedChunkExtension),
    ("a semicolon at the end", b"5;a;\r\nhello\r\n", MalformedChunkExtension),
    ("an extension with an empty name", b"5;=a\r\nhello\r\n", MalformedChunkExtension),
    ("an extension without a value", b"5;a=\r\nhello\r\n", MalformedChunkExtension),
    ("an extension with an empty value", b"5;a=;b\r\nhello\r\n", MalformedChunkExtension),
    ("two equal signs", b"5;a==b\r\nhello\r\n", MalformedChunkExtension),
    ("two values", b"5;a=b=c\r\nhello\r\n", MalformedChunkExtension),
    ("two words", b"5;a b\r\nhello\r\n", MalformedChunkExtension),
    ("two words of a value", b"5;a=b c\r\nhello\r\n", MalformedChunkExtension),
    ("white space after a name", b"5;a \r\nhello\r\n", MalformedChunkExtension),
    ("white space after a value", b"5;a=b\t\r\nhello\r\n", MalformedChunkExtension),
    ("white space after quotes", b"5;a=\"b\" \r\nhello\r\n", MalformedChunkExtension),
    ("an open quote", b"5;a=\"b\r\nhello\r\n", MalformedChunkExtension),
    ("an escaped closing quote", b"5;a=\"b\\\"\r\nhello\r\n", MalformedChunkExtension),
    ("a backslash before CR", b"5;a=\"b\\\r\nhello\r\n", MalformedChunkExtension),
    ("LF in quotes", b"5;a=\"b\n\"\r\nhello\r\n", MalformedChunkExtension),
    ("NUL in quotes", b"5;a=\"\0\"\r\nhello\r\n", MalformedChunkExtension),
    ("a word after quotes", b"5;a=\"b\"c\r\nhello\r\n", MalformedChunkExtension),
    ("a quoted name", b"5;\"a\"\r\nhello\r\n", MalformedChunkExtension),
    ("a name that is no token", b"5;a/b\r\nhello\r\n", MalformedChunkExtension),
    ("a name that is not ASCII", b"5;\xe9\r\nhello\r\n", MalformedChunkExtension),
    ("a comma for a semicolon", b"5;a,b\r\nhello\r\n", MalformedChunkExtension),
    ("an extension that ends with CR CR", b"5;a\r\rhello\r\n", MalformedChunkEnd),
    ("an extension with DEL", b"5;\x7f\r\n", MalformedChunkExtension),
    ("an extension that ends with CR", b"5;a\rb\r\n", MalformedChunkEnd),
    ("a trailer without a colon", b"0\r\nabc\r\n\r\n", MalformedTrailer),
    ("a trailer without a name", b"0\r\n: b\r\n\r\n", MalformedTrailer),
    ("a space before a trailer's colon", b"0\r\na : b\r\n\r\n", MalformedTrailer),
    ("a folded trailer", b"0\r\na: b\r\n c\r\n\r\n", MalformedTrailer),
    ("a trailer that ends with LF", b"0\r\na: b\n\r\n", MalformedTrailer),
    ("a trailer with NUL", b"0\r\na: \0\r\n\r\n", MalformedTrailer),
    ("a trailer that ends with CR", b"0\r\na: b\rc: d\r\n\r\n", MalformedTrailer),
    ("a trailer that ends with CR and a letter", b"0\r\na: b\rXc: d\r\n\r\n", MalformedTrailer),
    ("an end with LF", b"0\r\n\n", MalformedTrailer),
    ("an end with CR", b"0\r\n\rG", MalformedTrailer),
    ("a size beyond the limit", b"401\r\n", BodyTooLarge),
    ("sizes that add up beyond the limit", b"1\r\na\r\n400\r\n", BodyTooLarge),
    ("the largest size", b"ffffffffffffffff\r\n", BodyTooLarge),
    ("sizes that overflow", b"1\r\na\r\nffffffffffffffff\r\n", BodyTooLarge),
];

/// Decodes pieces: the payload, the number of bytes used, and whether the body is over.
fn decode(pieces: &[&[u8]]) -> Result<(Vec<u8>, usize, bool), RequestError> {
    let mut decoder = Chunked::new();
    let (mut out, mut used) = (Vec::new(), 0);
    for piece in pieces {
        let Progress { consumed, done } = decoder.decode(piece, &mut out, LIMIT)?;
        assert_eq!(done, decoder.is_done());
        assert!(done || consumed == piece.len());
        used += consumed;
    }
    Ok((out, used, decoder.is_done()))
}

fn byte_by_byte(input: &[u8]) -> Vec<&[u8]> {
    input.chunks(1).collect()
}

#[test]
fn decoder_accepts_every_good_body_at_every_split() {
    for (name, input, payload) in ACCEPTED {
        let expected = Ok((payload.to_vec(), input.len(), true));
        let followed = [input, &b"GET / HTTP/1.1\r\n"[..]].concat();
        assert_eq!(decode(&[&followed]), expected, "{name}");
        for cut in 0..=input.len() {
            assert_eq!(
                decode(&[&followed[..cut], &followed[cut..]]),
                expected,
                "{name}, cut at {cut}"
            );
        }
        assert_eq!(decode(&byte_by_byte(input)), expected, "{name}, byte by byte");
        for len in 0..input.len() {
            assert!(!decode(&[&input[..len]]).unwrap().2, "{name}, done after {len}");
        }
    }
}

#[test]
fn decoder_refuses_every_malformed_body_at_every_split() {
    for (name, input, error) in REFUSED {
        assert_eq!(decode(&[input]), Err(*error), "{name}");
        for cut in 0..=input.len() {
            assert_eq!(
                decode(&[&input[..cut], &input[cut..]]),
                Err(*error),
                "{name}, cut at {cut}"
            );
        }
        assert_eq!(decode(&byte_by_byte(input)), Err(*error), "{name}, byte by byte");
        assert!([400, 413].contains(&error.status().as_u16()), "{name}");
    }
}

#[test]
fn decoder_takes_nothing_after_the_end() {
    let mut decoder = Chunked::new();
    let mut out = Vec::new();
    assert_eq!(
        decoder.decode(b"0\r\n\r\nx", &mut out, 0),
        Ok(Progress { consumed: 5, done: true })
    );
    assert_eq!(decoder.decode(b"5\r\n", &mut out, 0), Ok(Progress { consumed: 0, done: true }));
}

#[test]
fn decoder_holds_the_limit_to_the_byte() {
    let body = |len: usize| format!("{:x}\r\n{}\r\n0\r\n\r\n", len, "a".repeat(len));
    assert_eq!(decode(&[body(LIMIT).as_bytes()]).unwrap().0.len(), LIMIT);
    assert_eq!(decode(&[body(LIMIT + 1).as_bytes()]), Err(BodyTooLarge));
    assert_eq!(Chunked::new().decode(b"1\r\n", &mut Vec::new(), 0), Err(BodyTooLarge));
    let end = Chunked::new().decode(LAST_CHUNK, &mut Vec::new(), 0);
    assert_eq!(end, Ok(Progress { consumed: 5, done: true }));
}

#[test]
fn decoder_bounds_extensions_and_trailers() {
    // 256 bytes of extensions on a line, 16 KiB in a body.
    let lines = |len: usize, lines: usize| format!("1;{}\r\nx\r\n", "e".repeat(len)).repeat(lines);
    assert!(decode(&[lines(256, 1).as_bytes()]).is_ok());
    assert_eq!(decode(&[lines(257, 1).as_bytes()]), Err(ChunkExtensionTooLong));
    assert!(decode(&[lines(256, 64).as_bytes()]).is_ok());
    assert_eq!(decode(&[lines(256, 65).as_bytes()]), Err(ChunkExtensionTooLong));
    // 8 KiB of trailers, line ends apart.
    let trailers = |len: usize| format!("0\r\na:{}\r\n\r\n", "b".repeat(len));
    assert!(decode(&[trailers((8 << 10) - 3).as_bytes()]).unwrap().2);
    assert_eq!(decode(&[trailers(8 << 10).as_bytes()]), Err(TrailersTooLarge));
    let lines = format!("0\r\n{}\r\n", "a:\r\n".repeat(4 << 10));
    assert_eq!(decode(&[lines.as_bytes()]), Err(TrailersTooLarge));
}

#[test]
fn decoder_allocates_for_nothing_but_payload() {
    let mut out = Vec::new();
    Chunked::new().decode(b"7fffffff\r\nab", &mut out, usize::MAX).unwrap();
    assert!(out.capacity() < 64, "a declared size allocates nothing");

    let (mut decoder, mut out) = (Chunked::new(), Vec::new());
    for _ in 0..1_000_000 {
        decoder.decode(b"1\r\na\r\n", &mut out, 1_000_000).unwrap();
    }
    assert_eq!(
        decoder.decode(LAST_CHUNK, &mut out, 1_000_000),
        Ok(Progress { consumed: 5, done: true })
    );
    assert!(out.len() == 1_000_000 && out.capacity() <= 2_000_000);
    assert!(size_of::<Chunked>() <= 32);
}

#[test]
fn encoder_writes_chunks_and_never_an_empty_one() {
    let rows: &[(&[u8], &[u8])] =
        &[(b"", b""), (b"a", b"1\r\na\r\n"), (b"0123456789abcdef", b"10\r\n0123456789abcdef\r\n")];
    for (bytes, expected) in rows {
        let mut out = Vec::new();
        encode_chunk(&mut out, bytes);
        assert_eq!(out, *expected);
        out.extend_from_slice(LAST_CHUNK);
        assert_eq!(decode(&[&out]), Ok((bytes.to_vec(), out.len(), true)));
    }
}

#[test]
fn field_row_16_a_chunked_body_has_one_reading() {
    // A lenient peer reads these as a shorter or longer body, or as a second request.
    let rows: &[&[u8]] = &[
        b"5\nhello\n0\n\n",
        b"5;\nhello\r\n0\r\n\r\n",
        b"5;\r\nhello\r\n0\r\n\r\n",
        b"5;a=\"\r\nhello\r\n0\r\n\r\n\"\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"5\rX\nhello\r\n0\r\n\r\n",
        b"2\r\nabXX0\r\n\r\n",
        b"0\r\nX: y\r\rGET / HTTP/1.1\r\n\r\n",
        b"0\r\n\rGET / HTTP/1.1\r\n\r\n",
        b"100000000000000000\r\n0\r\n\r\n",
    ];
    for input in rows {
        assert_eq!(
            decode(&[input]).map_err(|error| error.status().as_u16()),
            Err(400),
            "{}",
            input.escape_ascii()
        );
    }
}
