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
//! The parent in accept(2), a child wherever its client keeps it. A child that ends sends SIGCHLD,
//! which interrupts the accept, and is reaped.
//!
//! # What one more client costs
//!
//! A fork(2), which copies the parent's page tables, and a process: much time, and some hundred KiB
//! of memory that are not shared.
//!
//! # What breaks it
//!
//! Many short connections: most of the time goes into making and burying processes. Many long ones:
//! there are only so many processes.
//!
//! # Seen in
//!
//! inetd, sshd, PostgreSQL, CERN httpd.

use std::io;

use rustix::process::Signal;

use super::blocking::Worker;
use crate::client::Client;
use crate::server::Server;
use crate::store::lender::Lender;
use crate::sys::fork::{Fork, exit, fork};
use crate::sys::{signal, wait};

/// More children than this are not made at a time; a machine has 32,768 processes unless told
/// otherwise (`pid_max` in proc(5)).
const MOST_CHILDREN: usize = 16 * 1024;

/// Serves until the server is to stop.
pub fn run(server: &Server) -> io::Result<()> {
    signal::interrupt_by(Signal::CHILD);
    let lender = Lender::new(server.scoreboard)?;
    let mut children = 0;
    while !server.is_stopping() {
        children -= bury(&lender);
        if children >= MOST_CHILDREN {
            server.pause();
        } else if let Some(client) = server.accept()
            && beget(server, &lender, client)
        {
            children += 1;
        }
    }
    while let Ok(Some(_)) = wait::wait() {}
    Ok(())
}

/// Forks a child for a client, who waits if there is no room for one just now.
fn beget(server: &Server, lender: &Lender, client: Client) -> bool {
    while !server.is_stopping() {
        match fork() {
            Ok(Fork::Parent(_)) => return true,
            Ok(Fork::Child) => {
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
    false
}

/// Reaps the children that have ended, and counts them.
fn bury(lender: &Lender) -> usize {
    let ended = std::iter::from_fn(|| wait::reap().ok().flatten());
    ended.inspect(|child| lender.bury(child.pid)).count()
}
