//! A thread for each client.
//!
//! # Idea
//!
//! One thread only accepts. For each client it makes another, which serves that one and ends.
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
//! The first thread in accept(2), each other one wherever its client keeps it.
//!
//! # What one more client costs
//!
//! A clone(2), a stack of which a few pages are touched, and a place in the scheduler.
//!
//! # What breaks it
//!
//! Tens of thousands of clients: stacks add up, and so does the work of choosing who runs.
//!
//! # Seen in
//!
//! MySQL, Java servers before 1.4, `ThreadingHTTPServer` of Python.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use super::blocking::Worker;
use crate::client::Client;
use crate::server::Server;
use crate::store::pool::{Pool, STORE_LINES};

/// A client's thread uses some 20 KiB; the rest is address space, and costs nothing.
const STACK_BYTES: usize = 128 * 1024;

/// Serves until the server is to stop.
pub fn run(server: &Server) -> io::Result<()> {
    let store = Pool::new(STORE_LINES);
    let serving = AtomicUsize::new(0);
    let serve = |client: Arc<Client>| {
        Worker::new(server, &store).serve(&client);
        drop(client);
        serving.fetch_sub(1, Relaxed);
    };
    // The scope ends when its last thread does.
    thread::scope(|scope| {
        while !server.is_stopping() {
            if serving.load(Relaxed) >= server.most_clients {
                server.pause();
            } else if let Some(client) = server.accept() {
                serving.fetch_add(1, Relaxed);
                // A client waits if there is no room for a thread just now.
                let client = Arc::new(client);
                while !server.is_stopping() {
                    let thread = thread::Builder::new().stack_size(STACK_BYTES);
                    let client = client.clone();
                    match thread.spawn_scoped(scope, || serve(client)) {
                        Ok(_) => break,
                        Err(error) => {
                            server.complain("make a thread", error);
                            server.pause();
                        }
                    }
                }
            }
        }
    });
    Ok(())
}
