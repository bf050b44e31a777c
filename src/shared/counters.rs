//! Counters: answers, connections, queries to the store, and failures.
//!
//! They are in shared memory and only grow, so the counts of killed processes are included. There
//! are several sets. A thread adds to the set that its number selects, so that two threads seldom
//! write to the same cache line. A reader adds up all sets.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use zerohttpd_core::store::StoreDown;
use zerohttpd_core::{AccessRecord, CloseReason};
use zerohttpd_sys::shared_memory::Shared;

/// What a counter counts.
#[derive(Clone, Copy, Debug)]
pub enum Count {
    /// Bytes of response bodies that the kernel has taken.
    BodyBytes,
    /// The time that all requests took together, in microseconds ([`Timed::Request`]).
    RequestUs,
    /// The time that all queries took together, in microseconds ([`Timed::Store`]).
    StoreUs,
    /// Connections that were accepted and admitted.
    Connections,
    /// Connections that ended because their process was killed.
    ConnectionsKilled,
    /// Clients that were refused because their address had reached its limit.
    RefusedByAddress,
    /// Shortages of descriptors, memory or processes that kept clients waiting.
    Exhausted,
    /// Requests for files that the server has no permission to read.
    FilesDenied,
    /// Lines that were lost because the log could not be written.
    LogLinesLost,
    /// Restarts of the embedded store's process.
    StoreRestarts,
    /// Restarts of servers.
    ServerRestarts,
    /// Restarts of the admin server.
    AdminRestarts,
}

/// What a duration measures.
#[derive(Clone, Copy, Debug)]
pub enum Timed {
    /// A request, from its head until the kernel has taken the last byte of the answer.
    Request,
    /// A query to the store, until its reply.
    Store,
}

/// The upper bounds of a histogram's buckets, each in seconds as text and in microseconds.
pub const BUCKETS: [(&str, u64); 16] = [
    ("0.0001", 100),
    ("0.00025", 250),
    ("0.0005", 500),
    ("0.001", 1000),
    ("0.0025", 2500),
    ("0.005", 5000),
    ("0.01", 10_000),
    ("0.025", 25_000),
    ("0.05", 50_000),
    ("0.1", 100_000),
    ("0.25", 250_000),
    ("0.5", 500_000),
    ("1", 1_000_000),
    ("2.5", 2_500_000),
    ("5", 5_000_000),
    ("10", 10_000_000),
];

/// The number of counters of a histogram; the last one is for durations above all bounds.
const HISTOGRAM_LEN: usize = BUCKETS.len() + 1;

// The index in a set at which each group of counters begins.
const REQUEST_DURATIONS: usize = 1 + Count::AdminRestarts as usize;
const STORE_DURATIONS: usize = REQUEST_DURATIONS + HISTOGRAM_LEN;
const CLOSED: usize = STORE_DURATIONS + HISTOGRAM_LEN;
const STORE_FAILURES: usize = CLOSED + CloseReason::ALL.len();
const ANSWERS: usize = STORE_FAILURES + StoreDown::ALL.len();

/// Answers have a counter for each status from the first to the last.
const FIRST_STATUS: u16 = 200;
const LAST_STATUS: u16 = 599;

/// The number of counters in a set, which fills whole cache lines.
const SET_LEN: usize = (ANSWERS + 1 + (LAST_STATUS - FIRST_STATUS) as usize).next_multiple_of(8);

/// The maximum number of sets. More would slow down readers and help no writer.
const MAX_SETS: usize = 64;

