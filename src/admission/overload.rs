//! Which servers of a generation can't accept at the moment, so that the others accept for them.
//!
//! If each server has its own listening socket, the kernel distributes clients to all sockets, even
//! to the socket of a server without room. Such a server sets its flag here and wakes the other
//! servers, which accept from its socket too until it has room again.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering::SeqCst;

use rustix::event::{EventfdFlags, eventfd};
use zerohttpd_sys::shared_memory::Shared;

/// The servers that can't accept, in shared memory.
pub struct Overload {
    /// For each server, whether it can't accept.
    full: Shared,
    /// An eventfd(2), readable while any server can't accept.
    wakeup: OwnedFd,
}

impl Overload {
    /// `servers` servers, all of which can accept.
    ///
    /// # Errors
    ///
    /// `EMFILE` or `ENOMEM`.
    pub fn new(servers: usize) -> io::Result<Overload> {
        let wakeup = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Overload { full: Shared::new(servers)?, wakeup })
    }

    /// Sets whether a server can't accept, and wakes all servers while any server can't.
    pub fn note(&self, server: usize, is_full: bool) {
        // The eventfd is updated even if the flag has not changed: a server can be killed between
        // the two steps, and the supervisor then clears its flag again.
        self.full[server].store(is_full.into(), SeqCst);
        // Reading clears the eventfd. Another server may have written meanwhile, so look again.
        if !self.is_any_full() {
            let _ = rustix::io::read(&self.wakeup, &mut [0; size_of::<u64>()]);
        }
        if self.is_any_full() {
            let _ = rustix::io::write(&self.wakeup, &1_u64.to_ne_bytes());
        }
    }

    /// Whether any server can't accept.
    pub fn is_any_full(&self) -> bool {
        self.full().next().is_some()
    }

    /// The servers that can't accept, by index.
    pub fn full(&self) -> impl Iterator<Item = usize> {
        let full = self.full.iter().enumerate().filter(|(_, full)| full.load(SeqCst) != 0);
        full.map(|(server, _)| server)
    }
}

impl AsFd for Overload {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wakeup.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::PollFlags;
    use zerohttpd_sys::ready::is_ready;

    #[test]
    fn the_wakeup_is_readable_while_any_server_is_full() {
        let overload = Overload::new(3).unwrap();
        let is_readable = || is_ready(overload.as_fd(), PollFlags::IN);
        assert!(!is_readable() && !overload.is_any_full());
        overload.note(2, true);
        overload.note(0, true);
        overload.note(0, true);
        assert!(is_readable() && overload.full().eq([0, 2]));
        overload.note(2, false);
        assert!(is_readable() && overload.full().eq([0]));
        overload.note(0, false);
        overload.note(0, false);
        assert!(!is_readable() && !overload.is_any_full());
    }
}
