//! What is counted: answers, connections, questions to the store, and what went wrong.
//!
//! The counters are in shared memory and only ever grow: they are right across processes, and
//! outlive those that are killed. There are several sets of them. A thread adds to the one that its
//! number selects, so that two that run at once seldom write to the same cache line; whoever reads
//! adds up all of them.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use zero_core::store::StoreDown;
use zero_core::{Closing, Served};

use crate::sys::shared_memory::Shared;

/// What one number counts.
#[derive(Clone, Copy, Debug)]
pub enum Count {
    /// Bytes of bodies that were handed to the kernel.
    BodyBytes,
    /// Milliseconds that all requests took, from their heads on.
    RequestMs,
    /// Milliseconds that the store took for all that it answered.
    StoreMs,
    /// Connections that were taken on.
    Connections,
    /// Connections that ended as the process that had them did.
    ConnectionsKilled,
    /// Clients that were sent away, as their address had enough connections.
    RefusedByAddress,
    /// Times that descriptors, memory or processes had run out for one more client.
    Exhausted,
    /// Lines that the log could not take.
    LogLinesLost,
    /// Processes of the embedded store that had to be replaced.
    StoreRestarts,
    /// Likewise, of the servers.
    ServerRestarts,
    /// Likewise, of the admin's server.
    AdminRestarts,
}

/// What took its time.
#[derive(Clone, Copy, Debug)]
pub enum Timed {
    /// A request, from its head to the last byte of the answer with the kernel.
    Request,
    /// A question to the store, from when it was asked to its answer.
    Store,
}

/// The bounds that durations are counted by: in seconds, as they are shown, and the milliseconds
/// that lie within.
pub const BUCKETS: [(&str, u64); 13] = [
    ("0.001", 1),
    ("0.0025", 2),
    ("0.005", 5),
    ("0.01", 10),
    ("0.025", 25),
    ("0.05", 50),
    ("0.1", 100),
    ("0.25", 250),
    ("0.5", 500),
    ("1", 1000),
    ("2.5", 2500),
    ("5", 5000),
    ("10", 10_000),
];

/// Those that took longer have a bucket too.
const DURATIONS: usize = BUCKETS.len() + 1;

// Where in a set which counters begin.
const REQUEST_DURATIONS: usize = 1 + Count::AdminRestarts as usize;
const STORE_DURATIONS: usize = REQUEST_DURATIONS + DURATIONS;
const CLOSED: usize = STORE_DURATIONS + DURATIONS;
const STORE_FAILURES: usize = CLOSED + Closing::ALL.len();
const ANSWERS: usize = STORE_FAILURES + StoreDown::ALL.len();

/// Answers have a counter for each status from this one to the last that there may be.
const FIRST_STATUS: u16 = 200;
const LAST_STATUS: u16 = 599;

/// A set fills whole cache lines.
const SET: usize = (ANSWERS + 1 + (LAST_STATUS - FIRST_STATUS) as usize).next_multiple_of(8);

/// More sets than this only make more to add up.
const MOST_SETS: usize = 64;

