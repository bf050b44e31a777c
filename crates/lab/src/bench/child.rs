//! A process that the laboratory starts, with its process group. The laboratory ends the group. If
//! the laboratory dies, the kernel ends the process.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child as Process, Command};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, pidfd_open,
    waitid,
};
use zerohttpd_sys::parent::end_with_this_process;

use crate::host::cores;

/// A child process and the process group that it leads.
pub struct ChildGroup {
    /// The process, with the pipes to it.
    pub process: Process,
    pid: Pid,
    pidfd: OwnedFd,
    is_reaped: bool,
}

impl ChildGroup {
    /// Starts a process on these cores.
    ///
    /// # Errors
    ///
    /// There is no such program, or the kernel can't create another process.
    pub fn start(command: &mut Command, on_cores: &[usize]) -> io::Result<ChildGroup> {
        // In its own group, the child gets no signal from Ctrl-C; the laboratory ends it instead.
        command.process_group(0);
        end_with_this_process(command);
        let own_cores = cores::allowed();
        // A child inherits its parent's cores.
        cores::pin_to(None, on_cores);
        let process = command.spawn();
        cores::pin_to(None, &own_cores);
        let mut process = process?;
        let pid = Pid::from_child(&process);
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => Ok(ChildGroup { process, pid, pidfd, is_reaped: false }),
            Err(error) => {
                let _ = process.kill();
                let _ = process.wait();
                Err(error.into())
            }
        }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Whether the process has ended. It is not reaped, so its process id is still its own.
    pub fn has_ended(&self) -> bool {
        self.wait_for_end(Duration::ZERO)
    }

    /// How the process ended, in words such as `exit status 3`; none if it still runs.
    pub fn how_it_ended(&self) -> Option<String> {
        if !self.has_ended() {
            return None;
        }
        // `NOWAIT` does not reap the process.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        let status = waitid(WaitId::Pid(self.pid), options).ok().flatten();
        Some(status.map_or_else(|| "how is not known".into(), |status| in_words(&status)))
    }

    /// Waits for at most `timeout` until the process has ended. Returns whether it has.
    pub fn wait_for_end(&self, timeout: Duration) -> bool {
        let timeout = zerohttpd_sys::ready::timespec(timeout.as_millis() as u64);
        let mut ended = [PollFd::new(&self.pidfd, PollFlags::IN)];
        matches!(poll(&mut ended, Some(&timeout)), Ok(1))
    }

    /// Ends the process group: sends SIGTERM, then SIGKILL once the process has ended or after
    /// `timeout`. Reaps the process.
    pub fn stop(&mut self, timeout: Duration) {
        if self.is_reaped {
            return;
        }
        if !self.has_ended() {
            let _ = kill_process_group(self.pid, Signal::TERM);
            self.wait_for_end(timeout);
        }
        let _ = kill_process_group(self.pid, Signal::KILL);
        let _ = self.process.wait();
        self.is_reaped = true;
    }
}

/// The pidfd, which is readable once the process has ended.
impl AsFd for ChildGroup {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

fn in_words(status: &WaitIdStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(number)) => {
            let name = SIGNAL_NAMES.iter().find(|(signal, _)| signal.as_raw() == number);
            let name = name.map_or(String::new(), |(_, name)| format!(", SIG{name}"));
            format!("signal {number}{name}")
        }
        _ => "how is not known".into(),
    }
}

/// The names of the signals that usually end a process.
const SIGNAL_NAMES: [(Signal, &str); 12] = [
    (Signal::HUP, "HUP"),
    (Signal::INT, "INT"),
    (Signal::QUIT, "QUIT"),
    (Signal::ILL, "ILL"),
    (Signal::ABORT, "ABRT"),
    (Signal::BUS, "BUS"),
    (Signal::FPE, "FPE"),
    (Signal::KILL, "KILL"),
    (Signal::SEGV, "SEGV"),
    (Signal::PIPE, "PIPE"),
    (Signal::ALARM, "ALRM"),
    (Signal::TERM, "TERM"),
];

impl Drop for ChildGroup {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}
