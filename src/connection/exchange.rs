//! One HTTP exchange whose request body or response is still to come. An exchange keeps the bytes
//! of its request head, because later callbacks need the head again and a handler may not keep it.
//! This file calls no handler.

use super::attempt::Attempt;
use super::id::ConnId;
use crate::http1::{
    BodyLength, Chunked, Extensions, Framing, Request, RequestError, Response, Version,
};

/// The facts of a request that decide the form of its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// The HTTP version of the request.
    pub(crate) version: Version,
    /// The method is HEAD: the response has no body (RFC 9110 9.3.2).
    pub(crate) head_only: bool,
    /// The client may send another request on this connection (RFC 9112 9.3).
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

/// An exchange in progress.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// The bytes of the request head, to be parsed again.
    pub(crate) head: Vec<u8>,
    pub(crate) extensions: Extensions,
    /// The entry in the list of zones that asked for the body or owes the response.
    pub(crate) entry: usize,
    pub(crate) terms: Terms,
    pub(crate) progress: Progress,
}

impl Exchange {
    /// Begins an exchange in the client role, whose request is not made yet.
    pub(crate) fn of_client(progress: Progress) -> Exchange {
        Exchange {
            head: Vec::new(),
            extensions: Extensions::new(),
            entry: usize::MAX,
            terms: Terms { version: Version::Http11, head_only: false, keep_alive: false },
            progress,
        }
    }
}

/// The part of an exchange that is still to come.
#[derive(Debug)]
pub(crate) enum Progress {
    /// A body that a handler asked for.
    Body(Incoming),
    /// A body that no handler asked for. The next request follows it.
    Discard(Incoming),
    /// A response that a handler owes (`Reply::Later`).
    Owed,
    /// A response that waits for a message (`Reply::LongPoll`).
    Polling(Box<Polling>),
    /// The response to a handshake of this program, in the client role.
    Connecting(Box<Attempt>),
    /// A socket to a further address of this attempt, until one of them is connected.
    Rival(ConnId),
    /// A response body that a handler makes piece by piece (`Reply::Stream`).
    Stream(Framing),
}

/// A long poll that waits for a message of its topics, which are the connection's memberships.
#[derive(Debug)]
pub(crate) struct Polling {
    /// The two parts of the id behind which messages are new to the client.
    pub(crate) after: (u64, u64),
    /// The connection is in the list of polls to look at.
    pub(crate) is_woken: bool,
    /// The answer leaves at the next look, also without a message.
    pub(crate) is_due: bool,
    /// Messages before the id may be missing, and the client does not know.
    pub(crate) has_gap: bool,
    /// Header fields of the answer beside the usual ones.
    pub(crate) headers: Option<Box<Response>>,
}

/// A request body of which a part is still to arrive.
#[derive(Debug)]
pub(crate) struct Incoming {
    length: Length,
    /// The most bytes that the body may have.
    limit: usize,
    pub(crate) bytes: Vec<u8>,
    /// Bytes of input since the last call of `progress`.
    arrived: u64,
}

#[derive(Debug)]
enum Length {
    /// Bytes still to arrive.
    Known(u64),
    Chunked(Chunked),
}

impl Incoming {
    /// Begins a body of at most `limit` bytes; `None` for a request without a body.
    pub(crate) fn new(length: BodyLength, limit: usize) -> Option<Incoming> {
        let length = match length {
            BodyLength::None => return None,
            BodyLength::Known(n) => Length::Known(n),
            BodyLength::Chunked => Length::Chunked(Chunked::new()),
        };
        Some(Incoming { length, limit, bytes: Vec::new(), arrived: 0 })
    }

    /// Takes the body's part of the input. Returns the bytes taken, and whether the body is
    /// complete.
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

    /// Returns the bytes of input since the last call.
    pub(crate) fn progress(&mut self) -> u64 {
        std::mem::take(&mut self.arrived)
    }

    /// Drops the bytes so far of a body that no handler asked for.
    pub(crate) fn forget(&mut self) {
        self.bytes.clear();
    }
}
