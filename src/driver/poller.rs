//! The interface through which a loop learns which descriptors are ready. An architecture with a
//! loop implements it.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use rustix::event::Timespec;

/// A list of descriptors that are watched, and a way to wait for them.
pub trait Poller: Sized {
    /// Whether a client's socket is registered only once, and each change is reported once
    /// ([`Interest::Edges`]). If not, the reactor changes the socket's interest to what the client
    /// waits for.
    const EDGE_TRIGGERED: bool;

    /// An empty list.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    fn new() -> io::Result<Self>;

    /// Watches a descriptor. Its events carry the token.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `ENOSPC`.
    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()>;

    /// Changes what a descriptor of the list is watched for.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    fn modify(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()>;

    /// Stops watching a descriptor that stays open.
    fn remove(&mut self, fd: BorrowedFd<'_>, token: Token) {
        self.remove_closed(fd.as_raw_fd(), token);
    }

    /// Removes a descriptor that is closed, or is about to be, from a list that the program keeps.
    /// A list in the kernel loses the descriptor by itself (epoll(7)).
    fn remove_closed(&mut self, _number: RawFd, _token: Token) {}

    /// Waits until a descriptor is ready or the time-out has passed, and appends the events.
    ///
    /// # Errors
    ///
    /// `EINTR`, `ENOMEM`, `EAGAIN`.
    fn wait(&mut self, timeout: Option<&Timespec>, events: &mut Vec<Event>) -> io::Result<()>;
}

/// What a descriptor is watched for. Errors are reported in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Errors alone.
    Errors,
    /// Something to read.
    Read,
    /// Room to write.
    Write,
    /// Something to read, or room to write.
    ReadWrite,
    /// Something to read. If the kernel can do that, it wakes only one of the processes that watch
    /// the descriptor.
    ReadExclusive,
    /// Everything, reported once for each change (edge-triggered).
    Edges,
}

/// A descriptor became ready.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// The token with which the descriptor was added.
    pub token: Token,
    /// What it is ready for.
    pub ready: Ready,
}

/// What a descriptor is ready for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ready {
    /// There is something to read: data, or the end.
    pub read: bool,
    /// The other side has stopped sending.
    pub end: bool,
    /// There is room to write.
    pub write: bool,
    /// The connection was reset.
    pub reset: bool,
}

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// The server is to stop.
    Stop,
    /// The server is to drain.
    Drain,
    /// Another loop can't accept.
    Overload,
    /// The connection to the store with this number.
    Store(u32),
    /// The listening socket with this index.
    Listener(u32),
    /// A client.
    Client(Key),
}

/// Identifies a client of a loop. A later client can have the same index. The generation tells them
/// apart, so that a late event finds no client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its index among the loop's connections.
    pub index: u32,
    /// Below `u32::MAX`, which marks the tokens that stand for no client.
    pub generation: u32,
}

/// How many bits hold the number in a token that stands for no client.
const NUMBER_BITS: u32 = 28;

impl Token {
    /// The token as a number that the kernel can keep.
    pub fn to_u64(self) -> u64 {
        let without_client = |kind: u32, number: u32| {
            let low = (kind << NUMBER_BITS) | (number % (1 << NUMBER_BITS));
            (u64::from(u32::MAX) << 32) | u64::from(low)
        };
        match self {
            Token::Client(key) => (u64::from(key.generation) << 32) | u64::from(key.index),
            Token::Stop => without_client(0, 0),
            Token::Drain => without_client(1, 0),
            Token::Overload => without_client(2, 0),
            Token::Store(number) => without_client(3, number),
            Token::Listener(number) => without_client(4, number),
        }
    }

    /// The token of a number from [`to_u64`](Token::to_u64).
    pub fn from_u64(token: u64) -> Token {
        let (generation, low) = ((token >> 32) as u32, token as u32);
        if generation != u32::MAX {
            return Token::Client(Key { index: low, generation });
        }
        let number = low % (1 << NUMBER_BITS);
        match low >> NUMBER_BITS {
            0 => Token::Stop,
            1 => Token::Drain,
            2 => Token::Overload,
            3 => Token::Store(number),
            _ => Token::Listener(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_restored_from_its_number() {
        for token in [
            Token::Stop,
            Token::Drain,
            Token::Overload,
            Token::Store(7),
            Token::Listener(1023),
            Token::Client(Key { index: 0, generation: 0 }),
            Token::Client(Key { index: u32::MAX, generation: u32::MAX - 1 }),
        ] {
            assert_eq!(Token::from_u64(token.to_u64()), token);
        }
    }
}
