//! getsid(2) and tcgetsid(3): the sessions of a process and of a terminal. The leader of a session
//! can be outside of this process's namespace (pid_namespaces(7)). It then has the number 0, which
//! the safe wrappers of these calls can't represent.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::process::Pid;

/// The leader of this process's session; `None` if it is in another namespace.
pub fn leader() -> Option<Pid> {
    // SAFETY: getsid(2) takes and returns numbers; 0 is the calling process.
    Pid::from_raw(unsafe { libc::getsid(0) }.max(0))
}

/// Whether `terminal` is the controlling terminal of this process's session.
pub fn is_controlled_by(terminal: BorrowedFd<'_>) -> bool {
    // SAFETY: tcgetsid(3) takes and returns numbers, and the descriptor is open as long as it is
    // borrowed.
    let session = unsafe { libc::tcgetsid(terminal.as_raw_fd()) };
    // SAFETY: as above.
    session != -1 && session == unsafe { libc::getsid(0) }
}
