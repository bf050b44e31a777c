//! A child of the supervisor: its role, and when it is started again.

use std::io;

use rustix::process::Pid;
use zerohttpd_sys::fork::{Fork, fork};
use zerohttpd_sys::say;
use zerohttpd_sys::signal;
use zerohttpd_sys::wait::{Ended, How};

use crate::clock;
use crate::shared::counters::Count;

/// The role of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The embedded store.
    Store,
    /// One of the servers of a generation.
    Server { generation: u64, index: usize },
    /// The admin server of a generation.
    Admin { generation: u64 },
    /// The process that checks a new version of the program before an upgrade.
    Check,
    /// The process that resolves the name of the store and tries its addresses.
    Lookup,
}

impl Role {
    pub fn is_server(self) -> bool {
        matches!(self, Role::Server { .. })
    }

    /// The name of the role in messages, and the counter of its restarts.
    pub fn name_and_counter(self) -> (&'static str, Count) {
        match self {
            Role::Store => ("the store's process", Count::StoreRestarts),
            Role::Admin { .. } => ("the admin's process", Count::AdminRestarts),
            Role::Server { .. } | Role::Check | Role::Lookup => {
                ("a server process", Count::ServerRestarts)
            }
        }
    }

    /// The generation to which a server or the admin server belongs.
    pub fn generation(self) -> Option<u64> {
        match self {
            Role::Server { generation, .. } | Role::Admin { generation } => Some(generation),
            Role::Store | Role::Check | Role::Lookup => None,
        }
    }

    /// Whether a child of this role is to be started again when it ends. `current` is the current
    /// generation.
    pub fn is_needed(self, current: u64) -> bool {
        match self {
            Role::Store => true,
            Role::Server { generation, .. } | Role::Admin { generation } => generation == current,
            Role::Check | Role::Lookup => false,
        }
    }
}

/// A child that runs, or that is to be restarted.
pub struct Child {
    pub role: Role,
    /// `None` if it is to be started.
    pub pid: Option<Pid>,
    /// When it was started or is to be started, in milliseconds of the monotonic clock.
    pub start_ms: u64,
    /// How often in a row it has ended soon after its start.
    pub failures: u32,
}

/// A child that lives this long has started successfully.
const STARTUP_MS: u64 = 2000;

/// The first wait before a child that keeps ending is restarted.
const FIRST_WAIT_MS: u64 = 50;

/// The longest wait before a child that keeps ending is restarted.
const LONGEST_WAIT_MS: u64 = 5000;

impl Child {
    /// A child to start after a wait, which doubles with each failure.
    pub fn to_start_later(role: Role, failures: u32) -> Child {
        let wait_ms = (FIRST_WAIT_MS << failures.min(10)).min(LONGEST_WAIT_MS);
        Child { role, pid: None, start_ms: clock::now().ms + wait_ms, failures: failures + 1 }
    }

    /// The child that replaces this one, which has ended. Prints how it ended.
    pub fn replacement(&self, ended: &Ended) -> Child {
        let now_ms = clock::now().ms;
        let (what, _) = self.role.name_and_counter();
        let how = match ended.how {
            How::Exited(code) => format!("exited with {code}"),
            How::Killed(signal) => format!("was killed by signal {signal}"),
        };
        say!("zerohttpd: {what} {how}; starting another");
        if now_ms < self.start_ms + STARTUP_MS {
            return Child::to_start_later(self.role, self.failures);
        }
        Child { role: self.role, pid: None, start_ms: now_ms, failures: 0 }
    }
}

/// Forks a child. The child and its own children ignore Ctrl-C and SIGTERM: a terminal or a service
/// manager can send these signals to a whole group, but only the supervisor stops servers.
pub fn fork_child() -> io::Result<Fork> {
    let side = fork()?;
    if let Fork::Child = side {
        // A pending signal would end the child if it were unblocked before it is ignored.
        signal::SUPERVISOR_SIGNALS.iter().for_each(|signal| signal::ignore(*signal));
        signal::unblock_all();
    }
    Ok(side)
}
