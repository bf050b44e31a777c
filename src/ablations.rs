//! Options that make a server do one thing as the C programs of 2019 did. Each can be switched on
//! alone, so that the laboratory can measure its cost. None of them changes a response.
//!
//! A driver gets the chosen functions and wrappers once, when it starts. The code that serves a
//! request tests none of these options.

use rustix::io::Errno;
use rustix::net::{self, SendFlags};
use zerohttpd_core::Sent;

use crate::net::stream::{Outgoing, Pushed, Stream};
use crate::store::blocking::{ClosedAfterUse, ConnectionSource};
use crate::store::pipelined::PipelinedConnection;

/// What a server does as the C programs did; by default, nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ablations {
    /// The maximum number of bytes that one call reads from a client; the C programs read one.
    pub read_bytes: usize,
    /// How many calls send a response.
    pub sends: Sends,
    /// How long a connection to the store lasts.
    pub store_connection: StoreConnection,
}

/// No limit: one call reads as much as has arrived and the buffer has room for.
pub const NO_READ_LIMIT: usize = usize::MAX;

/// How many calls send a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sends {
    /// One call, if the kernel takes all of it.
    One,
    /// One call for each line of the head, and one for the body.
    Many,
}

/// How long a connection to the store lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreConnection {
    /// It stays open for later queries.
    Reused,
    /// It is closed after the reply.
    PerRequest,
}

impl Default for Ablations {
    fn default() -> Ablations {
        Ablations {
            read_bytes: NO_READ_LIMIT,
            sends: Sends::One,
            store_connection: StoreConnection::Reused,
        }
    }
}

/// Writes a response to a client's socket, as far as the socket has room.
pub type Push = fn(&mut Outgoing, &Stream) -> Pushed;

/// What a loop does with its connection to the store once it has passed on the replies of a turn.
pub type AfterReplies<'a, K> = fn(&mut PipelinedConnection<'a, K>);

impl Ablations {
    /// The function that writes a response.
    pub fn push(&self) -> Push {
        match self.sends {
            Sends::One => Outgoing::push,
            Sends::Many => push_by_lines,
        }
    }

    /// The function that a loop calls after the replies of a turn.
    pub fn after_replies<'a, K>(&self) -> AfterReplies<'a, K> {
        match self.store_connection {
            StoreConnection::Reused => |_| {},
            StoreConnection::PerRequest => PipelinedConnection::close_if_answered,
        }
    }

    /// The source of a blocking worker's connections to the store, wrapped if they are to be closed
    /// after each reply.
    pub fn source<'a>(&self, source: impl ConnectionSource + 'a) -> Box<dyn ConnectionSource + 'a> {
        match self.store_connection {
            StoreConnection::Reused => Box::new(source),
            StoreConnection::PerRequest => Box::new(ClosedAfterUse(source)),
        }
    }
}

/// Sends the head with one call for each line, then the body as usual.
fn push_by_lines(outgoing: &mut Outgoing, stream: &Stream) -> Pushed {
    loop {
        let head = outgoing.unsent_head();
        if head.is_empty() {
            return outgoing.push(stream);
        }
        let end = head.iter().position(|&byte| byte == b'\n').map_or(head.len(), |at| at + 1);
        match net::send(stream, &head[..end], SendFlags::NOSIGNAL) {
            Ok(count) => outgoing.on_head_sent(count),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Pushed::Blocked,
            Err(_) => return Pushed::Ended(Sent::Failed(outgoing.sent_bytes())),
        }
    }
}
