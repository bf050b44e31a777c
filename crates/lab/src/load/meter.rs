//! The processor time of a thread, and how long it waited for a core.

use rustix::time::{ClockId, clock_gettime};

use crate::host::proc;

/// The time, in nanoseconds of a clock that never goes back (`CLOCK_MONOTONIC`).
pub fn now_ns() -> u64 {
    clock_ns(ClockId::Monotonic)
}

fn clock_ns(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The processor use of the calling thread up to a time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meter {
    at_ns: u64,
    busy_ns: u64,
    waited_ns: u64,
}

impl Meter {
    /// Reads the use so far.
    pub fn read() -> Meter {
        Meter {
            at_ns: now_ns(),
            busy_ns: clock_ns(ClockId::ThreadCPUTime),
            waited_ns: proc::this_thread().unwrap_or_default().waited_ns,
        }
    }

    /// The differences from an earlier reading, in nanoseconds: the time passed, the processor time
    /// used, and how long the thread was ready to run while another had the core.
    pub fn since(&self, then: &Meter) -> (u64, u64, u64) {
        let difference = |now: u64, then: u64| now.saturating_sub(then);
        (
            difference(self.at_ns, then.at_ns),
            difference(self.busy_ns, then.busy_ns),
            difference(self.waited_ns, then.waited_ns),
        )
    }
}
