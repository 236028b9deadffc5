//! The listener's certificates are read from the files that the tests make.

use switchboard::Tls;
use switchboard_tls_tests::Authority;

#[test]
fn tls_reads_a_chain_and_its_key() {
    let directory = std::env::temp_dir().join(format!("switchboard-tls-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let issued = Authority::new().issue(&["localhost"]);
    let (chain, key) = (directory.join("chain.pem"), directory.join("key.pem"));
    std::fs::write(&chain, issued.chain).unwrap();
    std::fs::write(&key, issued.key).unwrap();
    assert!(Tls::from_pem_files(&chain, &key).is_ok());
    std::fs::remove_dir_all(directory).unwrap();
}
