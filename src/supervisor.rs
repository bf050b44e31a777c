//! The process above: it owns the listening sockets, starts the others and starts them again,
//! passes on signals, and keeps the accounts. It has one thread and never touches a client.
//!
//! ```text
//!   zerohttpd ARCH             supervisor
//!     ├── zerohttpd store FILE   the embedded store, when no Redis is named
//!     ├── server                 the architecture, with its own threads or children;
//!     │                          as many of it as there are workers, for the loops
//!     └── admin's server         reports on them, if it is asked for
//! ```
//!
//! Children end when their parent does (see [`fork`](crate::sys::fork)), and their own children
//! then become the supervisor's, so that none is left behind and none is missing in the accounts.
//!
//! Servers come in generations. When the site, the templates and the log are to be opened anew,
//! the next generation is started on the same sockets, and the one before winds down. A new version
//! of the program takes over in the same way (see [`handover`]).

mod admin;
mod announce;
mod children;
mod handover;
mod prepare;
mod privileges;
mod sockets;
mod terminal;

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Signal, getpid};
use sd_notify::NotifyState;

use crate::cli::Options;
use crate::clock;
use crate::listener::Listener;
use crate::metrics::About;
use crate::scoreboard::Scoreboard;
use crate::server::Server;
use crate::store::address::{Address, Choice};
use crate::sys::signal::Signals;
use crate::sys::wait::{self, Used};

use admin::Admin;
use children::{Child, Role};
use handover::{Handover, Program};
use sockets::Sockets;
use terminal::{Hangup, Terminal};

/// What is read instead of being delivered.
const SIGNALS: &[Signal] = &[
    Signal::TERM,
    Signal::QUIT,
    Signal::INT,
    Signal::HUP,
    Signal::USR1,
    Signal::USR2,
    Signal::CHILD,
];

/// After Ctrl-C, the time that it takes to write the log and leave.
const FAREWELL_MS: u64 = 250;

/// So many generations of servers may be winding down. One more has to wait until one of them left.
const WINDING_DOWN: usize = 8;

/// Runs a server until it is told to stop.
///
/// # Errors
///
/// One line that says what can't be used, and what to do.
pub fn run(options: &Options) -> Result<(), String> {
    if options.check {
        return prepare::check(options);
    }
    // Before anything else is opened, so that no number stands for something of ours.
    let mut handover = Handover::receive()?;
    let passed = sockets::passed(handover.as_mut())?;
    let terminal = Terminal::of_this_process();
    let signals = Signals::take(SIGNALS).map_err(|e| format!("can't wait for signals: {e}"))?;
    let program = Program::this().map_err(|e| format!("can't find the program: {e}"))?;
    // A child whose parent dies becomes ours, and is waited for and counted like the others.
    rustix::process::set_child_subreaper(Some(getpid()))
        .map_err(|error| format!("can't adopt processes: {error}"))?;
    let (stopped, stop) = pipe()?;
    let Sockets { listeners, admin } = sockets::open(options, passed)?;
    let seats = if admin.is_some() { options.arch.workers.most_processes() } else { 0 };
    let scoreboard =
        Scoreboard::new(seats).map_err(|error| format!("can't share memory: {error}"))?;
    let workers = sockets::servers(options, listeners.len());
    let about = About { arch: options.arch.name, workers, started_unix_s: clock::now().unix_s };
    let admin = admin.map(|listener| Admin::new(listener, about, scoreboard)).transpose()?;
    let is_successor = handover.is_some();
    let mut before = handover.unwrap_or_default();
    let output = match before.output.pop() {
        None => prepare::output(options)?,
        output => output,
    };
    privileges::reduce(options)?;
    let mut supervisor = Supervisor {
        options,
        program,
        is_successor,
        signals,
        terminal,
        output,
        stops: [stop].into_iter().chain(before.stops).collect(),
        stopped: Arc::new(stopped),
        succeed: None,
        scoreboard,
        listeners,
        admin,
        store: None,
        generation: 0,
        is_reload_due: false,
        servers: Vec::new(),
        admin_server: None,
        children: Vec::new(),
        used: Used::default(),
        store_ready: None,
    };
    supervisor.adopt(before.store, &before.servers);
    if matches!(options.store, Choice::Embedded(_)) && before.store.is_none() {
        supervisor.begin_store()?;
    }
    supervisor.store = Some(match is_successor {
        true => prepare::store_as_before(options, before.store_at)?,
        false => prepare::store(options)?,
    });
    supervisor.next_generation()?;
    announce::announce(options, &supervisor, is_successor);
    tell_service_manager(&[NotifyState::Ready]);
    supervisor.watch()
}

