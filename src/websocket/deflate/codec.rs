//! The codec: messages into DEFLATE and back, each direction with its context (RFC 7692 section
//! 7.2). This file knows payloads and a limit. It knows neither the agreed parameters nor text.

use zlib_rs::{Deflate, DeflateConfig as Tuning, DeflateFlush, Inflate, InflateFlush, Status};

use super::config::{DeflateConfig, MAX_BITS, MIN_BITS};
use crate::websocket::violation::Violation;

/// The bytes that a sender strips from the end of each message: the lengths of an empty stored
/// block (section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// The final blocks at which a message is refused. Each begins a new stream; RFC 7692 section
/// 7.2.3.4 has one.
const MAX_STREAMS: usize = 1 << 10;

/// The compressor of one direction.
///
/// All memory is allocated by [`new`](Deflater::new), in bytes on a 64-bit machine:
///
/// | window bits | 9 | 10 | 11 | 12 | 13 | 14 | 15 |
/// | --- | --- | --- | --- | --- | --- | --- | --- |
/// | bytes | 143,488 | 145,536 | 149,632 | 157,824 | 181,376 | 228,480 | 322,688 |
///
/// ```
/// use switchboard::proto::websocket::{DeflateConfig, Deflater, Inflater};
///
/// let mut deflater = Deflater::new(&DeflateConfig::dedicated().level(6), 15);
/// let mut inflater = Inflater::new();
/// let (mut payload, mut message) = (Vec::new(), Vec::new());
/// for expected_len in [7, 5] {
///     // RFC 7692 section 7.2.3.2: the second message refers to the first.
///     payload.clear();
///     deflater.deflate(b"Hello", &mut payload, true);
///     assert_eq!(payload.len(), expected_len);
///     message.clear();
///     inflater.inflate(&payload, &mut message, 1 << 10, true).unwrap();
///     assert_eq!(message, b"Hello");
/// }
/// ```
pub struct Deflater {
    stream: Deflate,
}

impl Deflater {
    /// Makes a compressor with the [agreed](super::Agreed::window_bits) window of 9 to 15 bits;
    /// other values are clamped. Only the level of the configuration is used.
    #[must_use]
    pub fn new(config: &DeflateConfig, window_bits: u8) -> Deflater {
        let window_bits = window_bits.clamp(MIN_BITS, MAX_BITS);
        let tuning = Tuning {
            level: i32::from(config.level),
            window_bits: -i32::from(window_bits), // negative: no header, no checksum
            // The symbols of one block take at most as much memory as the window and its chains.
            mem_level: i32::from(window_bits).saturating_sub(8).max(4),
            ..Tuning::default()
        };
        Deflater { stream: Deflate::new_with_config(tuning) }
    }

    /// Appends the compressed payload for the frames of a message, without the tail (section
    /// 7.2.1).
    ///
    /// With `keep_context` the next message may refer to this one. Otherwise the context is reset.
    pub fn deflate(&mut self, payload: &[u8], out: &mut Vec<u8>, keep_context: bool) {
        if payload.is_empty() {
            out.push(0x00); // 7.2.3.6: a compressor that was just flushed would write nothing
            return;
        }
        let begin = out.len();
        self.flush(payload, out);
        debug_assert!(out[begin..].ends_with(&TAIL));
        if out[begin..].ends_with(&TAIL) {
            out.truncate(out.len() - TAIL.len());
        }
        if !keep_context {
            self.stream.reset();
        }
    }

    /// Compresses all of `input` up to a byte boundary, by a "sync flush".
    fn flush(&mut self, mut input: &[u8], out: &mut Vec<u8>) {
        let mut room = input.len() / 2 + 64;
        loop {
            let (before_in, before_out, at) =
                (self.stream.total_in(), self.stream.total_out(), out.len());
            out.resize(at + room, 0);
            let status = self.stream.compress(input, &mut out[at..], DeflateFlush::SyncFlush);
            let read = (self.stream.total_in() - before_in) as usize;
            let written = (self.stream.total_out() - before_out) as usize;
            out.truncate(at + written);
            input = &input[read..];
            // With room left, all output is written. No other status comes of valid parameters.
            if written < room || status != Ok(Status::Ok) {
                return;
            }
            room = input.len() / 2 + 1024;
        }
    }
}

impl std::fmt::Debug for Deflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deflater").finish_non_exhaustive()
    }
}

/// The decompressor of one direction.
///
/// All memory, 47,552 bytes on a 64-bit machine, is allocated by [`new`](Inflater::new). The window
/// is the largest, which fits every window of the peer, 8 bits too.
///
/// ```
/// use switchboard::proto::websocket::{Inflater, Violation};
///
/// // RFC 7692 section 7.2.3.1
/// let payload = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
/// let (mut inflater, mut message) = (Inflater::new(), Vec::new());
/// inflater.inflate(&payload, &mut message, 5, false).unwrap();
/// assert_eq!(message, b"Hello");
/// assert_eq!(inflater.inflate(&payload, &mut message, 4, false), Err(Violation::TooBig));
/// ```
pub struct Inflater {
    stream: Inflate,
}

impl Default for Inflater {
    fn default() -> Inflater {
        Inflater::new()
    }
}

impl Inflater {
    /// Makes a decompressor with an empty context.
    #[must_use]
    pub fn new() -> Inflater {
        Inflater { stream: Inflate::new(false, MAX_BITS) }
    }

