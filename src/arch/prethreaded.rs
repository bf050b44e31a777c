//! A pool of threads.
//!
//! # Idea
//!
//! Create the threads before the clients come. All of them block in accept(2) on the one listening
//! socket, and the kernel wakes one of them for each client.
//!
//! # Shape
//!
//! ```text
//!                     ┌─► thread: accept, serve ─┐
//!   clients ──► queue ├─► thread: accept, serve ─┤  one process
//!                     └─► thread: accept, serve ─┘
//! ```
//!
//! # Where it waits
//!
//! Each thread in accept, then for its client and the store.
//!
//! # What one more client costs
//!
//! Nothing while a thread is free. If all threads are busy, the client waits in the queue.
//!
//! # What breaks it
//!
//! As many slow clients as there are threads. A crash ends all threads, while a pool of processes
//! would lose one.
//!
//! # In the C original
//!
//! `05_prethreaded`, with 100 threads that take turns in accept under a mutex, and a Redis
//! connection for each client. Of the C programs, it alone has a receive time-out and ignores
//! SIGPIPE.
//!
//! # Seen in
//!
//! Apache's worker MPM, Tomcat, Puma.

use std::io;
use std::thread;

use crate::admission::Slot;
use crate::driver::acceptor::accept;
use crate::driver::blocking::BlockingWorker;
use crate::driver::retry::retry;
use crate::server::Server;
use crate::store::pool::{Pool, STORE_CONNECTIONS};

/// A thread uses about 20 KiB of its stack; the rest is address space and costs nothing.
const STACK_BYTES: usize = 128 * 1024;

/// Serves until the server is to stop.
pub fn run(server: &Server) -> io::Result<()> {
    let store = &Pool::new(STORE_CONNECTIONS);
    // The scope ends with its last thread.
    thread::scope(|scope| {
        for number in 0..server.workers {
            retry(server, "create a thread", || {
                let name = format!("worker {}", number + 1);
                let thread = thread::Builder::new().name(name).stack_size(STACK_BYTES);
                thread.spawn_scoped(scope, move || work(server, store, Slot::Pool(number as u32)))
            });
        }
    });
    Ok(())
}

/// Serves one client after the other, in a thread of the pool.
fn work(server: &Server, store: &Pool, slot: Slot) {
    let mut worker = BlockingWorker::new(server, slot, store);
    while server.is_serving() {
        if let Some(client) = accept(server, slot) {
            worker.serve(client);
        }
    }
}
