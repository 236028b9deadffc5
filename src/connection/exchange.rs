//! One HTTP exchange in progress, for as long as its body or its answer is still to come. It keeps the request's
//! bytes, since what a handler was lent lives for the call only.

use super::attempt::Attempt;
use crate::http1::{BodyLength, Chunked, Extensions, Framing, Request, RequestError, Version};

/// What an answer must know of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) version: Version,
    /// HEAD: the answer has no body.
    pub(crate) head_only: bool,
    /// The client may send another request on this connection.
    pub(crate) keep_alive: bool,
}

impl Terms {
    pub(crate) fn of(request: &Request<'_>) -> Terms {
        Terms {
            version: request.version(),
            head_only: *request.method() == http::Method::HEAD,
            keep_alive: request.keep_alive(),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Exchange {
    /// The request head as it came, to be read again.
    pub(crate) head: Vec<u8>,
    pub(crate) extensions: Extensions,
    /// The entry of the zone list that asked for the body or owes the answer.
    pub(crate) entry: usize,
    pub(crate) terms: Terms,
    pub(crate) progress: Progress,
}

#[derive(Debug)]
pub(crate) enum Progress {
    /// The body is on its way to the handler.
    Body(Incoming),
    /// Nobody wanted the body; the next request comes after it.
    Discard(Incoming),
    /// A handler owes the answer (`Reply::Later`).
    Owed,
    /// It is a request of ours.
    Connecting(Box<Attempt>),
    /// A handler makes the body piece by piece (`Reply::Stream`): what is left of it.
    Stream(Framing),
}

/// A request body that arrives.
#[derive(Debug)]
pub(crate) struct Incoming {
    length: Length,
    limit: usize,
    pub(crate) bytes: Vec<u8>,
    /// Bytes on the wire since it was last looked at.
    arrived: u64,
}

#[derive(Debug)]
enum Length {
    Known(u64),
    Chunked(Chunked),
}

impl Incoming {
    /// `None` for a request without a body.
    pub(crate) fn new(length: BodyLength, limit: usize) -> Option<Incoming> {
        let length = match length {
            BodyLength::None => return None,
            BodyLength::Known(n) => Length::Known(n),
            BodyLength::Chunked => Length::Chunked(Chunked::new()),
        };
        Some(Incoming { length, limit, bytes: Vec::new(), arrived: 0 })
    }

    /// Takes what belongs to the body: how many bytes of input, and whether the body is complete.
    pub(crate) fn take(&mut self, input: &[u8]) -> Result<(usize, bool), RequestError> {
        self.arrived += input.len() as u64;
        match &mut self.length {
            Length::Known(rest) => {
                if *rest > (self.limit - self.bytes.len()) as u64 {
                    return Err(RequestError::BodyTooLarge);
                }
                let n = usize::try_from(*rest).map_or(input.len(), |rest| rest.min(input.len()));
                self.bytes.extend_from_slice(&input[..n]);
                *rest -= n as u64;
                Ok((n, *rest == 0))
            }
            Length::Chunked(chunked) => {
                let progress = chunked.decode(input, &mut self.bytes, self.limit)?;
                Ok((progress.consumed, progress.done))
            }
        }
    }

    /// How many bytes have arrived since it was last asked.
    pub(crate) fn progress(&mut self) -> u64 {
        std::mem::take(&mut self.arrived)
    }

    /// Forgets the bytes so far, of a body that nobody wants.
    pub(crate) fn forget(&mut self) {
        self.bytes.clear();
    }
}
