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
    let child = unsafe { libc::fork() };
    side(child, parent)
}

/// Makes such a child for one client, by the system call itself: the C library's fork(3) also sets
/// right what threads know of themselves, and touches half a dozen pages for that, which the kernel
/// then copies. Such a child must make no threads.
///
/// # Errors
///
/// As [`fork`].
pub fn fork_for_a_client() -> io::Result<Fork> {
    let parent = rustix::process::getpid();
    let (flags, none): (libc::c_long, libc::c_long) = (libc::SIGCHLD.into(), 0);
    // SAFETY: as in `fork`. The child's stack is its copy of this one, as none is named (clone(2));
    // nor is anything else, so that the order of these arguments, in which machines differ, does
    // not matter.
    let child = unsafe { libc::syscall(libc::SYS_clone, flags, none, none, none, none) };
    side(child as libc::pid_t, parent)
}

/// Which side it is, by what the call has returned there.
fn side(result: libc::pid_t, parent: Pid) -> io::Result<Fork> {
    match Pid::from_raw(check(result)?) {
        Some(child) => Ok(Fork::Parent(child)),
        None => {
            end_with(parent);
            Ok(Fork::Child)
        }
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
