//! TLS in the process: certificates, names, a reload, sessions that outlive a redeploy, client
//! certificates, and what a handshake costs.
//!
//! # Turn it on
//!
//! Run `cargo add switchboard --features tls`. The feature builds rustls with *ring*; it needs a C
//! compiler and no OpenSSL.
//!
//! ```no_run
//! # #[cfg(feature = "tls")] {
//! use switchboard::{Listener, Reactor, Tls};
//!
//! let mut reactor = Reactor::new()?;
//! reactor.server.websocket("/", |conn, message| conn.send(message));
//! let tls = Tls::from_pem_files("/etc/app/chain.pem", "/etc/app/key.pem")?;
//! reactor.server.listen(Listener::from(":443").tls(tls))?;
//! reactor.run()?;
//! # }
//! # std::io::Result::Ok(())
//! ```
//!
//! The server speaks TLS 1.3 and 1.2, and no older version. An unsound file is an error of
//! `from_pem_files`, before the program listens.
//!
//! Handlers see no difference: pages, WebSockets and event streams work as they do without TLS. A
//! [`Tls`](crate::Tls) is a handle. With several reactors, give each listener a clone.
//!
//! # Plain HTTP beside it
//!
//! All listeners of a server share its zones. A handler at `/` that is registered first sends plain
//! requests to `https`. Name the host yourself, because a client chooses the `Host` that it sends:
//!
//! ```
//! use switchboard::testing::World;
//! use switchboard::{Reply, Response, Zone};
//!
//! let mut world = World::new(); // a program listens at ":80", and at ":443" with TLS
//! world.server.http(Zone::new("/").upgrades(true), |_, request| match request.scheme() {
//!     "https" => Reply::Pass,
//!     _ => Response::redirect(308, &format!("https://chat.example{}", request.target())).into(),
//! });
//! world.server.http("/", |_, _| "hello");
//! let answer = world.get("/page?a=1");
//! assert_eq!(answer.status, 308);
//! assert_eq!(answer.header("Location"), Some("https://chat.example/page?a=1"));
//! ```
//!
//! # Certificates
//!
//! A certificate is two PEM files: the chain, with the server's own certificate first, and the
//! private key. These are `fullchain.pem` and `privkey.pem` of certbot. A key may be ECDSA (P-256,
//! P-384), Ed25519, or RSA of 2,048 to 8,192 bits. **Prefer ECDSA P-256**: it is the cheapest that
//! all browsers know. The mode of a key's file is not checked: let only the program read it.
//!
//! For a first try, make a certificate that no client trusts yet. It has to be `CA:FALSE`: clients
//! that use rustls, such as the client role of this crate, refuse one of an authority.
//!
//! ```sh
//! openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
//!     -subj /CN=localhost -addext subjectAltName=DNS:localhost \
//!     -addext basicConstraints=critical,CA:FALSE -keyout key.pem -out chain.pem
//! curl --cacert chain.pem https://localhost:9001/
//! ```
//!
//! Each error names its file and what to do:
//!
//! | fault | what the error asks for |
//! | --- | --- |
//! | the file is missing or may not be read | its path, or the permission |
//! | no certificate, or no key, in the file | which file holds it, if the two are exchanged |
//! | the key is encrypted | `openssl pkey` |
//! | the key is not that of the first certificate | the right key, or the order of the chain |
//! | the key is of another kind | ECDSA, Ed25519 or RSA |
//!
//! A certificate that has ended is no error, because the clock may be wrong. Look at
//! [`Tls::expires`](crate::Tls::expires) after a load, and once a day.
//!
//! # Several names
//!
//! A client says which name it wants (SNI). The server looks for the name in the certificates
//! themselves, so the program names only files:
//!
//! ```no_run
//! # #[cfg(feature = "tls")] {
//! use switchboard::TlsConfig;
//!
//! let tls = TlsConfig::new("/etc/app/example.com.pem", "/etc/app/example.com.key")
//!     .certificate("/etc/app/example.org.pem", "/etc/app/example.org.key")
//!     .load()?;
//! # }
//! # std::io::Result::Ok(())
//! ```
//!
//! | the client asks for | it gets |
//! | --- | --- |
//! | a name that a certificate carries | this certificate |
//! | `a.example.com`, and there is `*.example.com` | the certificate with the wildcard |
//! | `a.b.example.com` | the first certificate: a wildcard stands for one label |
//! | another name, an address, or nothing | the first certificate |
//!
//! If two certificates carry one name, such as one with ECDSA and one with RSA, a client gets the
//! first whose key it can use.
//!
//! The name in the handshake does not choose a handler: the `Host` of the request does, as without
//! TLS. Name the hosts that you serve with [`Server::hosts`](crate::Server::hosts).
//!
//! # New certificates without a restart
//!
//! [`Tls::reload`](crate::Tls::reload) reads all files anew; the server never does so by itself.
//! New connections get the new certificates, and open connections stay. If a file is unsound, the
//! old certificates stay, and the error says why. Any thread may call it:
//!
//! ```no_run
//! # #[cfg(feature = "tls")] {
//! use signal_hook::consts::SIGHUP;
//! use signal_hook::iterator::Signals;
//! use switchboard::Tls;
//!
//! let tls = Tls::from_pem_files("/etc/app/chain.pem", "/etc/app/key.pem")?;
//! let (reloaded, mut signals) = (tls.clone(), Signals::new([SIGHUP])?);
//! std::thread::spawn(move || {
//!     for _ in signals.forever() {
//!         match reloaded.reload() {
//!             Ok(()) => eprintln!("new certificates until {:?}", reloaded.expires()),
//!             Err(error) => eprintln!("the old certificates stay: {error}"),
//!         }
//!     }
//! });
//! # }
//! # std::io::Result::Ok(())
//! ```
//!
//! With certbot: `certbot renew --deploy-hook 'systemctl reload app'`. Between its two writes the
//! key may not match the chain; a reload then fails, and the one after both writes succeeds.
//!
//! # What a handshake costs
//!
//! The server's CPU time for one handshake:
//!
//! | key of the certificate | TLS 1.3, full | resumed | TLS 1.2, full | resumed |
//! | --- | --- | --- | --- | --- |
//! | ECDSA P-256 | 101 µs | 89 µs | 85 µs | 12 µs |
//! | RSA, 2,048 bits | 555 µs | 88 µs | 537 µs | 12 µs |
//!
//! These were measured with rustls 0.23 and *ring*, on one core of an Intel Xeon, in 2026. So a
//! redeploy of a server with 19,000 clients costs 2 s of CPU time with ECDSA, and 11 s with RSA. A
//! key exchange is part of each handshake of TLS 1.3. So there, resuming saves much only with RSA.
//! Two things help.
//!
//! - **A turn takes handshakes for 4 ms, and then serves others.** New clients wait in order of
//!   arrival; open connections do not. A step that waits for more than 250 ms begins `head_timeout`
//!   anew, so a client is not ended because the server is behind.
//!   [`Server::handshake_budget`](crate::Server::handshake_budget) changes the 4 ms.
//! - **Clients resume their sessions.** A client that comes back shows a ticket, and the server
//!   makes no signature. Tickets are on by default. Their key changes every 6 hours of wall time,
//!   so a ticket is good for 6 to 12 hours.
//!
//! # Sessions that outlive a redeploy
//!
//! The keys of the tickets live in memory, so after a restart no client can resume. Keep them in a
//! file, and all can:
//!
//! ```no_run
//! # #[cfg(feature = "tls")] {
//! use switchboard::TlsConfig;
//!
//! let tls = TlsConfig::new("/etc/app/chain.pem", "/etc/app/key.pem")
//!     .ticket_file("/var/lib/app/tickets")
//!     .load()?;
//! # }
//! # std::io::Result::Ok(())
//! ```
//!
//! - The server makes the file, with mode 0600. It needs a folder that it may write. Several
//!   processes may share the file, also the old and the new one during a redeploy.
//! - The file is a secret. Its reader can decrypt recorded TLS 1.2 connections of the last 12
//!   hours, if they resumed or took a ticket. Keep the file off backups and shared folders.
//! - A file that others may read, that is damaged, or that is something else, is an error. The
//!   server leaves such a file as it is.
//! - The clocks of the machines need to agree within some minutes.
//! - To end all sessions, remove the file and restart.
//!
//! # Client certificates
//!
//! ```no_run
//! # #[cfg(feature = "tls")] {
//! use switchboard::TlsConfig;
//!
//! let tls = TlsConfig::new("/etc/app/chain.pem", "/etc/app/key.pem")
//!     .require_client_certificates("/etc/app/members.pem")
//!     .load()?;
//! # let mut reactor = switchboard::Reactor::new()?;
//! reactor.server.http("/", |conn, _| match conn.peer_certificates().first() {
//!     Some(certificate) => format!("a certificate of {} bytes\n", certificate.len()),
//!     None => "no certificate\n".to_owned(),
//! });
//! reactor.server.listen(switchboard::Listener::from(":443").tls(tls))?;
//! # }
//! # std::io::Result::Ok(())
//! ```
//!
//! | the client shows | required | requested |
//! | --- | --- | --- |
//! | a certificate of one of the authorities | served | served |
//! | none | refused | served |
//! | one of another authority, or one that has ended | refused | refused |
//!
//! [`Conn::peer_certificates`](crate::Conn::peer_certificates) has the client's chain in DER form,
//! in every callback. A crate such as `x509-parser` reads the names in it.
//!
//! Revocation is not checked: name an authority that issues for days rather than years. A session
//! that resumes is not checked again. So tickets are bound to the authorities: after a reload with
//! others, and on a listener with others, each client makes a full handshake.
//!
//! # What is refused
//!
//! | what | what happens |
//! | --- | --- |
//! | plain HTTP on the port | 400 in plain text, from the first byte; there is no fallback |
//! | TLS 1.1 and older, SSL | the alert `protocol_version` or `handshake_failure` |
//! | a client that offers only `h2` or other protocols (ALPN) | `no_application_protocol` |
//! | a client that offers no protocol | served |
//! | a record or a message that breaks TLS | an alert, where rustls has one; closed |
//! | a connection beyond a limit, or without a descriptor | the alert `internal_error` |
//! | early data (0-RTT) | never offered: an attacker could replay it |
//! | renegotiation | refused |
//! | a handshake that takes longer than `head_timeout` | closed |
//! | TLS at a listener without it | 400 in plain text |
//!
//! # Faults in the log
//!
//! [`Server::observe`](crate::Server::observe) reports each refused handshake as
//! [`Observed::Rejected`](crate::Observed::Rejected), and
//! [`Stats::rejected`](crate::Stats::rejected) counts it. A peer that only left is not reported.
//! TLS at a plain port, plain HTTP at a port for TLS, and a client beyond a limit are
//! [`Observed::Refused`](crate::Observed::Refused). A fault after the handshake ends a WebSocket
//! with 1006 and the cause [`TlsFault`](crate::Cause::TlsFault), and is not reported. Most reasons
//! are those of rustls:
//!
//! | the reason has | cause |
//! | --- | --- |
//! | `fatal alert: UnknownCA`, `CertificateUnknown` | the client does not trust the certificate |
//! | `fatal alert: BadCertificate` | often: the certificate is for other names |
//! | `fatal alert: CertificateExpired` | the certificate has ended, or a clock is wrong |
//! | `peer sent no certificates` | a client certificate is required |
//! | `invalid peer certificate: UnknownIssuer` | the client's is of another authority |
//! | `peer is incompatible` | an old client: no TLS 1.3 or 1.2, or no common cipher suite |
//! | `peer doesn't support any known protocol` | a client that offers only `h2` |
//! | `was not over within head_timeout` | a slow network, a scan, or an attack |
//! | `corrupt message`, `unexpected message`, `misbehaved` | a peer that is no client of TLS |
//! | `TLS at a port for plain HTTP` | `https` or `wss` in a URL of the plain port |
//!
//! If a client does not trust the certificate, first look whether the chain lacks the certificates
//! between the server's own and the root.
//!
//! # All that rustls can
//!
//! Another provider of cryptography, certificates from a database, ACME in the process, or other
//! rules for clients: make a `rustls::ServerConfig`, and a `Tls` from it. The crate gives out its
//! own rustls as [`switchboard::rustls`](crate::rustls), so the versions agree.
//!
//! ```
//! # #[cfg(feature = "tls")] {
//! use std::sync::Arc;
//! use switchboard::Tls;
//! use switchboard::rustls::ServerConfig;
//! use switchboard::rustls::crypto::ring::default_provider;
//! use switchboard::rustls::server::ResolvesServerCertUsingSni;
//! use switchboard::rustls::version::TLS13;
//!
//! let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
//!     .with_protocol_versions(&[&TLS13])?
//!     .with_no_client_auth()
//!     .with_cert_resolver(Arc::new(ResolvesServerCertUsingSni::new()));
//! config.alpn_protocols = vec![b"h2".to_vec()];
//! let tls = Tls::from(Arc::new(config));
//! assert_eq!(tls.server_config().alpn_protocols, [b"http/1.1"]); // no h2 here
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # In the client role
//!
//! With the feature, [`Context::connect`](crate::Context::connect) opens `wss` URLs. By default it
//! trusts the certificate authorities of the platform. [`Connect::tls`](crate::Connect::tls) takes
//! a [`ClientTls`](crate::ClientTls) with others. The name in the URL is checked, and sessions
//! resume.
//!
//! ```no_run
//! # let mut server = switchboard::Server::detached();
//! # struct Feed;
//! # impl switchboard::Handler for Feed {}
//! # let feed = server.zone("/feed", Feed);
//! # let cx = server.context(std::time::Instant::now());
//! use switchboard::Connect;
//!
//! cx.connect(feed, Connect::to("wss://feed.example/ticks"));
//! ```
//!
//! If the handshake fails, [`Handler::close`](crate::Handler::close) gets a reason that names the
//! host and the fault.
//!
//! # What an idle connection costs
//!
//! An idle `wss` connection takes 7,750 bytes of resident memory: at most 96 bytes are this
//! crate's, and rustls keeps 7.4 KB. No buffer for ciphertext or plaintext stays. Without TLS it is
//! 64 bytes. So for a million idle connections, let a proxy or a load balancer end TLS, or plan for
//! 8 GB.
