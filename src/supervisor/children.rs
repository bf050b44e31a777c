//! The supervisor's children: how each is started, and what happens when it ends.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering::Relaxed;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, kill_process};
use zerohttpd_sys::fork::{Fork, exit};
use zerohttpd_sys::process_title;
use zerohttpd_sys::ready::timespec;
use zerohttpd_sys::say;
use zerohttpd_sys::wait::{self, Ended, How};

use crate::arch::{self, Arch};
use crate::clock;
use crate::options::DEFAULT_ARCH;
use crate::sandbox;
use crate::server::Server;
use crate::shared::scoreboard::Phase;
use crate::supervisor::child::{Child, Role, fork_child};
use crate::supervisor::state::Supervisor;
use crate::supervisor::upgrade_state::UpgradeState;

impl Supervisor<'_> {
    /// Takes over the children of the program that this one has replaced. The generations of this
    /// program are numbered after those of that program.
    pub fn adopt(&mut self, received: &UpgradeState) {
        let start_ms = clock::now().ms;
        let child = |role, pid| Child { role, pid: Some(pid), start_ms, failures: 0 };
        self.generation = received.generation;
        self.children.extend(received.store.map(|pid| child(Role::Store, pid)));
        // An earlier version did not write the generations.
        let generations = received.generations.iter().copied().chain(std::iter::repeat(0));
        let servers = received.servers.iter().zip(generations).enumerate();
        let server = |(index, (pid, generation)): (usize, (&Pid, u64))| {
            child(Role::Server { generation, index }, *pid)
        };
        self.children.extend(servers.map(server));
    }

    /// Forks a child. `failures` says how often in a row it has ended soon after its start.
    pub fn start(&mut self, role: Role, failures: u32) -> Result<(), String> {
        let pid = match role {
            Role::Store => self.fork_store(),
            Role::Server { index, .. } => self.fork_server(index),
            Role::Admin { .. } => self.fork_admin(),
            Role::Check => self.fork_check(),
            Role::Lookup => self.fork_lookup(),
        };
        let pid = pid.map_err(|error| format!("can't start a process: {error}"))?;
        let start_ms = clock::now().ms;
        self.children.push(Child { role, pid: Some(pid), start_ms, failures });
        self.note_servers();
        Ok(())
    }

    /// Notes in the scoreboard how many servers are running.
    fn note_servers(&self) {
        let is_current = |role: Role| role.is_server() && role.is_needed(self.generation);
        let live =
            self.children.iter().filter(|child| is_current(child.role) && child.pid.is_some());
        self.scoreboard.servers.store(live.count() as u64, Relaxed);
    }

    fn fork_server(&mut self, index: usize) -> io::Result<Pid> {
        if let Fork::Parent(pid) = fork_child()? {
            return Ok(pid);
        }
        // An architecture with children, or with a thread for each client, sets other titles.
        process_title::set(&format!("worker {}", index + 1));
        let server = std::mem::take(&mut self.servers).swap_remove(index);
        self.drop_supervisor_fds();
        self.admin_server = None;
        let root = server.site.root().map(|root| root.as_fd());
        let port = self.options.store.tcp().map(|(_, port)| port);
        let confined = sandbox::confine_server(self.options.sandbox, root, port);
        serve(self.options.arch, &server, confined)
    }

    /// Closes the supervisor's descriptors in a child. With the writing ends of the pipes, a server
    /// under an attacker's control could stop all others. The signalfd can stay open: it gives each
    /// process only its own signals.
    pub fn drop_supervisor_fds(&mut self) {
        self.stop_writers.clear();
        self.drain_writers.clear();
        (self.store_ready, self.output) = (None, None);
        self.listeners.clear();
        self.admin = None;
    }

    fn fork_admin(&mut self) -> io::Result<Pid> {
        if let Fork::Parent(pid) = fork_child()? {
            return Ok(pid);
        }
        let _ = rustix::thread::set_name(c"zerohttpd-admin");
        process_title::set("admin");
        self.servers.clear();
        self.drop_supervisor_fds();
        let Some(server) = self.admin_server.take() else { exit(1) };
        // The child has opened everything that it needs.
        let confined = sandbox::confine_server(self.options.sandbox, None, None);
        serve(arch::named(DEFAULT_ARCH).unwrap_or(self.options.arch), &server, confined)
    }

    /// When the next child is to be started.
    pub fn next_start_ms(&self) -> Option<u64> {
        let to_start = self.children.iter().filter(|child| child.pid.is_none());
        to_start.map(|child| child.start_ms).min()
    }

    /// Reaps the children that have ended: adds up the resources that they used, and plans to
    /// restart those that are needed.
    pub fn reap(&mut self) {
        while let Ok(Some(ended)) = wait::reap() {
            self.reap_one(&ended);
        }
        // A predecessor's pipe is closed once no server has its reading end. The first pipe is our
        // own.
        let mut index = 0;
        self.stop_writers.retain(|pipe| {
            index += 1;
            index == 1 || has_reader(pipe)
        });
    }

    /// Does what a child's end requires.
    pub fn reap_one(&mut self, ended: &Ended) {
        self.scoreboard.note_reaped(ended.pid);
        let index = self.children.iter().position(|child| child.pid == Some(ended.pid));
        let role = index.map(|index| self.children[index].role);
        if role.is_none_or(|role| role != Role::Store) {
            self.used.add(ended.used);
        }
        let Some(index) = index else { return };
        let child = self.children.swap_remove(index);
        self.note_servers();
        if self.scoreboard.phase(self.generation) == Phase::Stopping {
            return;
        }
        if child.role.is_needed(self.generation) {
            if let Role::Server { index, .. } = child.role {
                // Its clients are gone. Until its replacement runs, the other servers accept the
                // clients in its queue.
                self.servers[index].admission.forget(index);
                self.servers[index].admission.overload.note(index, true);
            }
            self.scoreboard.counters.of_thread().count(child.role.name_and_counter().1);
            self.children.push(child.replacement(ended));
        } else if child.role == Role::Lookup {
            self.note_lookup_end(ended.how);
        } else if child.role == Role::Check {
            match ended.how {
                How::Exited(0) => self.upgrade(),
                _ => say!("zerohttpd: the new program failed its --check; going on as before"),
            }
        }
    }

    /// Starts the children that are due.
    pub fn start_due(&mut self) {
        let now_ms = clock::now().ms;
        while let Some(index) =
            self.children.iter().position(|child| child.pid.is_none() && child.start_ms <= now_ms)
        {
            let child = self.children.swap_remove(index);
            if let Role::Server { index, .. } = child.role {
                self.servers[index].admission.forget(index);
            }
            if let Err(message) = self.start(child.role, child.failures) {
                say!("zerohttpd: {message}; trying again");
                self.children.push(Child::to_start_later(child.role, child.failures));
            }
        }
    }

    /// Sends a signal to the children with these roles.
    pub fn send_signal(&self, signal: Signal, which: impl Fn(Role) -> bool) {
        for child in self.children.iter().filter(|child| which(child.role)) {
            if let Some(pid) = child.pid {
                let _ = kill_process(pid, signal);
            }
        }
    }
}

/// Whether any process has the reading end of a pipe (poll(2), `POLLERR`).
fn has_reader(pipe: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pipe, PollFlags::empty())];
    !poll(&mut fds, Some(&timespec(0))).is_ok_and(|count| count > 0)
}

/// Serves until the server is to stop, and exits. Exits at once if the process could not be
/// confined.
fn serve(arch: &Arch, server: &Server, confined: Result<(), String>) -> ! {
    match confined.map_err(io::Error::other).and_then(|()| (arch.run)(server)) {
        Ok(()) => exit(0),
        Err(error) => {
            say!("zerohttpd: {} can't go on: {error}", arch.name);
            exit(1)
        }
    }
}
