//! Client certificates: required, requested, from another authority, and across a resumption.

use std::sync::Arc;

use rcgen::CertificateParams;
use rustls::{AlertDescription, Error, HandshakeKind};
use switchboard::{Tls, TlsConfig};
use switchboard_tls_tests::memory::{Pair, client_of, own};
use switchboard_tls_tests::{Authority, Folder, Issued};

/// What a handshake came to: the client's certificate as the server knows it, or the alert that the
/// client got.
fn outcome(
    tls: &Tls,
    authority: &Authority,
    version: &'static rustls::SupportedProtocolVersion,
    shows: Option<&Issued>,
) -> Result<bool, AlertDescription> {
    let client = client_of(&authority.pem(), &[version], shows);
    let pair = Pair::new(tls, &Arc::new(client), "localhost");
    match pair.client_error {
        Some(Error::AlertReceived(alert)) => Err(alert),
        Some(other) => panic!("{other}"),
        None => {
            let known = pair.server.peer_certificates().and_then(|chain| chain.first());
            assert_eq!(known, shows.map(own).as_ref());
            Ok(known.is_some())
        }
    }
}

#[test]
fn tls_judges_client_certificates() {
    let (folder, authority, members) =
        (Folder::new(), Authority::new(), Authority::named("members"));
    let (chain, key) = folder.put("one", &authority.issue(&["localhost"]));
    let roots = folder.write("roots.pem", &members.pem());
    let mut ended = CertificateParams::new(vec!["ada".to_owned()]).unwrap();
    ended.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let (member, ended) = (members.issue(&["ada"]), members.sign(ended));
    let stranger = Authority::named("strangers").issue(&["ada"]);
    let impostor = Authority::named("members").issue(&["ada"]);
    let config = TlsConfig::new(chain, key);
    let required = config.clone().require_client_certificates(&roots).load().unwrap();
    let requested = config.clone().request_client_certificates(&roots).load().unwrap();
    let last =
        config.clone().require_client_certificates("absent").request_client_certificates(&roots);
    let (none, last) = (config.load().unwrap(), last.load().unwrap());

    for version in rustls::ALL_VERSIONS {
        assert_eq!(outcome(&required, &authority, version, Some(&member)), Ok(true));
        for tls in [&requested, &last] {
            assert_eq!(outcome(tls, &authority, version, Some(&member)), Ok(true));
            assert_eq!(outcome(tls, &authority, version, None), Ok(false));
        }
        assert_eq!(outcome(&none, &authority, version, None), Ok(false));
        let alert = outcome(&required, &authority, version, None);
        assert_eq!(alert, Err(AlertDescription::CertificateRequired));
        for tls in [&required, &requested] {
            let alert = outcome(tls, &authority, version, Some(&stranger));
            assert_eq!(alert, Err(AlertDescription::UnknownCA));
            let alert = outcome(tls, &authority, version, Some(&impostor));
            assert_eq!(alert, Err(AlertDescription::DecryptError));
            let alert = outcome(tls, &authority, version, Some(&ended));
            assert_eq!(alert, Err(AlertDescription::CertificateExpired));
        }
    }
}

#[test]
fn tls_resumes_no_session_past_a_check_of_the_client() {
    let (folder, authority, members) =
        (Folder::new(), Authority::new(), Authority::named("members"));
    let (chain, key) = folder.put("one", &authority.issue(&["localhost"]));
    let roots = folder.write("roots.pem", &members.pem());
    let config = TlsConfig::new(chain, key).ticket_file(folder.path("tickets"));
    let open = config.clone().load().unwrap();
    let requested = config.clone().request_client_certificates(&roots).load().unwrap();
    let required = config.require_client_certificates(&roots).load().unwrap();
    let member = members.issue(&["ada"]);
    for version in rustls::ALL_VERSIONS {
        // All three share the keys of their tickets, and one client knows them by one name.
        let anonymous = Arc::new(client_of(&authority.pem(), &[version], None));
        for tls in [&open, &requested] {
            assert_eq!(Pair::new(tls, &anonymous, "localhost").kind(), Some(HandshakeKind::Full));
            let resumed = Pair::new(tls, &anonymous, "localhost").kind();
            assert_eq!(resumed, Some(HandshakeKind::Resumed));
            let refused = Pair::new(&required, &anonymous, "localhost");
            assert!(refused.client_error.is_some() && refused.server_error.is_some());
        }
        // A resumed session knows the client's certificate, until other authorities are loaded.
        let ada = Arc::new(client_of(&authority.pem(), &[version], Some(&member)));
        assert_eq!(Pair::new(&required, &ada, "localhost").kind(), Some(HandshakeKind::Full));
        let pair = Pair::new(&required, &ada, "localhost");
        assert_eq!(pair.kind(), Some(HandshakeKind::Resumed));
        assert_eq!(pair.server.peer_certificates().unwrap()[0], own(&member));
        // An authority of one name but another key is another authority.
        for (other, alert) in
            [("others", AlertDescription::UnknownCA), ("members", AlertDescription::DecryptError)]
        {
            folder.write("roots.pem", &Authority::named(other).pem());
            required.reload().unwrap();
            let pair = Pair::new(&required, &ada, "localhost");
            assert_eq!(pair.client_error, Some(Error::AlertReceived(alert)), "{version:?}");
            folder.write("roots.pem", &members.pem());
            required.reload().unwrap();
            assert!(Pair::new(&required, &ada, "localhost").kind().is_some());
            let resumed = Pair::new(&required, &ada, "localhost").kind();
            assert_eq!(resumed, Some(HandshakeKind::Resumed), "{version:?}");
        }
    }
}
