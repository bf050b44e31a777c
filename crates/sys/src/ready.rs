//! poll(2) for one descriptor, without waiting; and time-outs in the kernel's format.

use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Whether one of these events is present at a descriptor now.
pub fn is_ready(descriptor: BorrowedFd<'_>, flags: PollFlags) -> bool {
    let mut fds = [PollFd::new(&descriptor, flags)];
    poll(&mut fds, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

/// A time-out of `ms` milliseconds.
pub fn timespec(ms: u64) -> Timespec {
    Timespec { tv_sec: (ms / 1000) as i64, tv_nsec: (ms % 1000 * 1_000_000) as i64 }
}
