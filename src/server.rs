//! What an architecture is given to serve with: everything is open, bound and checked.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Pid;
use zero_core::App;

use crate::client::Client;
use crate::clock;
use crate::crowd::{Crowd, Desk, TooMany};
use crate::habits::Habits;
use crate::listener::{Accepted, Listener, Sharing};
use crate::log::Sink;
use crate::presence::Post;
use crate::say;
use crate::scoreboard::{Phase, Scoreboard};
use crate::site::Site;
use crate::store::address::Address;
use crate::store::gate::Gate;
use crate::tally::{Count, Tally};

/// A server, ready to accept.
pub struct Server {
    /// The listening socket.
    pub listener: Arc<Listener>,
    /// Those of all servers of its generation, its own included: where one of them can't accept,
    /// the others do that for it.
    pub listeners: Vec<Arc<Listener>>,
    /// How they share the port.
    pub sharing: Sharing,
    /// The application.
    pub app: Arc<App>,
    /// Its files.
    pub site: Arc<Site>,
    /// Its store.
    pub store: Address,
    /// Its access log.
    pub log: Arc<Sink>,
    /// How it goes about its work.
    pub habits: Habits,
    /// What its processes share.
    pub scoreboard: Scoreboard,
    /// Which servers it is one of: those that are started when the site is read anew are the next.
    pub generation: u64,
    /// Which of the servers of its generation it is.
    pub index: usize,
    /// What the workers of its generation know of each other's clients.
    pub crowd: Arc<Crowd>,
    /// Readable for ever once the server is to stop, so that it wakes all who wait on it.
    pub stop: Arc<OwnedFd>,
    /// Likewise once it is to wind down.
    pub succeeded: Arc<OwnedFd>,
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
    /// What it is to do.
    pub fn phase(&self) -> Phase {
        self.scoreboard.phase(self.generation)
    }

    /// Whether it is to accept clients.
    pub fn is_serving(&self) -> bool {
        self.phase() == Phase::Serving
    }

    /// Whether it is to part from its clients.
    pub fn is_stopping(&self) -> bool {
        self.phase() == Phase::Stopping
    }

    /// The stop descriptor was found readable. That says more than the scoreboard does to a server
    /// whose supervisor was replaced by another program.
    pub fn told_to_stop(&self) {
        self.scoreboard.stop();
    }

    /// Where this thread counts.
    pub fn post(&self) -> Post {
        self.scoreboard.post()
    }

    /// The store's back-off.
    pub fn gate(&self, tally: Tally) -> Gate {
        Gate { board: self.scoreboard, tally }
    }

    /// Makes accept return at once where nobody waits, at all listening sockets.
    ///
    /// # Errors
    ///
    /// Those of ioctl(2).
    pub fn set_nonblocking(&self) -> std::io::Result<()> {
        self.listeners.iter().try_for_each(|listener| listener.set_nonblocking())
    }

    /// The number of its listening socket among all.
    pub fn own_listener(&self) -> usize {
        self.index % self.listeners.len()
    }

    /// The desk of a server that has many clients.
    pub fn desk(&self) -> Desk {
        Desk::Table(self.index)
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

    /// Lets a client in. One whose address has as many as it may have is sent away, before it costs
    /// anything.
    pub fn admit(&self, mut client: Client, desk: Desk) -> Option<Client> {
        match self.crowd.enter(desk, client.peer) {
            Ok(entry) => {
                client.entry = entry;
                Some(client)
            }
            Err(TooMany) => {
                self.refuse(client);
                None
            }
        }
    }

    fn refuse(&self, client: Client) {
        let now = clock::now();
        self.scoreboard.tallies.of_thread().count(Count::RefusedByAddress);
        if say::is_due(self.scoreboard.refusal_said_ms, now.ms) {
            let peer = client.peer;
            say!("zerohttpd: {peer} has as many clients as it may have; others get 503");
        }
        client.dismiss(&zero_core::app::crowded(&self.app, now));
    }

    /// A child of this process was buried: what it had counted is gone with it.
    pub fn bury(&self, child: Pid) {
        self.scoreboard.bury(child);
    }

    /// Says, once until it is over, that the machine is short of something.
    pub fn complain(&self, what: &str, error: std::io::Error) {
        self.scoreboard.tallies.of_thread().count(Count::Exhausted);
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
        if let Ok(1) = poll(&mut [PollFd::new(&self.stop, PollFlags::IN)], Some(&PAUSE)) {
            self.told_to_stop();
        }
    }
}
