//! The supervisor: it owns the listening sockets, starts the other processes, restarts them when
//! they end, acts on signals, and adds up the resources that all of them used. It has one thread
//! and no clients.
//!
//! ```text
//!   zerohttpd: supervisor
//!     ├── zerohttpd: store FILE   the embedded store, unless a Redis is named
//!     ├── zerohttpd: worker 1     the architecture, with its own threads or children;
//!     │                           a loop runs in --workers such processes
//!     └── zerohttpd: admin        metrics and health, with --admin
//! ```
//!
//! A child ends when its parent does (see [`fork`](zerohttpd_sys::fork)). The supervisor adopts
//! orphans, so that no process is left behind and the resources of each are counted.
//!
//! Servers come in generations. To open the site, the templates and the log anew, the supervisor
//! starts the next generation on the same sockets, and the previous generation drains. A new
//! version of the program takes over in the same way (see [`upgrade`]).

mod banner;
mod build;
mod child;
mod children;
mod descriptors;
mod drain_delay;
mod generations;
mod inspection;
mod lookup;
mod notify;
mod occupant;
mod predecessor;
mod privileges;
mod program;
mod root_watch;
mod sockets;
mod state;
mod status;
mod stopping;
mod store;
mod terminal;
mod upgrade;
pub mod upgrade_state;

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Signal, getpid};
use sd_notify::NotifyState;
use zerohttpd_sys::diagnostics;
use zerohttpd_sys::process_title;
use zerohttpd_sys::ready::timespec;
use zerohttpd_sys::say;
use zerohttpd_sys::signal::Signals;
use zerohttpd_sys::wait::ResourceUsage;

use crate::admin::server::Admin;
use crate::clock;
use crate::net::pipe;
use crate::observe::metrics::ServerInfo;
use crate::options::Options;
use crate::shared::scoreboard::Scoreboard;
use crate::store::address::{Address, StoreChoice};
use drain_delay::DrainDelay;
use lookup::StoreLookup;
use notify::ServiceManager;
use predecessor::Predecessor;
use program::Program;
use root_watch::RootWatch;
use sockets::Sockets;
use state::{EXIT_MS, MAX_DRAINING, Supervisor};
use terminal::{ControllingTerminal, Hangup};
use upgrade_state::UpgradeState;

/// The signals that the supervisor reads from a descriptor instead of having them delivered.
const SIGNALS: &[Signal] = &[
    Signal::TERM,
    Signal::QUIT,
    Signal::INT,
    Signal::HUP,
    Signal::USR1,
    Signal::USR2,
    Signal::CHILD,
];

/// How often the supervisor tries to report lost lines on standard error.
const REPORT_INTERVAL_MS: u64 = 1000;

/// Runs a server until a signal stops it.
///
/// # Errors
///
/// One line that says what can't be used, and what to do.
pub fn run(options: &Options) -> Result<(), String> {
    if options.check {
        return inspection::check(options);
    }
    // Passed descriptors are known only by their numbers. They are taken before another file gets
    // one of these numbers.
    let mut upgrade = UpgradeState::receive()?;
    let passed = sockets::passed(upgrade.as_mut())?;
    let is_successor = upgrade.is_some();
    let output = inspection::before_binding(options, &passed);
    let output = or_go_on_without(is_successor, output)?.flatten();
    let terminal = ControllingTerminal::of_this_process();
    let manager = ServiceManager::of_this_process();
    let signals = Signals::take(SIGNALS).map_err(|e| format!("can't wait for signals: {e}"))?;
    let program = Program::current().map_err(|e| format!("can't find the program: {e}"))?;
    // Orphans become children of this process, which waits for them and counts what they used.
    rustix::process::set_child_subreaper(Some(getpid()))
        .map_err(|error| format!("can't adopt processes: {error}"))?;
    let (stop_reader, stop_writer) = pipe()?;
    let Sockets { listeners, admin } = sockets::open(options, passed)?;
    let is_observed = admin.is_some() || manager.is_there();
    let gauge_sets = if is_observed { options.arch.workers.max_processes() } else { 0 };
    let scoreboard =
        Scoreboard::new(gauge_sets).map_err(|error| format!("can't share memory: {error}"))?;
    let workers = sockets::server_count(options, listeners.len());
    let info = server_info(options, workers);
    let admin = admin.map(|listener| Admin::new(listener, info, scoreboard)).transpose()?;
    let mut received = upgrade.unwrap_or_default();
    let output = received.output.pop().or(output);
    or_go_on_without(is_successor && !privileges::is_root(), privileges::switch_user(options))?;
    if !is_successor {
        inspection::before_serving(options, None)?;
    }
    let address = listeners.first().and_then(|listener| listener.address().ok());
    let address = address.map_or(String::new(), |address| format!(" at {address}"));
    process_title::set(&format!("supervisor ({}{address})", options.arch.name));
    let supervisor = Supervisor {
        options,
        program,
        is_successor,
        signals,
        terminal,
        manager,
        drain_delay: DrainDelay::new(options.drain_ms),
        output,
        stop_writers: [stop_writer]
            .into_iter()
            .chain(mem::take(&mut received.stop_writers))
            .collect(),
        stop_reader: Some(Arc::new(stop_reader)),
        drain_writers: mem::take(&mut received.drain_writers),
        scoreboard,
        listeners,
        admin,
        store: Address::of(&options.store, scoreboard.store),
        lookup: StoreLookup::default(),
        generation: 0,
        is_reload_due: false,
        is_upgrade_due: false,
        candidate: None,
        predecessor: Predecessor::take(&mut received),
        root_watch: RootWatch::default(),
        servers: Vec::new(),
        admin_server: None,
        children: Vec::new(),
        used: ResourceUsage::default(),
        store_ready: None,
    };
    supervisor.serve(&received)
}

