//! A client of the embedded store: its socket, unread input and unsent replies.
//!
//! An idle client owns no buffer. The store reads from a client only when all replies to earlier
//! requests were sent.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{self, RecvFlags, SendFlags};

/// What a client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// More input.
    Input,
    /// The next batch, since there is more to answer.
    Batch,
    /// Room in the socket for the replies.
    Room,
    /// Nothing: the connection is to be closed.
    Nothing,
}

/// A client.
pub(super) struct StoreClient {
    pub(super) socket: OwnedFd,
    /// Input that is not a whole request yet, or that was too much for one batch.
    rest: Vec<u8>,
    /// Whether `rest` can hold a whole request.
    may_have_more: bool,
    /// Replies for which the socket had no room.
    unsent: Vec<u8>,
    /// Whether the connection closes after the last reply: the client has stopped sending, or sent
    /// QUIT or garbage.
    is_ending: bool,
}

impl StoreClient {
    pub(super) fn new(socket: OwnedFd) -> StoreClient {
        StoreClient {
            socket,
            rest: Vec::new(),
            may_have_more: false,
            unsent: Vec::new(),
            is_ending: false,
        }
    }

    pub(super) fn waits_for(&self) -> Wait {
        match self {
            StoreClient { unsent, .. } if !unsent.is_empty() => Wait::Room,
            StoreClient { may_have_more: true, .. } => Wait::Batch,
            StoreClient { is_ending: true, .. } => Wait::Nothing,
            _ => Wait::Input,
        }
    }

    /// Appends the client's input for a batch to `input`. Reads from the socket at most as many
    /// bytes as `scratch` holds.
    pub(super) fn read(&mut self, scratch: &mut [u8], input: &mut Vec<u8>) {
        input.extend(std::mem::take(&mut self.rest));
        if self.may_have_more {
            return;
        }
        match net::recv(&self.socket, &mut *scratch, RecvFlags::DONTWAIT) {
            Ok((0, _)) => self.is_ending = true,
            Ok((count, _)) => input.extend_from_slice(&scratch[..count]),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.is_ending = true,
        }
    }

    /// Keeps the rest of the input. `may_have_more` says whether the rest can hold a whole request.
    pub(super) fn keep(&mut self, rest: &[u8], may_have_more: bool) {
        self.rest = rest.to_vec();
        self.may_have_more = may_have_more;
    }

    /// Closes the connection once its replies are sent.
    pub(super) fn end(&mut self) {
        self.keep(&[], false);
        self.is_ending = true;
    }

    /// Sends replies, and keeps those for which the socket has no room.
    pub(super) fn send(&mut self, replies: &[u8]) {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let mut sent = 0;
        while sent < replies.len() {
            match net::send(&self.socket, &replies[sent..], flags) {
                Ok(count) => sent += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(_) => return self.end(),
            }
        }
        self.unsent = replies[sent..].to_vec();
    }

    /// Sends the replies that were kept.
    pub(super) fn send_rest(&mut self) {
        let unsent = std::mem::take(&mut self.unsent);
        self.send(&unsent);
    }
}
