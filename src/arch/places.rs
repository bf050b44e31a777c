//! The clients of a loop, each in a place that has a key.

use std::mem::MaybeUninit;

use slab::Slab;
use zero_core::Connection;

use crate::client::{Client, Outgoing, Received};
use crate::presence::Presence;
use crate::send_queue::SendQueue;
use crate::site::Asset;

/// A client of a loop. Its place may be taken by another one later; the generation tells them
/// apart, so that a late event finds nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    index: u32,
    generation: u32,
}

impl Key {
    /// The key as a number, for the kernel to keep. It is never one of the last numbers.
    pub fn to_number(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    /// The key that a number stands for.
    pub fn from_number(number: u64) -> Key {
        Key { index: number as u32, generation: (number >> 32) as u32 }
    }
}

/// What a client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// Bytes from it.
    Read,
    /// Room to send to it.
    Write,
    /// The store.
    Store,
    /// Another turn: it has had its share of this one.
    Turn,
}

/// What became ready.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ready {
    /// There is something to read, if only the end.
    pub read: bool,
    /// The end is among what there is to read.
    pub end: bool,
    /// There is room to send.
    pub write: bool,
    /// The connection was reset.
    pub hung_up: bool,
}

/// All that there is of a client.
pub struct Place {
    pub client: Client,
    pub connection: Connection<Asset>,
    pub presence: Presence,
    /// What is being sent, and did not go out at once.
    pub outgoing: Option<Box<Outgoing>>,
    /// What the kernel holds of it.
    pub queue: SendQueue,
    pub blocked: Blocked,
    /// The last read did not empty the socket.
    pub has_input: bool,
    /// The client has stopped sending.
    pub is_ended: bool,
    /// It is in the queue of those who have more to do at once.
    pub is_eager: bool,
    /// It was said to be a newcomer, who has to be watched.
    pub is_watched: bool,
    /// The earliest time that the timers have for it; 0 for none.
    pub armed_ms: u64,
    generation: u32,
}

/// The places of all clients.
#[derive(Default)]
pub struct Places {
    slab: Slab<Place>,
    next_generation: u32,
}

impl Places {
    /// How many clients there are.
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    /// Gives a client a place. It is taken to have sent something already.
    pub fn insert(&mut self, client: Client, presence: Presence) -> Key {
        let generation = self.next_generation;
        // The highest is left to those descriptors that belong to no client.
        self.next_generation = (generation + 1) % u32::MAX;
        let index = self.slab.insert(Place {
            client,
            connection: Connection::new(),
            presence,
            outgoing: None,
            queue: SendQueue::default(),
            blocked: Blocked::Turn,
            has_input: true,
            is_ended: false,
            is_eager: false,
            is_watched: false,
            armed_ms: 0,
            generation,
        });
        Key { index: index as u32, generation }
    }

    /// The place of a client who is still there.
    pub fn get(&self, key: Key) -> Option<&Place> {
        self.slab.get(key.index as usize).filter(|place| place.generation == key.generation)
    }

    /// The place of a client who is still there.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut Place> {
        self.slab.get_mut(key.index as usize).filter(|place| place.generation == key.generation)
    }

    /// Takes a client's place away.
    pub fn remove(&mut self, key: Key) -> Option<Place> {
        self.get(key)?;
        self.slab.try_remove(key.index as usize)
    }

    /// All places.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &Place)> {
        self.slab.iter().map(|(index, place)| {
            (Key { index: index as u32, generation: place.generation }, place)
        })
    }

    /// All places.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Key, &mut Place)> {
        self.slab.iter_mut().map(|(index, place)| {
            (Key { index: index as u32, generation: place.generation }, place)
        })
    }
}

impl Place {
    /// Whether its connection must not be closed yet, as that would reset it.
    pub fn has_unread(&mut self) -> bool {
        let has_unread = self.connection.may_have_unread() && self.client.has_unread();
        self.has_input |= has_unread;
        has_unread
    }

    /// Reads once. A read that does not fill the buffer has emptied the socket (epoll(7)), unless
    /// the end, which was announced already, is still to be read.
    pub fn read(&mut self, scratch: &mut [MaybeUninit<u8>]) {
        let room = scratch.len();
        match self.client.receive(scratch) {
            Received::Bytes(bytes) => {
                self.has_input = bytes.len() == room || (self.is_ended && !bytes.is_empty());
                self.connection.received(bytes);
            }
            Received::Nothing => self.has_input = false,
            Received::Interrupted => {}
            Received::HungUp => self.connection.hung_up(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_client_takes_few_bytes() {
        // A million of them are to take 300 MB, with their timers and all else.
        assert!(size_of::<Place>() <= 192, "{}", size_of::<Place>());
    }
}