/// All counters of a server.
#[derive(Clone, Copy)]
pub struct Counters(&'static [[AtomicU64; SET_LEN]]);

/// The set of counters to which a thread adds.
#[derive(Clone, Copy)]
pub struct ThreadCounters(&'static [AtomicU64; SET_LEN]);

/// A histogram of durations.
pub struct Durations {
    /// The number of durations in each of the [`BUCKETS`], and above the last bound.
    pub counts: [u64; HISTOGRAM_LEN],
    /// The sum of all durations, in microseconds.
    pub sum_us: u64,
}

impl Counters {
    /// Counters for this process and its future children.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new() -> io::Result<Counters> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let sets = (2 * cores).next_power_of_two().min(MAX_SETS);
        Ok(Counters(Shared::new(sets * SET_LEN)?.leak().as_chunks().0))
    }

    /// The counters of the calling thread.
    pub fn of_thread(&self) -> ThreadCounters {
        let number = rustix::thread::gettid().as_raw_nonzero().get() as usize;
        ThreadCounters(&self.0[number % self.0.len()])
    }

    /// The value of a counter.
    pub fn get(&self, counter: Count) -> u64 {
        self.sum(counter as usize)
    }

    /// The number of answers with this status.
    pub fn answers(&self, status: u16) -> u64 {
        self.sum(answers_index(status))
    }

    /// The number of answers with any status.
    pub fn all_answers(&self) -> u64 {
        (FIRST_STATUS..=LAST_STATUS).map(|status| self.answers(status)).sum()
    }

    /// The number of connections that ended for this reason.
    pub fn closed(&self, reason: CloseReason) -> u64 {
        self.sum(CLOSED + reason as usize)
    }

    /// The number of queries that the store did not answer for this reason.
    pub fn store_failures(&self, reason: StoreDown) -> u64 {
        self.sum(STORE_FAILURES + reason as usize)
    }

    /// The histogram of these durations.
    pub fn durations(&self, timed: Timed) -> Durations {
        let (first, sum) = histogram(timed);
        Durations {
            counts: std::array::from_fn(|bucket| self.sum(first + bucket)),
            sum_us: self.get(sum),
        }
    }

    /// Adds up the counters with this index over all sets.
    fn sum(&self, index: usize) -> u64 {
        self.0.iter().map(|set| set[index].load(Relaxed)).sum()
    }
}

impl ThreadCounters {
    /// Adds one to a counter.
    pub fn count(&self, counter: Count) {
        self.add(counter, 1);
    }

    /// Adds `number` to a counter.
    pub fn add(&self, counter: Count, number: u64) {
        self.0[counter as usize].fetch_add(number, Relaxed);
    }

    /// Counts an answer. Its request took `took_us` microseconds.
    pub fn count_answer(&self, record: &AccessRecord<'_>, took_us: u64) {
        self.0[answers_index(record.status)].fetch_add(1, Relaxed);
        self.add(Count::BodyBytes, record.body_bytes);
        self.count_duration(Timed::Request, took_us);
    }

    /// Counts a connection that has ended.
    pub fn count_closed(&self, reason: CloseReason) {
        self.0[CLOSED + reason as usize].fetch_add(1, Relaxed);
    }

    /// Counts a query that the store did not answer.
    pub fn count_store_failure(&self, reason: StoreDown) {
        self.0[STORE_FAILURES + reason as usize].fetch_add(1, Relaxed);
    }

    /// Counts a duration of `took_us` microseconds.
    pub fn count_duration(&self, timed: Timed, took_us: u64) {
        let (first, sum) = histogram(timed);
        let bucket = BUCKETS.iter().position(|(_, bound_us)| took_us <= *bound_us);
        self.0[first + bucket.unwrap_or(BUCKETS.len())].fetch_add(1, Relaxed);
        self.add(sum, took_us);
    }
}

/// The index of the counter for answers with this status.
fn answers_index(status: u16) -> usize {
    ANSWERS + usize::from(status.clamp(FIRST_STATUS, LAST_STATUS) - FIRST_STATUS)
}

/// The index of the first bucket of a histogram, and the counter of its sum.
fn histogram(timed: Timed) -> (usize, Count) {
    match timed {
        Timed::Request => (REQUEST_DURATIONS, Count::RequestUs),
        Timed::Store => (STORE_DURATIONS, Count::StoreUs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerohttpd_core::Now;

    #[test]
    fn the_counts_of_all_threads_are_added_up() {
        let counters = Counters::new().unwrap();
        let answer =
            AccessRecord { request_line: b"", status: 404, body_bytes: 7, started: Now::default() };
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let counters = counters.of_thread();
                    (0..1000).for_each(|_| counters.count_answer(&answer, 3000));
                    counters.count_closed(CloseReason::Done);
                    counters.count_store_failure(StoreDown::Broken);
                });
            }
        });
        assert_eq!(counters.answers(404), 8000);
        assert_eq!(counters.all_answers(), 8000);
        assert_eq!(counters.get(Count::BodyBytes), 56_000);
        assert_eq!(counters.closed(CloseReason::Done), 8);
        assert_eq!(counters.store_failures(StoreDown::Broken), 8);
        let durations = counters.durations(Timed::Request);
        let within_5_ms = durations.counts[5];
        assert_eq!((within_5_ms, durations.sum_us), (8000, 24_000_000));
    }

    #[test]
    fn a_duration_is_counted_in_the_first_bucket_whose_bound_it_does_not_exceed() {
        let counters = Counters::new().unwrap();
        for (bucket, (bound, bound_us)) in BUCKETS.iter().enumerate() {
            assert_eq!(bound.parse::<f64>().unwrap(), *bound_us as f64 / 1e6);
            counters.of_thread().count_duration(Timed::Store, *bound_us);
            assert_eq!(counters.durations(Timed::Store).counts[bucket], 1, "{bound}");
        }
        counters.of_thread().count_duration(Timed::Store, 10_000_001);
        assert_eq!(counters.durations(Timed::Store).counts, [1; HISTOGRAM_LEN]);
    }

    #[test]
    fn every_reason_has_a_counter_of_its_own() {
        for (index, reason) in CloseReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index, "{reason:?}");
        }
        for (index, reason) in StoreDown::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index, "{reason:?}");
        }
    }
}
