//! What all processes of a server know of each other: numbers in shared memory.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::sys::shared_memory;

/// As large as a pool of processes or threads may be.
pub const POOL_WORKERS: usize = 1024;

/// The store's connections that forked children share: more would only wait in the store.
pub const LENT_LINES: usize = 16;

/// The scoreboard of one server, shared by all its processes.
#[derive(Clone, Copy)]
pub struct Scoreboard {
    stopping: &'static AtomicU64,
    /// Answers given.
    pub requests: &'static AtomicU64,
    /// Lines that the log could not take.
    pub log_lines_lost: &'static AtomicU64,
    /// Failures of the store since it last answered.
    pub store_failures: &'static AtomicU64,
    /// Nobody connects to the store before this, in milliseconds of the monotonic clock.
    pub store_retry_at_ms: &'static AtomicU64,
    /// When something was last said against the store; 0 if never.
    pub store_complaint_ms: &'static AtomicU64,
    /// Whether it was said to be down, and not yet to be back.
    pub store_said_down: &'static AtomicU64,
    /// Which workers of a pool have a client: 0 or 1.
    busy: &'static [AtomicU64],
    /// Which forked child has which of the store's connections; 0 for none.
    pub borrowers: &'static [AtomicU64],
}

impl Scoreboard {
    /// A scoreboard for this process and those that it will fork.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new() -> io::Result<Scoreboard> {
        // Each of the first has a cache line of its own: they are read and written all the time.
        const SINGLE: usize = 7;
        const LINE: usize = 8;
        let numbers = SINGLE * LINE + POOL_WORKERS + LENT_LINES;
        let (single, arrays) = shared_memory::share(numbers)?.split_at(SINGLE * LINE);
        let single = |index: usize| &single[index * LINE];
        let (busy, borrowers) = arrays.split_at(POOL_WORKERS);
        Ok(Scoreboard {
            stopping: single(0),
            requests: single(1),
            log_lines_lost: single(2),
            store_failures: single(3),
            store_retry_at_ms: single(4),
            store_complaint_ms: single(5),
            store_said_down: single(6),
            busy,
            borrowers,
        })
    }

    /// Tells all processes to stop.
    pub fn stop(&self) {
        self.stopping.store(1, Relaxed);
    }

    /// Whether the server is to stop.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Relaxed) != 0
    }

    /// Notes whether worker `index` of a pool has a client.
    pub fn set_busy(&self, index: usize, busy: bool) {
        self.busy[index].store(u64::from(busy), Relaxed);
    }

    /// Whether each of the first `workers` of a pool has a client.
    pub fn is_full(&self, workers: usize) -> bool {
        self.busy[..workers].iter().all(|busy| busy.load(Relaxed) != 0)
    }
}
