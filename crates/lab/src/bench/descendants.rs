//! All descendants of the laboratory, orphans included: a process whose parent ends becomes our
//! child (`PR_SET_CHILD_SUBREAPER`). So the bench finds and ends servers that go into the
//! background; otherwise they could hold the next server's port.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, getpid, kill_process, set_child_subreaper, waitid,
};

use crate::host::proc;

/// The pause between two checks whether descendants have ended.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The descendants of this process.
pub struct Descendants {
    /// The descendants that this process had before it started any. A shell that replaces itself
    /// by this program (`exec`) leaves its children to it.
    inherited: HashSet<u32>,
}

impl Descendants {
    /// From now on, makes this process the parent of its orphaned descendants.
    ///
    /// # Errors
    ///
    /// The kernel refuses prctl(2).
    pub fn adopt() -> Result<Descendants, String> {
        set_child_subreaper(Some(getpid()))
            .map_err(|error| format!("can't adopt processes that servers leave behind: {error}"))?;
        let mut new = Descendants { inherited: HashSet::new() };
        new.inherited = new.living().into_iter().collect();
        Ok(new)
    }

    /// The living descendants, except `leader` and inherited ones.
    pub fn living_except(&self, leader: u32) -> Vec<u32> {
        let mut living = self.living();
        living.retain(|pid| *pid != leader);
        living
    }

    fn living(&self) -> Vec<u32> {
        let mut all = proc::processes();
        all.retain(|process| !self.inherited.contains(&process.pid));
        let family = proc::family(&[std::process::id()], all).into_iter();
        let others = family.filter(|process| process.pid != std::process::id());
        let living = others.filter(|process| proc::is_alive(process.pid));
        living.map(|process| process.pid).collect()
    }

    /// Sends SIGTERM to all living descendants, then SIGKILL to those that have not ended within
    /// `timeout`. Also reaps them, so the caller must have waited for its own children before.
    pub fn end(&self, timeout: Duration) {
        for (signal, timeout) in [(Signal::TERM, timeout), (Signal::KILL, timeout)] {
            let give_up = Instant::now() + timeout;
            let mut signalled = HashSet::new();
            loop {
                self.reap();
                let living = self.living();
                if living.is_empty() {
                    return;
                }
                // A descendant can have started another one since the last pass.
                for pid in living {
                    if signalled.insert(pid) {
                        kill(pid, signal);
                    }
                }
                if Instant::now() > give_up {
                    break;
                }
                std::thread::sleep(POLL_INTERVAL);
            }
        }
        self.reap();
    }

    /// Reaps the children that have ended.
    fn reap(&self) {
        let me = std::process::id();
        for child in proc::processes().into_iter().filter(|process| process.parent == me) {
            let Some(pid) = pid(child.pid).filter(|_| !self.inherited.contains(&child.pid)) else {
                continue;
            };
            let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
        }
    }
}

fn pid(number: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(number).ok()?)
}

fn kill(number: u32, signal: Signal) {
    if let Some(pid) = pid(number) {
        let _ = kill_process(pid, signal);
    }
}
