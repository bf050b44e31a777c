//! fork(2), and what a child does first.

use std::io;

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use super::check;

/// On which side of a fork we are.
pub enum Fork {
    /// In the parent, which is told the child.
    Parent(Pid),
    /// In the child.
    Child,
}

/// Makes a child of this process, which ends when its parent ends, however that comes about:
/// `PR_SET_PDEATHSIG` in prctl(2).
///
/// # Errors
///
/// `EAGAIN` or `ENOMEM`: there is no room for another process now.
pub fn fork() -> io::Result<Fork> {
    let parent = rustix::process::getpid();
    // SAFETY: the callers have one thread each, so no lock of the C library or of ours can be held
    // by a thread that the child does not have.
    match check(unsafe { libc::fork() })? {
        0 => {
            end_with(parent);
            Ok(Fork::Child)
        }
        pid => Ok(Pid::from_raw(pid).map_or(Fork::Child, Fork::Parent)),
    }
}

/// Has this process end when its parent does: at once, if it has done so already.
pub fn end_with(parent: Pid) {
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    if getppid() != Some(parent) {
        exit(1);
    }
}

/// Ends a child at once, without the parent's `atexit` handlers (_exit(2)).
pub fn exit(code: i32) -> ! {
    // SAFETY: it takes any number and does not return.
    unsafe { libc::_exit(code) }
}
