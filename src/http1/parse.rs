//! Judges a request head in one pass over what httparse found: method, target, then header lines.
//! If a head has several faults, this file decides which is reported. Before that,
//! header_lines.rs refuses malformed lines. target.rs judges the target, and request_headers.rs the
//! headers.

use http::Method;

use super::extensions::Extensions;
use super::head_fault::request_fault;
use super::header_lines::{HeaderSlots, RequestParts};
use super::request::Request;
use super::request_error::RequestError;
use super::request_headers::RequestHeaders;
use super::scan::{HeadLimits, MAX_HEADERS, MAX_METHOD};
use super::target::Target;

impl<'h> Request<'h> {
    /// Judges the head that the input begins with. Bytes after its end are not looked at.
    ///
    /// Allocates only where the path has to be decoded. [`scan`](super::scan) finds the end of
    /// every head that is accepted here, unless the head is beyond [`HeadLimits::head`]. So a
    /// program may parse at once what is likely to be whole, and scan only where this fails. The
    /// scan then says whether more bytes will help and whether one of them is forbidden.
    ///
    /// # Errors
    ///
    /// Returns the first fault of a head that RFC 9112 sections 2 to 6 do not allow, or that has
    /// two readings. Exceeding [`HeadLimits::headers`] or [`HeadLimits::target`] is a fault, too.
    pub fn parse(
        head: &'h [u8],
        slots: &'h mut HeaderSlots<'h>,
        limits: &HeadLimits,
    ) -> Result<Request<'h>, RequestError> {
        let HeaderSlots { lines, known } = slots;
        let most = limits.headers.min(MAX_HEADERS);
        let Some(parts) = RequestParts::read(head, &mut lines[..most]) else {
            return Err(request_fault(head, most));
        };
        let mut headers = RequestHeaders::new(parts.version, parts.lines, known);
        let method = judge_method(parts.method)?;
        if parts.target.len() > limits.target {
            return Err(RequestError::TargetTooLong);
        }
        let target = Target::parse(parts.target, &method)?;
        headers.conclude()?;
        Ok(Request {
            method,
            target,
            headers,
            zone_len: 0,
            is_secure: false,
            client: None,
            extensions: Extensions::new(),
        })
    }
}

fn judge_method(name: &str) -> Result<Method, RequestError> {
    if name == "GET" {
        return Ok(Method::GET);
    }
    if name.len() > MAX_METHOD {
        return Err(RequestError::MethodNotImplemented);
    }
    match Method::from_bytes(name.as_bytes()) {
        // RFC 9110 section 9.3.6: only a proxy has a use for it.
        Ok(Method::CONNECT) => Err(RequestError::MethodNotImplemented),
        Ok(method) => Ok(method),
        Err(_) => Err(RequestError::MalformedMethod),
    }
}
