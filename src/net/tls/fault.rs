//! What failed in TLS, in words for the program that opened the connection. This file knows no
//! host, and decides nothing.

use std::borrow::Cow;
use std::io;

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, OtherError};

/// The reason of a failed read, write or handshake in the client role; `None` if it is not TLS that
/// failed.
pub(crate) fn reason(error: &io::Error) -> Option<Cow<'static, str>> {
    error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()).map(in_words)
}

fn in_words(error: &Error) -> Cow<'static, str> {
    match error {
        Error::InvalidCertificate(error) => of_certificate(error),
        Error::NoCertificatesPresented => "the server has no certificate".into(),
        Error::AlertReceived(alert) => of_alert(*alert),
        Error::PeerIncompatible(_) => {
            format!("no common version or cipher suite of TLS 1.3 and 1.2 ({error})").into()
        }
        // Nothing else begins with such a byte: RFC 8446 section 5.1.
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "the server speaks no TLS at this port".into()
        }
        Error::UnsupportedNameType => NO_NAME.into(),
        _ => error.to_string().into(),
    }
}

/// The reason why the host of a URL cannot be proved by a certificate.
pub(crate) const NO_NAME: &str = "the URL has a host that no certificate can name";

fn of_certificate(error: &CertificateError) -> Cow<'static, str> {
    use CertificateError as C;
    match error {
        C::UnknownIssuer => {
            "the certificate's authority is not trusted: give its root to `Connect::tls`".into()
        }
        C::Expired | C::ExpiredContext { .. } => "the certificate has expired".into(),
        C::NotValidYet | C::NotValidYetContext { .. } => "the certificate is not valid yet".into(),
        C::NotValidForNameContext { presented, .. } => {
            // A certificate may have thousands of names.
            let names: Vec<&str> = presented.iter().take(4).map(|name| bare(name)).collect();
            let more = if presented.len() > names.len() { ", .." } else { "" };
            format!("the certificate is for other names ({}{more})", names.join(", ")).into()
        }
        C::NotValidForName => "the certificate is for other names".into(),
        C::Revoked => "the certificate has been revoked".into(),
        C::BadSignature => "the certificate's signature does not verify".into(),
        C::BadEncoding => "the certificate is malformed".into(),
        C::InvalidPurpose | C::InvalidPurposeContext { .. } => "the certificate is not for \
             servers: make one with extendedKeyUsage serverAuth"
            .into(),
        C::Other(OtherError(other)) if is_of_authority(other.downcast_ref()) => "the certificate \
             is one of an authority, which no server may use: make one with basicConstraints \
             CA:FALSE"
            .into(),
        _ => format!("the certificate is not accepted: {error}").into(),
    }
}

fn is_of_authority(error: Option<&webpki::Error>) -> bool {
    matches!(error, Some(webpki::Error::CaUsedAsEndEntity))
}

/// The name in `DnsName("feed.example")` or `IpAddress(192.0.2.1)`.
fn bare(presented: &str) -> &str {
    let inner = presented.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(presented).trim_matches('"')
}

fn of_alert(alert: AlertDescription) -> Cow<'static, str> {
    use AlertDescription as A;
    match alert {
        A::CertificateRequired => "the server demands a client certificate: give one to \
             `Connect::tls`, in a `rustls::ClientConfig`"
            .into(),
        A::ProtocolVersion => "no common version: the server speaks neither TLS 1.3 nor 1.2".into(),
        A::UnrecognisedName => "the server does not serve this name".into(),
        A::HandshakeFailure => "the server refused the handshake (alert handshake_failure): no \
             common cipher suite, or a client certificate is demanded"
            .into(),
        A::UnknownCA | A::BadCertificate | A::CertificateExpired | A::CertificateUnknown => {
            format!("the server refused the client certificate (alert {alert:?})").into()
        }
        _ => format!("the server ended TLS with an alert ({alert:?})").into(),
    }
}
