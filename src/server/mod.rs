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
//! | where are connections and messages exchanged with other reactors | `clustered` |
//! | where is a Host refused (421) | `request`, by `hosts` |
//! | where is a [`Reply`](crate::Reply) performed, and the Origin checked | `reply` |
//! | where does an event stream resume, and a long poll wait | `event_stream`, `polling` |
//! | where is a ping answered, and a message handed over | `frames` |
//! | where does a deadline end a connection | `deadlines` |
//! | where does a listener reach some zones only | `internal` |
//! | where does a zone learn of its users | `presence` |
//! | where does a turn do what history and presence need | `extras` |
//! | where is a zone counted, and a turn measured | `counted`, `counting`, `turns` |
//! | where is an observer told what happens | `observing` |
//! | where are topics registered that keep messages | `keeping` |
//! | where is a panic caught | `guarded`, `catching`; otherwise: `poison` |
//! | where are output, timers and ends handled | `flush` |
//! | where does a turn end because its time is spent | `bounded_turn` |
//! | where is a WebSocket opened in the client role | `dialing`, `racing`, `handshaking` |
//! | where is TLS begun in the client role | `securing` |
//! | where is a redirection followed, or a response handed over | `declining` |

mod accepting;
mod access;
mod admission;
mod arriving;
mod bounded_turn;
mod buffer_pool;
mod catching;
mod clients;
mod clustered;
mod counted;
mod counting;
mod deadlines;
mod declining;
mod dialing;
mod draining;
mod event_stream;
mod extras;
mod fast_path;
mod flush;
mod followers;
mod frames;
mod guarded;
mod handler;
mod handlers;
mod handshaking;
mod hosts;
mod input;
mod internal;
mod keeping;
mod listen;
mod listeners;
#[cfg(feature = "log")]
mod logging;
mod metrics;
mod observer;
mod observing;
mod poison;
mod polling;
mod presence;
mod proxies;
mod proxy_header;
mod racing;
mod readiness;
mod refusals;
mod reply;
mod request;
#[cfg(feature = "tls")]
mod securing;
mod served;
#[expect(clippy::module_inception)]
mod server;
mod storing;
mod turn_budget;
mod turns;
mod zone;
mod zones;

pub use access::{Answered, Ended, Opened};
pub(crate) use clustered::Seat;
pub use handler::Handler;
pub use metrics::{Health, Metrics, Ready};
pub use observer::Observed;
pub use refusals::{Panicked, Refused, Rejected, Violated};
pub use server::Server;
pub use zone::Zone;
