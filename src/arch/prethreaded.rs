//! A pool of threads.
//!
//! # Idea
//!
//! Make the threads before the clients come. All of them block in accept(2) on the one listening
//! socket. The original guards that with a mutex; the kernel wakes one thread for a client anyway.
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
//! Each thread in accept, then wherever its client keeps it.
//!
//! # What one more client costs
//!
//! Nothing while a thread is free. After that it waits in the queue.
//!
//! # What breaks it
//!
//! As many slow clients as there are threads; and, unlike in a pool of processes, a crash ends them
//! all.
//!
//! # Seen in
//!
//! Apache's worker MPM, Tomcat, Puma.

use std::io;
use std::thread;

use super::blocking::Worker;
use crate::server::Server;
use crate::store::pool::{Pool, STORE_LINES};

/// A thread uses some 20 KiB; the rest is address space, and costs nothing.
const STACK_BYTES: usize = 128 * 1024;

/// Serves until the server is to stop.
pub fn run(server: &Server) -> io::Result<()> {
    let store = Pool::new(STORE_LINES);
    let store = &store;
    // The scope ends when its last thread does.
    thread::scope(|scope| {
        for place in 0..server.workers {
            let serve = move || Worker::in_pool(server, store, place).serve_all();
            while server.is_serving() {
                let thread = thread::Builder::new().stack_size(STACK_BYTES);
                match thread.spawn_scoped(scope, serve) {
                    Ok(_) => break,
                    Err(error) => {
                        server.complain("make a thread", error);
                        server.pause();
                    }
                }
            }
        }
    });
    Ok(())
}
