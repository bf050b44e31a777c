//! The connections of a loop, and what the loop knows of each.

use std::mem::MaybeUninit;

use slab::Slab;
use zerohttpd_core::{App, Connection, Sent};

use crate::driver::poller::{Interest, Key, Ready};
use crate::files::Asset;
use crate::net::stream::{Outgoing, Received, Stream};
use crate::shared::guard::ConnectionGuard;
use crate::shared::scoreboard::Phase;

/// What a client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// Input from the client.
    Read,
    /// Room in the socket's send buffer.
    Write,
    /// The store's reply.
    Store,
    /// The loop's next turn, as the client has had its share of this turn.
    Turn,
}

/// A client of a loop.
pub struct LoopClient<'a> {
    /// Its socket.
    pub stream: Stream,
    /// The state of the protocol.
    pub connection: Connection<App, Asset>,
    /// Its permit and its metrics.
    pub guard: ConnectionGuard<'a>,
    /// A response that is partly sent.
    pub outgoing: Option<Box<Outgoing>>,
    /// What it waits for.
    pub blocked: Blocked,
    /// The socket can have something to read: it was reported, and no read has emptied it since.
    pub has_input: bool,
    /// The client has stopped sending. What it sent before can still be unread.
    pub is_ended: bool,
    /// It is in the ready queue.
    pub is_queued: bool,
    /// The interest with which the poller watches its socket; `None` if it does not. An
    /// edge-triggered poller reports everything, whatever stands here.
    pub watched: Option<Interest>,
    /// When its timer fires; 0 for none. Its later timers in the loop's [`Timers`] are ignored.
    ///
    /// [`Timers`]: crate::driver::timers::Timers
    pub timer_ms: u64,
    generation: u32,
}

/// The clients of a loop.
#[derive(Default)]
pub struct Connections<'a> {
    slab: Slab<LoopClient<'a>>,
    next_generation: u32,
}

impl<'a> Connections<'a> {
    /// Whether no client is connected.
    pub fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    /// Adds a client. The loop tries to read from it at once, since most clients have sent their
    /// request already.
    pub fn insert(&mut self, stream: Stream, guard: ConnectionGuard<'a>) -> Key {
        let generation = self.next_generation;
        // A token with the highest generation stands for no client.
        self.next_generation = (generation + 1) % u32::MAX;
        let index = self.slab.insert(LoopClient {
            stream,
            connection: Connection::new(),
            guard,
            outgoing: None,
            blocked: Blocked::Turn,
            has_input: true,
            is_ended: false,
            is_queued: false,
            watched: None,
            timer_ms: 0,
            generation,
        });
        Key { index: index as u32, generation }
    }

    /// The client with that key, if it is still connected.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut LoopClient<'a>> {
        self.slab.get_mut(key.index as usize).filter(|client| client.generation == key.generation)
    }

    /// Removes a client.
    pub fn remove(&mut self, key: Key) -> Option<LoopClient<'a>> {
        self.get_mut(key)?;
        self.slab.try_remove(key.index as usize)
    }

    /// All clients, with their keys.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Key, &mut LoopClient<'a>)> {
        self.slab.iter_mut().map(|(index, client)| {
            (Key { index: index as u32, generation: client.generation }, client)
        })
    }
}

impl LoopClient<'_> {
    /// Notes what its socket is ready for.
    pub fn on_ready(&mut self, ready: Ready) {
        self.has_input |= ready.read;
        self.is_ended |= ready.end;
        if ready.reset {
            self.cut_short(Sent::Failed);
            self.connection.reset();
        }
    }

    /// Tells the connection that the server drains or stops.
    pub fn enter(&mut self, phase: Phase) {
        match phase {
            Phase::Serving => {}
            Phase::Draining => self.connection.drain(),
            Phase::Stopping => self.connection.close_when_idle(),
        }
    }

    /// Ends the sending of an answer, and reports to the connection how many bytes went out.
    pub fn cut_short(&mut self, how: fn(u64) -> Sent) {
        if let Some(outgoing) = self.outgoing.take() {
            let sent = how(outgoing.sent_bytes());
            self.connection.sent(outgoing.into_transmit(), sent);
        }
    }

    /// Reports to the connection whether the client has sent something that was not read.
    pub fn peek(&mut self) {
        let has_unread = self.stream.has_unread();
        self.has_input |= has_unread;
        self.connection.peeked(has_unread);
    }

    /// Reads once. A read that does not fill the buffer has emptied the socket (epoll(7)). If the
    /// client has stopped sending, another read is needed to find the end.
    pub fn read(&mut self, scratch: &mut [MaybeUninit<u8>]) {
        let room = scratch.len();
        match self.stream.receive(scratch) {
            Received::Bytes(bytes) => {
                self.has_input = bytes.len() == room || (self.is_ended && !bytes.is_empty());
                let taken = self.connection.received(bytes);
                debug_assert_eq!(taken, bytes.len(), "a connection that wants input takes it all");
            }
            Received::Nothing => self.has_input = false,
            Received::Interrupted => {}
            Received::Reset => self.connection.reset(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_client_takes_few_bytes() {
        // A million idle clients are to take 300 MB, with their timers and everything else.
        assert!(size_of::<LoopClient<'_>>() <= 192, "{}", size_of::<LoopClient<'_>>());
    }
}
