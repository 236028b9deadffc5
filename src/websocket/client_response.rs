//! The server's answer to a client's handshake: all that must be true before the first frame (RFC 6455 section 4.1).
//! Knows what was asked and what was answered; not what the parameters of an extension mean.

use http::StatusCode;

use super::{ClientHandshake, Key};
use crate::http1::{ResponseError, ResponseHead, Version, elements, is_token};

impl ClientHandshake {
    /// Judges the response to the request that [`encode`](ClientHandshake::encode) made with this key, and says which of the
    /// subprotocols the server selected, if any.
    ///
    /// Everything after the head is frames then. The extensions that the server uses, with their parameters, are the
    /// values of its `Sec-WebSocket-Extensions`; if there is none, none is used. Interim responses come before the answer:
    /// see [`ResponseHead::is_interim`].
    ///
    /// # Errors
    /// The first thing that section 4.1 demands and the response lacks. The client then fails the connection; where the
    /// status is not 101, [`ResponseHead::status`] and the headers say more, such as the `Location` of a redirection.
    pub fn check(
        &self,
        key: &Key,
        response: &ResponseHead<'_>,
    ) -> Result<Option<&str>, ResponseError> {
        check_status(response)?;
        check_upgrade(response)?;
        check_connection(response)?;
        check_accept(key, response)?;
        self.check_extensions(response)?;
        let selected = self.check_subprotocol(response)?;
        check_body(response)?;
        Ok(selected)
    }

    /// Item 5: "an extension that was not present in the client's handshake" fails the connection. Nor may one be there
    /// twice, as both would claim the same bits and the same bytes (section 9.1).
    fn check_extensions(&self, response: &ResponseHead<'_>) -> Result<(), ResponseError> {
        let used = || response.header_values("sec-websocket-extensions").flat_map(extension_names);
        let offered = || extension_names(self.extensions.as_bytes()).flatten();
        for name in used() {
            let name = name.ok_or(ResponseError::MalformedExtensions)?;
            if !offered().any(|offer| offer == name) {
                return Err(ResponseError::UnofferedExtension);
            }
        }
        // For each offer, of which there are few, so that the work stays linear in what the server sends.
        match offered().any(|offer| used().flatten().filter(|&name| name == offer).count() > 1) {
            true => Err(ResponseError::DoubledExtension),
            false => Ok(()),
        }
    }

    /// Item 6: one of those asked for, to the letter and its case, or none.
    fn check_subprotocol(
        &self,
        response: &ResponseHead<'_>,
    ) -> Result<Option<&str>, ResponseError> {
        let mut values = response.header_values("sec-websocket-protocol");
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(ResponseError::DoubledSubprotocol); // 11.3.4
        }
        let asked = self.subprotocols.iter().find(|name| name.as_bytes() == value);
        asked.map(|name| Some(&**name)).ok_or(ResponseError::UnaskedSubprotocol)
    }
}

/// Item 1; a redirection may be followed and credentials may be given, but neither happens unasked.
fn check_status(response: &ResponseHead<'_>) -> Result<(), ResponseError> {
    match response.status() {
        StatusCode::SWITCHING_PROTOCOLS if response.version() == Version::Http11 => Ok(()),
        // RFC 9110 section 15.2: HTTP/1.0 has no such status.
        StatusCode::SWITCHING_PROTOCOLS => Err(ResponseError::SwitchedInHttp10),
        StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            Err(ResponseError::Unauthorized)
        }
        StatusCode::UPGRADE_REQUIRED => Err(ResponseError::UpgradeRequired), // 4.4
        status if status.is_redirection() => Err(ResponseError::Redirected),
        _ => Err(ResponseError::NotSwitched),
    }
}

/// Item 2: the value is to be `websocket`, not to contain it.
fn check_upgrade(response: &ResponseHead<'_>) -> Result<(), ResponseError> {
    let mut values = response.header_values("upgrade");
    match (values.next(), values.next()) {
        (None, _) => Err(ResponseError::MissingUpgrade),
        (Some(value), None) if value.eq_ignore_ascii_case(b"websocket") => Ok(()),
        (Some(_), _) => Err(ResponseError::WrongUpgrade),
    }
}

/// Item 3: `Connection` is a list, on one line or more, and one of its tokens is to be `upgrade`.
fn check_connection(response: &ResponseHead<'_>) -> Result<(), ResponseError> {
    let mut options = response.header_values("connection").flat_map(elements);
    match options.any(|option| option.eq_ignore_ascii_case(b"upgrade")) {
        true => Ok(()),
        false => Err(ResponseError::MissingConnectionUpgrade),
    }
}

/// Item 4.
fn check_accept(key: &Key, response: &ResponseHead<'_>) -> Result<(), ResponseError> {
    let mut values = response.header_values("sec-websocket-accept");
    match (values.next(), values.next()) {
        (None, _) => Err(ResponseError::MissingAccept),
        (Some(_), Some(_)) => Err(ResponseError::DoubledAccept), // 11.3.3
        (Some(value), None) if value == key.accept().as_bytes() => Ok(()),
        (Some(_), None) => Err(ResponseError::WrongAccept),
    }
}

/// RFC 9110 section 8.6, RFC 9112 section 6.1: neither header has a place here. Who goes by them would take the first
/// frames for a body.
fn check_body(response: &ResponseHead<'_>) -> Result<(), ResponseError> {
    let empty = response.header_values("content-length").all(|len| len == b"0");
    match empty && response.header_values("transfer-encoding").next().is_none() {
        true => Ok(()),
        false => Err(ResponseError::SwitchedWithBody),
    }
}

/// The name of each extension of a `Sec-WebSocket-Extensions` (section 9.1), `None` for what is malformed.
///
/// Quotes need no care when the value is cut at its commas: what they hold must be a token too, and so has none.
pub(super) fn extension_names(value: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    elements(value).map(|extension| {
        let mut parts = extension.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        let name = parts.next().filter(|name| is_token(name));
        name.filter(|_| parts.all(is_parameter))
    })
}

/// `token [ "=" ( token / quoted-string ) ]`
fn is_parameter(parameter: &[u8]) -> bool {
    let Some(equals) = parameter.iter().position(|&byte| byte == b'=') else {
        return is_token(parameter);
    };
    let (name, value) = (&parameter[..equals], &parameter[equals + 1..]);
    is_token(name.trim_ascii_end()) && is_parameter_value(value.trim_ascii_start())
}

fn is_parameter_value(value: &[u8]) -> bool {
    let Some(quoted) = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) else {
        return is_token(value);
    };
    // Of a quoted pair only the second byte counts (RFC 9110 section 5.6.4), and it must be a token's here too.
    let mut bytes = quoted.iter();
    !quoted.is_empty()
        && std::iter::from_fn(|| match bytes.next()? {
            b'\\' => Some(bytes.next().copied().unwrap_or(b'\\')),
            &byte => Some(byte),
        })
        .all(|byte| is_token(&[byte]))
}
