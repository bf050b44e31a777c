//! The options of a server, as plain data.

use std::net::SocketAddr;
use std::path::PathBuf;

use zerohttpd_core::Limits;

use crate::ablations::Ablations;
use crate::admission;
use crate::arch::Arch;
use crate::net::listener::Sharing;
use crate::observe::access_log::Format;
use crate::sandbox::Sandbox;
use crate::store::address::StoreChoice;

/// The architecture that serves by default.
pub const DEFAULT_ARCH: &str = "epoll";

/// The options of a server.
pub struct Options {
    /// The architecture.
    pub arch: &'static Arch,
    /// The address to listen at.
    pub address: SocketAddr,
    /// At most this many clients wait in the kernel's queue.
    pub backlog: i32,
    /// The document root; `None` for the site that is compiled in.
    pub root: Option<PathBuf>,
    /// Whether folders without an index are listed.
    pub listing: bool,
    /// Whether symbolic links that stay beneath the root are followed.
    pub symlinks: bool,
    /// The folder of templates; `None` for those that are compiled in.
    pub templates: Option<PathBuf>,
    /// The store.
    pub store: StoreChoice,
    /// The size of a pool, or the number of processes of a loop.
    pub workers: usize,
    /// How the processes of a loop share the port.
    pub sharing: Sharing,
    /// The limits and time-outs of the protocol.
    pub limits: Limits,
    /// The limits on the number of clients.
    pub clients: admission::ClientLimits,
    /// What the server does as the C programs of 2019 did.
    pub ablations: Ablations,
    /// The address of the admin server.
    pub admin: Option<SocketAddr>,
    /// The format of the access log.
    pub log_format: Format,
    /// The file of the log; `None` for standard output.
    pub log_file: Option<PathBuf>,
    /// How long answers in flight can take after the server was told to stop.
    pub grace_ms: u64,
    /// The user, and after a colon the group, to switch to once the sockets are bound.
    pub user: Option<String>,
    /// Whether to confine the processes that parse what clients send.
    pub sandbox: Sandbox,
    /// Whether to check only that a server could start.
    pub check: bool,
}

impl Options {
    /// Whether there is a guestbook, and a store for it.
    pub fn has_guestbook(&self) -> bool {
        !matches!(self.store, StoreChoice::None)
    }
}
