//! A client of the embedded store: a socket, and what could not be done with at once.
//!
//! A client that waits owns no buffer. One that doesn't read its replies isn't read from either
//! until it does.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{self, RecvFlags, SendFlags};

/// What a client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Requests of its own.
    Input,
    /// Its next turn: there is more to answer.
    Turn,
    /// Room for its replies.
    Room,
    /// Nothing: it is to be closed.
    Nothing,
}

/// A client.
pub(super) struct Client {
    pub(super) socket: OwnedFd,
    /// What it has sent and isn't a whole request yet, or was too much for one turn.
    rest: Vec<u8>,
    /// Whether there may be a whole request in the rest.
    more: bool,
    /// Replies that its socket had no room for.
    unsent: Vec<u8>,
    /// Whether nothing that it still sends counts: it has sent all, or is told to go.
    ended: bool,
}

impl Client {
    pub(super) fn new(socket: OwnedFd) -> Client {
        Client { socket, rest: Vec::new(), more: false, unsent: Vec::new(), ended: false }
    }

    pub(super) fn waits_for(&self) -> Wait {
        match self {
            Client { unsent, .. } if !unsent.is_empty() => Wait::Room,
            Client { more: true, .. } => Wait::Turn,
            Client { ended: true, .. } => Wait::Nothing,
            _ => Wait::Input,
        }
    }

    /// Appends its input for a turn, of which up to `scratch` is new.
    pub(super) fn read(&mut self, scratch: &mut [u8], input: &mut Vec<u8>) {
        input.extend(std::mem::take(&mut self.rest));
        if self.more {
            return;
        }
        match net::recv(&self.socket, &mut *scratch, RecvFlags::DONTWAIT) {
            Ok((0, _)) => self.ended = true,
            Ok((count, _)) => input.extend_from_slice(&scratch[..count]),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.ended = true,
        }
    }

    /// Keeps the rest of its input, in which there may be `more` to answer.
    pub(super) fn keep(&mut self, rest: &[u8], more: bool) {
        self.rest = rest.to_vec();
        self.more = more;
    }

    /// Ends it, as soon as its replies are sent.
    pub(super) fn end(&mut self) {
        self.keep(&[], false);
        self.ended = true;
    }

    /// Sends replies, and keeps what there is no room for.
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

    /// Sends what there was no room for.
    pub(super) fn send_rest(&mut self) {
        let unsent = std::mem::take(&mut self.unsent);
        self.send(&unsent);
    }
}
