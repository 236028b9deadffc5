//! The chunked transfer coding, both ways (RFC 9112 section 7.1): sizes, extensions and trailers.
//! This file knows bytes only. A body of known length needs no decoding.
//!
//! `httparse::parse_chunk_size` accepts white space and extensions of any length, and cannot
//! resume.

use std::io::Write;

use super::characters::{is_token_byte, is_value_byte};
use super::request_error::RequestError;

/// The end of a chunked body without trailers: a chunk of size 0 and an empty line.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Hexadecimal digits of a chunk size: 16 hold 64 bits.
const MAX_SIZE_DIGITS: u16 = 16;
/// Bytes of extensions on one chunk line.
const MAX_EXTENSION: u16 = 256;
/// Bytes of extensions in one body, so that small chunks cannot be mostly extension.
const MAX_EXTENSIONS: u16 = 16 << 10;
/// Bytes of all trailers of one body.
const MAX_TRAILERS: u16 = 8 << 10;

/// How far a call of [`Chunked::decode`] came.
///
/// ```
/// use switchboard::proto::http1::{Chunked, Progress};
///
/// let progress = Chunked::new().decode(b"2\r\nhi\r\n", &mut Vec::new(), 100).unwrap();
/// assert_eq!(progress, Progress { consumed: 7, done: false });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the input that were used: all of them unless `done`.
    pub consumed: usize,
    /// Whether the body and its trailers are over. The next request begins after them.
    pub done: bool,
}

/// A decoder of the chunked transfer coding that takes its input in pieces of any size.
///
/// Checks and ignores extensions (256 bytes a line, 16 KiB a body) and trailers (8 KiB a body).
/// Keeps nothing but its place, and allocates nothing for a size that is only declared.
///
/// ```
/// use switchboard::proto::http1::Chunked;
///
/// let mut body = Vec::new();
/// let input = b"5\r\nhello\r\n0\r\n\r\nGET";
/// let progress = Chunked::new().decode(input, &mut body, 1 << 20).unwrap();
/// assert_eq!((progress.consumed, progress.done, &body[..]), (15, true, &b"hello"[..]));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Chunked {
    state: State,
    /// Bytes that the current chunk still has to bring; its size so far while that is read.
    remaining: u64,
    /// Payload bytes announced so far.
    total: u64,
    /// Digits of the size, or bytes of the extension, on the current line.
    line: u16,
    /// Bytes of all extensions.
    extensions: u16,
    /// Bytes of all trailers.
    trailers: u16,
}

/// The part of the coding that the next byte belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    Extension(ChunkExtension),
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    LastLf,
    Done,
}

impl Chunked {
    /// Creates a decoder at the beginning of a body.
    #[must_use]
    pub fn new() -> Chunked {
        Chunked::default()
    }

    /// Takes from `input` what belongs to the body and appends the payload to `out`.
    ///
    /// # Errors
    ///
    /// Returns [`RequestError::BodyTooLarge`] as soon as the announced sizes exceed `limit` bytes
    /// in all, before any byte of the last chunk is taken. Otherwise returns the fault of the
    /// coding. After an error the decoder is of no further use.
    pub fn decode(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        limit: usize,
    ) -> Result<Progress, RequestError> {
        let mut rest = input;
        while self.state != State::Done {
            if self.state == State::Data {
                let len = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(rest.len());
                let (payload, after) = rest.split_at(len);
                out.extend_from_slice(payload);
                rest = after;
                self.remaining -= len as u64;
                if self.remaining == 0 {
                    self.state = State::DataCr;
                }
            }
            let Some((&byte, after)) = rest.split_first() else {
                break;
            };
            rest = after;
            self.state = self.step(byte, limit as u64)?;
        }
        Ok(Progress { consumed: input.len() - rest.len(), done: self.is_done() })
    }

