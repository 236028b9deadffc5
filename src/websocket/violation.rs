//! The faults of a peer after the handshake, each with the close code that answers it.
//! This file knows neither where a fault is found nor how the connection ends.

use std::fmt;

use super::close_code::CloseCode;

/// A fault of the peer. The connection fails (RFC 6455 section 7.1.7) with
/// [`code`](Violation::code).
///
/// ```
/// use switchboard::proto::websocket::{CloseCode, Violation};
///
/// assert_eq!(Violation::TooBig.code(), CloseCode::TOO_BIG);
/// let error: Box<dyn std::error::Error> = Violation::Unmasked.into();
/// assert_eq!(error.to_string(), "frame from a client is not masked");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[non_exhaustive]
pub enum Violation {
    /// RSV1, RSV2 or RSV3 is set, and no negotiated extension gives the bit a meaning (section
    /// 5.2).
    ReservedBits,
    /// An opcode that is not one of the six (section 5.2).
    UnknownOpcode,
    /// A control frame without FIN (section 5.5).
    FragmentedControl,
    /// A control frame with more than 125 bytes of payload (section 5.5).
    ControlTooLong,
    /// A payload length that is not written in the fewest bytes (section 5.2).
    NonMinimalLength,
    /// A 64-bit payload length whose most significant bit is set (section 5.2).
    LengthOverflow,
    /// A frame to a server without a masking key (section 5.1).
    Unmasked,
    /// A frame to a client with a masking key (section 5.1).
    Masked,
    /// A continuation frame before any message has begun (section 5.4).
    UnexpectedContinuation,
    /// A new message before the fragmented one has ended (section 5.4).
    InterruptedMessage,
    /// A message above the limit; the code is 1009 (section 7.4.1).
    TooBig,
    /// Text that is not UTF-8; the code is 1007 (section 8.1).
    InvalidUtf8,
    /// A Close payload of one byte (section 5.5.1).
    TruncatedCloseCode,
    /// A close code that may not be sent (section 7.4).
    InvalidCloseCode,
    /// A close reason that is not UTF-8; the code is 1007 (section 5.5.1).
    InvalidCloseReason,
    /// A compressed message that does not decompress, or not to its end; the code is 1007 (RFC 7692
    /// section 7.2.2).
    CorruptDeflate,
}

impl Violation {
    /// The close code to send (section 7.4.1): 1002, 1007 or 1009.
    #[must_use]
    pub const fn code(self) -> CloseCode {
        match self {
            Violation::TooBig => CloseCode::TOO_BIG,
            Violation::InvalidUtf8 | Violation::InvalidCloseReason | Violation::CorruptDeflate => {
                CloseCode::INVALID_DATA
            }
            _ => CloseCode::PROTOCOL,
        }
    }

    /// Describes the fault in at most 123 bytes of ASCII, which fit the reason of a Close frame.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Violation::ReservedBits => "reserved bits are set",
            Violation::UnknownOpcode => "unknown opcode",
            Violation::FragmentedControl => "fragmented control frame",
            Violation::ControlTooLong => "control frame longer than 125 bytes",
            Violation::NonMinimalLength => "payload length is not minimally encoded",
            Violation::LengthOverflow => "payload length exceeds 63 bits",
            Violation::Unmasked => "frame from a client is not masked",
            Violation::Masked => "frame from a server is masked",
            Violation::UnexpectedContinuation => "continuation without a message",
            Violation::InterruptedMessage => "new message inside a fragmented one",
            Violation::TooBig => "message too big",
            Violation::InvalidUtf8 => "text is not UTF-8",
            Violation::TruncatedCloseCode => "close payload of one byte",
            Violation::InvalidCloseCode => "close code may not be sent",
            Violation::InvalidCloseReason => "close reason is not UTF-8",
            Violation::CorruptDeflate => "compressed data is corrupt",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for Violation {}
