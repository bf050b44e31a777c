//! One connection to the store, for a worker that may block on it.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{self, RecvFlags, SendFlags};
use zero_core::store::{Dialogue, Query, Reply, StoreDown};

use super::address::Address;
use crate::clock;

/// A worker that waits for the store looks at the clock this often.
const TICK_MS: u64 = 200;

/// A page of short remarks fits; a longer one takes several reads.
const SCRATCH_BYTES: usize = 4096;

/// A connection on which nothing is owed.
pub struct Line {
    socket: OwnedFd,
    dialogue: Dialogue<()>,
}

impl Line {
    /// Connects and is let in, before `until_ms` of the monotonic clock.
    ///
    /// # Errors
    ///
    /// [`StoreDown::Unreachable`], [`StoreDown::TimedOut`] or [`StoreDown::NotAdmitted`].
    pub fn open(address: &Address, until_ms: u64) -> Result<Line, StoreDown> {
        let socket = address.connect().map_err(|_| StoreDown::Unreachable)?;
        let connected = wait_writable(&socket, until_ms)?;
        if !connected || !matches!(sockopt::socket_error(&socket), Ok(Ok(()))) {
            return Err(StoreDown::Unreachable);
        }
        let mut line = Line { socket, dialogue: Dialogue::new(address.credentials()) };
        line.block().map_err(|_| StoreDown::Unreachable)?;
        line.exchange(until_ms, |dialogue| dialogue.is_admitted().then_some(()))?;
        Ok(line)
    }

    /// From here on a read waits. It looks at the clock now and then.
    fn block(&self) -> io::Result<()> {
        let tick = Some(Duration::from_millis(TICK_MS));
        sockopt::set_socket_timeout(&self.socket, Timeout::Recv, tick)?;
        sockopt::set_socket_timeout(&self.socket, Timeout::Send, tick)?;
        Ok(rustix::io::ioctl_fionbio(&self.socket, false)?)
    }

    /// A connection that was opened elsewhere.
    pub fn from_socket(socket: OwnedFd) -> Line {
        Line { socket, dialogue: Dialogue::greeted() }
    }

    /// The connection, for use elsewhere.
    pub fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    /// Whether the store has kept the connection open while nobody used it. A question is not to be
    /// lost on one that it has closed.
    pub fn is_fresh(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        matches!(net::recv(&self.socket, &mut [0; 1], flags), Err(Errno::AGAIN))
    }

    /// Asks one question and waits for its answer, until `until_ms`. After an error the line is of
    /// no further use: an answer may yet come, and nobody can tell what was done.
    pub fn ask(&mut self, query: Query, until_ms: u64) -> Result<Reply, StoreDown> {
        self.dialogue.ask((), query);
        self.exchange(until_ms, Dialogue::reply)?.1
    }

    /// Says and hears what there is to say and to hear, until it `finds` in that what it is about.
    // Apart from its callers: inlined, its scratch would be on a forked child's stack all along.
    #[inline(never)]
    fn exchange<T>(
        &mut self,
        until_ms: u64,
        finds: impl Fn(&mut Dialogue<()>) -> Option<T>,
    ) -> Result<T, StoreDown> {
        let Line { socket, dialogue } = self;
        let mut scratch = [MaybeUninit::uninit(); SCRATCH_BYTES];
        loop {
            let left_ms = until_ms.saturating_sub(clock::now().ms);
            if left_ms == 0 {
                return Err(StoreDown::TimedOut);
            }
            let out = dialogue.outgoing();
            if left_ms < TICK_MS {
                // A tick would end too late. Those before it cost no call of their own.
                let flags = if out.is_empty() { PollFlags::IN } else { PollFlags::OUT };
                match is_ready(socket, flags, left_ms) {
                    Ok(true) => {}
                    Ok(false) => continue,
                    Err(_) => return Err(StoreDown::Broken),
                }
            }
            if !out.is_empty() {
                match net::send(&*socket, out, SendFlags::NOSIGNAL) {
                    Ok(count) => dialogue.wrote(count),
                    Err(Errno::AGAIN | Errno::INTR) => {}
                    Err(_) => return Err(StoreDown::Broken),
                }
                continue;
            }
            match net::recv(&*socket, &mut scratch, RecvFlags::empty()) {
                Ok((([], _), _)) => return Err(StoreDown::Broken),
                Ok(((bytes, _), _)) => dialogue.received(bytes)?,
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(_) => return Err(StoreDown::Broken),
            }
            if let Some(found) = finds(dialogue) {
                return Ok(found);
            }
        }
    }
}

/// Waits until the connection is made, or has failed.
fn wait_writable(socket: &OwnedFd, until_ms: u64) -> Result<bool, StoreDown> {
    loop {
        let left_ms = until_ms.saturating_sub(clock::now().ms);
        if left_ms == 0 {
            return Err(StoreDown::TimedOut);
        }
        match is_ready(socket, PollFlags::OUT, left_ms) {
            Ok(false) => {}
            Ok(true) => return Ok(true),
            Err(_) => return Ok(false),
        }
    }
}

/// Waits for so long at most until a socket can be read or written.
fn is_ready(socket: &OwnedFd, flags: PollFlags, left_ms: u64) -> Result<bool, Errno> {
    match poll(&mut [PollFd::new(socket, flags)], Some(&clock::timespec(left_ms))) {
        Err(Errno::INTR) => Ok(false),
        ready => Ok(ready? > 0),
    }
}