    /// Appends the inflated message of a compressed payload.
    ///
    /// With `keep_context` the next message may refer to this one. Otherwise the context is reset.
    /// `out` grows with the inflated bytes, at most by twice as many and never by more than
    /// `limit`.
    ///
    /// A payload of no bytes is an empty message, as a compressor that flushes twice makes one. A
    /// payload may end with a final block (section 7.2.3.4).
    ///
    /// # Errors
    /// [`Violation::TooBig`] as soon as the message passes `limit` bytes.
    /// [`Violation::CorruptDeflate`] for 1,024 or more final blocks, for invalid data, and for a
    /// payload that ends within a block. `out` then ends with a part of the message, and the
    /// context is reset.
    pub fn inflate(
        &mut self,
        payload: &[u8],
        out: &mut Vec<u8>,
        limit: usize,
        keep_context: bool,
    ) -> Result<(), Violation> {
        if payload.is_empty() {
            return Ok(());
        }
        let done = self.blocks(payload, out, limit);
        if done.is_err() || !keep_context {
            self.stream.reset(false);
        }
        done
    }

    /// Inflates all blocks of the payload, then the stripped tail.
    fn blocks(
        &mut self,
        mut payload: &[u8],
        out: &mut Vec<u8>,
        limit: usize,
    ) -> Result<(), Violation> {
        let begin = out.len();
        let mut filled = begin;
        let done = self.fill(&mut payload, out, begin, &mut filled, limit);
        // The decompressor may write into the room behind the counted bytes.
        out.truncate(filled);
        done
    }

    fn fill(
        &mut self,
        payload: &mut &[u8],
        out: &mut Vec<u8>,
        begin: usize,
        filled: &mut usize,
        limit: usize,
    ) -> Result<(), Violation> {
        let mut room = payload.len().saturating_mul(4).clamp(64, 16 << 10);
        let mut ends = 0;
        loop {
            let (read, progress) = match limit - (*filled - begin) {
                0 => self.nothing_more(payload)?,
                rest => self.some_more(payload, out, filled, room.min(rest))?,
            };
            *payload = &payload[read..];
            match progress {
                // A new stream, with an empty context, follows a final block.
                Progress::Ended => {
                    self.stream.reset(false);
                    ends += 1;
                    match payload.is_empty() {
                        true => return Ok(()),
                        // Two bytes can be a stream, which costs far more than two bytes of input.
                        false if ends == MAX_STREAMS => return Err(Violation::CorruptDeflate),
                        false => {}
                    }
                }
                Progress::Hungry if payload.is_empty() => return self.tail(),
                Progress::Hungry if read == 0 => return Err(Violation::CorruptDeflate),
                Progress::Hungry => {}
                Progress::Full => room = (*filled - begin).max(64),
            }
        }
    }

    /// Appends up to `room` bytes and returns the number of consumed bytes. Unused room stays for
    /// the next call.
    fn some_more(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        filled: &mut usize,
        room: usize,
    ) -> Result<(usize, Progress), Violation> {
        let end = *filled + room;
        if out.len() < end {
            out.reserve_exact(end - out.len());
            out.resize(end, 0);
        }
        let (read, written, status) =
            self.decompress(input, &mut out[*filled..end], InflateFlush::NoFlush)?;
        *filled += written;
        match status {
            Status::StreamEnd => Ok((read, Progress::Ended)),
            _ if *filled == end => Ok((read, Progress::Full)),
            _ => Ok((read, Progress::Hungry)),
        }
    }

    /// Inflates with the limit reached, where one more byte is too many.
    fn nothing_more(&mut self, input: &[u8]) -> Result<(usize, Progress), Violation> {
        match self.decompress(input, &mut [0], InflateFlush::NoFlush)? {
            (_, 1.., _) => Err(Violation::TooBig), // RFC 6455 7.4.1: 1009
            (read, 0, Status::StreamEnd) => Ok((read, Progress::Ended)),
            (read, 0, _) => Ok((read, Progress::Hungry)),
        }
    }

    /// Inflates the stripped tail (section 7.2.2), which must be the end of an empty stored block.
    ///
    /// The decompressor is told to stop between blocks. After a whole message it consumes exactly
    /// the tail and leaves the byte behind. After a message that was cut short, the tail is read as
    /// other data: a block ends earlier or goes on.
    fn tail(&mut self) -> Result<(), Violation> {
        let [a, b, c, d] = TAIL;
        match self.decompress(&[a, b, c, d, 0x00], &mut [0], InflateFlush::Block)? {
            (4, 0, Status::Ok) => Ok(()),
            _ => Err(Violation::CorruptDeflate),
        }
    }

    /// Decompresses once: returns the numbers of bytes read and written.
    fn decompress(
        &mut self,
        input: &[u8],
        output: &mut [u8],
        flush: InflateFlush,
    ) -> Result<(usize, usize, Status), Violation> {
        let (total_in, total_out) = (self.stream.total_in(), self.stream.total_out());
        let Ok(status) = self.stream.decompress(input, output, flush) else {
            return Err(Violation::CorruptDeflate);
        };
        let read = (self.stream.total_in() - total_in) as usize;
        let written = (self.stream.total_out() - total_out) as usize;
        Ok((read, written, status))
    }
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflater").finish_non_exhaustive()
    }
}

/// The reason for which the decompressor stopped.
enum Progress {
    /// A final block ended.
    Ended,
    /// More input is needed.
    Hungry,
    /// The room is full.
    Full,
}
