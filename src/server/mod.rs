//! The server: zones, their handlers, and the connections, which it leads through their phases. A
//! zone is a URI prefix and a handler. The server never waits: a loop passes readiness and time in.
//!
//! | question | file |
//! | --- | --- |
//! | where is a connection accepted, or turned away (EMFILE, 503, 429) | `listen` |
//! | where is a listener paused, or asked for its address | `listeners` |
//! | where is a PROXY header read, and a TLS handshake made | `arriving`; `proxy_header` |
//! | where are bytes read | `input`; a WebSocket at rest: `fast_path` |
//! | where are zones asked | `request` |
//! | where is the client behind a proxy found and counted | `clients` |
//! | where is a Host refused (421) | `request`, by `hosts` |
//! | where is a [`Reply`](crate::Reply) performed, and the Origin checked | `reply` |
//! | where is a ping answered, and a message handed over | `frames` |
//! | where does a deadline end a connection | `deadlines` |
//! | where is an observer told what is refused | `observing` |
//! | where are output, timers and ends handled | `flush` |
//! | where does a turn end because its time is spent | `bounded_turn` |
//! | where is a WebSocket opened in the client role | `dialing`, `racing`, `handshaking` |
//! | where is TLS begun in the client role | `securing` |
//! | where is a redirection followed, or a response handed over | `declining` |

mod admission;
mod arriving;
mod bounded_turn;
mod buffer_pool;
mod clients;
mod deadlines;
mod declining;
mod dialing;
mod draining;
mod fast_path;
mod flush;
mod frames;
mod handler;
mod handshaking;
mod hosts;
mod input;
mod listen;
mod listeners;
mod observer;
mod observing;
mod proxies;
mod proxy_header;
mod racing;
mod readiness;
mod reply;
mod request;
#[cfg(feature = "tls")]
mod securing;
mod served;
#[expect(clippy::module_inception)]
mod server;
mod turn_budget;
mod zones;

pub use handler::Handler;
pub use listeners::ListenerId;
pub use observer::{Observed, Refused, Rejected};
pub use server::Server;
pub use zones::Zone;