    /// Whether the body and its trailers are over.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes one byte of everything that is not payload.
    fn step(&mut self, byte: u8, limit: u64) -> Result<State, RequestError> {
        match (self.state, byte) {
            (State::Size, _) => self.size(byte),
            (State::Extension(part), b'\r') if part.may_end() => Ok(State::SizeLf),
            (State::Extension(part), _) => self.extension(part, byte),
            (State::SizeLf, b'\n') => self.begin_chunk(limit),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::Size),
            (State::TrailerStart, b'\r') => Ok(State::LastLf),
            (State::TrailerStart | State::TrailerName | State::TrailerValue, _) => {
                self.trailer(byte)
            }
            (State::TrailerLf, b'\n') => Ok(State::TrailerStart),
            (State::LastLf, b'\n') => Ok(State::Done),
            (State::TrailerLf | State::LastLf, _) => Err(RequestError::MalformedTrailer),
            (State::SizeLf | State::DataCr | State::DataLf, _) => {
                Err(RequestError::MalformedChunkEnd)
            }
            (State::Data | State::Done, _) => Ok(self.state),
        }
    }

    /// RFC 9112 section 7.1: hexadecimal digits, without sign, prefix and white space.
    fn size(&mut self, byte: u8) -> Result<State, RequestError> {
        match (char::from(byte).to_digit(16), byte) {
            (Some(digit), _) if self.line < MAX_SIZE_DIGITS => {
                self.line += 1;
                self.remaining = self.remaining << 4 | u64::from(digit);
                Ok(State::Size)
            }
            (None, b'\r') if self.line > 0 => Ok(State::SizeLf),
            (None, b';') if self.line > 0 => {
                self.line = 0;
                Ok(State::Extension(ChunkExtension::default()))
            }
            _ => Err(RequestError::MalformedChunkSize),
        }
    }

    /// RFC 9112 section 7.1.1. Ignored, but what breaks the grammar could end the line in another
    /// program's reading.
    fn extension(&mut self, part: ChunkExtension, byte: u8) -> Result<State, RequestError> {
        let next = part.step(byte).ok_or(RequestError::MalformedChunkExtension)?;
        self.line += 1;
        self.extensions += 1;
        match self.line > MAX_EXTENSION || self.extensions > MAX_EXTENSIONS {
            true => Err(RequestError::ChunkExtensionTooLong),
            false => Ok(State::Extension(next)),
        }
    }

    /// Judges a size whose line has ended.
    fn begin_chunk(&mut self, limit: u64) -> Result<State, RequestError> {
        self.line = 0;
        if self.remaining == 0 {
            return Ok(State::TrailerStart);
        }
        match self.total.checked_add(self.remaining) {
            Some(total) if total <= limit => {
                self.total = total;
                Ok(State::Data)
            }
            _ => Err(RequestError::BodyTooLarge),
        }
    }

    /// RFC 9112 section 7.1.2: header lines, by the rules of the head.
    fn trailer(&mut self, byte: u8) -> Result<State, RequestError> {
        self.trailers += 1;
        if self.trailers > MAX_TRAILERS {
            return Err(RequestError::TrailersTooLarge);
        }
        match self.state {
            State::TrailerName if byte == b':' => Ok(State::TrailerValue),
            State::TrailerStart | State::TrailerName if is_token_byte(byte) => {
                Ok(State::TrailerName)
            }
            State::TrailerValue if byte == b'\r' => Ok(State::TrailerLf),
            State::TrailerValue if is_value_byte(byte) => Ok(State::TrailerValue),
            _ => Err(RequestError::MalformedTrailer),
        }
    }
}

/// The part of a chunk extension that the next byte belongs to.
///
/// ```text
/// *( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )
/// ```
///
/// This is the grammar of RFC 9112 section 7.1.1. White space is allowed around `;` and `=`, but
/// not directly behind the size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ChunkExtension {
    /// Behind `;`, where a name is still to begin.
    #[default]
    Start,
    Name,
    /// White space behind a name.
    NameEnd,
    /// Behind `=`, where a value is still to begin.
    ValueStart,
    Value,
    Quoted,
    /// Behind a backslash in quotes.
    Escaped,
    /// Behind the closing quote.
    Unquoted,
    /// White space behind a value.
    ValueEnd,
}

impl ChunkExtension {
    /// Takes the next byte; `None` if the grammar has no such byte here.
    pub(super) fn step(self, byte: u8) -> Option<ChunkExtension> {
        use ChunkExtension::{
            Escaped, Name, NameEnd, Quoted, Start, Unquoted, Value, ValueEnd, ValueStart,
        };
        match (self, byte) {
            (Start | ValueStart | NameEnd | ValueEnd, b' ' | b'\t') => Some(self),
            (Start | Name, _) if is_token_byte(byte) => Some(Name),
            (ValueStart | Value, _) if is_token_byte(byte) => Some(Value),
            (ValueStart, b'"') => Some(Quoted),
            (Name, b' ' | b'\t') => Some(NameEnd),
            (Name | NameEnd, b'=') => Some(ValueStart),
            (Value | Unquoted, b' ' | b'\t') => Some(ValueEnd),
            (Name | NameEnd | Value | Unquoted | ValueEnd, b';') => Some(Start),
            (Quoted, b'"') => Some(Unquoted),
            (Quoted, b'\\') => Some(Escaped),
            (Quoted | Escaped, _) if is_value_byte(byte) => Some(Quoted),
            _ => None,
        }
    }

    /// Whether the extensions may end here.
    pub(super) fn may_end(self) -> bool {
        matches!(self, ChunkExtension::Name | ChunkExtension::Value | ChunkExtension::Unquoted)
    }
}

/// Appends one chunk. Appends nothing for no bytes, since an empty chunk would end the body.
///
/// ```
/// use switchboard::proto::http1::{LAST_CHUNK, encode_chunk};
///
/// let mut out = Vec::new();
/// encode_chunk(&mut out, b"hello");
/// encode_chunk(&mut out, b"");
/// out.extend_from_slice(LAST_CHUNK);
/// assert_eq!(out, b"5\r\nhello\r\n0\r\n\r\n");
/// ```
pub fn encode_chunk(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{:x}\r\n", bytes.len());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}
