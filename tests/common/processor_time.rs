//! The time of the processor that this thread has taken, for tests that judge work. Other threads
//! and programs that run meanwhile do not count.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

pub fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap(), u32::try_from(time.tv_nsec).unwrap())
}
