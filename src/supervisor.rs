//! The process above: it owns the listening sockets, starts the others and starts them again,
//! passes on signals, and keeps the accounts. It has one thread and never touches a client.
//!
//! ```text
//!   zerohttpd ARCH             supervisor
//!     ├── zerohttpd store FILE   the embedded store, when no Redis is named
//!     └── server                 the architecture, with its own threads or children;
//!                                as many of it as there are workers, for the loops
//! ```
//!
//! Children end when their parent does (see [`fork`]), and their own children then become the
//! supervisor's, so that none is left behind and none is missing in the accounts.

mod prepare;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, getpid, kill_process};

use crate::cli::Options;
use crate::clock;
use crate::scoreboard::Scoreboard;
use crate::server::Server;
use crate::store::address::Choice;
use crate::sys::fork::{Fork, exit, fork};
use crate::sys::signal::Signals;
use crate::sys::wait::{self, Ended, How, Used};

/// Runs a server until it is told to stop.
///
/// # Errors
///
/// One line that says what can't be used, and what to do.
pub fn run(options: &Options) -> Result<(), String> {
    let signals = Signals::take(&[Signal::TERM, Signal::INT, Signal::CHILD])
        .map_err(|error| format!("can't wait for signals: {error}"))?;
    // A child whose parent dies becomes ours, and is waited for and counted like the others.
    rustix::process::set_child_subreaper(Some(getpid()))
        .map_err(|error| format!("can't adopt processes: {error}"))?;
    let (stop_read, stop) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .map_err(|error| format!("can't make a pipe: {error}"))?;
    let scoreboard = Scoreboard::new().map_err(|error| format!("can't share memory: {error}"))?;
    let listeners = prepare::listeners(options)?;
    let mut supervisor = Supervisor {
        options,
        signals,
        stop,
        scoreboard,
        servers: Vec::new(),
        children: Vec::new(),
        used: Used::default(),
        store_ready: None,
    };
    if matches!(options.store, Choice::Embedded(_)) {
        supervisor.start(Role::Store, 0)?;
        supervisor.await_store()?;
    }
    supervisor.servers = prepare::servers(options, listeners, stop_read, scoreboard)?;
    for index in 0..supervisor.servers.len() {
        supervisor.start(Role::Server(index), 0)?;
    }
    prepare::announce(options, &supervisor.servers[0]);
    supervisor.watch()
}

struct Supervisor<'a> {
    options: &'a Options,
    signals: Signals,
    /// A byte written here wakes all who wait on the other end, for ever.
    stop: OwnedFd,
    scoreboard: Scoreboard,
    servers: Vec<Server>,
    children: Vec<Child>,
    used: Used,
    /// Where the embedded store says that it listens. Kept open, as it may say so again.
    store_ready: Option<OwnedFd>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Store,
    Server(usize),
}

/// A child, or one that is to be started again.
struct Child {
    role: Role,
    pid: Option<Pid>,
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

/// After Ctrl-C, the time that it takes to write the log and leave.
const FAREWELL_MS: u64 = 250;

impl Supervisor<'_> {
    fn start(&mut self, role: Role, failures: u32) -> Result<(), String> {
        let pid = match role {
            Role::Store => self.fork_store(),
            Role::Server(index) => self.fork_server(index),
        };
        let pid = pid.map_err(|error| format!("can't start a process: {error}"))?;
        let at_ms = clock::now().ms;
        self.children.push(Child { role, pid: Some(pid), at_ms, failures });
        Ok(())
    }

    fn fork_server(&mut self, index: usize) -> io::Result<Pid> {
        if let Fork::Parent(pid) = fork()? {
            return Ok(pid);
        }
        // The sockets of the others are none of its business.
        let server = std::mem::take(&mut self.servers).swap_remove(index);
        let arch = self.options.arch;
        match (arch.run)(&server) {
            Ok(()) => exit(0),
            Err(error) => {
                say!("zerohttpd: {} can't go on: {error}", arch.name);
                exit(1)
            }
        }
    }

