//! The supervisor's state. Its methods are in the files beside this one, a file for each subject.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use zerohttpd_sys::signal::Signals;
use zerohttpd_sys::wait::ResourceUsage;

use crate::admin::server::Admin;
use crate::net::listener::Listener;
use crate::options::Options;
use crate::server::Server;
use crate::shared::scoreboard::Scoreboard;
use crate::store::address::Address;
use crate::supervisor::child::Child;
use crate::supervisor::drain_delay::DrainDelay;
use crate::supervisor::lookup::StoreLookup;
use crate::supervisor::notify::ServiceManager;
use crate::supervisor::predecessor::Predecessor;
use crate::supervisor::program::{Executable, Program};
use crate::supervisor::root_watch::RootWatch;
use crate::supervisor::terminal::ControllingTerminal;

/// The time that servers have to write the log and exit after Ctrl-C. The admin server, orphans and
/// killed processes have the same time to end.
pub const EXIT_MS: u64 = 250;

/// The maximum number of generations that drain at a time. The next reload waits until one has
/// ended.
pub const MAX_DRAINING: usize = 8;

/// What the supervisor owns, and its pending tasks.
pub struct Supervisor<'a> {
    pub options: &'a Options,
    pub program: Program,
    /// Whether this program was executed in place of a running supervisor. A successor must not
    /// exit on an error.
    pub is_successor: bool,
    pub signals: Signals,
    pub terminal: ControllingTerminal,
    pub manager: ServiceManager,
    pub drain_delay: DrainDelay,
    /// Standard output, if the log goes there.
    pub output: Option<OwnedFd>,
    /// The writing ends of pipes that stop servers. The byte that is written stays unread, so that
    /// every server sees it. The first pipe is for servers of this program, the others are for
    /// servers of its predecessors.
    pub stop_writers: Vec<OwnedFd>,
    /// The reading end of the first pipe; `None` once the servers are being stopped.
    pub stop_reader: Option<Arc<OwnedFd>>,
    /// The writing end of a pipe that makes the current generation drain. There are two while the
    /// next generation is being started.
    pub drain_writers: Vec<OwnedFd>,
    pub scoreboard: Scoreboard,
    pub listeners: Vec<Arc<Listener>>,
    /// Present with `--admin`.
    pub admin: Option<Admin>,
    pub store: Address,
    pub lookup: StoreLookup,
    /// The number of the current generation; the first is 1.
    pub generation: u64,
    /// Whether a reload was postponed.
    pub is_reload_due: bool,
    /// Whether an upgrade was postponed.
    pub is_upgrade_due: bool,
    /// The file of the new program, as it was when its check began.
    pub candidate: Option<Executable>,
    /// What is left of the program that this one has replaced.
    pub predecessor: Predecessor,
    pub root_watch: RootWatch,
    /// The servers of the current generation.
    pub servers: Vec<Server>,
    /// The admin server of the current generation.
    pub admin_server: Option<Server>,
    pub children: Vec<Child>,
    /// The resources that reaped processes have used, without the store.
    pub used: ResourceUsage,
    /// The pipe on which the embedded store reports that it listens, or that it waits because
    /// another server's store has the file. It stays open, because a store that waits reports again
    /// once it listens.
    pub store_ready: Option<OwnedFd>,
}
