//! Numbers in shared memory that the supervisor and all servers read and write.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rustix::process::Pid;
use zerohttpd_sys::shared_memory::Shared;

use crate::admission::MAX_WORKERS;
use crate::shared::counters::{Count, Counters};
use crate::shared::gauges::Gauges;
use crate::shared::guard::MetricsHandle;
use crate::shared::store_condition::StoreCondition;

/// In `oldest_generation`: all servers are to stop.
const STOPPING: u64 = u64::MAX;

/// One more than the highest error number on Linux (errno(3)). 0 stands for an error without a
/// number.
const ERRORS: usize = 134;

/// The place of `drain_delay` among the numbers that have a cache line each.
const DRAIN_DELAY: usize = 6;

/// How many numbers of 64 bits fill a cache line.
const CACHE_LINE: usize = 8;

/// What a server is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Accept clients and serve them.
    Serving,
    /// Accept no more clients, because a newer generation does. Give each connected client one more
    /// answer.
    Draining,
    /// Accept no more clients. Close each connection as soon as its client awaits no answer.
    Stopping,
}

/// The scoreboard, which the supervisor and all processes under it share.
#[derive(Clone, Copy)]
pub struct Scoreboard {
    /// The oldest generation that is to go on serving; `STOPPING` if all are to stop.
    oldest_generation: &'static AtomicU64,
    /// The memory that begins with `oldest_generation`.
    numbers: &'static Shared,
    /// The counters.
    pub counters: Counters,
    /// The gauges; `None` without `--admin` and a service manager: nothing would report them.
    pub gauges: Option<Gauges>,
    /// The current generation of servers.
    pub generation: &'static AtomicU64,
    /// How many servers of the current generation are running.
    pub servers: &'static AtomicU64,
    /// How many clients loops have accepted, for each index of a server.
    accepted: &'static [AtomicU64],
    /// The condition of the store.
    pub store: StoreCondition,
    /// When the last message about a refused client was printed; 0 for never.
    pub last_refusal_message_ms: &'static AtomicU64,
    /// When the last message about an unreadable file was printed; 0 for never.
    pub last_denial_message_ms: &'static AtomicU64,
    /// 1 while the site's path does not lead to the folder that is served; otherwise 0.
    pub site_gone: &'static AtomicU64,
    /// 1 while the server is to stop after a delay in which it still serves; otherwise 0.
    pub drain_delay: &'static AtomicU64,
    /// For each error number, when the last message about a shortage with it was printed; 0 for
    /// never.
    last_error_message_ms: &'static [AtomicU64],
}

impl Scoreboard {
    /// A scoreboard for this process and its future children, with `gauge_sets` sets of gauges, or
    /// without gauges if that is 0.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(gauge_sets: usize) -> io::Result<Scoreboard> {
        // Each number has its own cache line, because some are read all the time.
        const NUMBERS: usize = 7;
        let numbers: &'static Shared = Box::leak(Box::new(Shared::new(NUMBERS * CACHE_LINE)?));
        let single = |index: usize| &numbers[index * CACHE_LINE];
        Ok(Scoreboard {
            oldest_generation: single(0),
            numbers,
            counters: Counters::new()?,
            gauges: (gauge_sets > 0).then(|| Gauges::new(gauge_sets)).transpose()?,
            generation: single(1),
            servers: single(2),
            accepted: Shared::new(MAX_WORKERS * CACHE_LINE)?.leak(),
            store: StoreCondition::new()?,
            last_refusal_message_ms: single(3),
            last_denial_message_ms: single(4),
            site_gone: single(5),
            drain_delay: single(DRAIN_DELAY),
            last_error_message_ms: Shared::new(ERRORS)?.leak(),
        })
    }

    /// How many clients the servers with this index have accepted, including earlier generations.
    /// Only loops count them.
    pub fn accepted_by(&self, server: usize) -> &'static AtomicU64 {
        &self.accepted[server * CACHE_LINE]
    }

    /// The counters and gauges of the calling thread.
    pub fn metrics(&self) -> MetricsHandle {
        let gauges = self.gauges.and_then(|gauges| gauges.of_this_process());
        MetricsHandle { counters: self.counters.of_thread(), gauges }
    }

    /// Removes a reaped process from the gauges, and counts the clients that it still had as killed
    /// connections.
    pub fn note_reaped(&self, process: Pid) {
        let Some(gauges) = self.gauges else { return };
        // In this order, each client is always in a gauge or in the count.
        self.counters.of_thread().add(Count::ConnectionsKilled, gauges.clients_of(process));
        gauges.vacate(process);
    }

    /// When the last message about a shortage with this error was printed; 0 for never.
    pub fn last_message_ms(&self, error: &io::Error) -> &'static AtomicU64 {
        let number = error.raw_os_error().and_then(|number| usize::try_from(number).ok());
        self.last_error_message_ms
            .get(number.unwrap_or(0))
            .unwrap_or(&self.last_error_message_ms[0])
    }

    /// Tells all servers to stop.
    pub fn stop(&self) {
        self.oldest_generation.store(STOPPING, Relaxed);
    }

    /// Tells all servers of generations before this one to drain.
    pub fn supersede(&self, generation: u64) {
        self.oldest_generation.fetch_max(generation, Relaxed);
    }

    /// The memory that sets the phase of this program's servers: a file, and an index in it. With
    /// it, a new program that is executed in place of this one tells the servers to drain.
    ///
    /// # Errors
    ///
    /// `EMFILE`.
    pub fn phase_memory(&self) -> io::Result<(OwnedFd, usize)> {
        self.numbers.file()
    }

    /// The memory of `drain_delay`: a file, and an index in it. With it, a new program makes the
    /// health fail that the admin server of this one reports.
    ///
    /// # Errors
    ///
    /// `EMFILE`.
    pub fn drain_memory(&self) -> io::Result<(OwnedFd, usize)> {
        let (file, first) = self.numbers.file()?;
        Ok((file, first + DRAIN_DELAY * CACHE_LINE))
    }

    /// What the servers of a generation are to do.
    pub fn phase(&self, generation: u64) -> Phase {
        match self.oldest_generation.load(Relaxed) {
            oldest if oldest <= generation => Phase::Serving,
            STOPPING => Phase::Stopping,
            _ => Phase::Draining,
        }
    }
}

/// A number of the previous program's scoreboard, which this program can raise.
pub struct PassedNumber(Shared);

impl PassedNumber {
    /// Opens the file that [`Scoreboard::phase_memory`] or [`Scoreboard::drain_memory`] returned in
    /// the previous program.
    ///
    /// # Errors
    ///
    /// `file` is of another kind.
    pub fn open(file: OwnedFd, index: usize) -> io::Result<PassedNumber> {
        Ok(PassedNumber(Shared::of_file(file, index, 1)?))
    }

    /// Makes the number at least this high.
    pub fn raise_to(&self, value: u64) {
        self.0[0].fetch_max(value, Relaxed);
    }

    /// The file and the index, for the next program.
    ///
    /// # Errors
    ///
    /// `EMFILE`.
    pub fn file(&self) -> io::Result<(OwnedFd, usize)> {
        self.0.file()
    }
}
