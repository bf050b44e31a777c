//! The upgrade, in which a new version of the program takes over.
//!
//! A child first executes the new program with `--check` and with the same descriptors and options,
//! so that a program that can't start does not replace the running one. The servers of the old
//! program serve until the new program has started its own servers. If it can't, the old servers go
//! on and the new program retries.

use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, Signal};
use zerohttpd_sys::fork::Fork;
use zerohttpd_sys::say;

use crate::clock;
use crate::shared::scoreboard::PassedNumber;
use crate::supervisor::child::{Role, fork_child};
use crate::supervisor::state::{MAX_DRAINING, Supervisor};
use crate::supervisor::upgrade_state::UpgradeState;

/// The time that the check of a new version can take.
const CHECK_MS: u64 = 60_000;

/// The message that a server which is to stop is not replaced.
const NO_UPGRADE: &str = "zerohttpd: no other program takes over, as the server is to stop";

impl Supervisor<'_> {
    /// Starts a child that checks whether the program's file, as it is now, could take over.
    pub fn begin_upgrade(&mut self) {
        self.cancel_upgrade();
        if self.drain_delay.is_to_stop() {
            return say!("{NO_UPGRADE}");
        }
        self.is_upgrade_due = self.draining_count() >= MAX_DRAINING;
        if self.is_upgrade_due {
            return say!(
                "zerohttpd: {MAX_DRAINING} generations of servers are still draining; another \
                 program takes over once one of them has ended"
            );
        }
        match self.program.file() {
            Ok(file) => {
                say!("zerohttpd: {} is to take over", file.describe());
                self.candidate = Some(file);
            }
            Err(error) => {
                return say!("zerohttpd: can't find the program: {error}; going on as before");
            }
        }
        if let Err(message) = self.start(Role::Check, 0) {
            say!("zerohttpd: {message}; going on as before");
        }
    }

    /// Ends an upgrade that has begun, because the server is to stop: a new program would know
    /// nothing of the drain delay.
    pub fn end_upgrade(&mut self) {
        if self.check_deadline_ms().is_some() || self.is_upgrade_due {
            say!("{NO_UPGRADE}");
        }
        self.cancel_upgrade();
    }

    /// Ends the check of a new program.
    pub fn cancel_upgrade(&mut self) {
        self.send_signal(Signal::KILL, |role| role == Role::Check);
        self.children.retain(|child| child.role != Role::Check);
        self.is_upgrade_due = false;
    }

    /// Forks a child that executes the new program with `--check`, this program's arguments, and
    /// the state that an upgrade passes on.
    pub fn fork_check(&mut self) -> io::Result<Pid> {
        let Some(file) = &self.candidate else {
            return Err(io::Error::other("there is no new program"));
        };
        if let Fork::Parent(pid) = fork_child()? {
            return Ok(pid);
        }
        let mut arguments = self.program.arguments.clone();
        let is_serve = arguments.get(1).is_some_and(|word| word.as_c_str() == c"serve");
        arguments.insert(arguments.len().min(1 + usize::from(is_serve)), c"--check".into());
        let Err(error) =
            self.upgrade_state().and_then(|state| state.execute(&file.path, &arguments));
        say!("zerohttpd: can't execute {}: {error}", file.path.display());
        zerohttpd_sys::fork::exit(1)
    }

    /// When the running check is to be killed.
    pub fn check_deadline_ms(&self) -> Option<u64> {
        let check = self.children.iter().find(|child| child.role == Role::Check);
        Some(check?.start_ms + CHECK_MS)
    }

    /// Ends a check that takes too long.
    pub fn end_late_check(&mut self) {
        if self.check_deadline_ms().is_some_and(|at_ms| at_ms <= clock::now().ms) {
            say!(
                "zerohttpd: the new program has not ended its --check within {} s",
                CHECK_MS / 1000
            );
            self.send_signal(Signal::KILL, |role| role == Role::Check);
        }
    }

    /// Executes the checked program in place of this one, and passes everything on to it.
    pub fn upgrade(&mut self) {
        if self.drain_delay.is_to_stop() {
            return say!("{NO_UPGRADE}");
        }
        let file = match self.program.file() {
            Ok(file) if self.candidate.as_ref() == Some(&file) => file,
            // Another file took the name after the check began.
            _ => return self.begin_upgrade(),
        };
        if self.draining_count() >= MAX_DRAINING {
            return self.begin_upgrade();
        }
        // The new program then has the whole interval of the watchdog to start.
        self.manager.tell_alive();
        let state = self.upgrade_state();
        let Err(error) = state.and_then(|state| state.execute(&file.path, &self.program.arguments));
        say!("zerohttpd: can't execute {}: {error}; going on as before", file.path.display());
    }

    /// Everything that the new program needs from this one.
    fn upgrade_state(&self) -> io::Result<UpgradeState> {
        let children = || self.children.iter().filter_map(|child| Some((child.role, child.pid?)));
        let store = children().find(|(role, _)| *role == Role::Store).map(|(_, pid)| pid);
        let servers = children()
            .filter_map(|(role, pid)| role.generation().map(|generation| (pid, generation)));
        let (servers, generations) = servers.unzip();
        let listeners = |is_own| {
            let selected =
                self.listeners.iter().filter(move |listener| listener.is_own() == is_own);
            selected.map(|listener| listener.try_clone()).collect::<io::Result<Vec<_>>>()
        };
        let clone = |descriptors: Vec<&OwnedFd>| {
            descriptors.into_iter().map(OwnedFd::try_clone).collect::<io::Result<Vec<_>>>()
        };
        // `predecessor` has memory only until its servers drain.
        let own = [self.scoreboard.phase_memory()].into_iter();
        let phase_memory = own
            .chain(self.admin.iter().map(|admin| admin.phase_memory()))
            .chain(self.predecessor.phase_memory.iter().map(PassedNumber::file));
        let (phase_memory, phase_memory_indices) =
            phase_memory.collect::<io::Result<(Vec<_>, Vec<_>)>>()?;
        let own = [self.scoreboard.drain_memory()].into_iter();
        let drain_memory = own.chain(self.predecessor.drain_memory.iter().map(PassedNumber::file));
        let (drain_memory, drain_memory_indices) =
            drain_memory.collect::<io::Result<(Vec<_>, Vec<_>)>>()?;
        let log = self.options.log_file.as_ref().and_then(|_| match self.servers.first() {
            Some(server) => Some(server.log.descriptor()),
            None => self.predecessor.log.as_ref(),
        });
        Ok(UpgradeState {
            listeners: listeners(true)?,
            activated: listeners(false)?,
            stop_writers: clone(
                self.stop_writers
                    .iter()
                    .chain(self.admin.iter().map(|admin| &admin.stop_writer))
                    .collect(),
            )?,
            store,
            servers,
            admin: self
                .admin
                .iter()
                .map(|admin| admin.listener.try_clone())
                .collect::<Result<_, _>>()?,
            output: clone(self.output.iter().collect())?,
            store_at: self.store.tcp(),
            generation: self.generation,
            generations,
            phase_memory,
            phase_memory_indices,
            drain_writers: clone(self.drain_writers.iter().collect())?,
            log: clone(log.into_iter().collect())?,
            drain_memory,
            drain_memory_indices,
        })
    }

    /// Postpones the first generation of a successor, which could not be started.
    pub fn postpone_first_generation(&mut self, message: &str) {
        let wait_ms = self.predecessor.postpone_retry(clock::now().ms);
        say!(
            "zerohttpd: {message}; the servers of the previous program go on; the next attempt is \
             in {} s",
            wait_ms / 1000
        );
        self.is_reload_due = true;
    }

    /// When a successor tries again to start its first generation. `None` for another postponed
    /// reload, which waits until a generation has ended.
    pub fn retry_at_ms(&self) -> Option<u64> {
        (self.is_reload_due && self.servers.is_empty()).then_some(self.predecessor.retry_at_ms)
    }

    /// Whether a postponed generation can be started now.
    pub fn can_retry(&self) -> bool {
        match self.retry_at_ms() {
            Some(at_ms) => at_ms <= clock::now().ms,
            None => self.draining_count() < MAX_DRAINING,
        }
    }
}
