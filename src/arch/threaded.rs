//! A thread for each client.
//!
//! # Idea
//!
//! The main thread only accepts. For each client it creates a thread, which serves that client and
//! ends.
//!
//! # Shape
//!
//! ```text
//!   clients ──► accept ──► spawn ──► thread: serve, end
//!                 ▲          ├─────► thread: serve, end
//!                 └──────────┘
//! ```
//!
//! # Where it waits
//!
//! The main thread in accept(2); each other thread for its client and the store.
//!
//! # What one more client costs
//!
//! A clone(2), a stack with a few pages in use, and one more thread for the scheduler.
//!
//! # What breaks it
//!
//! Tens of thousands of clients: stacks add up, and so does the scheduler's work.
//!
//! # In the C original
//!
//! `04_threaded`, in which each thread connects to Redis before it reads its request. A client that
//! leaves early ends the process with SIGPIPE, and with it all other clients.
//!
//! # Seen in
//!
//! MySQL, Java servers before 1.4, `ThreadingHTTPServer` of Python.

use std::io;
use std::thread;

use zerohttpd_sys::process_title;

use crate::driver::acceptor::accept;
use crate::driver::blocking::BlockingWorker;
use crate::driver::retry::{Handoff, retry};
use crate::server::Server;
use crate::store::pool::{Pool, STORE_CONNECTIONS};

/// A thread uses about 20 KiB of its stack; the rest is address space and costs nothing.
const STACK_BYTES: usize = 128 * 1024;

/// Serves until the server is to stop.
pub fn run(server: &Server) -> io::Result<()> {
    process_title::set("acceptor");
    let (store, slot) = (Pool::new(STORE_CONNECTIONS), server.slot());
    let serve = |client| BlockingWorker::new(server, slot, &store).serve(client);
    // The scope ends with its last thread.
    thread::scope(|scope| {
        while server.is_serving() {
            let Some(client) = accept(server, slot) else { continue };
            let client = Handoff::new(client);
            retry(server, "create a thread", || {
                let client = client.clone();
                let thread = thread::Builder::new().name("client".into()).stack_size(STACK_BYTES);
                thread.spawn_scoped(scope, move || client.take().map(serve))
            });
        }
    });
    Ok(())
}
