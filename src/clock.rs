//! The two clocks that the core is told of.

use rustix::time::{ClockId, Timespec, clock_gettime};
use zero_core::Moment;

/// The time, to a few milliseconds: the kernel's coarse clocks cost no system call and no reading
/// of a timer, and nothing here needs more (clock_gettime(2)).
pub fn now() -> Moment {
    let monotonic = clock_gettime(ClockId::MonotonicCoarse);
    let real = clock_gettime(ClockId::RealtimeCoarse);
    Moment {
        ms: monotonic.tv_sec as u64 * 1000 + monotonic.tv_nsec as u64 / 1_000_000,
        unix_s: u64::try_from(real.tv_sec).unwrap_or(0),
    }
}

/// The date and the time of day, in UTC, as they sort: `1994-11-06T08:49:37Z`.
pub fn today() -> String {
    zero_core::rfc_3339_date(now().unix_s)
}

/// So many milliseconds as a time-out of the kernel's.
pub fn timespec(ms: u64) -> Timespec {
    Timespec { tv_sec: (ms / 1000) as i64, tv_nsec: (ms % 1000 * 1_000_000) as i64 }
}
