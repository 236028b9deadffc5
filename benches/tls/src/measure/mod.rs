//! The parts of every end-to-end bench, with roles, servers and load generators of TLS.

#[path = "../../../measure/bench.rs"]
pub mod bench;
#[path = "../../../measure/contest.rs"]
pub mod contest;
#[path = "../../../measure/contestants.rs"]
pub mod contestants;
#[path = "../../../measure/opening.rs"]
pub mod opening;
#[path = "../../../measure/options.rs"]
pub mod options;
#[path = "../../../measure/process.rs"]
pub mod process;
#[path = "../../../measure/ratio.rs"]
pub mod ratio;
#[path = "../../../measure/rounds.rs"]
pub mod rounds;
#[path = "../../../measure/table.rs"]
pub mod table;
#[path = "../../../measure/turns.rs"]
pub mod turns;
#[path = "../../../measure/workload.rs"]
pub mod workload;

pub mod certificate;
pub mod client;
pub mod crowd;
pub mod floor;
pub mod load;
pub mod roles;
pub mod session;
