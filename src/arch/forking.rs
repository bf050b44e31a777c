//! A process for each client.
//!
//! # Idea
//!
//! The parent only accepts. For each client it forks a child, which serves that one and exits.
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
//! The parent in accept(2), a child wherever its client keeps it. A child that ends is reaped when
//! the next client has come, or accept has found none for half a second: to be interrupted by each
//! SIGCHLD would cost more. At the most children, the parent waits for one to end.
//!
//! # What one more client costs
//!
//! A fork(2), which copies the parent's mappings and page tables, and a process: much time, and
//! some hundred KiB of memory that are not shared.
//!
//! # What breaks it
//!
//! Many short connections: most of the time goes into making and burying processes. Many long ones:
//! there are only so many processes.
//!
//! # Seen in
//!
//! inetd, sshd, PostgreSQL, CERN httpd.

use std::collections::HashMap;
use std::io;

use rustix::process::Pid;

use super::blocking::Worker;
use crate::client::Client;
use crate::crowd::Entry;
use crate::server::Server;
use crate::store::lender::Lender;
use crate::sys::fork::{Fork, exit, fork_for_a_client};
use crate::sys::wait::Ended;
use crate::sys::{nursery, wait};

/// More children than this are not made at a time; a machine has 32,768 processes unless told
/// otherwise (`pid_max` in proc(5)).
const MOST_CHILDREN: usize = 16 * 1024;

/// What may be kept of the site is shared among so many children. A child keeps it for one client,
/// and for no longer; dividing by the most children that there may be would leave it nothing.
const SHARES: usize = 256;

/// Serves until the server is to stop.
pub fn run(server: &Server) -> io::Result<()> {
    let lender = Lender::new()?;
    server.site.share_among(SHARES);
    nursery::prepare();
    let most = MOST_CHILDREN.min(server.crowd.most());
    let mut children = HashMap::new();
    while server.is_serving() {
        let client = server.accept();
        // Who has left makes room for who has come.
        while let Ok(Some(ended)) = wait::reap() {
            bury(server, &lender, &mut children, ended);
        }
        let client = client.and_then(|client| server.admit(client, server.desk()));
        children.extend(client.and_then(|client| beget(server, &lender, client)));
        while children.len() >= most
            && let Ok(Some(ended)) = wait::wait()
        {
            bury(server, &lender, &mut children, ended);
        }
    }
    while let Ok(Some(ended)) = wait::wait() {
        bury(server, &lender, &mut children, ended);
    }
    Ok(())
}

/// Forks a child for a client, who waits if there is no room for one just now. Its entry is kept as
/// long as the child lives.
fn beget(server: &Server, lender: &Lender, mut client: Client) -> Option<(Pid, Option<Entry>)> {
    let entry = client.entry.take();
    while !server.is_stopping() {
        match fork_for_a_client() {
            Ok(Fork::Parent(child)) => return Some((child, entry)),
            Ok(Fork::Child) => {
                nursery::enter();
                let mut worker = Worker::new(server, lender.borrower());
                worker.serve(&client);
                exit(0);
            }
            Err(error) => {
                server.complain("fork", error);
                server.pause();
            }
        }
    }
    None
}

/// A child has ended: what it had of ours is taken back.
fn bury(
    server: &Server,
    lender: &Lender,
    children: &mut HashMap<Pid, Option<Entry>>,
    Ended { pid, .. }: Ended,
) {
    lender.bury(pid);
    server.bury(pid);
    children.remove(&pid);
}
