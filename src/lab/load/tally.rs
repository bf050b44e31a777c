//! What one thread has counted, and how that of several adds up.

use hdrhistogram::Histogram;

use super::failure::{Failure, Failures};

/// Latencies up to here are told apart; longer ones count as this: an hour.
const LONGEST_US: u64 = 3_600_000_000;

/// Three decimal digits of a latency are kept.
const DIGITS: u8 = 3;

/// A histogram for latencies in microseconds.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_US, DIGITS).expect("bounds that are constant and right")
}

/// What was counted. All of it is of the time that is measured, but for what says otherwise.
pub struct Tally {
    /// Latencies of the good requests, in microseconds.
    pub latency: Histogram<u64>,
    /// How long the failed ones took to fail, in microseconds.
    pub failed_latency: Histogram<u64>,
    /// The failed ones.
    pub failures: Failures,
    /// Those that failed before the time that is measured, while the clients were let in.
    pub failures_before: Failures,
    /// Good requests within the time that is measured; those that it left behind come after it.
    pub in_time: u64,
    /// Requests asked a second time, because the server had closed the kept connection.
    pub asked_again: u64,
    /// Requests that were begun later than they were due, by more than [`TOLERANCE_NS`].
    pub late: u64,
    /// Requests that were due and never begun.
    pub unsent: u64,
    /// Requests that were begun and whose end was not waited for.
    pub unfinished: u64,
    /// Bytes received within the time that is measured.
    pub bytes: u64,
    /// How many answers had each status.
    pub statuses: Vec<u64>,
    /// Why the first answer that was not HTTP/1.1 was none.
    pub malformed: Option<&'static str>,
    /// The most clients that were connected at once, ever.
    pub peak_connected: usize,
    /// Clients that got an answer, ever.
    pub answered: usize,
    /// Connections that came about, ever.
    pub connections: u64,
    /// When the last request ended; nanoseconds of the clock.
    pub last_end_ns: u64,
    /// Processor time that the thread used.
    pub busy_ns: u64,
    /// The time for which the thread could have run, and other processes did.
    pub waited_ns: u64,
    /// The time over which that was measured.
    pub watched_ns: u64,
}

/// A request that is begun this much later than it was due is late.
pub const TOLERANCE_NS: u64 = 1_000_000;

impl Default for Tally {
    fn default() -> Tally {
        Tally {
            latency: histogram(),
            failed_latency: histogram(),
            failures: Failures::default(),
            failures_before: Failures::default(),
            in_time: 0,
            asked_again: 0,
            late: 0,
            unsent: 0,
            unfinished: 0,
            bytes: 0,
            // One for each status that is possible.
            statuses: vec![0; 1000],
            malformed: None,
            peak_connected: 0,
            answered: 0,
            connections: 0,
            last_end_ns: 0,
            busy_ns: 0,
            waited_ns: 0,
            watched_ns: 0,
        }
    }
}

impl Tally {
    /// Counts a failure of a request that took so long.
    pub fn fail(&mut self, failure: Failure, latency_ns: u64) {
        self.failures.count(failure);
        self.failed_latency.saturating_record(latency_ns / 1000);
    }

    /// Counts a status.
    pub fn count_status(&mut self, status: u16) {
        if let Some(count) = self.statuses.get_mut(usize::from(status)) {
            *count += 1;
        }
    }

    /// Adds what another thread has counted.
    pub fn add(&mut self, other: &Tally) {
        // The bounds of all are the same.
        let _ = self.latency.add(&other.latency);
        let _ = self.failed_latency.add(&other.failed_latency);
        self.failures.add(&other.failures);
        self.failures_before.add(&other.failures_before);
        self.in_time += other.in_time;
        self.asked_again += other.asked_again;
        self.late += other.late;
        self.unsent += other.unsent;
        self.unfinished += other.unfinished;
        self.bytes += other.bytes;
        let statuses = self.statuses.iter_mut().zip(&other.statuses);
        statuses.for_each(|(mine, others)| *mine += others);
        self.malformed = self.malformed.or(other.malformed);
        self.peak_connected += other.peak_connected;
        self.answered += other.answered;
        self.connections += other.connections;
        self.last_end_ns = self.last_end_ns.max(other.last_end_ns);
        self.busy_ns += other.busy_ns;
        self.waited_ns += other.waited_ns;
        self.watched_ns += other.watched_ns;
    }
}

/// What a thread has to show while it works: replaced as it goes, taken by who looks on.
pub struct Window {
    /// Latencies since somebody last looked.
    pub latency: Histogram<u64>,
    /// Requests that failed, ever.
    pub failed: u64,
    /// Clients that are connected.
    pub connected: usize,
    /// Whether any client ever was.
    pub ever_connected: bool,
}

impl Default for Window {
    fn default() -> Window {
        Window { latency: histogram(), failed: 0, connected: 0, ever_connected: false }
    }
}
