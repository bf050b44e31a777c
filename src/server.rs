//! A server as its architecture gets it: everything that the server needs is open, bound and
//! checked.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::Pid;
use zerohttpd_core::App;
use zerohttpd_sys::diagnostics;
use zerohttpd_sys::say;

use crate::ablations::Ablations;
use crate::admission::{Admission, Slot};
use crate::clock;
use crate::files::Site;
use crate::net::listener::{Listener, Sharing};
use crate::observe::access_log::Sink;
use crate::shared::counters::{Count, ThreadCounters};
use crate::shared::guard::MetricsHandle;
use crate::shared::scoreboard::{Phase, Scoreboard};
use crate::store::address::Address;
use crate::store::backoff::Backoff;

/// A server, ready to accept.
pub struct Server {
    /// Its listening socket.
    pub listener: Arc<Listener>,
    /// The listening sockets of all servers of its generation. While one server can't accept, the
    /// others accept at its socket.
    pub listeners: Vec<Arc<Listener>>,
    /// How the servers of a generation share the port.
    pub sharing: Sharing,
    /// The application.
    pub app: Arc<App>,
    /// The files of the site.
    pub site: Arc<Site>,
    /// The address of the store.
    pub store: Address,
    /// The access log.
    pub log: Arc<Sink>,
    /// What it does as the C programs of 2019 did.
    pub ablations: Ablations,
    /// The memory that all processes share.
    pub scoreboard: Scoreboard,
    /// The number of its generation. A reload starts the next generation.
    pub generation: u64,
    /// Its index among the servers of its generation.
    pub index: usize,
    /// The limits on clients, for all servers of its generation.
    pub admission: Arc<Admission>,
    /// Becomes and stays readable when the server is to stop: it wakes every process and thread
    /// that waits.
    pub stop_reader: Arc<OwnedFd>,
    /// Becomes and stays readable when the server is to drain.
    pub drain_reader: Arc<OwnedFd>,
    /// The number of workers in a pool.
    pub workers: usize,
    /// The maximum number of clients that the server has at a time.
    pub max_clients: usize,
}

/// The pause after the machine was found short of descriptors, processes or memory.
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// The pause if the kernel has no memory for poll(2) either.
const PAUSE_WITHOUT_MEMORY: Duration = Duration::from_millis(10);

impl Server {
    /// What the server is to do now.
    pub fn phase(&self) -> Phase {
        self.scoreboard.phase(self.generation)
    }

    /// Whether the server is to accept clients.
    pub fn is_serving(&self) -> bool {
        self.phase() == Phase::Serving
    }

    /// Whether the server is to close its idle connections and end.
    pub fn is_stopping(&self) -> bool {
        self.phase() == Phase::Stopping
    }

    /// Notes in the scoreboard that the server is to stop, because the stop descriptor is readable.
    /// After an upgrade, the new supervisor has another scoreboard, and reaches the servers of the
    /// old program only through the descriptor.
    pub fn note_stop(&self) {
        self.scoreboard.stop();
    }

    /// Notes in the scoreboard that the server is to drain, because the drain descriptor is
    /// readable. The descriptor is needed for the reason in [`note_stop`](Server::note_stop).
    pub fn note_drain(&self) {
        self.scoreboard.supersede(self.generation + 1);
    }

    /// The counters and gauges of this thread.
    pub fn metrics(&self) -> MetricsHandle {
        self.scoreboard.metrics()
    }

    /// The store's back-off, for a thread with these counters.
    pub fn backoff(&self, counters: ThreadCounters) -> Backoff {
        Backoff { store: self.scoreboard.store, counters }
    }

    /// Makes all listening sockets non-blocking.
    ///
    /// # Errors
    ///
    /// Those of ioctl(2).
    pub fn set_nonblocking(&self) -> std::io::Result<()> {
        self.listeners.iter().try_for_each(|listener| listener.set_nonblocking())
    }

    /// The index of its listening socket among those of its generation.
    pub fn own_listener(&self) -> usize {
        self.index % self.listeners.len()
    }

    /// The slot in which this server counts its clients, unless the workers of a pool have slots.
    pub fn slot(&self) -> Slot {
        Slot::Server(self.index as u32)
    }

    /// Removes a reaped child from the gauges, and counts the clients that it still had as killed
    /// connections.
    pub fn note_reaped(&self, child: Pid) {
        self.scoreboard.note_reaped(child);
    }

    /// Reports that accept(2) failed, unless it failed because the socket was shut.
    pub fn report_failed_accept(&self, errno: Errno) {
        if self.is_serving() {
            self.complain("accept a client", errno.into());
        }
    }

    /// Counts and reports that the machine is short of something. Each error is reported only now
    /// and then. `what` completes the message "can't ... just now".
    pub fn complain(&self, what: &str, error: std::io::Error) {
        self.scoreboard.counters.of_thread().count(Count::Exhausted);
        if diagnostics::note_if_due(self.scoreboard.last_message_ms(&error), clock::now().ms) {
            say!("zerohttpd: can't {what} just now: {error}; clients wait in the queue");
        }
    }

    /// Waits for 100 ms, or until the server is to stop.
    pub fn pause(&self) {
        match poll(&mut [PollFd::new(&self.stop_reader, PollFlags::IN)], Some(&PAUSE)) {
            Ok(1) => self.note_stop(),
            Ok(_) | Err(Errno::INTR) => {}
            // The kernel has no memory for the wait (poll(2)).
            Err(_) => std::thread::sleep(PAUSE_WITHOUT_MEMORY),
        }
    }
}
