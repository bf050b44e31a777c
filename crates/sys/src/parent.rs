//! prctl(2), `PR_SET_PDEATHSIG`: a program that this process starts is ended when this process ends
//! in any way.

use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::io::Errno;
use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

/// Makes the kernel send SIGTERM to the process of this command when the thread that starts it
/// ends.
pub fn end_with_this_process(command: &mut Command) {
    let parent = getpid();
    let before_it_executes = move || {
        set_parent_process_death_signal(Some(Signal::TERM))?;
        match getppid() == Some(parent) {
            true => Ok(()),
            false => Err(Errno::INTR.into()),
        }
    };
    // SAFETY: between fork and exec, the closure makes two system calls, and takes no lock or
    // memory.
    unsafe { command.pre_exec(before_it_executes) };
}
