//! What wakes the loop when a request is due: timerfd_create(2), as epoll_wait(2) counts in whole
//! milliseconds.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use rustix::time::{timerfd_create, timerfd_settime};

/// The loop is not woken more often than this; what became due meanwhile is due then.
const SHORTEST_NS: u64 = 50_000;

/// A descriptor that becomes readable again and again.
pub struct Pulse(OwnedFd);

impl Pulse {
    /// One that does not beat yet.
    ///
    /// # Errors
    ///
    /// No descriptor is left.
    pub fn new() -> io::Result<Pulse> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        Ok(Pulse(timerfd_create(TimerfdClockId::Monotonic, flags)?))
    }

    /// Beats at this time first, and then at this interval.
    pub fn start(&self, first_ns: u64, interval_ns: u64) {
        let beats = Itimerspec {
            it_interval: timespec(interval_ns.max(SHORTEST_NS)),
            it_value: timespec(first_ns),
        };
        // It fails for times that are none only (timerfd_settime(2)).
        let _ = timerfd_settime(&self.0, TimerfdTimerFlags::ABSTIME, &beats);
    }
}

fn timespec(ns: u64) -> Timespec {
    Timespec { tv_sec: (ns / 1_000_000_000) as i64, tv_nsec: (ns % 1_000_000_000) as i64 }
}

impl AsFd for Pulse {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
