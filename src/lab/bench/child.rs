//! A process that the laboratory has started: with whatever it starts itself, it ends when we say
//! so, and when we do.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child as Process, Command};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::lab::cores;
use crate::sys::parent::end_with_us;

/// A process, and the group that it is the first of.
pub struct Child {
    /// The process, with the pipes to it.
    pub process: Process,
    pid: Pid,
    ended: OwnedFd,
    is_gone: bool,
}

impl Child {
    /// Starts a process on these cores.
    ///
    /// # Errors
    ///
    /// There is no such program, or no room for a process.
    pub fn start(command: &mut Command, on: &[usize]) -> io::Result<Child> {
        // Ctrl-C at the terminal is for us alone; we then see to the others.
        command.process_group(0);
        end_with_us(command);
        let ours = cores::allowed();
        // A child has its parent's cores.
        cores::keep_to(None, on);
        let process = command.spawn();
        cores::keep_to(None, &ours);
        let mut process = process?;
        let pid = Pid::from_child(&process);
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(ended) => Ok(Child { process, pid, ended, is_gone: false }),
            Err(error) => {
                let _ = process.kill();
                let _ = process.wait();
                Err(error.into())
            }
        }
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Whether it has ended. It is not waited for yet, so its number is still its own.
    pub fn has_ended(&self) -> bool {
        self.await_end(Duration::ZERO)
    }

    fn await_end(&self, patience: Duration) -> bool {
        let patience = crate::clock::timespec(patience.as_millis() as u64);
        let mut ended = [PollFd::new(&self.ended, PollFlags::IN)];
        matches!(poll(&mut ended, Some(&patience)), Ok(1))
    }

    /// Asks it to end, and sees to it that it has, with all that it has started.
    pub fn stop(&mut self, patience: Duration) {
        if self.is_gone {
            return;
        }
        if !self.has_ended() {
            let _ = kill_process_group(self.pid, Signal::TERM);
            self.await_end(patience);
        }
        let _ = kill_process_group(self.pid, Signal::KILL);
        let _ = self.process.wait();
        self.is_gone = true;
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}
