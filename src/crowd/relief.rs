//! Which servers of a generation can't accept just now, so that the others do it for them.
//!
//! Where each has a socket of its own, the kernel deals clients out to all of them, whether they
//! have room or not. Who has none says so here, and rings: the others then accept from its socket
//! too, until it has room again.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering::SeqCst;

use rustix::event::{EventfdFlags, eventfd};

use crate::sys::shared_memory::Shared;

/// What servers know of each other's need.
pub struct Relief {
    /// Whether each can't accept.
    full: Shared,
    /// Readable while one of them can't; who is told by its edges is told again of each.
    bell: OwnedFd,
}

impl Relief {
    /// All of so many servers have room.
    ///
    /// # Errors
    ///
    /// `EMFILE` or `ENOMEM`.
    pub fn new(servers: usize) -> io::Result<Relief> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Relief { full: Shared::new(servers)?, bell })
    }

    /// A server can't accept, or can again.
    pub fn note(&self, server: usize, is_full: bool) {
        if self.full[server].swap(is_full.into(), SeqCst) == u64::from(is_full) {
            return;
        }
        // A number that is read is gone, and with it what another has written meanwhile.
        if !self.is_needed() {
            let _ = rustix::io::read(&self.bell, &mut [0; size_of::<u64>()]);
        }
        if self.is_needed() {
            let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
        }
    }

    /// Whether any server can't accept.
    pub fn is_needed(&self) -> bool {
        self.full().next().is_some()
    }

    /// Those that can't.
    pub fn full(&self) -> impl Iterator<Item = usize> {
        let full = self.full.iter().enumerate().filter(|(_, full)| full.load(SeqCst) != 0);
        full.map(|(server, _)| server)
    }
}

impl AsFd for Relief {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::is_ready;
    use rustix::event::PollFlags;

    #[test]
    fn the_bell_can_be_heard_while_any_is_full() {
        let relief = Relief::new(3).unwrap();
        let rings = || is_ready(relief.as_fd(), PollFlags::IN);
        assert!(!rings() && !relief.is_needed());
        relief.note(2, true);
        relief.note(0, true);
        relief.note(0, true);
        assert!(rings() && relief.full().eq([0, 2]));
        relief.note(2, false);
        assert!(rings() && relief.full().eq([0]));
        relief.note(0, false);
        relief.note(0, false);
        assert!(!rings() && !relief.is_needed());
    }
}
