//! Fuzzes what a proxy sends first. A header has one reading wherever it is cut, and it is that of
//! a naive reader.

#![no_main]

#[path = "../../tests/proxy_header/naive.rs"]
mod naive;
#[allow(dead_code)]
#[path = "../../tests/proxy_header/vectors.rs"]
mod vectors;

use libfuzzer_sys::fuzz_target;
use switchboard::proto::proxy_header::ProxyHeader;

fuzz_target!(|input: &[u8]| {
    let whole = ProxyHeader::parse(input);
    match (whole, naive::naive(input)) {
        (ProxyHeader::Complete { address, len }, naive) => {
            assert_eq!(naive, Some((address, len)));
            assert!(len <= ProxyHeader::MAX_LEN && len <= input.len());
        }
        (_, naive) => assert_eq!(naive, None),
    }

    let mut bound = ProxyHeader::MAX_LEN;
    for len in 0..input.len() {
        match ProxyHeader::parse(&input[..len]) {
            ProxyHeader::Partial(left) => {
                assert!(left > 0 && len + left <= bound);
                bound = len + left;
            }
            verdict => return assert_eq!(verdict, whole),
        }
    }
});
