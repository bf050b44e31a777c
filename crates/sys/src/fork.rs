//! fork(2), and the first steps of a child.

use std::io;
use std::os::unix::fs::MetadataExt;

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use super::check;

/// The process in which a fork returns.
pub enum Fork {
    /// The parent, with the child's process id.
    Parent(Pid),
    /// The child.
    Child,
}

/// Forks a child, which the kernel kills when its parent ends in any way: `PR_SET_PDEATHSIG` in
/// prctl(2).
///
/// # Errors
///
/// `EAGAIN` or `ENOMEM` if there is no room for another process; another error if this process has
/// several threads.
pub fn fork() -> io::Result<Fork> {
    let parent = rustix::process::getpid();
    require_one_thread()?;
    // SAFETY: there is no other thread, so none can hold a lock that the child would wait for.
    let child = unsafe { libc::fork() };
    fork_result(child, parent)
}

/// Like [`fork`], but with the bare system call, for a child that serves one client. The C
/// library's fork also updates its thread data, which touches half a dozen pages that the kernel
/// then has to copy. The child's C library keeps the parent's thread number; new threads of the
/// child get their own.
///
/// # Errors
///
/// Those of [`fork`].
pub fn fork_for_a_client() -> io::Result<Fork> {
    let parent = rustix::process::getpid();
    require_one_thread()?;
    let (flags, none): (libc::c_long, libc::c_long) = (libc::SIGCHLD.into(), 0);
    // The order of the first two arguments depends on the machine (clone(2)).
    let [first, second] = if cfg!(target_arch = "s390x") { [none, flags] } else { [flags, none] };
    // SAFETY: as in `fork`. The call names no stack, so the child's stack is its copy of this one.
    let child = unsafe { libc::syscall(libc::SYS_clone, first, second, none, none, none) };
    fork_result(child as libc::pid_t, parent)
}

/// Fails if this process has more than one thread.
pub(crate) fn require_one_thread() -> io::Result<()> {
    // SAFETY: unshare(2) takes a number. With this one it changes nothing; it fails with EINVAL if
    // there are other threads.
    let has_one_thread = match check(unsafe { libc::unshare(libc::CLONE_THREAD) }) {
        Ok(_) => true,
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => false,
        // A container can forbid the call. The link count of the folder is 2, plus one for each
        // thread (proc_pid_task(5)).
        Err(_) => std::fs::metadata("/proc/self/task")?.nlink() == 3,
    };
    match has_one_thread {
        true => Ok(()),
        false => Err(io::Error::other("a process with several threads is not forked")),
    }
}

/// Whether this is the parent or the child, from the result of the call. Prepares the child.
fn fork_result(result: libc::pid_t, parent: Pid) -> io::Result<Fork> {
    match Pid::from_raw(check(result)?) {
        Some(child) => Ok(Fork::Parent(child)),
        None => {
            end_with(parent);
            Ok(Fork::Child)
        }
    }
}

/// Makes the kernel kill this process when its parent ends. Exits if the parent has ended already.
pub fn end_with(parent: Pid) {
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    if getppid() != Some(parent) {
        exit(1);
    }
}

/// Ends a child at once, without the parent's `atexit` handlers (_exit(2)).
pub fn exit(code: i32) -> ! {
    // SAFETY: _exit(2) takes any number and does not return.
    unsafe { libc::_exit(code) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_several_threads_is_not_forked() {
        std::thread::scope(|scope| {
            let refused = scope.spawn(|| fork().is_err() && fork_for_a_client().is_err());
            assert!(refused.join().unwrap());
        });
    }
}
