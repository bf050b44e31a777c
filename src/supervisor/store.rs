//! Runs the embedded store, and forks the child that looks for a Redis (see [`lookup`]).

use std::io;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, getpid};
use zerohttpd_core::store::StoreDown;
use zerohttpd_sys::fork::{Fork, exit};
use zerohttpd_sys::process_title;
use zerohttpd_sys::ready::timespec;
use zerohttpd_sys::say;
use zerohttpd_sys::signal;
use zerohttpd_sys::wait::{self, How};

use crate::clock;
use crate::store::address::StoreChoice;
use crate::store::backoff::Backoff;
use crate::store::blocking_connection::BlockingConnection;
use crate::supervisor::child::{Child, Role, fork_child};
use crate::supervisor::lookup::{self, note_outage_at_start};
use crate::supervisor::state::Supervisor;

/// How long the supervisor waits for the embedded store to start.
const STORE_START_MS: u64 = 5000;

/// How long a start waits for the first lookup, so that a wrong password makes the start fail. The
/// first clients wait during this time too.
const FIRST_LOOKUP_MS: u64 = 2000;

/// A lookup that takes longer is killed. A resolver tries several servers for 5 s each.
const LONGEST_LOOKUP_MS: u64 = 30_000;

/// The time from one lookup to the next, and how often the supervisor checks whether one is due.
const LOOKUP_INTERVAL_MS: u64 = 1000;

/// How long a start waits for the embedded store to answer.
const EMBEDDED_ANSWER_MS: u64 = 5000;

