//! The listener's certificates are read from files that the tests make, and chosen by name.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use rustls::SignatureScheme;
use rustls::crypto::ring;
use switchboard::{Tls, TlsConfig};
use switchboard_tls_tests::memory::{Pair, client, client_with, curious_client, own};
use switchboard_tls_tests::{Authority, Folder, Issued};

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    CertificateParams::new(names).unwrap()
}

#[test]
fn tls_reads_a_chain_and_its_key() {
    let (folder, authority) = (Folder::new(), Authority::new());
    let issued = authority.issue(&["localhost"]);
    let (chain, key) = folder.put("one", &issued);
    let tls = Tls::from_pem_files(&chain, &key).unwrap();
    let mut pair = Pair::new(&tls, &Arc::new(client(&authority.pem())), "localhost");
    assert_eq!(pair.shown(), Some(&own(&issued)));
    assert!(pair.echoes());
    let both = folder.write("both.pem", &format!("{}{}", issued.key, issued.chain));
    assert!(Tls::from_pem_files(&both, &both).is_ok());
}

#[test]
fn tls_chooses_a_certificate_by_the_name() {
    let (folder, authority) = (Folder::new(), Authority::new());
    let names: [&[&str]; 4] = [
        &["first.example"],
        &["Second.Example", "*.Second.example"],
        &["exact.second.example", "127.0.0.1"],
        &["*.deep.third.example"],
    ];
    let issued = names.map(|names| authority.issue(names));
    let (chain, key) = folder.put("0", &issued[0]);
    let mut config = TlsConfig::new(chain, key);
    for (number, issued) in issued.iter().enumerate().skip(1) {
        let (chain, key) = folder.put(&number.to_string(), issued);
        config = config.certificate(chain, key);
    }
    let (tls, client) = (config.load().unwrap(), Arc::new(curious_client()));
    for (name, expected) in [
        ("first.example", 0),
        ("FIRST.EXAMPLE", 0),
        ("second.example", 1),
        ("SeConD.exAmPle", 1),
        ("a.second.example", 1),
        ("A.SECOND.EXAMPLE", 1),
        ("a.b.second.example", 0),
        ("exact.second.example", 2),
        ("other.second.example", 1),
        ("www.deep.third.example", 3),
        ("deep.third.example", 0),
        ("third.example", 0),
        ("other.example", 0),
        ("example", 0),
        ("127.0.0.1", 0), // a client sends no name of an address
        ("::1", 0),
    ] {
        let pair = Pair::new(&tls, &client, name);
        assert_eq!(pair.shown(), Some(&own(&issued[expected])), "{name}");
    }
}

#[test]
fn tls_shows_a_certificate_whose_key_the_client_can_use() {
    let (folder, authority) = (Folder::new(), Authority::new());
    let edwards = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let issued = [
        authority.issue(&["other.example"]),
        authority.sign_key(params(&["both.example"]), &edwards),
        authority.issue(&["both.example"]),
    ];
    let [other, first, second] = [0, 1, 2].map(|n| folder.put(&n.to_string(), &issued[n]));
    let tls = TlsConfig::new(other.0, other.1)
        .certificate(first.0, first.1)
        .certificate(second.0, second.1)
        .load()
        .unwrap();
    let only = |scheme| {
        let mut provider = ring::default_provider();
        let mapping = provider.signature_verification_algorithms.mapping;
        let kept: Vec<_> = mapping.iter().filter(|(one, _)| *one == scheme).copied().collect();
        provider.signature_verification_algorithms.mapping = Vec::leak(kept);
        Arc::new(client_with(provider, &authority.pem(), rustls::ALL_VERSIONS, None))
    };
    for (scheme, expected) in
        [(SignatureScheme::ED25519, 1), (SignatureScheme::ECDSA_NISTP256_SHA256, 2)]
    {
        let pair = Pair::new(&tls, &only(scheme), "both.example");
        assert_eq!(pair.shown(), Some(&own(&issued[expected])), "{scheme:?}");
    }
}

