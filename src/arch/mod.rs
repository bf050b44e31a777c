//! The architectures: how connections meet processes, threads and waiting.
//!
//! An architecture is given a [`Server`] whose socket listens, and runs until that is to stop. It
//! makes a [`Connection`](zero_core::Connection) for each client, polls it for what it wants, pays
//! that, and polls again. What it may choose is who pays, and what happens while a payment takes
//! time. Those that let a process or thread wait share [`blocking`]; those that never wait for one
//! client share [`readiness`]. None looks at a byte of HTTP, and none uses another.
//!
//! The contract, for each of them:
//!
//! - A client is [admitted](Server::admit) before anything is spent on it, and has a
//!   [`Presence`](crate::presence::Presence) for as long as it is there. Whoever waits for a
//!   process [buries](Server::bury) it.
//! - A client is never refused for want of resources: it waits in the kernel's queue. `accept`
//!   failing with `EMFILE` and its kin neither ends the server nor makes it spin.
//! - When the server's [phase](crate::scoreboard::Phase) is no longer to serve, no more clients are
//!   accepted, and `run` returns when the last one is gone. Each connection is told to
//!   [retire](zero_core::Connection::retire) or to [wind
//!   down](zero_core::Connection::wind_down). A descriptor becomes readable for all who wait:
//!   `stop` or `succeeded`. The supervisor sees to the time that this takes.
//! - In a pool that is full while clients wait, an idle connection makes room, and an answer says
//!   that it is the last.
//! - A deadline of the core's is kept, whatever is being paid.
//!
//! To add one, write its file and its row in [`ALL`]; nothing else names it.

mod blocking;
mod doors;
mod epoll;
mod forking;
mod iterative;
mod places;
mod poll;
mod preforked;
mod prethreaded;
mod readiness;
mod threaded;
mod timers;

use std::io;

use crate::crowd::POOL_WORKERS;
use crate::listener::Sharing;
use crate::server::Server;

/// An architecture.
pub struct Arch {
    /// What it is called, on the command line and in the literature.
    pub name: &'static str,
    /// The idea, in one sentence.
    pub idea: &'static str,
    /// What `--workers` means to it.
    pub workers: Workers,
    /// How its processes can share a port; nothing where they are no servers of their own.
    pub sharing: &'static [Sharing],
    /// Serves until the server is to stop.
    pub run: fn(&Server) -> io::Result<()>,
}

/// What `--workers` means to an architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    /// Nothing: it makes what it needs.
    None,
    /// The size of its pool.
    Pool,
    /// So many processes, each a whole server of its own.
    Processes,
}

impl Workers {
    /// The most processes that it has at a time, those of former generations included, roughly.
    pub fn most_processes(self) -> usize {
        match self {
            // One of them makes a process for each client.
            Workers::None => 32 * 1024,
            Workers::Pool | Workers::Processes => 4 * POOL_WORKERS,
        }
    }
}

/// All of them, in the order of history.
pub const ALL: &[Arch] = &[
    Arch {
        name: "iterative",
        idea: "one process serves one client after the other; the rest wait in the kernel's queue",
        workers: Workers::None,
        sharing: &[],
        run: iterative::run,
    },
    Arch {
        name: "forking",
        idea: "the parent accepts, and forks a child for each client",
        workers: Workers::None,
        sharing: &[],
        run: forking::run,
    },
    Arch {
        name: "preforked",
        idea: "a pool of processes, made at the start, take turns to accept",
        workers: Workers::Pool,
        sharing: &[],
        run: preforked::run,
    },
    Arch {
        name: "threaded",
        idea: "a new thread for each client",
        workers: Workers::None,
        sharing: &[],
        run: threaded::run,
    },
    Arch {
        name: "prethreaded",
        idea: "a pool of threads, made at the start, take turns to accept",
        workers: Workers::Pool,
        sharing: &[],
        run: prethreaded::run,
    },
    Arch {
        name: "poll",
        idea: "one loop asks poll(2) which of all its sockets are ready, and never waits for one",
        workers: Workers::Processes,
        sharing: &[Sharing::Reuseport, Sharing::Shared],
        run: poll::run,
    },
    Arch {
        name: "epoll",
        idea: "one loop; the kernel keeps the list of sockets and tells which became ready",
        workers: Workers::Processes,
        sharing: &[Sharing::Reuseport, Sharing::Shared, Sharing::Exclusive],
        run: epoll::run,
    },
];

/// The architecture of that name.
pub fn named(name: &str) -> Option<&'static Arch> {
    ALL.iter().find(|arch| arch.name == name)
}
