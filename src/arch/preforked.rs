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
//! A child in accept, then for its client and the store. The parent in wait(2).
//!
//! # What one more client costs
//!
//! Nothing while a child is free. If all children are busy, the client waits in the queue.
//!
//! # What breaks it
//!
//! As many slow clients as there are children: the pool has to be larger than the peak number of
//! slow clients.
//!
//! # In the C original
//!
//! `03_preforked`, with 100 children, each with its own Redis connection. The parent only calls
//! pause(2): a child that ends is not replaced.
//!
//! # Seen in
//!
//! Apache's prefork MPM, PHP-FPM, gunicorn, unicorn.

use std::io;

use rustix::process::{Pid, Signal};
use zerohttpd_sys::fork::{Fork, exit, fork};
use zerohttpd_sys::process_title;
use zerohttpd_sys::wait::{self, Ended, How};

use crate::admission::Slot;
use crate::driver::acceptor::accept;
use crate::driver::blocking::BlockingWorker;
use crate::server::Server;
use crate::store::shared_pool::SharedPool;

/// Serves until the server is to stop.
pub fn run(server: &Server) -> io::Result<()> {
    process_title::set("parent");
    let store = SharedPool::new()?;
    let mut children = vec![None; server.workers];
    loop {
        let ended = match fill(server, &store, &mut children) {
            Ok(()) => wait::wait(),
            // Reaping can help: a child that has ended counts as a process until it is reaped.
            Err(error) => {
                server.complain("fork", error);
                server.pause();
                wait::reap()
            }
        };
        match ended {
            Ok(Some(ended)) => forget(server, &store, &mut children, &ended),
            Err(_) if !server.is_serving() => return Ok(()),
            Ok(None) | Err(_) => {}
        }
    }
}

/// Forks a child for each slot of the pool that has none, while the server is serving.
fn fill(server: &Server, store: &SharedPool, children: &mut [Option<Pid>]) -> io::Result<()> {
    for (number, child) in children.iter_mut().enumerate() {
        if child.is_none() && server.is_serving() {
            match fork()? {
                Fork::Parent(pid) => *child = Some(pid),
                Fork::Child => {
                    process_title::set(&format!("worker {}", number + 1));
                    work(server, store, Slot::Pool(number as u32))
                }
            }
        }
    }
    Ok(())
}

/// Serves one client after the other, in a child.
fn work(server: &Server, store: &SharedPool, slot: Slot) -> ! {
    server.site.share_among(server.workers);
    let mut worker = BlockingWorker::new(server, slot, store.member());
    while server.is_serving() {
        if let Some(client) = accept(server, slot) {
            worker.serve(client);
        }
    }
    exit(0)
}

/// Frees the store connection, the counts and the slot of a child that has ended.
fn forget(server: &Server, store: &SharedPool, children: &mut [Option<Pid>], ended: &Ended) {
    store.reclaim(ended.pid);
    server.note_reaped(ended.pid);
    if let Some(number) = children.iter().position(|child| *child == Some(ended.pid)) {
        server.admission.vacate(number);
        children[number] = None;
        if ended.how != How::Killed(Signal::KILL.as_raw()) && server.is_serving() {
            // Children that keep ending by themselves must not keep the parent busy.
            server.pause();
        }
    }
}
