//! What a client and the listener agree on: the protocol, the version, and no early data.

use std::io::Write;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{AlertDescription, Error, HandshakeKind, ProtocolVersion, ServerConfig};
use switchboard::Tls;
use switchboard_tls_tests::memory::{Pair, client, client_of};
use switchboard_tls_tests::{Authority, Folder};

/// Certificates from files, and the same from a configuration that offers what it should not.
fn both(authority: &Authority) -> [Tls; 2] {
    let (folder, issued) = (Folder::new(), authority.issue(&["localhost"]));
    let (chain, key) = folder.put("one", &issued);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_file(&chain).unwrap()],
            PrivateKeyDer::from_pem_file(&key).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"h3".to_vec(), b"acme-tls/1".to_vec()];
    config.max_early_data_size = 1 << 10;
    [Tls::from_pem_files(chain, key).unwrap(), Tls::from(Arc::new(config))]
}

#[test]
fn tls_selects_http_1_1_alone() {
    let authority = Authority::new();
    let refused = Some(Error::AlertReceived(AlertDescription::NoApplicationProtocol));
    for tls in both(&authority) {
        for (offers, selected) in [
            (&[][..], Some(None)),
            (&["http/1.1"], Some(Some("http/1.1"))),
            (&["h2", "http/1.1"], Some(Some("http/1.1"))),
            (&["http/1.1", "h2"], Some(Some("http/1.1"))),
            (&["h2"], None),
            (&["h3"], None),
            (&["http/1.0"], None),
            (&["HTTP/1.1"], None),
        ] {
            let mut client = client(&authority.pem());
            client.alpn_protocols = offers.iter().map(|offer| offer.as_bytes().to_vec()).collect();
            let pair = Pair::new(&tls, &Arc::new(client), "localhost");
            match selected {
                Some(selected) => {
                    assert_eq!(pair.kind(), Some(HandshakeKind::Full), "{offers:?}");
                    let agreed = pair.server.alpn_protocol();
                    assert_eq!(agreed, selected.map(str::as_bytes), "{offers:?}");
                }
                None => {
                    assert_eq!(pair.server_error, Some(Error::NoApplicationProtocol));
                    assert_eq!(pair.client_error, refused, "{offers:?}");
                }
            }
        }
    }
}

#[test]
fn tls_from_a_server_config_keeps_other_protocols() {
    let authority = Authority::new();
    let [_, tls] = both(&authority);
    let mut client = client(&authority.pem());
    client.alpn_protocols = vec![b"acme-tls/1".to_vec()];
    let pair = Pair::new(&tls, &Arc::new(client), "localhost");
    assert_eq!(pair.server.alpn_protocol(), Some(&b"acme-tls/1"[..]));
}

#[test]
fn tls_speaks_versions_1_2_and_1_3() {
    let authority = Authority::new();
    for tls in both(&authority) {
        for (version, expected) in [
            (&rustls::version::TLS12, ProtocolVersion::TLSv1_2),
            (&rustls::version::TLS13, ProtocolVersion::TLSv1_3),
        ] {
            let client = Arc::new(client_of(&authority.pem(), &[version], None));
            let mut pair = Pair::new(&tls, &client, "localhost");
            assert_eq!(pair.server.protocol_version(), Some(expected));
            assert!(pair.echoes());
        }
    }
}

#[test]
fn tls_takes_no_early_data() {
    let authority = Authority::new();
    for tls in both(&authority) {
        let mut client = client(&authority.pem());
        client.enable_early_data = true;
        let client = Arc::new(client);
        assert_eq!(Pair::new(&tls, &client, "localhost").kind(), Some(HandshakeKind::Full));
        let name = "localhost".try_into().unwrap();
        let mut early = rustls::ClientConnection::new(Arc::clone(&client), name).unwrap();
        assert!(early.early_data().is_none(), "a ticket allowed early data");
        let mut pair = Pair::new(&tls, &client, "localhost");
        assert_eq!(pair.kind(), Some(HandshakeKind::Resumed));
        assert!(pair.server.early_data().is_none() && !pair.client.is_early_data_accepted());
        pair.client.writer().write_all(b"late").unwrap();
        assert!(pair.server_error.is_none());
    }
}
