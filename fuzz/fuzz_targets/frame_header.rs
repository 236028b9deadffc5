//! Fuzzes a frame header. The byte that proves the result decides once, and a decoded header
//! encodes to its bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use switchboard::proto::websocket::{Decoded, Header};

fuzz_target!(|input: &[u8]| {
    for rsv1_allowed in [false, true] {
        let whole = Header::decode_with(input, rsv1_allowed);
        let mut first =
            (0..=input.len()).map(|len| Header::decode_with(&input[..len], rsv1_allowed));
        let first = first.find(|decoded| *decoded != Decoded::Partial);
        assert_eq!(first.unwrap_or(Decoded::Partial), whole);
        match whole {
            Decoded::Partial => assert!(input.len() < Header::MAX_LEN),
            Decoded::Violation(violation) => {
                assert!(!violation.as_str().is_empty() && violation.code().as_u16() == 1002)
            }
            Decoded::Header(header, len) => {
                let mut encoded = Vec::new();
                header.encode(&mut encoded);
                assert_eq!(encoded, input[..len]);
                assert!(
                    header.len < 1 << 63
                        && (!header.opcode.is_control() || header.len <= 125 && header.fin)
                );
            }
        }
    }
});
