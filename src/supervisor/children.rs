//! The supervisor's children: how each is started, and what follows when it ends.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering::Relaxed;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, getpid, kill_process};

use super::Supervisor;
use crate::arch::{self, Arch};
use crate::cli::DEFAULT_ARCH;
use crate::clock;
use crate::sandbox;
use crate::scoreboard::Phase;
use crate::server::Server;
use crate::store::address::Choice;
use crate::sys::fork::{Fork, exit, fork};
use crate::sys::signal;
use crate::sys::wait::{self, Ended, How};
use crate::tally::Count;

/// What a child is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The embedded store.
    Store,
    /// One of the servers of a generation.
    Server { generation: u64, index: usize },
    /// The admin's server of a generation.
    Admin { generation: u64 },
    /// A new version of the program, which tries whether it could go on in our place.
    Check,
}

impl Role {
    pub fn is_server(self) -> bool {
        matches!(self, Role::Server { .. })
    }

    pub fn is_admin(self) -> bool {
        matches!(self, Role::Admin { .. })
    }

    /// What it is called, and what its restarts are counted by.
    fn described(self) -> (&'static str, Count) {
        match self {
            Role::Store => ("the store's process", Count::StoreRestarts),
            Role::Admin { .. } => ("the admin's process", Count::AdminRestarts),
            Role::Server { .. } | Role::Check => ("a server process", Count::ServerRestarts),
        }
    }

    /// Whether it is a server that the program before us has started.
    fn is_of_predecessor(self) -> bool {
        matches!(self, Role::Server { generation: 0, .. })
    }

    /// Whether a child of this role is to be started again when it ends.
    pub fn is_needed(self, current: u64) -> bool {
        match self {
            Role::Store => true,
            Role::Server { generation, .. } | Role::Admin { generation } => generation == current,
            Role::Check => false,
        }
    }
}

/// A child, or one that is to be started again.
pub struct Child {
    pub role: Role,
    pub pid: Option<Pid>,
    /// When it was started, or is to be.
    at_ms: u64,
    /// How often it has ended soon after its start.
    failures: u32,
}

/// A child that lives this long has started well.
const WELL_MS: u64 = 2000;

/// The wait before a child that keeps ending is started again: first and longest.
const FIRST_WAIT_MS: u64 = 50;
const LONGEST_WAIT_MS: u64 = 5000;

impl Child {
    /// One that is to be started after a wait that doubles with each failure.
    pub fn later(role: Role, failures: u32) -> Child {
        let wait_ms = (FIRST_WAIT_MS << failures.min(10)).min(LONGEST_WAIT_MS);
        Child { role, pid: None, at_ms: clock::now().ms + wait_ms, failures: failures + 1 }
    }

    fn to_start_again(&self, ended: &Ended) -> Child {
        let now_ms = clock::now().ms;
        let (what, _) = self.role.described();
        let how = match ended.how {
            How::Exited(code) => format!("exited with {code}"),
            How::Killed(signal) => format!("was killed by signal {signal}"),
        };
        say!("zerohttpd: {what} {how}; starting another");
        if now_ms < self.at_ms + WELL_MS {
            return Child::later(self.role, self.failures);
        }
        Child { role: self.role, pid: None, at_ms: now_ms, failures: 0 }
    }
}

