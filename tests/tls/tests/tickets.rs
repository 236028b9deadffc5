//! Sessions resume: on each reactor, after a reload, and after a restart by the file of keys.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, HandshakeKind, SupportedProtocolVersion};
use switchboard::{Tls, TlsConfig};
use switchboard_tls_tests::memory::{Pair, client_of};
use switchboard_tls_tests::{Authority, Folder};

const FULL: Option<HandshakeKind> = Some(HandshakeKind::Full);
const RESUMED: Option<HandshakeKind> = Some(HandshakeKind::Resumed);

struct House {
    folder: Folder,
    authority: Authority,
}

impl House {
    fn new() -> House {
        let house = House { folder: Folder::new(), authority: Authority::new() };
        house.folder.put("one", &house.authority.issue(&["localhost", "other.example"]));
        house
    }

    fn config(&self) -> TlsConfig {
        TlsConfig::new(self.folder.path("one.pem"), self.folder.path("one.key"))
    }

    fn with_file(&self) -> TlsConfig {
        self.config().ticket_file(self.folder.path("tickets"))
    }

    fn client(&self, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
        Arc::new(client_of(&self.authority.pem(), &[version], None))
    }
}

fn kind(tls: &Tls, client: &Arc<ClientConfig>) -> Option<HandshakeKind> {
    Pair::new(tls, client, "localhost").kind()
}

#[test]
fn tls_resumes_on_every_reactor_and_after_a_reload() {
    let house = House::new();
    for version in rustls::ALL_VERSIONS {
        let (tls, client) = (house.config().load().unwrap(), house.client(version));
        assert_eq!(kind(&tls, &client), FULL);
        assert_eq!(kind(&tls.clone(), &client), RESUMED);
        tls.reload().unwrap();
        assert_eq!(kind(&tls, &client), RESUMED);
        // Another Tls has keys of its own.
        assert_eq!(kind(&house.config().load().unwrap(), &client), FULL);
    }
}

#[test]
fn tls_resumes_after_a_restart_by_its_file() {
    let house = House::new();
    for version in rustls::ALL_VERSIONS {
        let (before, client) = (house.with_file().load().unwrap(), house.client(version));
        assert_eq!(kind(&before, &client), FULL);
        drop(before);
        let after = house.with_file().load().unwrap();
        assert_eq!(kind(&after, &client), RESUMED, "{version:?}");
        // A session is of one name (RFC 6066 section 3).
        assert_eq!(Pair::new(&after, &client, "other.example").kind(), FULL);
        std::fs::remove_file(house.folder.path("tickets")).unwrap();
        assert_eq!(kind(&house.with_file().load().unwrap(), &client), FULL, "other keys");
    }
    let mode = house.folder.path("tickets").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
}

#[test]
fn tls_refuses_a_file_that_is_unsound_and_leaves_it() {
    let house = House::new();
    let tickets = house.folder.path("tickets");
    house.with_file().load().unwrap();
    let whole = std::fs::read(&tickets).unwrap();
    let set = |bytes: &[u8], mode: u32| {
        std::fs::write(&tickets, bytes).unwrap();
        std::fs::set_permissions(&tickets, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let mut flipped = whole.clone();
    flipped[100] ^= 1;
    for (bytes, mode, fault, remedy) in [
        (&b""[..], 0o600, "is damaged", "remove it"),
        (&whole[..whole.len() - 1], 0o600, "is damaged", "remove it"),
        (&flipped, 0o600, "is damaged", "remove it"),
        (b"# the tickets of tomorrow\n", 0o600, "is not a file of ticket keys", "another path"),
        (b"switchboard tickets 9\n", 0o600, "is of another version", "another path"),
        (&whole, 0o640, "others may read (mode 0640)", "remove it"),
        (&whole, 0o604, "others may read (mode 0604)", "remove it"),
    ] {
        set(bytes, mode);
        let error = house.with_file().load().unwrap_err().to_string();
        let names = error.starts_with(tickets.to_str().unwrap());
        assert!(names && error.contains(fault) && error.contains(remedy), "{error}");
        assert_eq!(std::fs::read(&tickets).unwrap(), bytes, "{error}");
    }
    set(&whole, 0o600);
    assert!(house.with_file().load().is_ok());
    for path in [Path::new("/absent/tickets"), house.folder.as_ref()] {
        let error = house.config().ticket_file(path).load().unwrap_err().to_string();
        assert!(error.starts_with(path.to_str().unwrap()), "{error}");
    }
}
