//! Files that exist and that the server is not allowed to read: the client gets 404, and the
//! operator gets a message.

use std::path::PathBuf;

use zerohttpd_sys::diagnostics;
use zerohttpd_sys::say;

use crate::clock;
use crate::shared::counters::Count;
use crate::shared::scoreboard::Scoreboard;

/// The maximum length of a name in the message, in bytes. A client chooses the name.
const PRINTED_BYTES: usize = 256;

/// Counts and reports files that the server is not allowed to read.
pub struct Denials {
    /// The scoreboard, with the count and the time of the last report.
    pub board: Scoreboard,
    /// The root, as the operator names it.
    pub root: PathBuf,
}

impl Denials {
    /// Reports a file of that name beneath the root.
    pub fn note(&self, name: &[u8]) {
        self.board.counters.of_thread().count(Count::FilesDenied);
        if diagnostics::note_if_due(self.board.last_denial_message_ms, clock::now().ms) {
            let root = self.root.display();
            let name = name[..name.len().min(PRINTED_BYTES)].escape_ascii();
            say!(
                "zerohttpd: permission denied to read {root}/{name}; clients get 404 until the \
                 server's user can read it"
            );
        }
    }
}
