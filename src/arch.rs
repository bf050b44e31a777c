//! The architectures: how connections meet processes, threads and waiting.
//!
//! An architecture gets a [`Server`] whose socket listens already, and runs until the server is to
//! stop. A driver creates a [`Connection`](zerohttpd_core::Connection) for each client, polls it
//! for what it wants, performs that want, and polls again. The architecture decides which process
//! or thread does so, and what else that process or thread does meanwhile. If a process or thread
//! waits for one client, the driver is [`blocking`](crate::driver::blocking). If a loop has all
//! clients and waits for none of them, the driver is the [`reactor`](crate::driver::reactor).
//!
//! The contract, which the drivers fulfil for every architecture:
//!
//! - A client is admitted before it costs a process or a thread, and is counted for as long as it
//!   is connected. A process that reaps a child tells [`Server::note_reaped`].
//! - If descriptors, processes or threads run short, clients wait in the kernel's queue instead of
//!   being refused. A failed accept(2) neither ends the server nor makes it spin.
//! - Once the server's [phase](crate::shared::scoreboard::Phase) is no longer `Serving`, a worker
//!   that waits in accept(2) can accept one more client, and `run` returns when the last client has
//!   left. The descriptor `stop_reader` or `drain_reader` becomes readable and wakes every process
//!   and thread that waits. The supervisor kills the processes that have not ended in time.
//! - If all workers of a pool have a client and more clients wait, idle connections are closed, and
//!   each answer says that it is the last one on its connection.
//! - A driver that waits keeps each deadline of the core. Only reading a file that is not in the
//!   page cache can delay it.
//!
//! To add an architecture, write its file and its row in [`ALL`]; nothing else in the program names
//! it.

mod epoll;
mod forking;
mod iterative;
mod poll;
mod preforked;
mod prethreaded;
mod threaded;

use std::io;

use crate::admission::MAX_WORKERS;
use crate::net::listener::Sharing;
use crate::server::Server;

/// An architecture: its name, what it needs, and the function that serves.
pub struct Arch {
    /// Its name on the command line and in the literature.
    pub name: &'static str,
    /// The idea, in one sentence.
    pub idea: &'static str,
    /// Its source, whose opening explains it.
    pub source: &'static str,
    /// What `--workers` means to it.
    pub workers: Workers,
    /// Whether threads of one process serve its clients, so that all clients share the limit of
    /// descriptors.
    pub has_threads: bool,
    /// How several servers can share a port; empty if there is only one server.
    pub sharing: &'static [Sharing],
    /// Serves until the server is to stop.
    pub run: fn(&Server) -> io::Result<()>,
}

/// What `--workers` means to an architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    /// Nothing: it creates what it needs.
    None,
    /// The size of its pool.
    Pool,
    /// The number of its processes, each of which is a server by itself.
    Processes,
}

impl Workers {
    /// A rough upper limit on the number of its processes, including those of earlier generations.
    pub fn max_processes(self) -> usize {
        match self {
            // One of these architectures forks a process for each client.
            Workers::None => 32 * 1024,
            Workers::Pool | Workers::Processes => 4 * MAX_WORKERS,
        }
    }
}

/// All architectures, in the order of history.
pub const ALL: &[Arch] = &[
    Arch {
        name: "iterative",
        idea: "one process serves one client at a time; the others wait in the kernel's queue",
        source: include_str!("arch/iterative.rs"),
        workers: Workers::None,
        has_threads: false,
        sharing: &[],
        run: iterative::run,
    },
    Arch {
        name: "forking",
        idea: "the parent accepts clients and forks a child process for each",
        source: include_str!("arch/forking.rs"),
        workers: Workers::None,
        has_threads: false,
        sharing: &[],
        run: forking::run,
    },
    Arch {
        name: "preforked",
        idea: "a pool of processes, created at the start, take turns to accept clients",
        source: include_str!("arch/preforked.rs"),
        workers: Workers::Pool,
        has_threads: false,
        sharing: &[],
        run: preforked::run,
    },
    Arch {
        name: "threaded",
        idea: "the main thread accepts clients and creates a thread for each",
        source: include_str!("arch/threaded.rs"),
        workers: Workers::None,
        has_threads: true,
        sharing: &[],
        run: threaded::run,
    },
    Arch {
        name: "prethreaded",
        idea: "a pool of threads, created at the start, take turns to accept clients",
        source: include_str!("arch/prethreaded.rs"),
        workers: Workers::Pool,
        has_threads: true,
        sharing: &[],
        run: prethreaded::run,
    },
    Arch {
        name: "poll",
        idea: "one loop asks poll(2) which of all its sockets are ready, and never blocks on one",
        source: include_str!("arch/poll.rs"),
        workers: Workers::Processes,
        has_threads: false,
        sharing: &[Sharing::Reuseport, Sharing::Shared],
        run: poll::run,
    },
    Arch {
        name: "epoll",
        idea: "one loop; the kernel keeps the list of sockets and reports those that became ready",
        source: include_str!("arch/epoll.rs"),
        workers: Workers::Processes,
        has_threads: false,
        sharing: &[Sharing::Reuseport, Sharing::Shared, Sharing::Exclusive],
        run: epoll::run,
    },
];

/// The architecture with that name, in lower or upper case.
pub fn named(name: &str) -> Option<&'static Arch> {
    ALL.iter().find(|arch| arch.name.eq_ignore_ascii_case(name))
}

/// The architectures as the laboratory knows them.
#[cfg(feature = "lab")]
pub fn for_lab() -> Vec<zerohttpd_lab::Architecture> {
    use zerohttpd_lab::{Architecture, Scaling};
    let scaling = |workers| match workers {
        Workers::None => Scaling::None,
        Workers::Pool => Scaling::Pool,
        Workers::Processes => Scaling::Processes,
    };
    ALL.iter()
        .map(|arch| Architecture { name: arch.name, scaling: scaling(arch.workers) })
        .collect()
}
