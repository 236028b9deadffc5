//! How a figure comes about: servers and load generator are processes of their own on different cores, the contestants
//! take turns within fractions of a second, and each pair of turns gives one ratio of the servers' CPU times.
//! Every bench that compares with the bare epoll program is built from these parts.

pub mod floor;
pub mod load;
pub mod process;
pub mod ratio;
pub mod rounds;
pub mod workload;