struct Supervisor<'a> {
    options: &'a Options,
    program: Program,
    /// Whether it was executed in another one's place, and has to go on whatever happens.
    is_successor: bool,
    signals: Signals,
    terminal: Terminal,
    /// Standard output, if the log goes there.
    output: Option<OwnedFd>,
    /// A byte written to each of these wakes all who wait on the other ends, for ever: the servers
    /// that we have started, and those of the programs that we have replaced.
    stops: Vec<OwnedFd>,
    /// The other end of the first.
    stopped: Arc<OwnedFd>,
    /// Likewise, for the current generation of servers to wind down.
    succeed: Option<OwnedFd>,
    scoreboard: Scoreboard,
    listeners: Vec<Arc<Listener>>,
    /// What reports on the servers, if it is asked for.
    admin: Option<Admin>,
    store: Option<Address>,
    /// The number of the current generation; the first is 1.
    generation: u64,
    /// Whether the next generation was put off.
    is_reload_due: bool,
    /// The servers of the current generation.
    servers: Vec<Server>,
    /// The admin's server of the current generation.
    admin_server: Option<Server>,
    children: Vec<Child>,
    used: Used,
    /// Where the embedded store says that it listens. Kept open, as it may say so again.
    store_ready: Option<OwnedFd>,
}

