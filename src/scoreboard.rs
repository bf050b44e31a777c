//! What all processes of a server know of each other: numbers in shared memory.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rustix::process::Pid;

use crate::crowd::POOL_WORKERS;
use crate::presence::Post;
use crate::seats::Seats;
use crate::sys::shared_memory::Shared;
use crate::tally::{Count, Tallies};

const STOPPING: u64 = u64::MAX;

/// Numbers that fill a cache line.
const LINE: usize = 8;

/// What a server is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Accept clients, and serve them.
    Serving,
    /// Accept no more, as others do that now; give each client that is there its next answer.
    WindingDown,
    /// Accept no more, and part from those who are there as soon as no answer is owed.
    Stopping,
}

/// The scoreboard of one server, shared by all its processes.
#[derive(Clone, Copy)]
pub struct Scoreboard {
    /// The first generation of servers that is to go on; `STOPPING` if none is.
    oldest_generation: &'static AtomicU64,
    /// What has been counted.
    pub tallies: Tallies,
    /// Who is there; none if nobody would look at that.
    pub seats: Option<Seats>,
    /// The current generation of servers.
    pub generation: &'static AtomicU64,
    /// How many of them live.
    pub servers: &'static AtomicU64,
    /// How many clients each of them has taken on, those that are loops.
    taken_on: &'static [AtomicU64],
    /// Failures of the store since it last answered.
    pub store_failures: &'static AtomicU64,
    /// Nobody connects to the store before this, in milliseconds of the monotonic clock.
    pub store_retry_at_ms: &'static AtomicU64,
    /// When the first of these failures was, in milliseconds of the monotonic clock.
    pub store_down_ms: &'static AtomicU64,
    /// When something was last said against the store; 0 if never.
    pub store_complaint_ms: &'static AtomicU64,
    /// Whether it was said to be down, and not yet to be back.
    pub store_said_down: &'static AtomicU64,
    /// When it was last said that a client was sent away; 0 if never.
    pub refusal_said_ms: &'static AtomicU64,
}

impl Scoreboard {
    /// A scoreboard for this process and those that it will fork, which has seats for so many of
    /// them; none where nobody would look at who is there.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(seats: usize) -> io::Result<Scoreboard> {
        // Each has a cache line of its own: some are read all the time.
        const SINGLE: usize = 9;
        let numbers = Shared::new(SINGLE * LINE)?.leak();
        let single = |index: usize| &numbers[index * LINE];
        Ok(Scoreboard {
            oldest_generation: single(0),
            tallies: Tallies::new()?,
            seats: (seats > 0).then(|| Seats::new(seats)).transpose()?,
            generation: single(1),
            servers: single(2),
            taken_on: Shared::new(POOL_WORKERS * LINE)?.leak(),
            store_failures: single(3),
            store_retry_at_ms: single(4),
            store_down_ms: single(5),
            store_complaint_ms: single(6),
            store_said_down: single(7),
            refusal_said_ms: single(8),
        })
    }

    /// How many clients the server of that index has taken on, its predecessors' included, if it is
    /// a loop.
    pub fn taken_on(&self, server: usize) -> &'static AtomicU64 {
        &self.taken_on[server * LINE]
    }

    /// Where this thread counts.
    pub fn post(&self) -> Post {
        let seat = self.seats.and_then(|seats| seats.mine());
        Post { tally: self.tallies.of_thread(), seat }
    }

    /// A process was buried: the clients that it had are gone.
    pub fn bury(&self, process: Pid) {
        let Some(seats) = self.seats else { return };
        // In this order, so that whoever has left is always counted as having left.
        self.tallies.of_thread().add(Count::ConnectionsKilled, seats.clients_of(process));
        seats.vacate(process);
    }

    /// Tells all servers to stop.
    pub fn stop(&self) {
        self.oldest_generation.store(STOPPING, Relaxed);
    }

    /// Tells all servers of an earlier generation than this that their successors are there.
    pub fn supersede(&self, generation: u64) {
        self.oldest_generation.fetch_max(generation, Relaxed);
    }

    /// What the servers of a generation are to do.
    pub fn phase(&self, generation: u64) -> Phase {
        match self.oldest_generation.load(Relaxed) {
            oldest if oldest <= generation => Phase::Serving,
            STOPPING => Phase::Stopping,
            _ => Phase::WindingDown,
        }
    }
}
