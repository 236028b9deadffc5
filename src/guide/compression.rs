//! Compression of messages: permessage-deflate (RFC 7692), what it costs, and when not to use it.
//! Compression is off until you turn on the feature `deflate` and the option.
//!
//! # Turn it on
//!
//! Run `cargo add switchboard --features deflate`.
//!
//! ```
//! # #[cfg(feature = "deflate")] {
//! use switchboard::{DeflateConfig, Options, Server};
//!
//! let mut server = Server::detached();
//! server.options(Options::new().deflate(DeflateConfig::shared()));
//! # }
//! ```
//!
//! Browsers offer compression by themselves. If a client offers none, or other parameters, the
//! connection goes on without compression. Handlers see no difference: they get messages inflated.
//!
//! # Shared or dedicated
//!
//! | | `DeflateConfig::shared()` | `DeflateConfig::dedicated()` |
//! | --- | --- | --- |
//! | more memory of an idle connection | none | up to 370,240 bytes |
//! | when this memory is taken | never | with the first compressed message each way |
//! | what a message may refer to | itself | earlier messages too |
//! | a publish is compressed | once for receivers with the same terms | once for each receiver |
//! | good for | many connections, long messages | few connections, short similar messages |
//!
//! In shared mode one compressor and one decompressor serve all connections. In dedicated mode each
//! connection has its own pair, if its client agrees. A smaller window takes less memory:
//!
//! | window bits | 9 | 10 | 11 | 12 | 13 | 14 | 15 |
//! | --- | --- | --- | --- | --- | --- | --- | --- |
//! | compressor, bytes | 143,488 | 145,536 | 149,632 | 157,824 | 181,376 | 228,480 | 322,688 |
//!
//! The decompressor takes 47,552 bytes. In dedicated mode, 10,000 connections that have compressed
//! both ways at 15 bits take 3.7 GB. In shared mode they take no more memory than without
//! compression.
//!
//! In dedicated mode, under a [policy that drops](super::slow_readers), a message is compressed as
//! it begins to leave. So no message refers to one that was dropped or replaced. Until then the
//! message counts uncompressed toward [`max_buffered`](crate::Options::max_buffered).
//!
//! # The settings
//!
//! | setter | default | meaning |
//! | --- | --- | --- |
//! | `level(n)` | 1 | 0 does not compress, 1 is quick, 9 tries hardest |
//! | `server_bits(n)` | 15 | the server's window, 9 to 15 |
//! | `client_bits(n)` | 15 | the client's window, if the client offers to limit it |
//! | `threshold(bytes)` | 256 | shorter messages are sent uncompressed |
//!
//! In shared mode, a message that compression does not shorten is sent uncompressed.
//!
//! ```
//! # #[cfg(feature = "deflate")] {
//! use switchboard::DeflateConfig;
//!
//! let config = DeflateConfig::dedicated().server_bits(11).client_bits(11).threshold(1 << 10);
//! assert!(config.compresses(1 << 10) && !config.compresses(1000));
//! # }
//! ```
//!
//! # When not to
//!
//! - **Secrets beside text of others.** The length of a compressed message reveals whether two of
//!   its parts are alike. Send such messages with
//!   [`Outgoing::uncompressed`](crate::Outgoing::uncompressed).
//! - **Images, archives, media.** They are compressed already.
//! - **Short messages in shared mode.** A short message alone holds little that repeats.
//! - **Messages in chunks.** [`Options::chunks`](crate::Options::chunks) turns compression off for
//!   its connections.
//!
//! # What cannot go wrong
//!
//! Inflating stops at [`max_message`](crate::Options::max_message): the sender of a compression
//! bomb gets Close 1009. The sender of corrupt data gets Close 1007. In one turn of the loop, a
//! connection has 256 steps; each message is a step, and so are each 4 KiB of inflated bytes.
//!
//! ```
//! # #[cfg(feature = "deflate")] {
//! use switchboard::{DeflateConfig, Options};
//! use switchboard::testing::World;
//! use switchboard::http::Request;
//!
//! let mut world = World::new();
//! world.server.options(Options::new().deflate(DeflateConfig::shared()));
//! world.server.websocket("/", |conn, message| conn.send(message));
//! let offer = Request::get("/").header("Sec-WebSocket-Extensions", "permessage-deflate");
//! let ada = world.websocket(offer);
//! let agreed = world.head(ada).header("sec-websocket-extensions").unwrap();
//! assert!(agreed.starts_with("permessage-deflate"));
//! assert!(agreed.contains("server_no_context_takeover"));
//! # }
//! ```
//!
//! `cargo bench --bench codec --features deflate` measures the time that compression takes on your
//! machine.
