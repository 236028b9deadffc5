//! A chunked body has one reading wherever it is cut, never exceeds the limit, and reads back as it
//! was written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use switchboard::proto::http1::{Chunked, LAST_CHUNK, RequestError, encode_chunk};

/// Bytes of the largest body; few, so that the fuzzer soon finds bodies of about this size.
const LIMIT: usize = 40;

/// The payload, the number of bytes that the body took, and whether the body is over.
fn decode<'i>(
    pieces: impl Iterator<Item = &'i [u8]>,
) -> Result<(Vec<u8>, usize, bool), RequestError> {
    let (mut chunked, mut payload, mut consumed) = (Chunked::new(), Vec::new(), 0);
    for piece in pieces {
        consumed += chunked.decode(piece, &mut payload, LIMIT)?.consumed;
        assert!(payload.len() <= LIMIT && payload.capacity() <= 2 * LIMIT);
    }
    Ok((payload, consumed, chunked.is_done()))
}

fuzz_target!(|input: &[u8]| {
    let Some((&len, input)) = input.split_first() else { return };
    let whole = decode(std::iter::once(input));
    assert_eq!(whole, decode(input.chunks(1)));
    assert_eq!(whole, decode(input.chunks(usize::from(len) + 1)));

    let payload = &input[..input.len().min(LIMIT)];
    let mut wire = Vec::new();
    payload.chunks(usize::from(len) + 1).for_each(|chunk| encode_chunk(&mut wire, chunk));
    wire.extend_from_slice(LAST_CHUNK);
    assert_eq!(decode(wire.chunks(7)), Ok((payload.to_vec(), wire.len(), true)));
});
