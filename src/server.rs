//! What an architecture is given to serve with: everything is open, bound and checked.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use zero_core::App;

use crate::client::Client;
use crate::listener::{Accepted, Listener};
use crate::log::Sink;
use crate::scoreboard::Scoreboard;
use crate::site::Site;
use crate::store::address::Address;
use crate::store::gate::Gate;

/// A server, ready to accept.
pub struct Server {
    /// The listening socket.
    pub listener: Listener,
    /// The application.
    pub app: Arc<App>,
    /// Its files.
    pub site: Arc<Site>,
    /// Its store.
    pub store: Address,
    /// Its access log.
    pub log: Arc<Sink>,
    /// What its processes share.
    pub scoreboard: Scoreboard,
    /// Readable for ever once the server is to stop, so that it wakes all who wait on it.
    pub stop: Arc<OwnedFd>,
    /// How many workers a pool has.
    pub workers: usize,
    /// The most clients that one process takes on.
    pub most_clients: usize,
    /// It was said that descriptors or memory have run out.
    pub exhausted: AtomicBool,
}

/// How long it takes for descriptors or memory to come back, perhaps.
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

impl Server {
    /// Whether it is to stop.
    pub fn is_stopping(&self) -> bool {
        self.scoreboard.is_stopping()
    }

    /// The store's back-off.
    pub fn gate(&self) -> Gate {
        Gate(self.scoreboard)
    }

    /// The next client, waited for. None after a while without one, so that the caller can look
    /// around: at its children, and at whether it is to stop.
    pub fn accept(&self) -> Option<Client> {
        match self.listener.accept() {
            Accepted::Client(client) => {
                self.recovered();
                Some(client)
            }
            Accepted::Nobody => None,
            Accepted::Exhausted(errno) => {
                self.complain("accept a client", errno.into());
                self.pause();
                None
            }
        }
    }

    /// Says, once until it is over, that the machine is short of something.
    pub fn complain(&self, what: &str, error: std::io::Error) {
        if !self.exhausted.swap(true, Relaxed) {
            say!("zerohttpd: can't {what} just now: {error}; clients wait in the queue");
        }
    }

    /// There is enough again.
    pub fn recovered(&self) {
        if self.exhausted.load(Relaxed) {
            self.exhausted.store(false, Relaxed);
        }
    }

    /// Waits a little, or until the server is to stop.
    pub fn pause(&self) {
        let _ = poll(&mut [PollFd::new(&self.stop, PollFlags::IN)], Some(&PAUSE));
    }
}