fn server_info(options: &Options, workers: usize) -> ServerInfo {
    ServerInfo {
        arch: options.arch.name,
        workers,
        has_store: options.has_guestbook(),
        started_unix_s: clock::now().unix_s,
    }
}

/// Lets a successor go on without a result that a first start requires, and reports the failure.
fn or_go_on_without<T>(can_go_on: bool, result: Result<T, String>) -> Result<Option<T>, String> {
    match result {
        Err(message) if can_go_on => {
            say!("zerohttpd: {message}; going on without");
            Ok(None)
        }
        result => result.map(Some),
    }
}

impl Supervisor<'_> {
    /// Starts all processes and supervises them. A successor keeps the store that its predecessor
    /// has passed on.
    fn serve(mut self, received: &UpgradeState) -> Result<(), String> {
        let options = self.options;
        self.adopt(received);
        if matches!(options.store, StoreChoice::Embedded(_)) && received.store.is_none() {
            self.start_store()?;
        }
        self.find_store(received.store_at)?;
        if let Err(message) = self.next_generation() {
            if !self.is_successor {
                return Err(message);
            }
            self.generation += 1;
            self.postpone_first_generation(&message);
        }
        banner::print(options, &self, self.is_successor);
        self.tell_with_status(&[NotifyState::Ready]);
        self.watch()
    }

    /// Handles signals, the end of children and everything that is due, until the server is to
    /// stop.
    fn watch(mut self) -> Result<(), String> {
        loop {
            if self.drain_delay.begins(clock::now().ms) && self.options.drain_ms > 0 {
                self.begin_drain();
            }
            if self.drain_delay.is_over(clock::now().ms) {
                break self.stop(self.options.grace_ms, false);
            }
            self.tell_what_is_due();
            self.reap();
            self.start_due();
            self.look_up_if_due();
            self.end_late_check();
            if self.is_reload_due && self.can_retry() {
                self.reload();
            }
            self.watch_root();
            let next_report_ms =
                diagnostics::report_lost().then(|| clock::now().ms + REPORT_INTERVAL_MS);
            if self.is_upgrade_due && self.draining_count() < MAX_DRAINING {
                self.begin_upgrade();
            }
            let times = [
                self.next_start_ms(),
                self.next_lookup_ms(),
                self.next_root_check_ms(),
                self.check_deadline_ms(),
                self.retry_at_ms(),
                next_report_ms,
                self.drain_delay.next_ms(),
                self.manager.next_ms(),
            ];
            self.await_signal(times.into_iter().flatten().min());
            match self.signals.next_with_sender() {
                Some((Signal::TERM | Signal::QUIT, _)) => {
                    self.drain_delay.on_signal(clock::now().ms);
                }
                Some((Signal::INT, _)) => break self.stop(EXIT_MS, true),
                Some((Signal::HUP, sender)) => match self.terminal.meaning_of_sighup(sender) {
                    Hangup::Stop => break self.stop(self.options.grace_ms, false),
                    Hangup::Reload => self.reload(),
                    Hangup::Nothing => {}
                },
                Some((Signal::USR1, _)) => self.reload(),
                Some((Signal::USR2, _)) => self.begin_upgrade(),
                Some(_) | None => {}
            }
        }
    }

    /// Waits for a signal, until `until_ms` at the latest.
    fn await_signal(&self, until_ms: Option<u64>) {
        let left = |at_ms: u64| timespec(at_ms.saturating_sub(clock::now().ms));
        let timeout = until_ms.map(left);
        let waited = poll(&mut [PollFd::new(&self.signals, PollFlags::IN)], timeout.as_ref());
        if waited.is_err_and(|errno| errno != Errno::INTR) {
            std::thread::sleep(Duration::from_millis(10)); // The kernel has no memory (poll(2)).
        }
    }
}