impl Supervisor<'_> {
    /// Starts the embedded store and waits until it listens. A successor does not wait, because its
    /// clients would wait too.
    pub fn start_store(&mut self) -> Result<(), String> {
        match self.start(Role::Store, 0) {
            Ok(()) if self.is_successor => Ok(()),
            Ok(()) => self.await_store(),
            Err(message) if self.is_successor => {
                say!("zerohttpd: {message}; trying again");
                self.children.push(Child::to_start_later(Role::Store, 0));
                Ok(())
            }
            Err(message) => Err(message),
        }
    }

    /// Forks the process of the embedded store. The child executes this program's file, so that it
    /// does not keep the supervisor's memory.
    pub fn fork_store(&mut self) -> io::Result<Pid> {
        let StoreChoice::Embedded(file) = &self.options.store else {
            return Err(io::Error::other("there is no embedded store"));
        };
        let parent = getpid();
        let (ready_reader, ready_writer) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        // A pipe without a writer reads as an empty file, also where there is no /dev/null.
        let (empty, _) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        match fork_child()? {
            Fork::Parent(pid) => {
                self.store_ready = Some(ready_reader);
                Ok(pid)
            }
            Fork::Child => {
                // The supervisor sends SIGTERM to the store to make it close its file.
                signal::restore(Signal::TERM);
                let error = Command::new("/proc/self/exe")
                    .arg0("zerohttpd")
                    .arg("store")
                    .arg("--parent")
                    .arg(parent.to_string())
                    .arg("--sandbox")
                    .arg(self.options.sandbox.name())
                    .arg(file)
                    .stdin(empty)
                    .stdout(ready_writer)
                    .exec();
                say!("zerohttpd: can't start the embedded store: {error}");
                exit(1)
            }
        }
    }

    /// Waits until the embedded store listens. Fails if the store ends first. Gives up after
    /// [`STORE_START_MS`]: recovering a large write-ahead log can take longer.
    fn await_store(&mut self) -> Result<(), String> {
        let Some(ready) = &self.store_ready else { return Ok(()) };
        let mut fds =
            [PollFd::new(ready, PollFlags::IN), PollFd::new(&self.signals, PollFlags::IN)];
        let until_ms = clock::now().ms + STORE_START_MS;
        loop {
            let left_ms = until_ms.saturating_sub(clock::now().ms);
            let _ = poll(&mut fds, Some(&timespec(left_ms)));
            if fds[0].revents().contains(PollFlags::IN) || left_ms == 0 {
                // The store has written "ready", or "standby" if another server's store uses the
                // file.
                return Ok(());
            }
            match self.signals.next() {
                Some(Signal::CHILD | Signal::HUP | Signal::USR1 | Signal::USR2) | None => {}
                Some(_) => return Err("stopped before it had started".into()),
            }
            while let Ok(Some(ended)) = wait::reap() {
                // A child that is not in the list dates from before this process executed the
                // program.
                if !self.children.iter().any(|child| child.pid == Some(ended.pid)) {
                    continue;
                }
                match ended.how {
                    // The store has printed the reason.
                    How::Exited(_) => exit(1),
                    How::Killed(signal) => {
                        return Err(format!("the store's process was killed by signal {signal}"));
                    }
                }
            }
        }
    }

    /// Looks up the store at the start and waits briefly for the result. If the store does not
    /// answer in time, the server starts without it. A successor uses the `received` address of its
    /// predecessor.
    ///
    /// # Errors
    ///
    /// A signal has stopped the program meanwhile.
    pub fn find_store(&mut self, received: Option<SocketAddr>) -> Result<(), String> {
        if !self.options.store.is_redis() {
            if matches!(self.options.store, StoreChoice::Embedded(_)) && !self.is_successor {
                self.await_embedded();
            }
            return Ok(());
        }
        if let Some(address) = received {
            self.scoreboard.store.set_address(address);
        }
        if self.is_successor {
            self.lookup.is_due = received.is_none();
            return Ok(());
        }
        let until_ms = clock::now().ms + FIRST_LOOKUP_MS;
        self.look_up()?;
        while self.is_looking_up() && clock::now().ms < until_ms {
            self.await_signal(Some(until_ms));
            match self.signals.next() {
                Some(Signal::TERM | Signal::QUIT | Signal::INT) => {
                    return Err("stopped before it had started".into());
                }
                _ => self.reap(),
            }
        }
        match self.lookup.is_refused {
            // The lookup has printed the reason.
            true => exit(1),
            false if self.is_looking_up() => {
                note_outage_at_start(self.scoreboard.store, &StoreDown::TimedOut.into());
                let store = &self.options.store;
                say!(
                    "zerohttpd: the store {store} does not answer yet; serving files until it does"
                );
                Ok(())
            }
            false => Ok(()),
        }
    }

    /// Waits until the embedded store answers. If another server uses the same file, its store
    /// answers.
    fn await_embedded(&self) {
        let until_ms = clock::now().ms + EMBEDDED_ANSWER_MS;
        while clock::now().ms < until_ms {
            if BlockingConnection::open(&self.store, 0, until_ms).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        say!("zerohttpd: {} does not answer; the guestbook answers 503", self.options.store);
    }

    /// When the supervisor next checks whether a lookup is due.
    pub fn next_lookup_ms(&self) -> Option<u64> {
        self.options.store.is_redis().then(|| clock::now().ms + LOOKUP_INTERVAL_MS)
    }

    /// Starts a lookup of the store if one is due, and ends one that takes too long.
    pub fn look_up_if_due(&mut self) {
        if !self.options.store.is_redis() {
            return;
        }
        let now_ms = clock::now().ms;
        if self.is_looking_up() {
            if now_ms >= self.lookup.deadline_ms {
                self.send_signal(Signal::KILL, |role| role == Role::Lookup);
            }
            return;
        }
        let is_due = self.lookup.is_due || self.scoreboard.store.is_down();
        if is_due
            && now_ms >= self.lookup.not_before_ms
            && let Err(message) = self.look_up()
        {
            say!("zerohttpd: {message}; trying again");
        }
    }

    fn is_looking_up(&self) -> bool {
        self.children.iter().any(|child| child.role == Role::Lookup)
    }

    fn look_up(&mut self) -> Result<(), String> {
        let now_ms = clock::now().ms;
        self.lookup.not_before_ms = now_ms + LOOKUP_INTERVAL_MS;
        self.lookup.deadline_ms = now_ms + LONGEST_LOOKUP_MS;
        self.start(Role::Lookup, 0)?;
        self.lookup.is_due = false;
        Ok(())
    }

    /// Notes how a lookup has ended.
    pub fn note_lookup_end(&mut self, how: How) {
        self.lookup.is_refused = how == How::Exited(lookup::EXIT_NOT_ADMITTED);
    }

    /// Forks the child that resolves the name of the store and tries its addresses.
    pub fn fork_lookup(&mut self) -> io::Result<Pid> {
        if let Fork::Parent(pid) = fork_child()? {
            return Ok(pid);
        }
        let _ = rustix::thread::set_name(c"zerohttpd-seek");
        process_title::set("lookup");
        self.servers.clear();
        self.admin_server = None;
        self.drop_supervisor_fds();
        let backoff = Backoff {
            store: self.scoreboard.store,
            counters: self.scoreboard.counters.of_thread(),
        };
        let is_first = self.generation == 0 && !self.is_successor;
        exit(lookup::run(&self.options.store, &self.store, backoff, is_first))
    }
}