#[test]
fn tls_names_the_file_and_what_to_do() {
    let (folder, authority) = (Folder::new(), Authority::new());
    let (chain, key) = folder.put("good", &authority.issue(&["localhost"]));
    let (_, other) = folder.put("other", &authority.issue(&["localhost"]));
    let write = |name: &str, text: &str| folder.write(name, text);
    let cut = std::fs::read_to_string(&key).unwrap().replace("-----END", "");
    let no_base64 = "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n";
    let no_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let no_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let pkcs8 =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES,AB\n\n\
               AAAA\n-----END RSA PRIVATE KEY-----\n";
    let rows = [
        (folder.path("absent.pem"), key.clone(), "absent.pem cannot be read (No such file", "give"),
        (chain.clone(), folder.path("absent.key"), "absent.key cannot be read (No such", "give"),
        (folder.path("."), key.clone(), "cannot be read (Is a directory", "give the path"),
        (write("empty.pem", ""), key.clone(), "empty.pem holds no certificate", "BEGIN CERT"),
        (write("text.pem", "hello"), key.clone(), "text.pem holds no certificate", "give a PEM"),
        (key.clone(), chain.clone(), "good.key holds no certificate", "then its key"),
        (chain.clone(), chain.clone(), "good.pem holds no private key", "the file of its key"),
        (chain.clone(), write("empty.key", ""), "empty.key holds no private key", "give a PEM"),
        (chain.clone(), write("pkcs8.key", pkcs8), "pkcs8.key holds an encrypted", "openssl pkey"),
        (chain.clone(), write("old.key", old), "old.key holds an encrypted", "openssl pkey"),
        (chain.clone(), write("crlf.key", &old.replace('\n', "\r\n")), "encrypted", "openssl"),
        (chain.clone(), write("cut.key", &cut), "cut.key is damaged", "copy it again"),
        (write("bad.pem", no_base64), key.clone(), "bad.pem is damaged", "copy it again"),
        (write("der.pem", no_der), key.clone(), "der.pem holds a certificate that", "authority"),
        (chain.clone(), write("der.key", no_key), "der.key holds a private key that", "ECDSA"),
        (chain.clone(), other, "other.key is not the key of the first", "good.pem; give the key"),
        (write("long.pem", &"x".repeat(5 << 20)), key.clone(), "is longer than 4 MiB", "give"),
    ];
    for (chain, key, fault, remedy) in rows {
        let error = Tls::from_pem_files(chain, key).unwrap_err().to_string();
        assert!(error.contains(fault) && error.contains(remedy), "{error}");
    }
}

#[test]
fn tls_names_the_file_of_authorities_and_what_to_do() {
    let folder = Folder::new();
    let (chain, key) = folder.put("one", &Authority::new().issue(&["localhost"]));
    let no_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (roots, fault, remedy) in [
        (folder.path("absent.pem"), "absent.pem cannot be read", "authorities of client cert"),
        (folder.write("empty.pem", ""), "empty.pem holds no certificate", "of each authority"),
        (key.clone(), "one.key holds no certificate", "of each authority"),
        (folder.write("der.pem", no_der), "der.pem holds a certificate that cannot", "authorities"),
    ] {
        let config = TlsConfig::new(&chain, &key);
        for config in [
            config.clone().require_client_certificates(&roots),
            config.request_client_certificates(&roots),
        ] {
            let error = config.load().unwrap_err().to_string();
            assert!(error.contains(fault) && error.contains(remedy), "{error}");
        }
    }
}

#[test]
fn tls_wants_the_servers_own_certificate_first() {
    let (folder, authority) = (Folder::new(), Authority::new());
    let issued = authority.issue(&["localhost"]);
    let (_, key) = folder.put("one", &issued);
    let chain = folder.write("reversed.pem", &format!("{}{}", authority.pem(), issued.chain));
    let error = Tls::from_pem_files(chain, key).unwrap_err().to_string();
    assert!(error.contains("own certificate first in the chain"), "{error}");
}

#[test]
fn tls_serves_a_certificate_that_has_ended_and_tells_when() {
    let (folder, authority) = (Folder::new(), Authority::new());
    let until = |year| {
        let mut params = params(&["localhost"]);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        authority.sign(params)
    };
    let years = |since_1970: u64, leap_days: u64| {
        SystemTime::UNIX_EPOCH + Duration::from_secs((since_1970 * 365 + leap_days) * 86_400)
    };
    let (ended, lasts) = (folder.put("ended", &until(2020)), folder.put("lasts", &until(2050)));
    let tls = Tls::from_pem_files(&lasts.0, &lasts.1).unwrap();
    assert_eq!(tls.expires(), Some(years(80, 20)));
    let tls = TlsConfig::new(&lasts.0, &lasts.1).certificate(&ended.0, &ended.1).load().unwrap();
    assert_eq!(tls.expires(), Some(years(50, 12)), "the first end counts");
    let tls = Tls::from_pem_files(&ended.0, &ended.1).unwrap();
    let pair = Pair::new(&tls, &Arc::new(client(&authority.pem())), "localhost");
    assert!(format!("{:?}", pair.client_error).contains("Expired"), "{:?}", pair.client_error);
    assert!(format!("{:?}", pair.server_error).contains("CertificateExpired"));
}

