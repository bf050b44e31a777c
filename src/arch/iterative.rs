//! One client after the other.
//!
//! # Idea
//!
//! The oldest server there is: accept a client, serve it until it leaves, accept the next.
//!
//! # Shape
//!
//! ```text
//!   clients ──► queue ──► accept ──► serve ──┐
//!                           ▲                │
//!                           └────────────────┘
//! ```
//!
//! # Where it waits
//!
//! Everywhere: in accept(2), for the client's bytes, for the store, for room to send. Meanwhile,
//! all other clients wait too.
//!
//! # What one more client costs
//!
//! An entry in the kernel's accept queue. The client waits until all clients before it have left.
//!
//! # What breaks it
//!
//! Half a request, or a client that sends nothing: until it times out, no other client is served.
//! A client that sends nothing is kept out of accept(2) for only a second (`TCP_DEFER_ACCEPT`).
//!
//! # In the C original
//!
//! `01_iterative`, with one Redis connection from start to end. It has no time-outs: half a request
//! stops it for good.
//!
//! # Seen in
//!
//! The first example of every textbook, `python -m http.server` before 3.7, gunicorn's sync worker.

use std::io;

use crate::admission::Slot;
use crate::driver::acceptor::accept;
use crate::driver::blocking::BlockingWorker;
use crate::server::Server;
use crate::store::blocking::OwnConnection;

/// Serves until the server is to stop.
pub fn run(server: &Server) -> io::Result<()> {
    // This is a pool of one worker: if another client waits, an idle connection is closed.
    let slot = Slot::Pool(0);
    let mut worker = BlockingWorker::new(server, slot, OwnConnection::default());
    while server.is_serving() {
        if let Some(client) = accept(server, slot) {
            worker.serve(client);
        }
    }
    Ok(())
}
