//! Compression of messages: permessage-deflate (RFC 7692), what it costs, and when not to use it.
//! It is off until you turn on the feature `deflate` and the option.
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
//! Browsers offer compression by themselves. Where a client does not, or offers something else, the
//! connection goes on without it. Handlers see no difference: messages arrive inflated.
//!
//! # Shared or dedicated
//!
//! | | `DeflateConfig::shared()` | `DeflateConfig::dedicated()` |
//! | --- | --- | --- |
//! | memory of an idle connection | nothing more | up to 370,240 bytes |
//! | when it is taken | | with the first compressed message each way |
//! | what a message may refer to | itself | earlier messages too |
//! | a publish to many | compressed once for all with the same terms | compressed for each |
//! | good for | many connections, long messages | few connections, short similar messages |
//!
//! In shared mode one compressor and one decompressor serve all connections. In dedicated mode each
//! connection has its own pair, if its client agrees. A smaller window costs less:
//!
//! | window bits | 9 | 10 | 11 | 12 | 13 | 14 | 15 |
//! | --- | --- | --- | --- | --- | --- | --- | --- |
//! | compressor, bytes | 143,488 | 145,536 | 149,632 | 157,824 | 181,376 | 228,480 | 322,688 |
//!
//! The decompressor takes 47,552 bytes. 10,000 connections that have compressed both ways at 15
//! bits hold 3.7 GB; in shared mode they hold what they held before.
//!
//! # The settings
//!
//! | setter | default | meaning |
//! | --- | --- | --- |
//! | `level(n)` | 1 | 0 does not compress, 1 is quick, 9 tries hardest |
//! | `server_bits(n)` | 15 | our window, 9 to 15 |
//! | `client_bits(n)` | 15 | the client's window, where it offers to limit it |
//! | `threshold(bytes)` | 256 | shorter messages go as they are |
//!
//! In shared mode a message that does not become shorter goes as it is.
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
//! - **Secrets beside text of others.** The length of a compressed message tells whether two parts
//!   are alike. Send such messages with [`Outgoing::uncompressed`](crate::Outgoing::uncompressed).
//! - **Images, archives, media.** They are compressed already.
//! - **Short messages in shared mode.** Below the threshold nothing happens anyway.
//! - **Messages in chunks.** [`Options::chunks`](crate::Options::chunks) turns compression off for
//!   its connections.
//! - **A policy that drops, in dedicated mode.** What waits for a slow reader goes uncompressed
//!   then. A dropped message must not be in the window to which later messages refer.
//!
//! # What cannot go wrong
//!
//! Inflating stops at [`max_message`](crate::Options::max_message): a bomb costs its sender the
//! connection, with Close 1009. Corrupt data is Close 1007. Inflated bytes count towards the share
//! that one connection has of a turn: each 4 KiB is one of its 256 steps.
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
//! `cargo bench --bench codec --features deflate` measures what compressing takes on your machine.
