//! The chunked transfer coding, both ways (RFC 9112 section 7.1): sizes, extensions, trailers and their limits.
//! Knows bytes only; a body of known length needs no decoding and is counted by whoever reads it.

use std::io::Write;

use super::characters::is_token_byte;
use super::request_error::RequestError;

/// What ends a chunked body that has no trailers.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Hexadecimal digits of a chunk size: as many as 64 bits can need.
const MAX_SIZE_DIGITS: u8 = 16;
/// Bytes of extensions on one chunk line.
const MAX_EXTENSION: u16 = 256;
/// Bytes of extensions in one body: so many small chunks cannot be mostly extension.
const MAX_EXTENSIONS: u16 = 16 << 10;
/// Bytes of all trailers of one body.
const MAX_TRAILERS: u16 = 8 << 10;

/// How far a call of [`Chunked::decode`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the input that were used; all of them unless `done`.
    pub consumed: usize,
    /// The body and its trailers are over; what follows is the next request.
    pub done: bool,
}

/// A decoder of the chunked transfer coding that takes its input in any pieces.
///
/// Extensions and trailers are checked, bounded (256 bytes a line and 16 KiB a body; 8 KiB) and ignored. Nothing but
/// payload is ever kept, and a declared size allocates nothing.
///
/// ```
/// use switchboard::proto::http1::Chunked;
///
/// let mut body = Vec::new();
/// let progress = Chunked::new().decode(b"5\r\nhello\r\n0\r\n\r\nGET", &mut body, 1 << 20).unwrap();
/// assert_eq!((progress.consumed, progress.done, &body[..]), (15, true, &b"hello"[..]));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Chunked {
    state: State,
    /// Bytes that the current chunk still has to bring; while its size is read, the digits so far.
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

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    Extension,
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
    /// At the beginning of a body.
    pub fn new() -> Chunked {
        Chunked::default()
    }

    /// Takes from `input` what belongs to the body and appends its payload to `out`.
    ///
    /// # Errors
    ///
    /// [`RequestError::BodyTooLarge`] as soon as the sizes announced add up to more than `limit` bytes, before any of
    /// them is taken; otherwise the fault of the coding. After an error the decoder is of no further use.
    pub fn decode(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        limit: usize,
    ) -> Result<Progress, RequestError> {
        self.run(input, limit, |payload| out.extend_from_slice(payload))
    }

    /// The same for a body that nobody wants: its payload is counted and dropped.
    ///
    /// # Errors
    ///
    /// As [`decode`](Chunked::decode).
    pub fn discard(&mut self, input: &[u8], limit: usize) -> Result<Progress, RequestError> {
        self.run(input, limit, |_| {})
    }

    /// Whether the body and its trailers are over.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    fn run(
        &mut self,
        input: &[u8],
        limit: usize,
        mut keep: impl FnMut(&[u8]),
    ) -> Result<Progress, RequestError> {
        let mut rest = input;
        while self.state != State::Done {
            if self.state == State::Data {
                let len = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(rest.len());
                let (payload, after) = rest.split_at(len);
                keep(payload);
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
        Ok(Progress { consumed: input.len() - rest.len(), done: self.state == State::Done })
    }

    /// One byte of everything that is not payload.
    fn step(&mut self, byte: u8, limit: u64) -> Result<State, RequestError> {
        match (self.state, byte) {
            (State::Size, _) => self.size(byte),
            (State::Extension, b'\r') => Ok(State::SizeLf),
            (State::Extension, _) => self.extension(byte),
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

    /// Section 7.1: hexadecimal digits and nothing else; no sign, no prefix, no white space.
    fn size(&mut self, byte: u8) -> Result<State, RequestError> {
        match (char::from(byte).to_digit(16), byte) {
            (Some(digit), _) if self.line < u16::from(MAX_SIZE_DIGITS) => {
                self.line += 1;
                self.remaining = self.remaining << 4 | u64::from(digit);
                Ok(State::Size)
            }
            (None, b'\r') if self.line > 0 => Ok(State::SizeLf),
            (None, b';') if self.line > 0 => {
                self.line = 0;
                Ok(State::Extension)
            }
            _ => Err(RequestError::MalformedChunkSize),
        }
    }

    /// Section 7.1.1. Ignored, but a control character could end the line in somebody else's reading.
    fn extension(&mut self, byte: u8) -> Result<State, RequestError> {
        if byte.is_ascii_control() && byte != b'\t' {
            return Err(RequestError::MalformedChunkExtension);
        }
        self.line += 1;
        self.extensions += 1;
        match self.line > MAX_EXTENSION || self.extensions > MAX_EXTENSIONS {
            true => Err(RequestError::ChunkExtensionTooLong),
            false => Ok(State::Extension),
        }
    }

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

    /// Section 7.1.2: header lines, by the rules of the head.
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
            State::TrailerValue if byte == b'\t' || !byte.is_ascii_control() => {
                Ok(State::TrailerValue)
            }
            _ => Err(RequestError::MalformedTrailer),
        }
    }
}

/// Appends one chunk; nothing for no bytes, since an empty chunk would end the body.
pub fn encode_chunk(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{:x}\r\n", bytes.len());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}
