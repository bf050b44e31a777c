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
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::blocking::Worker;
use crate::client::Client;
use crate::server::Server;
use crate::store::pool::{Pool, STORE_LINES};

/// A client's thread uses some 20 KiB; the rest is address space, and costs nothing.
const STACK_BYTES: usize = 128 * 1024;

/// Without room for another client, it is looked this often whether the server is to stop.
const FULL: Duration = Duration::from_millis(100);

/// How many clients have threads.
#[derive(Default)]
struct Clients {
    count: Mutex<usize>,
    left: Condvar,
}

impl Clients {
    fn count(&self) -> MutexGuard<'_, usize> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self) {
        *self.count() += 1;
    }

    fn leave(&self) {
        *self.count() -= 1;
        self.left.notify_one();
    }

    /// Whether there may be one more, waited for a little.
    fn has_room(&self, most: usize) -> bool {
        let is_full = |count: &mut usize| *count >= most;
        let waited = self.left.wait_timeout_while(self.count(), FULL, is_full);
        *waited.unwrap_or_else(PoisonError::into_inner).0 < most
    }
}

/// Serves until the server is to stop.
pub fn run(server: &Server) -> io::Result<()> {
    let store = Pool::new(STORE_LINES);
    let clients = Clients::default();
    let serve = |client: Arc<Client>| {
        Worker::new(server, &store).serve(&client);
        drop(client);
        clients.leave();
    };
    // The scope ends when its last thread does.
    thread::scope(|scope| {
        while server.is_serving() {
            if !clients.has_room(server.most_clients) {
                continue;
            }
            if let Some(client) = server.accept()
                && let Some(client) = server.admit(client, server.desk())
            {
                clients.enter();
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
