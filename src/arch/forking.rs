//! A process for each client.
//!
//! # Idea
//!
//! The parent only accepts. For each client it forks a child, which serves that client and exits.
//!
//! # Shape
//!
//! ```text
//!   clients ──► accept ──► fork ──► child: serve, exit
//!                 ▲          ├────► child: serve, exit
//!                 └── reap ──┘
//! ```
//!
//! # Where it waits
//!
//! The parent in accept(2), or in wait(2) at its limit of children; a child for its client.
//! The parent reaps children each time that accept returns, which it does at least twice a second.
//!
//! # What one more client costs
//!
//! A fork(2), which copies the page tables, and a process with a few hundred KiB of its own.
//!
//! # What breaks it
//!
//! Many short connections (time goes into fork and exit), or many long ones (processes run out).
//!
//! # In the C original
//!
//! `02_forking`, which reaps in a handler of SIGCHLD. Each child connects to Redis, whether its
//! request needs that or not.
//!
//! # Seen in
//!
//! inetd, sshd, PostgreSQL, CERN httpd.

use std::collections::HashMap;
use std::io;

use rustix::process::Pid;
use zerohttpd_sys::fork::{Fork, fork_for_a_client};
use zerohttpd_sys::process_title;
use zerohttpd_sys::wait::{self, Ended};

use crate::admission::Permit;
use crate::driver::acceptor::{Admitted, accept_after};
use crate::driver::blocking::serve_and_exit;
use crate::driver::retry::retry;
use crate::server::Server;
use crate::store::shared_pool::SharedPool;

/// A child's file cache gets the memory for file caches divided by this number, which is smaller
/// than the number of possible children: an equal share for each would be too small to be of use.
const CACHE_SHARES: usize = 256;

/// The children, and what the parent holds for each.
struct Children<'a> {
    server: &'a Server,
    store: SharedPool,
    /// The permit of each child's client, for as long as the child lives.
    permits: HashMap<Pid, Option<Permit<'a>>>,
}

/// Serves until the server is to stop.
pub fn run(server: &Server) -> io::Result<()> {
    process_title::set("acceptor");
    server.site.share_among(CACHE_SHARES);
    let mut children = Children { server, store: SharedPool::new()?, permits: HashMap::new() };
    while server.is_serving() {
        // Children that have ended are reaped first: they count against the client's address.
        match accept_after(server, server.slot(), || children.reap()) {
            Some(client) => children.serve(client),
            None => children.reap(),
        }
        while children.permits.len() >= server.max_clients
            && let Ok(Some(ended)) = wait::wait()
        {
            children.forget(&ended);
        }
    }
    while let Ok(Some(ended)) = wait::wait() {
        children.forget(&ended);
    }
    Ok(())
}

impl<'a> Children<'a> {
    /// Forks a child for a client.
    fn serve(&mut self, mut client: Admitted<'a>) {
        let permit = client.permit.take();
        let fork = retry(self.server, "fork", || {
            // A child that has ended counts as a process until it is reaped.
            self.reap();
            fork_for_a_client()
        });
        match fork {
            Some(Fork::Parent(child)) => drop(self.permits.insert(child, permit)),
            Some(Fork::Child) => {
                process_title::set("child");
                serve_and_exit(self.server, self.store.member(), client)
            }
            None => {}
        }
    }

    fn reap(&mut self) {
        while let Ok(Some(ended)) = wait::reap() {
            self.forget(&ended);
        }
    }

    /// Frees what the parent held for a child that has ended.
    fn forget(&mut self, ended: &Ended) {
        self.store.reclaim(ended.pid);
        self.server.note_reaped(ended.pid);
        self.permits.remove(&ended.pid);
    }
}
