//! Wakes the loop at a given time: timerfd_create(2). The time-out of epoll_wait(2) is less exact:
//! the kernel lengthens it by up to a thousandth.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use rustix::time::{timerfd_create, timerfd_settime};

/// A timer whose descriptor becomes readable at the time to which it is set. The descriptor is
/// never read: setting the timer clears it, so an edge-triggered epoll(7) reports every expiry.
pub struct Alarm {
    timer: OwnedFd,
    set_ns: u64,
}

impl Alarm {
    /// An alarm that is not set.
    ///
    /// # Errors
    ///
    /// Those of timerfd_create(2): no descriptor is left.
    pub fn new() -> io::Result<Alarm> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        Ok(Alarm { timer: timerfd_create(TimerfdClockId::Monotonic, flags)?, set_ns: 0 })
    }

    /// Sets the alarm to a time. An alarm that expires earlier stays as it is: an early wake-up
    /// costs less than a system call in each turn.
    pub fn set(&mut self, at_ns: u64, now_ns: u64) {
        if !needs_setting(self.set_ns, at_ns, now_ns) {
            return;
        }
        self.set_ns = at_ns;
        let none = Timespec { tv_sec: 0, tv_nsec: 0 };
        let once = Itimerspec { it_interval: none, it_value: timespec(at_ns) };
        // It fails only for malformed times (timerfd_settime(2)).
        let _ = timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &once);
    }
}

fn needs_setting(set_ns: u64, at_ns: u64, now_ns: u64) -> bool {
    set_ns <= now_ns || at_ns < set_ns
}

fn timespec(ns: u64) -> Timespec {
    Timespec { tv_sec: (ns / 1_000_000_000) as i64, tv_nsec: (ns % 1_000_000_000) as i64 }
}

impl AsFd for Alarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_is_set_again_when_it_has_expired_or_would_come_too_late() {
        assert!(needs_setting(0, 100, 10), "never set");
        assert!(needs_setting(50, 100, 50), "expired");
        assert!(needs_setting(200, 100, 10), "too late");
        assert!(!needs_setting(50, 100, 10), "early enough");
    }
}
