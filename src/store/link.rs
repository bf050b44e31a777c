//! A loop's connection to the store: one for all its clients, pipelined, never waited for.
//!
//! Questions gather in the [`Dialogue`] during a turn of the loop and are written at its end. When
//! the connection fails, all who wait are told so, and the next question makes a new one, once the
//! [`Gate`] lets it.

use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{self, RecvFlags, SendFlags};
use zero_core::Moment;
use zero_core::store::{Dialogue, Query, Reply, StoreDown};

use super::address::Address;
use super::gate::Gate;

/// The connection; `K` tells whose question it was.
pub struct Link<'a, K> {
    address: &'a Address,
    gate: Gate,
    timeout_ms: u64,
    /// It stays open while nobody waits.
    keeps: bool,
    line: Option<OpenLine<Asker<K>>>,
    replies: VecDeque<(Asker<K>, Result<Reply, StoreDown>)>,
    /// Counts connections, so that a loop knows when there is a new socket to watch.
    generation: u64,
}

/// Whose question it was, and when it was asked.
struct Asker<K> {
    key: K,
    asked_ms: u64,
}

struct OpenLine<K> {
    socket: OwnedFd,
    dialogue: Dialogue<K>,
    /// It may still be connecting, or take no more for now.
    is_writable: bool,
    /// When it is given up, unless it answers somebody; while somebody waits.
    give_up_at_ms: u64,
}

impl<'a, K> Link<'a, K> {
    /// A link that connects when it is first needed, and gives the store `timeout_ms` to answer.
    pub fn new(address: &'a Address, gate: Gate, timeout_ms: u64) -> Link<'a, K> {
        let replies = VecDeque::new();
        Link { address, gate, timeout_ms, keeps: true, line: None, replies, generation: 0 }
    }

    /// Closes the connection whenever all who have asked are answered.
    pub fn closing(self) -> Link<'a, K> {
        Link { keeps: false, ..self }
    }

    /// The socket to watch for both directions, and a number that changes with it.
    pub fn socket(&self) -> Option<(BorrowedFd<'_>, u64)> {
        self.line.as_ref().map(|line| (line.socket.as_fd(), self.generation))
    }

    /// Whether it has something to write that the socket did not take.
    pub fn is_blocked(&self) -> bool {
        self.line.as_ref().is_some_and(|line| !line.is_writable)
    }

    /// When to call [`check`](Link::check), in milliseconds of the monotonic clock.
    pub fn deadline_ms(&self) -> Option<u64> {
        if !self.replies.is_empty() {
            return Some(0);
        }
        let line = self.line.as_ref().filter(|line| line.dialogue.owes())?;
        Some(line.give_up_at_ms)
    }

    /// Asks a question, to be written at the end of the turn.
    pub fn ask(&mut self, key: K, query: Query, now: Moment) {
        if self.line.is_none() && self.gate.is_open(now.ms) {
            self.connect(now);
        }
        let asker = Asker { key, asked_ms: now.ms };
        match &mut self.line {
            None => self.replies.push_back((asker, Err(StoreDown::Unreachable))),
            Some(line) => {
                if !line.dialogue.owes() {
                    line.give_up_at_ms = now.ms + self.timeout_ms;
                }
                line.dialogue.ask(asker, query);
            }
        }
    }

    /// The next answer that has come.
    pub fn reply(&mut self, now: Moment) -> Option<(K, Result<Reply, StoreDown>)> {
        let from_line = self.line.as_mut().and_then(|line| line.dialogue.reply());
        let Some((asker, reply)) = from_line.or_else(|| self.replies.pop_front()) else {
            if !self.keeps && self.line.as_ref().is_some_and(|line| !line.dialogue.owes()) {
                self.line = None;
            }
            return None;
        };
        let Asker { key, asked_ms } = asker;
        self.gate.count(&reply, asked_ms, now.ms);
        match reply {
            Ok(_) => self.gate.answered(),
            Err(why @ StoreDown::Refused) => drop(self.gate.say(why, now.ms)),
            // The line has failed, which was noted then.
            Err(_) => {}
        }
        Some((key, reply))
    }

    /// The end of a turn: writes what was asked.
    pub fn flush(&mut self, now: Moment) {
        if let Some(Err(why)) = self.line.as_mut().map(OpenLine::write) {
            self.fail(why, now);
        }
    }

    /// The socket can be written to.
    pub fn writable(&mut self, now: Moment) {
        if let Some(line) = &mut self.line {
            line.is_writable = true;
        }
        self.flush(now);
    }

    /// Something has come, if only the end.
    pub fn readable(&mut self, scratch: &mut [MaybeUninit<u8>], now: Moment) {
        let Some(line) = &mut self.line else { return };
        let before = line.dialogue.pending();
        match line.read(scratch) {
            // A reply that only grows is none: who waits for it holds up all who ask after them.
            Ok(()) if line.dialogue.pending() < before => {
                line.give_up_at_ms = now.ms + self.timeout_ms;
            }
            Ok(()) => {}
            Err(why) => self.fail(why, now),
        }
    }

    /// Gives up a store that has been asked and says nothing.
    pub fn check(&mut self, now: Moment) {
        let overdue =
            |line: &OpenLine<Asker<K>>| line.dialogue.owes() && line.give_up_at_ms <= now.ms;
        if self.line.as_ref().is_some_and(overdue) {
            self.fail(StoreDown::TimedOut, now);
        }
    }

    fn connect(&mut self, now: Moment) {
        match self.address.connect() {
            Err(_) => self.gate.failed(StoreDown::Unreachable, now.ms),
            Ok(socket) => {
                self.generation += 1;
                self.line = Some(OpenLine {
                    socket,
                    dialogue: Dialogue::new(self.address.credentials()),
                    is_writable: true,
                    give_up_at_ms: 0,
                });
            }
        }
    }

    /// Tells all who wait. A store that hangs up while nobody waits has merely restarted.
    fn fail(&mut self, why: StoreDown, now: Moment) {
        let Some(mut line) = self.line.take() else { return };
        if line.dialogue.owes() {
            self.gate.failed(why, now.ms);
        }
        line.dialogue.fail(why);
        while let Some(reply) = line.dialogue.reply() {
            self.replies.push_back(reply);
        }
    }
}

impl<K> OpenLine<K> {
    fn write(&mut self) -> Result<(), StoreDown> {
        while self.is_writable {
            let out = self.dialogue.outgoing();
            if out.is_empty() {
                return Ok(());
            }
            match net::send(&self.socket, out, SendFlags::NOSIGNAL) {
                Ok(count) => self.dialogue.wrote(count),
                Err(Errno::INTR) => {}
                // A socket that is still connecting says ENOTCONN or EAGAIN.
                Err(Errno::AGAIN | Errno::NOTCONN) => self.is_writable = false,
                Err(_) => return Err(StoreDown::Unreachable),
            }
        }
        Ok(())
    }

    /// Reads what has come.
    fn read(&mut self, scratch: &mut [MaybeUninit<u8>]) -> Result<(), StoreDown> {
        let room = scratch.len();
        loop {
            match net::recv(&self.socket, &mut *scratch, RecvFlags::empty()) {
                Ok((([], _), _)) => return Err(StoreDown::Broken),
                Ok(((bytes, _), _)) => {
                    self.dialogue.received(bytes)?;
                    if bytes.len() < room {
                        return Ok(());
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN | Errno::NOTCONN) => return Ok(()),
                Err(Errno::CONNREFUSED) => return Err(StoreDown::Unreachable),
                Err(_) => return Err(StoreDown::Broken),
            }
        }
    }
}
