//! What a thread has used of the processor, and what it would have used if it had been let.

use rustix::time::{ClockId, clock_gettime};

use crate::lab::proc;

/// The time, in nanoseconds of a clock that never goes back (`CLOCK_MONOTONIC`).
pub fn now_ns() -> u64 {
    clock_ns(ClockId::Monotonic)
}

fn clock_ns(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// What the thread that calls had used at some time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meter {
    at_ns: u64,
    busy_ns: u64,
    waited_ns: u64,
}

impl Meter {
    /// Up to now.
    pub fn read() -> Meter {
        Meter {
            at_ns: now_ns(),
            busy_ns: clock_ns(ClockId::ThreadCPUTime),
            waited_ns: proc::this_thread().unwrap_or_default().waited_ns,
        }
    }

    /// From then to now: the time, what was used of it, and for how much of it another thread had
    /// the processor that this one was ready to use.
    pub fn since(&self, then: &Meter) -> (u64, u64, u64) {
        let past = |now: u64, then: u64| now.saturating_sub(then);
        (
            past(self.at_ns, then.at_ns),
            past(self.busy_ns, then.busy_ns),
            past(self.waited_ns, then.waited_ns),
        )
    }
}
