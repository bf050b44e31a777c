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
//! Everywhere: in accept(2), for the client's bytes, for the store, for room to send. While it
//! does, everybody else waits too.
//!
//! # What one more client costs
//!
//! A place in the kernel's queue, and the time of all clients before it.
//!
//! # What breaks it
//!
//! One client that sends nothing stops the service until its time-out.
//!
//! # Seen in
//!
//! The examples of socket(7), `python -m http.server` before 3.7, gunicorn's sync worker.

use std::io;

use super::blocking::Worker;
use crate::server::Server;
use crate::store::asker::OwnLine;

/// Serves until the server is to stop.
pub fn run(server: &Server) -> io::Result<()> {
    // A pool of one: where somebody waits, an idle client makes room.
    Worker::in_pool(server, OwnLine::default(), 0).serve_all();
    Ok(())
}
