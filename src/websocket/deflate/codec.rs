//! Messages through DEFLATE and back (RFC 7692 section 7.2), each direction with what it remembers of earlier messages.
//! Knows payloads and a limit; neither what was agreed on nor whether a message is text.

use zlib_rs::{Deflate, DeflateConfig as Tuning, DeflateFlush, Inflate, InflateFlush, Status};

use super::config::{DeflateConfig, MAX_BITS, MIN_BITS};
use crate::websocket::Violation;

/// What a sender strips from the end of each message, the length fields of an empty stored block (section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// Final blocks in one message, each of which begins a stream anew; RFC 7692 section 7.2.3.4 has one.
const MAX_STREAMS: usize = 1 << 10;

/// The sending direction.
///
/// Its memory is allocated when it is made, and never again, in bytes on a 64-bit machine:
///
/// | window bits | 9 | 10 | 11 | 12 | 13 | 14 | 15 |
/// | --- | --- | --- | --- | --- | --- | --- | --- |
/// | bytes | 143,488 | 145,536 | 149,632 | 157,824 | 181,376 | 228,480 | 322,688 |
///
/// ```
/// use switchboard::proto::websocket::{DeflateConfig, Deflater, Inflater};
///
/// let (mut deflater, mut inflater) = (Deflater::new(&DeflateConfig::dedicated().level(6), 15), Inflater::new());
/// let (mut payload, mut message) = (Vec::new(), Vec::new());
/// for expected_len in [7, 5] {
///     // RFC 7692 section 7.2.3.2: the second time it is a reference to the first.
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
    /// A compressor with a window of 9 to 15 bits (others are brought into that range): what was
    /// [agreed](super::Agreed::window_bits). Of the configuration only the level counts.
    pub fn new(config: &DeflateConfig, window_bits: u8) -> Deflater {
        let window_bits = window_bits.clamp(MIN_BITS, MAX_BITS);
        let tuning = Tuning {
            level: i32::from(config.level),
            window_bits: -i32::from(window_bits), // negative: no header, no checksum
            // Room for the symbols of one block: at most as much memory as the window and its chains.
            mem_level: i32::from(window_bits).saturating_sub(8).max(4),
            ..Tuning::default()
        };
        Deflater { stream: Deflate::new_with_config(tuning) }
    }

    /// Appends the compressed payload as it goes into frames: without the tail that every message would end with.
    ///
    /// With `keep_context` the next message may refer to this one; without it the next one stands for itself.
    pub fn deflate(&mut self, payload: &[u8], out: &mut Vec<u8>, keep_context: bool) {
        if payload.is_empty() {
            out.push(0x00); // 7.2.3.6; the compressor would say nothing where it has just been flushed
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

    /// Compresses all of `input` up to a byte boundary: a "sync flush".
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
            // With room left, all of it is out. Nothing else can happen to a compressor whose parameters are in range.
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

/// The receiving direction.
///
/// Its memory, 47,552 bytes on a 64-bit machine, is allocated when it is made, and never again. The window is always the
/// largest, so that it fits whatever the peer compresses with, 8 bits too.
pub struct Inflater {
    stream: Inflate,
}

impl Default for Inflater {
    fn default() -> Inflater {
        Inflater::new()
    }
}

impl Inflater {
    /// A decompressor that remembers nothing.
    pub fn new() -> Inflater {
        Inflater { stream: Inflate::new(false, MAX_BITS) }
    }

    /// Appends the message whose compressed payload this is, as it came in its frames.
    ///
    /// With `keep_context` the next message may refer to this one; without it the next one stands for itself. `out`
    /// grows with what is really there, at most by twice as much and never by more than `limit`.
    ///
    /// A payload without a byte is an empty message: so says a compressor that was asked to flush twice. One may end with
    /// a final block instead of the byte that is to follow it (section 7.2.3.4).
    ///
    /// # Errors
    /// [`Violation::TooBig`] as soon as the message passes `limit` bytes; [`Violation::CorruptDeflate`] if it has 1,024 final blocks or more, does not
    /// decompress or does not end where the payload does. `out` then ends with a part of the message, and the next
    /// message stands for itself.
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

    /// All blocks of the payload, then the tail that was stripped from it.
    fn blocks(
        &mut self,
        mut payload: &[u8],
        out: &mut Vec<u8>,
        limit: usize,
    ) -> Result<(), Violation> {
        let begin = out.len();
        let mut filled = begin;
        let done = self.fill(&mut payload, out, begin, &mut filled, limit);
        // Of the room only what was counted is the message: a decompressor scribbles on the rest.
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
                // What follows a final block is a stream of its own, with nothing remembered.
                Progress::Ended => {
                    self.stream.reset(false);
                    ends += 1;
                    match payload.is_empty() {
                        true => return Ok(()),
                        // Two bytes may be a stream: they would cost far more than they weigh.
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

    /// Appends up to `room` bytes; says how many of the input it took for that. Room that was not needed is there for the next time.
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

    /// The same where the limit is reached: one byte more is too many.
    fn nothing_more(&mut self, input: &[u8]) -> Result<(usize, Progress), Violation> {
        match self.decompress(input, &mut [0], InflateFlush::NoFlush)? {
            (_, 1.., _) => Err(Violation::TooBig), // RFC 6455 7.4.1: 1009
            (read, 0, Status::StreamEnd) => Ok((read, Progress::Ended)),
            (read, 0, _) => Ok((read, Progress::Hungry)),
        }
    }

    /// 7.2.2: the tail goes back on. It is to be the rest of an empty stored block, and nothing else: told to stop between
    /// blocks, the decompressor then takes exactly the tail and leaves the byte behind it. In a message that was cut short
    /// the tail is taken for something else, and a block ends before it or goes on.
    fn tail(&mut self) -> Result<(), Violation> {
        let [a, b, c, d] = TAIL;
        match self.decompress(&[a, b, c, d, 0x00], &mut [0], InflateFlush::Block)? {
            (4, 0, Status::Ok) => Ok(()),
            _ => Err(Violation::CorruptDeflate),
        }
    }

    /// How much was read and written.
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

/// Why the decompressor stopped.
enum Progress {
    /// A final block ended.
    Ended,
    /// It wants more input.
    Hungry,
    /// The room is used up.
    Full,
}
