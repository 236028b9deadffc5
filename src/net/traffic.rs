//! Counts the bytes of a server's transports. Only transport.rs adds to the counts.

/// Bytes that went through system calls, or through the memory of a simulation. Under TLS they are
/// ciphertext.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) received: u64,
    pub(crate) sent: u64,
}
