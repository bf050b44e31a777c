//! wait4(2): a child that has ended, its status, and the resources that it has used.

use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

use rustix::process::Pid;

use super::check;

/// A child that has ended.
pub struct Ended {
    /// Its process id.
    pub pid: Pid,
    /// How it ended.
    pub how: How,
    /// The resources that it has used, and those of the children that it has waited for.
    pub used: ResourceUsage,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// By itself, with this code.
    Exited(i32),
    /// By a signal.
    Killed(i32),
}

/// The resources that processes have used (getrusage(2)).
#[derive(Clone, Copy, Default)]
pub struct ResourceUsage {
    /// Processor time in user space.
    pub user: Duration,
    /// Processor time in the kernel.
    pub system: Duration,
    /// The peak resident memory of the largest process, in KiB.
    pub peak_kib: u64,
}

impl ResourceUsage {
    /// Adds the usage of another process.
    pub fn add(&mut self, other: ResourceUsage) {
        self.user += other.user;
        self.system += other.system;
        self.peak_kib = self.peak_kib.max(other.peak_kib);
    }
}

/// Reaps a child that has ended. `None` if all children still run.
///
/// # Errors
///
/// `ECHILD` if there are no children.
pub fn reap() -> io::Result<Option<Ended>> {
    wait4(libc::WNOHANG)
}

/// Waits for the next child to end, even if a signal interrupts the wait.
///
/// # Errors
///
/// `ECHILD` if there are no children.
pub fn wait() -> io::Result<Option<Ended>> {
    wait4(0)
}

fn wait4(options: libc::c_int) -> io::Result<Option<Ended>> {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers are to memory of their types, which lives through the call.
    let mut wait =
        || check(unsafe { libc::wait4(-1, &raw mut status, options, usage.as_mut_ptr()) });
    let pid = loop {
        match wait() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            ended => break ended?,
        }
    };
    // SAFETY: all zeroes are a valid rusage, and so is what the kernel writes.
    let usage = unsafe { usage.assume_init() };
    let how = if libc::WIFSIGNALED(status) {
        How::Killed(libc::WTERMSIG(status))
    } else {
        How::Exited(libc::WEXITSTATUS(status))
    };
    let used = used(&usage);
    Ok(Pid::from_raw(pid).map(|pid| Ended { pid, how, used }))
}

/// The resources that this process itself has used.
pub fn used_by_self() -> ResourceUsage {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to memory of its type, which lives through the call.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) };
    // SAFETY: all zeroes are a valid rusage, and so is what the kernel writes.
    let used = used(&unsafe { usage.assume_init() });
    // The peak of getrusage(2) includes the program that ran in this process before execve(2), for
    // instance a large shell.
    ResourceUsage { peak_kib: peak_kib().unwrap_or(used.peak_kib), ..used }
}

/// `VmHWM` of proc_pid_status(5).
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn used(usage: &libc::rusage) -> ResourceUsage {
    let duration = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    ResourceUsage {
        user: duration(usage.ru_utime),
        system: duration(usage.ru_stime),
        peak_kib: usage.ru_maxrss as u64,
    }
}