impl Supervisor<'_> {
    /// Takes over the children of the program that we have replaced. Its servers are of no
    /// generation of ours.
    pub fn adopt(&mut self, store: Option<Pid>, servers: &[Pid]) {
        let at_ms = clock::now().ms;
        let child = |role, pid| Child { role, pid: Some(pid), at_ms, failures: 0 };
        self.children.extend(store.map(|pid| child(Role::Store, pid)));
        let servers = servers.iter().enumerate();
        self.children
            .extend(servers.map(|(index, pid)| child(Role::Server { generation: 0, index }, *pid)));
    }

    pub fn start(&mut self, role: Role, failures: u32) -> Result<(), String> {
        let pid = match role {
            Role::Store => self.fork_store(),
            Role::Server { index, .. } => self.fork_server(index),
            Role::Admin { .. } => self.fork_admin(),
            Role::Check => self.fork_check(),
        };
        let pid = pid.map_err(|error| format!("can't start a process: {error}"))?;
        let at_ms = clock::now().ms;
        self.children.push(Child { role, pid: Some(pid), at_ms, failures });
        self.note_servers();
        Ok(())
    }

    /// Notes how many servers live.
    fn note_servers(&self) {
        let current = |role: Role| role.is_server() && role.is_needed(self.generation);
        let live = self.children.iter().filter(|child| current(child.role) && child.pid.is_some());
        self.scoreboard.servers.store(live.count() as u64, Relaxed);
    }

    /// How many generations of servers have successors, and clients yet.
    pub fn winding_down(&self) -> usize {
        let mut old: Vec<u64> = self
            .children
            .iter()
            .filter_map(|child| match child.role {
                Role::Server { generation, .. } | Role::Admin { generation } => Some(generation),
                Role::Store | Role::Check => None,
            })
            .filter(|generation| *generation != self.generation)
            .collect();
        old.sort_unstable();
        old.dedup();
        old.len()
    }

    fn fork_server(&mut self, index: usize) -> io::Result<Pid> {
        if let Fork::Parent(pid) = fork_child()? {
            return Ok(pid);
        }
        let server = std::mem::take(&mut self.servers).swap_remove(index);
        self.shed();
        self.admin_server = None;
        let root = server.site.root().map(|root| root.as_fd());
        let port = server.store.tcp().map(|address| address.port());
        let confined = sandbox::confine_server(self.options.sandbox, root, port);
        serve(self.options.arch, &server, confined)
    }

    /// Closes in a server's process what is the supervisor's: with the ends that are written to,
    /// one that a client has taken over could stop all others. Whoever reads the descriptor of
    /// signals is shown their own, and of those a server has none.
    fn shed(&mut self) {
        self.stops.clear();
        (self.succeed, self.store_ready, self.output) = (None, None, None);
        self.listeners.clear();
        self.admin = None;
    }

    fn fork_admin(&mut self) -> io::Result<Pid> {
        if let Fork::Parent(pid) = fork_child()? {
            return Ok(pid);
        }
        let _ = rustix::thread::set_name(c"zerohttpd-admin");
        self.servers.clear();
        self.shed();
        let Some(server) = self.admin_server.take() else { exit(1) };
        // All that it needs is open.
        let confined = sandbox::confine_server(self.options.sandbox, None, None);
        serve(arch::named(DEFAULT_ARCH).unwrap_or(self.options.arch), &server, confined)
    }

    /// The embedded store is this program anew, with nothing of ours in its memory.
    fn fork_store(&mut self) -> io::Result<Pid> {
        let Choice::Embedded(file) = &self.options.store else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let parent = getpid();
        let (ready, say_ready) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        match fork_child()? {
            Fork::Parent(pid) => {
                self.store_ready = Some(ready);
                Ok(pid)
            }
            Fork::Child => {
                let error = Command::new("/proc/self/exe")
                    .arg0("zerohttpd")
                    .arg("store")
                    .arg("--parent")
                    .arg(parent.to_string())
                    .arg("--sandbox")
                    .arg(self.options.sandbox.name())
                    .arg(file)
                    .stdin(Stdio::null())
                    .stdout(say_ready)
                    .exec();
                say!("zerohttpd: can't start the embedded store: {error}");
                exit(1)
            }
        }
    }

    /// The program's file, as it is now, looks at what we were told.
    fn fork_check(&mut self) -> io::Result<Pid> {
        if let Fork::Parent(pid) = fork_child()? {
            return Ok(pid);
        }
        let arguments = self.program.arguments.iter().skip(1);
        let arguments =
            arguments.map(|argument| std::os::unix::ffi::OsStrExt::from_bytes(argument.to_bytes()));
        let error = Command::new(&self.program.file)
            .args::<_, &std::ffi::OsStr>(arguments)
            .arg("--check")
            .stdin(Stdio::null())
            .exec();
        say!("zerohttpd: can't execute {}: {error}", self.program.file.display());
        exit(1)
    }

    /// Waits for the embedded store to listen, or to end with a message of its own.
    pub fn await_store(&mut self) -> Result<(), String> {
        let Some(ready) = &self.store_ready else { return Ok(()) };
        let mut fds =
            [PollFd::new(ready, PollFlags::IN), PollFd::new(&self.signals, PollFlags::IN)];
        loop {
            let _ = poll(&mut fds, None);
            if fds[0].revents().contains(PollFlags::IN) {
                // "ready", or "standby" where another server's store has the file already.
                return Ok(());
            }
            match self.signals.next() {
                Some(Signal::CHILD | Signal::HUP | Signal::USR1 | Signal::USR2) | None => {}
                Some(_) => return Err("stopped before it had started".into()),
            }
            if let Ok(Some(_)) = wait::reap() {
                // It has said why.
                exit(1);
            }
        }
    }

    pub fn next_start_ms(&self) -> Option<u64> {
        let to_start = self.children.iter().filter(|child| child.pid.is_none());
        to_start.map(|child| child.at_ms).min()
    }

    /// Takes the accounts of the children that have ended, and has those started again that are
    /// needed.
    pub fn reap(&mut self) {
        while let Ok(Some(ended)) = wait::reap() {
            self.bury(&ended);
        }
        if !self.children.iter().any(|child| child.role.is_of_predecessor()) {
            self.stops.truncate(1);
        }
    }

    pub fn bury(&mut self, ended: &Ended) {
        self.scoreboard.bury(ended.pid);
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
                // Those in its queue don't wait until it is back.
                self.servers[index].crowd.relief.note(index, true);
            }
            self.scoreboard.tallies.of_thread().count(child.role.described().1);
            self.children.push(child.to_start_again(ended));
        } else if child.role == Role::Check {
            match ended.how {
                How::Exited(0) => self.hand_over(),
                _ => say!("zerohttpd: it can't; going on as before"),
            }
        }
    }

    pub fn start_again(&mut self) {
        let now_ms = clock::now().ms;
        while let Some(index) =
            self.children.iter().position(|child| child.pid.is_none() && child.at_ms <= now_ms)
        {
            let child = self.children.swap_remove(index);
            if let Role::Server { index, .. } = child.role {
                self.servers[index].crowd.forget(index);
            }
            if let Err(message) = self.start(child.role, child.failures) {
                say!("zerohttpd: {message}; trying again");
                self.children.push(Child::later(child.role, child.failures));
            }
        }
    }

    pub fn end(&self, signal: Signal, which: impl Fn(Role) -> bool) {
        for child in self.children.iter().filter(|child| which(child.role)) {
            if let Some(pid) = child.pid {
                let _ = kill_process(pid, signal);
            }
        }
    }
}

/// Makes a child that hears neither Ctrl-C nor SIGTERM, which may come to all processes of a group:
/// it is for us to have it stop. So it is with those that it will make.
fn fork_child() -> io::Result<Fork> {
    let side = fork()?;
    if let Fork::Child = side {
        // In this order, so that none that has come meanwhile ends the child.
        signal::MEANT_FOR_SUPERVISOR.iter().for_each(|signal| signal::ignore(*signal));
        signal::unblock_all();
    }
    Ok(side)
}

/// What a server's process does, once it is confined.
fn serve(arch: &Arch, server: &Server, confined: Result<(), String>) -> ! {
    match confined.map_err(io::Error::other).and_then(|()| (arch.run)(server)) {
        Ok(()) => exit(0),
        Err(error) => {
            say!("zerohttpd: {} can't go on: {error}", arch.name);
            exit(1)
        }
    }
}
