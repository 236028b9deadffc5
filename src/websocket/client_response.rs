//! The check of the server's response to a client's handshake (RFC 6455 section 4.1). This file
//! knows the request and the response. It does not know the meaning of an extension's parameters.

use http::StatusCode;

use super::client_handshake::ClientHandshake;
use super::extensions_header::{Extension, extensions};
use super::handshake_key::Key;
use crate::http1::{ResponseError, ResponseHead, Version, elements};

impl ClientHandshake {
    /// Checks the response to the request that [`encode`](ClientHandshake::encode) made with this
    /// key. Returns the subprotocol that the server selected, if any.
    ///
    /// All bytes after the head are frames then: a 101 has no body, whatever `Content-Length` and
    /// `Transfer-Encoding` say (RFC 9112 section 6.3, item 1). The server uses the extensions in
    /// its `Sec-WebSocket-Extensions`, and no others. Interim responses come before the answer: see
    /// [`ResponseHead::is_interim`].
    ///
    /// # Errors
    /// The first demand of section 4.1 that the response does not meet. The client then fails the
    /// connection. If the status is not 101, [`ResponseHead::status`] and the headers tell more,
    /// such as the `Location` of a redirection.
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
        self.check_subprotocol(response)
    }

    /// Item 5: "an extension that was not present in the client's handshake" fails the connection.
    /// An extension must not come twice, as both would claim the same bits and bytes (section 9.1).
    fn check_extensions(&self, response: &ResponseHead<'_>) -> Result<(), ResponseError> {
        let used = || response.header_values("sec-websocket-extensions").flat_map(extensions);
        let offers = || extensions(self.extensions.as_bytes());
        let offered = || offers().filter_map(|offer| offer.well_formed_name());
        for extension in used() {
            let name = extension.well_formed_name().ok_or(ResponseError::MalformedExtensions)?;
            if !offered().any(|offer| offer == name) {
                return Err(ResponseError::UnofferedExtension);
            }
        }
        // The loop runs over offers, which are few: the work stays linear in what the server sends.
        let is_used = |offer| move |extension: &Extension<'_>| extension.name == offer;
        match offered().any(|offer| used().filter(is_used(offer)).count() > 1) {
            true => Err(ResponseError::DoubledExtension),
            false => Ok(()),
        }
    }

    /// Item 6: the server selects a subprotocol of the request, equal in every byte, or none.
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

/// Item 1: the status is 101. Redirections and demands for credentials are left to the caller.
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

/// Item 2: the one element of `Upgrade` is `websocket`, in any case of letters.
fn check_upgrade(response: &ResponseHead<'_>) -> Result<(), ResponseError> {
    let mut lines = response.header_values("upgrade");
    let (Some(line), second) = (lines.next(), lines.next()) else {
        return Err(ResponseError::MissingUpgrade);
    };
    let mut protocols = elements(line);
    match (protocols.next(), protocols.next().or(second)) {
        (Some(protocol), None) if protocol.eq_ignore_ascii_case(b"websocket") => Ok(()),
        _ => Err(ResponseError::WrongUpgrade),
    }
}

/// Item 3: the list `Connection`, on one line or more, has the token `upgrade`.
fn check_connection(response: &ResponseHead<'_>) -> Result<(), ResponseError> {
    let mut options = response.header_values("connection").flat_map(elements);
    match options.any(|option| option.eq_ignore_ascii_case(b"upgrade")) {
        true => Ok(()),
        false => Err(ResponseError::MissingConnectionUpgrade),
    }
}

/// Item 4: the one value of `Sec-WebSocket-Accept` is the digest of our key.
fn check_accept(key: &Key, response: &ResponseHead<'_>) -> Result<(), ResponseError> {
    let mut values = response.header_values("sec-websocket-accept");
    match (values.next(), values.next()) {
        (None, _) => Err(ResponseError::MissingAccept),
        (Some(_), Some(_)) => Err(ResponseError::DoubledAccept), // 11.3.3
        (Some(value), None) if value == key.accept().as_bytes() => Ok(()),
        (Some(_), None) => Err(ResponseError::WrongAccept),
    }
}
