//! getsid(2) and tcgetsid(3): the session of a process and that of a terminal. Its leader may be
//! outside this process's namespace (pid_namespaces(7)), and its number is 0 then; a wrapper for
//! which every number is that of a process has no answer.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::process::Pid;

/// The leader of this process's session; none that this process could name, if it is of another
/// namespace.
pub fn leader() -> Option<Pid> {
    // SAFETY: it takes and returns numbers; 0 is the calling process.
    Pid::from_raw(unsafe { libc::getsid(0) }.max(0))
}

/// Whether this is the terminal that the process's own session has.
pub fn is_of_terminal(terminal: BorrowedFd<'_>) -> bool {
    // SAFETY: it takes and returns numbers, and the descriptor is open as long as it is borrowed.
    let its = unsafe { libc::tcgetsid(terminal.as_raw_fd()) };
    // SAFETY: as above.
    its != -1 && its == unsafe { libc::getsid(0) }
}
