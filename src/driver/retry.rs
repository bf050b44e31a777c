//! Repeats attempts while the machine is short of processes, threads or memory.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use crate::server::Server;

/// Repeats an attempt until it succeeds, with a pause after each failure. `None` if the server
/// stops first. `what` completes the message "can't ... just now".
///
/// Attempts go on while the server drains: the client was accepted, and closing its connection with
/// the request unread would reset the connection.
pub fn retry<T>(
    server: &Server,
    what: &str,
    mut attempt: impl FnMut() -> io::Result<T>,
) -> Option<T> {
    loop {
        match attempt() {
            Ok(done) => return Some(done),
            Err(error) => {
                server.complain(what, error);
                server.pause();
                if server.is_stopping() {
                    return None;
                }
            }
        }
    }
}

/// A value that is passed to a new thread. If the thread can't be created, the caller still has it.
pub struct Handoff<T>(Arc<Mutex<Option<T>>>);

impl<T> Handoff<T> {
    /// Holds a value until it is taken.
    pub fn new(value: T) -> Handoff<T> {
        Handoff(Arc::new(Mutex::new(Some(value))))
    }

    /// The value, unless it was taken already.
    pub fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<T> Clone for Handoff<T> {
    fn clone(&self) -> Handoff<T> {
        Handoff(self.0.clone())
    }
}
