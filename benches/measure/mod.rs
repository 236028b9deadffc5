//! The parts of every end-to-end bench. Servers and load generators are processes of their own on
//! different cores. The contestants take turns within fractions of a second, and each round of
//! turns gives one ratio of the servers' CPU times.

pub mod bench;
pub mod contest;
pub mod contestants;
pub mod floor;
pub mod load;
pub mod opening;
pub mod options;
pub mod process;
pub mod ratio;
pub mod roles;
pub mod rounds;
pub mod table;
pub mod turns;
pub mod workload;
