//! One connection to the store, for a worker that may block on it.

use std::io;
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
const TICK: Duration = Duration::from_millis(200);

/// A connection on which nothing is owed.
pub struct Line {
    socket: OwnedFd,
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
        let line = Line { socket };
        line.block().map_err(|_| StoreDown::Unreachable)?;
        let mut dialogue = Dialogue::<()>::new(address.credentials());
        line.exchange(&mut dialogue, until_ms, |dialogue| dialogue.is_admitted())?;
        Ok(line)
    }

    /// From here on a read waits. It looks at the clock now and then.
    fn block(&self) -> io::Result<()> {
        let tick = Some(TICK);
        sockopt::set_socket_timeout(&self.socket, Timeout::Recv, tick)?;
        sockopt::set_socket_timeout(&self.socket, Timeout::Send, tick)?;
        Ok(rustix::io::ioctl_fionbio(&self.socket, false)?)
    }

    /// A connection that was opened elsewhere.
    pub fn from_socket(socket: OwnedFd) -> Line {
        Line { socket }
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
    pub fn ask(&self, query: Query, until_ms: u64) -> Result<Reply, StoreDown> {
        let mut dialogue = Dialogue::greeted();
        dialogue.ask((), query);
        let mut reply = None;
        self.exchange(&mut dialogue, until_ms, |dialogue| {
            reply = dialogue.reply();
            reply.is_some()
        })?;
        reply.map_or(Err(StoreDown::Broken), |((), reply)| reply)
    }

    fn exchange(
        &self,
        dialogue: &mut Dialogue<()>,
        until_ms: u64,
        mut is_done: impl FnMut(&mut Dialogue<()>) -> bool,
    ) -> Result<(), StoreDown> {
        let mut scratch = [0; 4096];
        loop {
            if clock::now().ms >= until_ms {
                return Err(StoreDown::TimedOut);
            }
            let out = dialogue.outgoing();
            if !out.is_empty() {
                match net::send(&self.socket, out, SendFlags::NOSIGNAL) {
                    Ok(count) => dialogue.wrote(count),
                    Err(Errno::AGAIN | Errno::INTR) => {}
                    Err(_) => return Err(StoreDown::Broken),
                }
                continue;
            }
            match net::recv(&self.socket, &mut scratch, RecvFlags::empty()) {
                Ok((0, _)) => return Err(StoreDown::Broken),
                Ok((count, _)) => dialogue.received(&scratch[..count])?,
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(_) => return Err(StoreDown::Broken),
            }
            if is_done(dialogue) {
                return Ok(());
            }
        }
    }
}

fn wait_writable(socket: &OwnedFd, until_ms: u64) -> Result<bool, StoreDown> {
    loop {
        let left = until_ms.saturating_sub(clock::now().ms);
        if left == 0 {
            return Err(StoreDown::TimedOut);
        }
        let fds = &mut [PollFd::new(socket, PollFlags::OUT)];
        match poll(fds, Some(&clock::timespec(left))) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(_) => return Ok(false),
        }
    }
}
