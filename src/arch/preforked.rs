//! A pool of processes.
//!
//! # Idea
//!
//! Fork before the clients come. All children block in accept(2) on the one listening socket, and
//! the kernel wakes one of them for each client.
//!
//! # Shape
//!
//! ```text
//!                     ┌─► child: accept, serve ─┐
//!   clients ──► queue ├─► child: accept, serve ─┤    parent: replaces a child that ends
//!                     └─► child: accept, serve ─┘
//! ```
//!
//! # Where it waits
//!
//! A child in accept, then wherever its client keeps it. The parent in wait(2).
//!
//! # What one more client costs
//!
//! Nothing while a child is free. After that it waits in the queue.
//!
//! # What breaks it
//!
//! As many slow clients as there are children; the pool has to be chosen for the worst of them.
//!
//! # Seen in
//!
//! Apache's prefork MPM, PHP-FPM, gunicorn, unicorn.

use std::io;

use rustix::process::Pid;

use super::blocking::Worker;
use crate::crowd::Desk;
use crate::server::Server;
use crate::store::lender::Lender;
use crate::sys::fork::{Fork, exit, fork};
use crate::sys::wait::{self, How};

/// Serves until the server is to stop.
pub fn run(server: &Server) -> io::Result<()> {
    let lender = Lender::new()?;
    let mut children: Vec<Option<Pid>> =
        (0..server.workers).map(|place| beget(server, &lender, place)).collect();
    while let Ok(Some(ended)) = wait::wait() {
        lender.bury(ended.pid);
        server.bury(ended.pid);
        let place = children.iter().position(|child| *child == Some(ended.pid));
        if let Some(place) = place {
            if ended.how != How::Killed(libc::SIGKILL) && server.is_serving() {
                // One that ends by itself, again and again, must not keep us busy with forking.
                server.pause();
            }
            children[place] = beget(server, &lender, place);
        }
    }
    Ok(())
}

/// Forks the child that has this place in the pool; none once the server is to stop.
fn beget(server: &Server, lender: &Lender, place: usize) -> Option<Pid> {
    server.crowd.leave(Desk::Place(place));
    while server.is_serving() {
        match fork() {
            Ok(Fork::Parent(child)) => return Some(child),
            Ok(Fork::Child) => {
                server.site.share_among(server.workers);
                let mut worker = Worker::in_pool(server, lender.borrower(), place);
                worker.serve_all();
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
