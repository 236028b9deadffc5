//! Compares HTTP/1.1 with naive oracles, on random input that is cut in random places.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use switchboard::proto::http1::{
    Chunked, HeadLimits, HeaderSlots, LAST_CHUNK, Progress, Request, RequestError, Scan,
    encode_chunk, event_stream, scan,
};

/// A random string of words that have a meaning in a head.
fn head_like() -> impl Strategy<Value = Vec<u8>> {
    let word = select(vec![
        "\r\n",
        "\r\n",
        "\r\n",
        "\r\n\r\n",
        "\r",
        "\n",
        "\0",
        "\t",
        " ",
        ":",
        "a",
        "GET",
        " / ",
        "HTTP/1.1",
        "GET / HTTP/1.1\r\n",
        "Host: a\r\n",
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "%41",
        "é",
        "\x7f",
        "http://a/",
        "..",
        "*",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ]);
    prop_oneof![
        4 => vec(word, 0..24).prop_map(|words| words.concat().into_bytes()),
        1 => vec(any::<u8>(), 0..200),
    ]
}

/// Cuts input at the given places.
fn pieces<'i>(input: &'i [u8], cuts: &[Index]) -> Vec<&'i [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
    cuts.extend([0, input.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|ends| &input[ends[0]..ends[1]]).collect()
}

/// RFC 9110 section 5.6.2.
fn is_token(text: &[u8]) -> bool {
    let tchar = |&byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.iter().all(tchar)
}

/// Scans one byte at a time and keeps all bytes, where [`scan`] does not look back.
fn scan_naively(input: &[u8], limits: &HeadLimits) -> Result<Option<usize>, RequestError> {
    let line_limit = limits.target + 64;
    for len in 1..=input.len() {
        let seen = &input[..len];
        let line = seen.strip_prefix(b"\r\n").unwrap_or(seen);
        if line.len() == 33 && is_token(line) {
            return Err(RequestError::MethodNotImplemented);
        }
        if len == line_limit + 1
            && line_limit < limits.head
            && !seen[2..line_limit].contains(&b'\n')
        {
            let words: Vec<&[u8]> = line[..line.len() - 1].split(|&byte| byte == b' ').collect();
            return Err(match words[..] {
                [method, ..] if !is_token(method) => RequestError::MalformedMethod,
                [_, target, _, ..] if target.len() <= limits.target => {
                    RequestError::MalformedRequestLine
                }
                _ => RequestError::TargetTooLong,
            });
        }
        match (seen[len - 1], len.checked_sub(2).map(|before| seen[before])) {
            (b'\n', Some(b'\r')) => {}
            (_, Some(b'\r')) => return Err(RequestError::BareCarriageReturn),
            (b'\n', _) => return Err(RequestError::BareLineFeed),
            (b'\r' | b'\t', _) => {}
            (byte, _) if byte.is_ascii_control() => return Err(RequestError::ControlCharacter),
            _ => {}
        }
        if seen == b"\r\n\r\n" {
            return Err(RequestError::MissingRequestLine);
        }
        if seen.ends_with(b"\r\n\r\n") {
            return Ok(Some(len));
        }
        if len == limits.head {
            return Err(RequestError::HeadTooLarge);
        }
    }
    Ok(None)
}

fn known(verdict: Scan) -> Result<Option<usize>, RequestError> {
    match verdict {
        Scan::Complete(len) => Ok(Some(len)),
        Scan::Partial(_) => Ok(None),
        Scan::Refused(error) => Err(error),
    }
}

/// Reads a path by the letter: decodes all of it, then walks its segments.
fn normalise_naively(path: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = after.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        let byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        if byte.is_ascii_control() || byte == b'/' {
            return None;
        }
        bytes.push(byte);
        rest = &after[2..];
    }
    let decoded = String::from_utf8(bytes).ok().filter(|path| !path.contains('\\'))?;
    let mut stack = Vec::new();
    for segment in decoded.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(stack.pop()?),
            name => stack.push(name),
        }
    }
    let directory = ["/", "/.", "/.."].iter().any(|end| decoded.ends_with(end));
    let slash = if directory && !stack.is_empty() { "/" } else { "" };
    Some(format!("/{}{slash}", stack.join("/")))
}

