//! prctl(2), `PR_SET_PDEATHSIG`: a program that was started by us ends when we do, however that
//! comes about.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

/// Has what this command starts end with SIGTERM when the thread that starts it does.
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
