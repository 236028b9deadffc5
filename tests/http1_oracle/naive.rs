//! A naive reader of heads, written from RFC 9110 and RFC 9112. It splits and copies, and looks at
//! every byte as often as it likes. Knows the shape of a head; `meaning` knows the rest.

use super::meaning::{self, Body};

/// A head as the RFCs read it; `start` holds method and target of a request, or the status.
pub struct Reading {
    pub len: usize,
    pub start: [String; 2],
    pub minor: u8,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Body,
}

/// The place of the first fault. `Meaning` stands for all faults of a head whose shape is right.
pub enum Fault {
    Cut,
    FirstLine,
    Method,
    Target,
    UnknownVersion,
    NoVersion,
    Folded,
    Name,
    TooMany,
    Meaning,
}

/// RFC 9110 section 5.6.2.
fn is_token(text: &[u8]) -> bool {
    let tchar = |&byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.iter().all(tchar)
}

/// RFC 9112 section 2.1: lines that end with CR LF, up to an empty one, and the place after that.
fn lines(input: &[u8], from: usize) -> Result<(Vec<&[u8]>, usize), Fault> {
    let (mut lines, mut at) = (Vec::new(), from);
    while let Some(len) = input[at..].windows(2).position(|end| end == b"\r\n") {
        let line = &input[at..at + len];
        at += len + 2;
        match line {
            [] => return Ok((lines, at)),
            _ if line.iter().any(|&byte| byte != b'\t' && byte.is_ascii_control()) => break,
            _ => lines.push(line),
        }
    }
    Err(Fault::Cut)
}

/// RFC 9112 section 5: `field-name ":" OWS field-value OWS`.
fn fields(lines: &[&[u8]], most: usize) -> Result<Vec<(String, Vec<u8>)>, Fault> {
    let mut fields = Vec::new();
    for line in lines {
        let name = line.split(|&byte| byte == b':').next().unwrap();
        if !is_token(name) || name.len() == line.len() {
            let folded = lines.iter().any(|line| b" \t".contains(&line[0]));
            return Err(if folded { Fault::Folded } else { Fault::Name });
        } else if fields.len() == most {
            return Err(Fault::TooMany);
        }
        fields.push((text(name).unwrap(), line[name.len() + 1..].trim_ascii().to_vec()));
    }
    Ok(fields)
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

/// RFC 9112 section 3, with at most `most` header lines and a target of at most `longest` bytes.
pub fn request(input: &[u8], most: usize, longest: usize) -> Result<Reading, Fault> {
    let (lines, len) = lines(input, if input.starts_with(b"\r\n") { 2 } else { 0 })?;
    let words: Vec<&[u8]> = lines.first().ok_or(Fault::Cut)?.split(|&byte| byte == b' ').collect();
    let [method, target, version @ [_, ..]] = words[..] else { return Err(Fault::FirstLine) };
    let minor = match version {
        _ if method.is_empty() || target.is_empty() => return Err(Fault::FirstLine),
        _ if !is_token(method) => return Err(Fault::Method),
        b"HTTP/1.0" => 0,
        b"HTTP/1.1" => 1,
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
            return Err(Fault::UnknownVersion);
        }
        _ => return Err(Fault::NoVersion),
    };
    let target = text(target).filter(|target| !target.contains('\t')).ok_or(Fault::Target)?;
    let (method, headers) = (text(method).unwrap(), fields(&lines[1..], most)?);
    // RFC 9110 section 9.3.6: CONNECT is for proxies. Registered methods have up to 17 bytes.
    let served = method.len() <= 32 && method != "CONNECT" && target.len() <= longest;
    let known = served && meaning::is_target(&method, &target);
    let body = meaning::body(minor, &headers).filter(|_| known).ok_or(Fault::Meaning)?;
    Ok(Reading { len, start: [method, target], minor, headers, body })
}

/// RFC 9112 section 4.
pub fn response(input: &[u8], most: usize) -> Result<Reading, Fault> {
    let (lines, len) = lines(input, 0)?;
    let (minor, rest) = match lines.first().ok_or(Fault::NoVersion)? {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ b'0'..=b'1', b' ', rest @ ..] => {
            (minor - b'0', rest)
        }
        _ => return Err(Fault::NoVersion),
    };
    let digits = rest.get(..3).filter(|status| status.iter().all(u8::is_ascii_digit));
    let status = text(digits.ok_or(Fault::FirstLine)?).unwrap();
    if !matches!(rest[3..], [] | [b' ', ..]) {
        return Err(Fault::FirstLine);
    }
    let headers = fields(&lines[1..], most)?;
    // RFC 9110 section 15. The space may be absent where no reason follows.
    if status.starts_with('0') {
        return Err(Fault::FirstLine);
    }
    Ok(Reading { len, start: [status, String::new()], minor, headers, body: Body::None })
}