/// The data of the one event in a stream, as the HTML standard reads it.
fn read_event(stream: &str) -> String {
    let mut data = String::new();
    let (event, rest) = stream.split_once("\n\n").expect("an end");
    assert_eq!(rest, "", "one event");
    for line in event.split('\n') {
        assert!(!line.contains('\r'));
        let (field, value) = line.split_once(':').expect("a field");
        assert_eq!(field, "data");
        data.push_str(value.strip_prefix(' ').unwrap_or(value));
        data.push('\n');
    }
    assert_eq!(data.pop(), Some('\n'));
    data
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn scanner_agrees_with_a_naive_one_at_any_splits(
        input in head_like(),
        cuts in vec(any::<Index>(), 0..8),
        head in 1_usize..400,
        target in 0_usize..100,
    ) {
        let limits = HeadLimits { head, target, ..HeadLimits::default() };
        let expected = scan_naively(&input, &limits);
        prop_assert_eq!(known(scan(&input, 0, &limits)), expected);
        let (mut len, mut verdict) = (0, Scan::Partial(0));
        let mut seen = Vec::new();
        for piece in pieces(&input, &cuts) {
            let Scan::Partial(resume) = verdict else { break };
            prop_assert!(resume <= len && len - resume < 4);
            len += piece.len();
            seen.extend_from_slice(piece);
            // Before `resume` it matters only where the words of the request line end, and whether
            // it begins with a method.
            let looked_at = seen[..resume].iter_mut().skip(35);
            looked_at.filter(|byte| !b" \n".contains(byte)).for_each(|byte| *byte = 0);
            verdict = scan(&seen, resume, &limits);
        }
        prop_assert_eq!(known(verdict), expected);
    }

    #[test]
    fn parser_survives_arbitrary_bytes(input in head_like()) {
        let limits = HeadLimits::default();
        let mut slots = HeaderSlots::new();
        if let Ok(request) = Request::parse(&input, &mut slots, &limits) {
            prop_assert!(request.path() == "*" || request.path().starts_with('/'));
            prop_assert!(!request.path().chars().any(|c| c.is_ascii_control()));
            let has_pairs = request.query().is_some_and(|query| query.contains(|c| c != '&'));
            prop_assert_eq!(request.query_pairs().count() > 0, has_pairs);
            let _ = (request.cookie("a"), request.header("host"), request.headers().count());
        }
    }

    #[test]
    fn parser_survives_arbitrary_lines(
        target in "[ -~]{1,40}",
        name in "[!-9;-~]{1,24}",
        value in vec(any::<u8>(), 0..40),
    ) {
        let lines = [b" HTTP/1.1\r\nHost: a\r\n", name.as_bytes(), b": ", &value].concat();
        let head = [b"GET /", target.as_bytes(), &lines, b"\r\n\r\n"].concat();
        let limits = HeadLimits::default();
        if let Scan::Complete(len) = scan(&head, 0, &limits) {
            let mut slots = HeaderSlots::new();
            if let Ok(request) = Request::parse(&head[..len], &mut slots, &limits) {
                prop_assert_eq!(request.target().as_bytes(), &head[4..5 + target.len()]);
                let found = request.header_values(&name).any(|found| found == value.trim_ascii());
                prop_assert!(found || value.contains(&b'\r'));
            }
        }
    }

    #[test]
    fn path_reads_as_the_naive_one(parts in vec(
        select(vec![
            "/", "/", "/", ".", "..", "/..", "a", "b~", "%2e", "%2E", "%41", "%C3%A9", "%c3", "%a9",
            "%2F", "%5c", "%25", "%ff", "%0a", "%7f", "\\", "%", "%4", "%zz", "+", ";", "/.",
        ]),
        0..12,
    )) {
        let path = format!("/{}", parts.concat());
        let head = format!("GET {path}?q HTTP/1.1\r\nHost: a\r\n\r\n");
        let mut slots = HeaderSlots::new();
        let request = Request::parse(head.as_bytes(), &mut slots, &HeadLimits::default());
        let read = request.as_ref().map(|request| request.path().to_owned()).ok();
        prop_assert_eq!(read, normalise_naively(&path));
        if let Ok(request) = request {
            prop_assert_eq!(request.target(), format!("{path}?q"));
        }
    }

    #[test]
    fn query_values_survive_the_form_encoding(pairs in vec((".{0,8}", ".{0,8}"), 1..6)) {
        let encode = |text: &str| -> String {
            text.bytes().map(|byte| match byte {
                b' ' => "+".to_owned(),
                byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
                byte => format!("%{byte:02X}"),
            }).collect()
        };
        let encoded = |(name, value): &(String, String)| encode(name) + "=" + &encode(value);
        let query: Vec<String> = pairs.iter().map(encoded).collect();
        let head = format!("GET /?{} HTTP/1.1\r\nHost: a\r\n\r\n", query.join("&"));
        let mut slots = HeaderSlots::new();
        let request = Request::parse(head.as_bytes(), &mut slots, &HeadLimits::default()).unwrap();
        let owned = request.query_pairs().map(|(name, value)| (name.into(), value.into()));
        let read: Vec<(String, String)> = owned.collect();
        prop_assert_eq!(read, pairs);
    }

    #[test]
    fn chunks_survive_the_wire_at_any_splits(
        chunks in vec(vec(any::<u8>(), 0..40), 0..10),
        cuts in vec(any::<Index>(), 0..10),
        tail in vec(any::<u8>(), 0..10),
    ) {
        let mut wire = Vec::new();
        chunks.iter().for_each(|chunk| encode_chunk(&mut wire, chunk));
        wire.extend_from_slice(LAST_CHUNK);
        let end = wire.len();
        wire.extend_from_slice(&tail);
        let payload = chunks.concat();
        let (mut decoder, mut out, mut used) = (Chunked::new(), Vec::new(), 0);
        for piece in pieces(&wire, &cuts) {
            let progress = decoder.decode(piece, &mut out, payload.len()).unwrap();
            used += progress.consumed;
        }
        prop_assert_eq!((out, used, decoder.is_done()), (payload, end, true));
    }

    #[test]
    fn decoder_gives_one_verdict_at_any_splits(
        words in vec(select(vec![
            "0", "1", "5", "a", "\r\n", "\r\n", "\r", "\n", "hello", ";", "x", ": ", " ", "ffff",
            "0\r\n\r\n", "5;a", ";b", "=", "\"", "\\", "\\\"",
        ]), 0..20),
        cuts in vec(any::<Index>(), 0..8),
    ) {
        let input = words.concat().into_bytes();
        let run = |pieces: &[&[u8]]| -> Result<(Vec<u8>, usize, bool), RequestError> {
            let (mut decoder, mut out, mut used) = (Chunked::new(), Vec::new(), 0);
            for piece in pieces {
                let Progress { consumed, .. } = decoder.decode(piece, &mut out, 1 << 10)?;
                used += consumed;
            }
            Ok((out, used, decoder.is_done()))
        };
        prop_assert_eq!(run(&pieces(&input, &cuts)), run(&[&input]));
    }

    #[test]
    fn events_read_back_as_their_lines(data in "[a-c: \r\n\0é]{0,24}") {
        let mut out = Vec::new();
        event_stream::encode(&mut out, None, None, &data);
        let expected = data.replace("\r\n", "\n").replace('\r', "\n");
        prop_assert_eq!(read_event(&String::from_utf8(out).unwrap()), expected);
    }
}