/// All counters of a server.
#[derive(Clone, Copy)]
pub struct Tallies(&'static [[AtomicU64; SET]]);

/// The counters that a thread adds to.
#[derive(Clone, Copy)]
pub struct Tally(&'static [AtomicU64; SET]);

/// Durations, counted.
pub struct Durations {
    /// How many fell into each of the [`BUCKETS`], and above the last.
    pub counts: [u64; DURATIONS],
    /// All of them together.
    pub sum_ms: u64,
}

impl Tallies {
    /// Counters for this process and those that it will fork.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new() -> io::Result<Tallies> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let sets = (2 * cores).next_power_of_two().min(MOST_SETS);
        Ok(Tallies(Shared::new(sets * SET)?.leak().as_chunks().0))
    }

    /// The counters of this thread, or of this process if it has only one.
    pub fn of_thread(&self) -> Tally {
        let number = rustix::thread::gettid().as_raw_nonzero().get() as usize;
        Tally(&self.0[number % self.0.len()])
    }

    /// What was counted.
    pub fn get(&self, what: Count) -> u64 {
        self.sum(what as usize)
    }

    /// Answers of a status.
    pub fn answers(&self, status: u16) -> u64 {
        self.sum(answers_at(status))
    }

    /// Answers in all.
    pub fn all_answers(&self) -> u64 {
        (FIRST_STATUS..=LAST_STATUS).map(|status| self.answers(status)).sum()
    }

    /// Connections that ended so.
    pub fn closed(&self, why: Closing) -> u64 {
        self.sum(CLOSED + why as usize)
    }

    /// Questions that the store did not answer, for this reason.
    pub fn store_failures(&self, why: StoreDown) -> u64 {
        self.sum(STORE_FAILURES + why as usize)
    }

    /// How long it took.
    pub fn durations(&self, what: Timed) -> Durations {
        let (first, sum) = timed_at(what);
        Durations {
            counts: std::array::from_fn(|bucket| self.sum(first + bucket)),
            sum_ms: self.get(sum),
        }
    }

    fn sum(&self, at: usize) -> u64 {
        self.0.iter().map(|set| set[at].load(Relaxed)).sum()
    }
}

impl Tally {
    /// One more.
    pub fn count(&self, what: Count) {
        self.add(what, 1);
    }

    /// So many more.
    pub fn add(&self, what: Count, number: u64) {
        self.0[what as usize].fetch_add(number, Relaxed);
    }

    /// An answer was given, `took_ms` after its request.
    pub fn answer(&self, served: &Served<'_>, took_ms: u64) {
        self.0[answers_at(served.status)].fetch_add(1, Relaxed);
        self.add(Count::BodyBytes, served.body_bytes);
        self.time(Timed::Request, took_ms);
    }

    /// A connection ended.
    pub fn closed(&self, why: Closing) {
        self.0[CLOSED + why as usize].fetch_add(1, Relaxed);
    }

    /// The store did not answer a question.
    pub fn store_failed(&self, why: StoreDown) {
        self.0[STORE_FAILURES + why as usize].fetch_add(1, Relaxed);
    }

    /// Something took so long.
    pub fn time(&self, what: Timed, took_ms: u64) {
        let (first, sum) = timed_at(what);
        let within = BUCKETS.iter().position(|(_, most_ms)| took_ms <= *most_ms);
        self.0[first + within.unwrap_or(BUCKETS.len())].fetch_add(1, Relaxed);
        if took_ms > 0 {
            self.add(sum, took_ms);
        }
    }
}

fn answers_at(status: u16) -> usize {
    ANSWERS + usize::from(status.clamp(FIRST_STATUS, LAST_STATUS) - FIRST_STATUS)
}

fn timed_at(what: Timed) -> (usize, Count) {
    match what {
        Timed::Request => (REQUEST_DURATIONS, Count::RequestMs),
        Timed::Store => (STORE_DURATIONS, Count::StoreMs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_threads_count_is_added_up() {
        let tallies = Tallies::new().unwrap();
        let answer = Served { request_line: b"", status: 404, body_bytes: 7, started_ms: 0 };
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let tally = tallies.of_thread();
                    (0..1000).for_each(|_| tally.answer(&answer, 3));
                    tally.closed(Closing::Done);
                    tally.store_failed(StoreDown::Broken);
                });
            }
        });
        assert_eq!(tallies.answers(404), 8000);
        assert_eq!(tallies.all_answers(), 8000);
        assert_eq!(tallies.get(Count::BodyBytes), 56_000);
        assert_eq!(tallies.closed(Closing::Done), 8);
        assert_eq!(tallies.store_failures(StoreDown::Broken), 8);
        let durations = tallies.durations(Timed::Request);
        assert_eq!((durations.counts[2], durations.sum_ms), (8000, 24_000), "3 ms are below 5");
    }

    #[test]
    fn a_duration_is_counted_where_its_bound_is() {
        let tallies = Tallies::new().unwrap();
        for (bucket, (_, most_ms)) in BUCKETS.iter().enumerate() {
            tallies.of_thread().time(Timed::Store, *most_ms);
            assert_eq!(tallies.durations(Timed::Store).counts[bucket], 1, "{most_ms}");
        }
        tallies.of_thread().time(Timed::Store, 10_001);
        assert_eq!(tallies.durations(Timed::Store).counts, [1; DURATIONS]);
    }

    #[test]
    fn every_reason_has_a_counter_of_its_own() {
        for (index, why) in Closing::ALL.into_iter().enumerate() {
            assert_eq!(why as usize, index, "{why:?}");
        }
        for (index, why) in StoreDown::ALL.into_iter().enumerate() {
            assert_eq!(why as usize, index, "{why:?}");
        }
    }
}