#[test]
fn tls_reloads_its_files_for_new_connections() {
    let (folder, authority) = (Folder::new(), Authority::new());
    let former = authority.issue(&["localhost"]);
    let (chain, key) = folder.put("one", &former);
    let tls = Tls::from_pem_files(&chain, &key).unwrap();
    let reactors = tls.clone();
    let client = || Arc::new(client(&authority.pem()));
    let mut open = Pair::new(&reactors, &client(), "localhost");
    let mut begun = rustls::ServerConnection::new(reactors.server_config()).unwrap();

    let renewed = authority.issue(&["localhost"]);
    folder.put("one", &renewed);
    assert_eq!(Pair::new(&reactors, &client(), "localhost").shown(), Some(&own(&former)));
    tls.reload().unwrap();
    assert_eq!(Pair::new(&reactors, &client(), "localhost").shown(), Some(&own(&renewed)));
    assert!(open.echoes());
    assert_eq!(open.shown(), Some(&own(&former)));
    // A connection that was accepted before gets what was there then.
    let mut pair = Pair::new(&reactors, &client(), "localhost");
    std::mem::swap(&mut begun, &mut pair.server);
    pair.client = rustls::ClientConnection::new(client(), "localhost".try_into().unwrap()).unwrap();
    pair.settle();
    assert_eq!(pair.shown(), Some(&own(&former)));
}

#[test]
fn tls_keeps_the_old_certificates_when_a_reload_fails() {
    let (folder, authority) = (Folder::new(), Authority::new());
    let former: Issued = authority.issue(&["localhost"]);
    let (chain, key) = folder.put("one", &former);
    let (roots, tickets) = (folder.write("roots.pem", &authority.pem()), folder.path("tickets"));
    let tls = TlsConfig::new(&chain, &key)
        .request_client_certificates(&roots)
        .ticket_file(&tickets)
        .load()
        .unwrap();
    let stays = |file: &str, fault: &str| {
        let error = tls.reload().unwrap_err().to_string();
        assert!(error.contains(file) && error.contains(fault), "{error}");
        let client = Arc::new(client(&authority.pem()));
        let mut pair = Pair::new(&tls, &client, "localhost");
        assert_eq!(pair.shown(), Some(&own(&former)), "{error}");
        assert!(pair.echoes(), "{error}");
    };
    let renewed = authority.issue(&["localhost"]);
    folder.write("one.pem", &renewed.chain); // and not yet the key
    stays("one.key", "is not the key of the first certificate");
    std::fs::remove_file(&chain).unwrap();
    stays("one.pem", "cannot be read");
    folder.put("one", &renewed);
    folder.write("roots.pem", "");
    stays("roots.pem", "holds no certificate");
    folder.write("roots.pem", &authority.pem());
    std::fs::write(&tickets, "a list of guests").unwrap();
    stays("tickets", "is not a file of ticket keys");
    assert_eq!(std::fs::read(&tickets).unwrap(), b"a list of guests");
    std::fs::remove_file(&tickets).unwrap();
    tls.reload().unwrap();
    let pair = Pair::new(&tls, &Arc::new(client(&authority.pem())), "localhost");
    assert_eq!(pair.shown(), Some(&own(&renewed)));
}

#[test]
fn tls_reloads_while_other_threads_accept() {
    let (folder, authority) = (Folder::new(), Authority::new());
    let issued = [authority.issue(&["localhost"]), authority.issue(&["localhost"])];
    let (chain, key) = folder.put("one", &issued[0]);
    let tls = Tls::from_pem_files(chain, key).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let client = Arc::new(client(&authority.pem()));
                let mut open = Pair::new(&tls, &client, "localhost");
                for _ in 0..50 {
                    let mut pair = Pair::new(&tls, &client, "localhost");
                    assert!(pair.echoes() && open.echoes());
                    let shown = pair.shown().unwrap();
                    assert!(issued.iter().any(|issued| own(issued) == *shown));
                }
            });
        }
        for round in 0..50 {
            folder.put("one", &issued[round % 2]);
            tls.reload().unwrap();
        }
    });
}

#[test]
fn tls_from_a_server_config_names_no_files() {
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::server::ResolvesServerCertUsingSni::new()));
    let tls = Tls::from(Arc::new(config));
    assert_eq!(tls.expires(), None);
    let error = tls.reload().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
    assert!(error.to_string().contains("`cert_resolver`"), "{error}");
}