    /// The embedded store is this program anew, with nothing of ours in its memory.
    fn fork_store(&mut self) -> io::Result<Pid> {
        let Choice::Embedded(file) = &self.options.store else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let parent = getpid();
        let (ready, say_ready) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        match fork()? {
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
                    .arg(file)
                    .stdin(Stdio::null())
                    .stdout(say_ready)
                    .exec();
                say!("zerohttpd: can't start the embedded store: {error}");
                exit(1)
            }
        }
    }

    /// Waits for the embedded store to listen, or to end with a message of its own.
    fn await_store(&mut self) -> Result<(), String> {
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
                Some(Signal::CHILD) | None => {}
                Some(_) => return Err("stopped before it had started".into()),
            }
            if let Ok(Some(_)) = wait::reap() {
                // It has said why.
                exit(1);
            }
        }
    }

    fn watch(mut self) -> Result<(), String> {
        loop {
            self.await_signal(self.next_start_ms());
            match self.signals.next() {
                Some(Signal::TERM) => break self.stop(self.options.grace_ms, false),
                Some(Signal::INT) => break self.stop(FAREWELL_MS, true),
                Some(_) => self.reap(),
                None => {}
            }
            self.start_again();
        }
    }

    fn await_signal(&self, until_ms: Option<u64>) {
        let left = |at_ms: u64| clock::timespec(at_ms.saturating_sub(clock::now().ms));
        let timeout = until_ms.map(left);
        let _ = poll(&mut [PollFd::new(&self.signals, PollFlags::IN)], timeout.as_ref());
    }

    fn next_start_ms(&self) -> Option<u64> {
        let to_start = self.children.iter().filter(|child| child.pid.is_none());
        to_start.map(|child| child.at_ms).min()
    }

    /// Takes the accounts of the children that have ended, and has those started again that are
    /// needed.
    fn reap(&mut self) {
        while let Ok(Some(ended)) = wait::reap() {
            self.bury(&ended);
        }
    }

    fn bury(&mut self, ended: &Ended) {
        let index = self.children.iter().position(|child| child.pid == Some(ended.pid));
        if index.is_none_or(|index| self.children[index].role != Role::Store) {
            self.used.add(ended.used);
        }
        if let Some(index) = index {
            let child = self.children.swap_remove(index);
            if !self.scoreboard.is_stopping() {
                self.children.push(child.to_start_again(ended));
            }
        }
    }

    fn start_again(&mut self) {
        let now_ms = clock::now().ms;
        while let Some(index) =
            self.children.iter().position(|child| child.pid.is_none() && child.at_ms <= now_ms)
        {
            let child = self.children.swap_remove(index);
            if let Err(message) = self.start(child.role, child.failures) {
                say!("zerohttpd: {message}; trying again");
                self.children.push(child.later());
            }
        }
    }

    /// Has the servers stop, for which they have `grace_ms`; then the store.
    fn stop(&mut self, grace_ms: u64, accounts: bool) -> Result<(), String> {
        self.scoreboard.stop();
        let _ = rustix::io::write(&self.stop, b"!");
        // Who waits in accept is woken, and who would connect is told at once that it is over.
        self.servers.iter().for_each(|server| server.listener.close());
        self.children.retain(|child| child.pid.is_some());
        let is_server = |child: &Child| child.role != Role::Store;
        self.await_end(clock::now().ms + grace_ms, is_server);
        self.end(Signal::KILL, is_server);
        // What the store has acknowledged is in its file.
        self.end(Signal::KILL, |child| child.role == Role::Store);
        // Those who were orphaned just now end with their parents.
        while let Ok(Some(ended)) = wait::wait() {
            self.bury(&ended);
        }
        if accounts {
            self.used.add(wait::used_by_self());
            prepare::account(self.options, self.scoreboard, self.used);
        }
        Ok(())
    }

    fn end(&self, signal: Signal, which: impl Fn(&Child) -> bool) {
        for child in self.children.iter().filter(|child| which(child)) {
            if let Some(pid) = child.pid {
                let _ = kill_process(pid, signal);
            }
        }
    }

    /// Waits for children to end, up to a time, or until a second signal makes it short.
    fn await_end(&mut self, until_ms: u64, which: impl Fn(&Child) -> bool) {
        self.reap();
        while self.children.iter().any(&which) && clock::now().ms < until_ms {
            self.await_signal(Some(until_ms));
            while let Some(signal) = self.signals.next() {
                if signal != Signal::CHILD {
                    return;
                }
                self.reap();
            }
        }
    }
}

impl Child {
    fn to_start_again(&self, ended: &Ended) -> Child {
        let now_ms = clock::now().ms;
        let soon = now_ms < self.at_ms + WELL_MS;
        let failures = if soon { self.failures } else { 0 };
        let what =
            if self.role == Role::Store { "the store's process" } else { "a server process" };
        let how = match ended.how {
            How::Exited(code) => format!("exited with {code}"),
            How::Killed(signal) => format!("was killed by signal {signal}"),
        };
        say!("zerohttpd: {what} {how}; starting another");
        let again = Child { role: self.role, pid: None, at_ms: now_ms, failures };
        if soon { again.later() } else { again }
    }

    /// To be started after a wait that doubles each time.
    fn later(self) -> Child {
        let failures = self.failures + 1;
        let wait_ms = (FIRST_WAIT_MS << failures.min(10)).min(LONGEST_WAIT_MS);
        Child { pid: None, at_ms: clock::now().ms + wait_ms, failures, ..self }
    }
}
