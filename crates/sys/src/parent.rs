//! prctl(2), `PR_SET_PDEATHSIG`: a program that this process starts ends with this process, however
//! that ends.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

/// Makes the kernel send SIGTERM to the process of this command when the thread that starts it
/// ends.
pub fn end_with_us(command: &mut Command) {
    let us = getpid();
    let before_it_executes = move || {
        set_parent_process_death_signal(Some(Signal::TERM))?;
        match getppid() == Some(us) {
            true => Ok(()),
            false => Err(io::ErrorKind::Interrupted.into()),
        }
    };
    // SAFETY: between fork and exec it makes two system calls, and takes no lock or memory.
    unsafe { command.pre_exec(before_it_executes) };
}
