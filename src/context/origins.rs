//! The origins whose pages may open a WebSocket at zones without a list of their own, and the words
//! of a refusal. The comparison is websocket/origin.rs's.

use std::borrow::Cow;

use crate::http1::{Request, RequestError};
use crate::websocket::{Origins, check_origin};

/// The origins of a server, and how its program allows a further one.
#[derive(Debug)]
pub(crate) struct AllowedOrigins {
    list: Origins,
    pub(crate) remedy: Cow<'static, str>,
}

impl Default for AllowedOrigins {
    fn default() -> AllowedOrigins {
        let list = Origins::List(Vec::new());
        AllowedOrigins { list, remedy: Cow::Borrowed("Server::origins") }
    }
}

impl AllowedOrigins {
    pub(crate) fn set<S: AsRef<str>>(&mut self, origins: impl IntoIterator<Item = S>) {
        let origins = origins.into_iter().map(|origin| origin.as_ref().to_owned());
        self.list = Origins::List(origins.collect());
    }

    /// Judges the Origin of a request at a zone with these origins.
    ///
    /// # Errors
    /// The text of the refusal.
    pub(crate) fn check(&self, request: &Request<'_>, zone: &Origins) -> Result<(), String> {
        let is_listed = || *zone == Origins::SameHost && check_origin(request, &self.list).is_ok();
        match check_origin(request, zone).is_ok() || is_listed() {
            true => Ok(()),
            false => Err(self.refusal(request, zone)),
        }
    }

    /// Says which Origin is refused at which Host, and what to do. Both may be of any length.
    #[cold]
    fn refusal(&self, request: &Request<'_>, zone: &Origins) -> String {
        let lines = ["origin", "sec-websocket-origin"].map(|name| request.header_values(name));
        let origins: Vec<&[u8]> = lines.into_iter().flatten().collect();
        let origin = shown(&origins.join(&b", "[..]));
        let (remedy, otherwise) = match zone {
            Origins::SameHost => (&*self.remedy, ", or have the proxy pass Host on as it came"),
            Origins::Any | Origins::List(_) => ("Zone::origins", ""),
        };
        let (fault, host) = (RequestError::OriginRefused, shown(request.host_bytes()));
        if !can_be_listed(request, &origins) {
            return format!(
                "{fault}: \"{origin}\", at the Host \"{host}\"; an Origin is one scheme, host and \
                 perhaps port, such as https://chat.example"
            );
        }
        format!(
            "{fault}: \"{origin}\", at the Host \"{host}\"; allow it with {remedy} \"{origin}\"\
             {otherwise}"
        )
    }
}

/// Whether a list that names the Origin of a request would accept it.
fn can_be_listed(request: &Request<'_>, origins: &[&[u8]]) -> bool {
    let &[origin] = origins else { return false };
    std::str::from_utf8(origin)
        .is_ok_and(|origin| check_origin(request, &Origins::List(vec![origin.into()])).is_ok())
}

/// Shows at most 128 bytes of what a peer has sent, as ASCII that has no control characters.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(128)];
    let rest = if cut.len() < bytes.len() { ".." } else { "" };
    format!("{}{rest}", cut.escape_ascii())
}