impl Supervisor<'_> {
    /// Starts the embedded store. A successor goes on without it, as its predecessor did; and the
    /// servers that it waits for meanwhile may well end.
    fn begin_store(&mut self) -> Result<(), String> {
        match self.start(Role::Store, 0) {
            Ok(()) if self.is_successor => Ok(()),
            Ok(()) => self.await_store(),
            Err(message) if self.is_successor => {
                say!("zerohttpd: {message}; trying again");
                self.children.push(Child::later(Role::Store, 0));
                Ok(())
            }
            Err(message) => Err(message),
        }
    }

    fn watch(mut self) -> Result<(), String> {
        loop {
            self.reap();
            self.start_again();
            if self.is_reload_due && self.winding_down() < WINDING_DOWN {
                self.reload();
            }
            self.await_signal(self.next_start_ms());
            match self.signals.next_with_sender() {
                Some((Signal::TERM | Signal::QUIT, _)) => {
                    break self.stop(self.options.grace_ms, false);
                }
                Some((Signal::INT, _)) => break self.stop(FAREWELL_MS, true),
                Some((Signal::HUP, sender)) => match self.terminal.meaning_of_sighup(sender) {
                    Hangup::Stop => break self.stop(self.options.grace_ms, false),
                    Hangup::Reload => self.reload(),
                    Hangup::Nothing => {}
                },
                Some((Signal::USR1, _)) => self.reload(),
                Some((Signal::USR2, _)) => self.try_successor(),
                Some(_) | None => {}
            }
        }
    }

    fn await_signal(&self, until_ms: Option<u64>) {
        let left = |at_ms: u64| clock::timespec(at_ms.saturating_sub(clock::now().ms));
        let timeout = until_ms.map(left);
        let _ = poll(&mut [PollFd::new(&self.signals, PollFlags::IN)], timeout.as_ref());
    }

    /// Opens the site, the templates and the log anew; later, if too many clients are still with
    /// servers of before.
    fn reload(&mut self) {
        self.is_reload_due = self.winding_down() >= WINDING_DOWN;
        if self.is_reload_due {
            return say!(
                "zerohttpd: {WINDING_DOWN} generations of servers still wind down; opening the \
                 site, the templates and the log anew once one of them has left"
            );
        }
        let reloading = [NotifyState::Reloading]
            .into_iter()
            .chain(NotifyState::monotonic_usec_now())
            .collect::<Vec<_>>();
        tell_service_manager(&reloading);
        match self.next_generation() {
            Ok(()) => say!("zerohttpd: the site, the templates and the log were opened anew"),
            Err(message) => say!("zerohttpd: {message}; going on as before"),
        }
        tell_service_manager(&[NotifyState::Ready]);
    }

    /// Starts servers that see files, templates and log as they are now; those before wind down.
    fn next_generation(&mut self) -> Result<(), String> {
        let store = self.store.clone().ok_or("there is no store")?;
        let (succeeded, succeed) = pipe()?;
        let succeeded = Arc::new(succeeded);
        let generation = self.generation + 1;
        let admin_server = self
            .admin
            .as_ref()
            .map(|admin| admin.server(generation, store.clone(), succeeded.clone()))
            .transpose()?;
        let servers = prepare::servers(
            self.options,
            &self.listeners,
            store,
            prepare::Shared {
                output: self.output.as_ref(),
                scoreboard: self.scoreboard,
                generation,
                stop: self.stopped.clone(),
                succeeded,
            },
        )?;
        // What was open before is closed now, lest the new ones keep it: a log that was removed
        // would use its disk space for as long as they live.
        self.servers = servers;
        self.admin_server = admin_server;
        self.generation = generation;
        self.scoreboard.generation.store(generation, Relaxed);
        let roles = (0..self.servers.len()).map(|index| Role::Server { generation, index });
        let admin = self.admin.iter().map(|_| Role::Admin { generation });
        for role in roles.chain(admin).collect::<Vec<_>>() {
            if let Err(message) = self.start(role, 0) {
                if generation == 1 && !self.is_successor {
                    return Err(message);
                }
                say!("zerohttpd: {message}; trying again");
                self.children.push(Child::later(role, 0));
            }
        }
        self.wind_down_before(generation);
        self.succeed = Some(succeed);
        // Nobody waits for one of these to be started again.
        self.children.retain(|child| child.pid.is_some() || child.role.is_needed(generation));
        Ok(())
    }

    /// Has all servers of an earlier generation wind down.
    fn wind_down_before(&mut self, generation: u64) {
        self.scoreboard.supersede(generation);
        self.admin.iter().for_each(|admin| admin.supersede(generation));
        if let Some(succeed) = self.succeed.take() {
            let _ = rustix::io::write(&succeed, b"!");
        }
    }

    /// Has servers stop, for which they have `grace_ms`; then the store.
    fn stop(&mut self, grace_ms: u64, accounts: bool) -> Result<(), String> {
        tell_service_manager(&[NotifyState::Stopping]);
        self.scoreboard.stop();
        for stop in &self.stops {
            let _ = rustix::io::write(stop, b"!");
        }
        // Who waits in accept is woken, and who would connect is told at once that it is over.
        self.listeners.iter().for_each(|listener| listener.close());
        self.children.retain(|child| child.pid.is_some());
        self.end(Signal::KILL, |role| role == Role::Check);
        self.await_end(clock::now().ms + grace_ms, Role::is_server);
        self.end(Signal::KILL, Role::is_server);
        // Until now it has said that they stop.
        self.admin.iter().for_each(Admin::stop);
        self.await_end(clock::now().ms + FAREWELL_MS, |role| role != Role::Store);
        self.end(Signal::KILL, |role| role != Role::Store);
        // What the store has acknowledged is in its file.
        self.end(Signal::KILL, |role| role == Role::Store);
        // Those who were orphaned just now end with their parents.
        while let Ok(Some(ended)) = wait::wait() {
            self.bury(&ended);
        }
        if accounts {
            self.used.add(wait::used_by_self());
            announce::account(self.options, self.scoreboard, self.used);
        }
        Ok(())
    }

    /// Waits for children to end, up to a time, or until a second signal makes it short.
    fn await_end(&mut self, until_ms: u64, which: impl Fn(Role) -> bool) {
        self.reap();
        while self.children.iter().any(|child| which(child.role)) && clock::now().ms < until_ms {
            self.await_signal(Some(until_ms));
            while let Some(signal) = self.signals.next() {
                if matches!(signal, Signal::TERM | Signal::QUIT | Signal::INT) {
                    return;
                }
                self.reap();
            }
        }
    }

    /// Has the file of the program try whether it could go on in our place.
    fn try_successor(&mut self) {
        say!("zerohttpd: {} is to take over", self.program.file.display());
        self.children.retain(|child| child.role != Role::Check);
        if let Err(message) = self.start(Role::Check, 0) {
            say!("zerohttpd: {message}; going on as before");
        }
    }
}

fn pipe() -> Result<(OwnedFd, OwnedFd), String> {
    rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .map_err(|error| format!("can't make a pipe: {error}"))
}

/// Tells systemd, or whoever else listens at `NOTIFY_SOCKET` (sd_notify(3)); mostly nobody does.
fn tell_service_manager(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        say!("zerohttpd: can't notify the service manager: {error}");
    }
}
