//! An inflater that takes one bit at a time, as RFC 1951 reads: the oracle for ours.

/// Inflates a payload after earlier messages: the message, and the farthest distance of a
/// reference. `None` for invalid data, or if the payload does not end in the empty stored block
/// whose rest was stripped.
pub fn naive_inflate(payload: &[u8], history: &[u8]) -> Option<(Vec<u8>, usize)> {
    let bytes = [payload, &[0x00, 0x00, 0xFF, 0xFF]].concat();
    let mut bits = Bits { bytes: &bytes, at: 0 };
    let (mut out, mut since, mut farthest) = (history.to_vec(), 0, 0);
    loop {
        let begin = bits.at;
        let last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => {
                bits.at = bits.at.next_multiple_of(8);
                let (len, complement) = (bits.take(16)?, bits.take(16)?);
                if len != complement ^ 0xFFFF {
                    return None;
                }
                for _ in 0..len {
                    out.push(bits.take(8)? as u8);
                }
                if bits.at == bytes.len() * 8 {
                    let tail_only = len == 0 && begin < payload.len() * 8;
                    return tail_only.then(|| (out.split_off(history.len()), farthest));
                }
            }
            1 => {
                let lengths: Vec<u8> =
                    [vec![8; 144], vec![9; 112], vec![7; 24], vec![8; 8]].concat();
                let (literals, distances) =
                    (Code::new(&lengths, false)?, Code::new(&[5; 32], false)?);
                farthest = farthest.max(block(&mut bits, &literals, &distances, &mut out, since)?);
            }
            2 => {
                let (literals, distances) = dynamic(&mut bits)?;
                farthest = farthest.max(block(&mut bits, &literals, &distances, &mut out, since)?);
            }
            _ => return None,
        }
        if last {
            bits.at = bits.at.next_multiple_of(8);
            since = out.len();
            match bits.at.cmp(&(payload.len() * 8)) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Some((out.split_off(history.len()), farthest)),
                std::cmp::Ordering::Greater => return None,
            }
        }
    }
}

/// Inflates one compressed block and returns its farthest distance.
fn block(
    bits: &mut Bits<'_>,
    literals: &Code,
    distances: &Code,
    out: &mut Vec<u8>,
    since: usize,
) -> Option<usize> {
    let mut farthest = 0;
    loop {
        let symbol = literals.read(bits)?;
        match symbol {
            0..=255 => out.push(symbol as u8),
            256 => return Some(farthest),
            257..=285 => {
                let (len, distance) = (length(symbol - 257, bits)?, distances.read(bits)?);
                let distance = far(distance, bits)?;
                if distance > out.len() - since || distance > 1 << 15 {
                    return None;
                }
                farthest = farthest.max(distance);
                for _ in 0..len {
                    out.push(out[out.len() - distance]);
                }
            }
            _ => return None,
        }
    }
}

fn length(symbol: usize, bits: &mut Bits<'_>) -> Option<usize> {
    match symbol {
        0..=7 => Some(symbol + 3),
        28 => Some(258),
        _ => {
            let extra = symbol / 4 - 1;
            Some(((4 + symbol % 4) << extra) + 3 + bits.take(extra)?)
        }
    }
}

fn far(symbol: usize, bits: &mut Bits<'_>) -> Option<usize> {
    match symbol {
        0..=3 => Some(symbol + 1),
        4..=29 => {
            let extra = symbol / 2 - 1;
            Some(((2 + symbol % 2) << extra) + 1 + bits.take(extra)?)
        }
        _ => None,
    }
}

/// 3.2.7: the codes of a dynamic block.
fn dynamic(bits: &mut Bits<'_>) -> Option<(Code, Code)> {
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let (literals, distances, codes) = (bits.take(5)? + 257, bits.take(5)? + 1, bits.take(4)? + 4);
    if literals > 286 || distances > 30 {
        return None;
    }
    let mut lengths = [0; 19];
    for place in &ORDER[..codes] {
        lengths[*place] = bits.take(3)? as u8;
    }
    let code = Code::new(&lengths, false)?;
    let mut lengths = Vec::new();
    while lengths.len() < literals + distances {
        let (value, times) = match code.read(bits)? {
            symbol @ 0..=15 => (symbol as u8, 1),
            16 => (*lengths.last()?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            _ => (0, 11 + bits.take(7)?),
        };
        lengths.extend(vec![value; times]);
    }
    if lengths.len() > literals + distances || lengths[256] == 0 {
        return None;
    }
    Some((Code::new(&lengths[..literals], true)?, Code::new(&lengths[literals..], true)?))
}

struct Bits<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Bits<'_> {
    /// The next `n` bits, the first the lowest.
    fn take(&mut self, n: usize) -> Option<usize> {
        let mut value = 0;
        for i in 0..n {
            value |= usize::from(self.bytes.get(self.at / 8)? >> (self.at % 8) & 1) << i;
            self.at += 1;
        }
        Some(value)
    }
}

/// How many codes there are of each length, and the symbols in the order of their codes (3.2.2).
struct Code {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Code {
    /// `None` if the lengths are no code: too many, or too few, but that a single one of one bit
    /// may stand alone.
    fn new(lengths: &[u8], one_may_do: bool) -> Option<Code> {
        let mut counts = [0; 16];
        let mut symbols: Vec<usize> =
            (0..lengths.len()).filter(|&symbol| lengths[symbol] > 0).collect();
        symbols.sort_by_key(|&symbol| lengths[symbol]);
        symbols.iter().for_each(|&symbol| counts[usize::from(lengths[symbol])] += 1);
        let used: usize = (1..16).map(|len| counts[len] << (15 - len)).sum();
        let alone = one_may_do && symbols.len() == counts[1];
        (used == 1 << 15 || used < 1 << 15 && alone).then_some(Code { counts, symbols })
    }

    fn read(&self, bits: &mut Bits<'_>) -> Option<usize> {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &self.counts[1..] {
            code = code << 1 | bits.take(1)?;
            if code < first + count {
                return self.symbols.get(index + code - first).copied();
            }
            index += count;
            first = (first + count) << 1;
        }
        None
    }
}
