//! The counts of one thread, and their sum over several.

use hdrhistogram::Histogram;

use super::latency::histogram;
use crate::failure::{Failure, Failures};

/// What a thread counts. The counts cover requests that began within the measured time, unless
/// their comment says otherwise.
pub struct ThreadCounts {
    /// Latencies of the good requests, in microseconds.
    pub latency: Histogram<u64>,
    /// How long failed requests took to fail, in microseconds.
    pub failed_latency: Histogram<u64>,
    /// Failed requests.
    pub failures: Failures,
    /// Failed requests that began before the measured time.
    pub failures_before: Failures,
    /// Good requests, each counted by the share of its duration that lies within the measured
    /// time. So neither slow answers nor the choice of start and end change the rate.
    pub good_in_period: f64,
    /// Bytes of answers, counted in the same way.
    pub bytes_in_period: f64,
    /// When the first and the last good answer came.
    pub good_ns: Option<(u64, u64)>,
    /// Requests that were sent again, because the server had closed the kept-alive connection.
    pub asked_again: u64,
    /// Requests that began later than they were due, by more than [`TOLERANCE_NS`].
    pub late: u64,
    /// The late requests for which a client was free.
    pub own_late: u64,
    /// How late requests began although a client was free, in microseconds.
    pub own_lateness: Histogram<u64>,
    /// Requests that were due and never began.
    pub unsent: u64,
    /// Requests that were answered before they were sent completely.
    pub early: u64,
    /// Requests without an answer when the load ended.
    pub unfinished: u64,
    /// Bytes of the answers to requests that began within the measured time.
    pub bytes: u64,
    /// How many answers had each status.
    pub statuses: Vec<u64>,
    /// How many answers had each status, of requests that began before the measured time.
    pub statuses_before: Vec<u64>,
    /// Why the first answer that was not HTTP/1.1 could not be read.
    pub malformed: Option<&'static str>,
    /// The most clients that were ever connected at the same time.
    pub peak_connected: usize,
    /// Clients that ever got an answer.
    pub answered: usize,
    /// Connections that were ever made.
    pub connections: u64,
    /// When the last request ended.
    pub last_end_ns: u64,
    /// Processor time that the thread used within the measured time.
    pub busy_ns: u64,
    /// How much of the processor time it spent on polling the clock until a request was due.
    pub spun_ns: u64,
    /// How long the thread was ready to run while other processes had the core.
    pub waited_ns: u64,
    /// The time over which these three times were measured.
    pub watched_ns: u64,
}

/// A request that begins this much later than it was due is late.
pub const TOLERANCE_NS: u64 = 1_000_000;

impl Default for ThreadCounts {
    fn default() -> ThreadCounts {
        ThreadCounts {
            latency: histogram(),
            failed_latency: histogram(),
            failures: Failures::default(),
            failures_before: Failures::default(),
            good_in_period: 0.0,
            bytes_in_period: 0.0,
            good_ns: None,
            asked_again: 0,
            late: 0,
            own_late: 0,
            own_lateness: histogram(),
            unsent: 0,
            early: 0,
            unfinished: 0,
            bytes: 0,
            // One count for each possible status.
            statuses: vec![0; 1000],
            statuses_before: vec![0; 1000],
            malformed: None,
            peak_connected: 0,
            answered: 0,
            connections: 0,
            last_end_ns: 0,
            busy_ns: 0,
            spun_ns: 0,
            waited_ns: 0,
            watched_ns: 0,
        }
    }
}

impl ThreadCounts {
    /// Counts a failure of a request that took this long.
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

    /// Counts the status of an answer to a request that began before the measured time.
    pub fn count_status_before(&mut self, status: u16) {
        if let Some(count) = self.statuses_before.get_mut(usize::from(status)) {
            *count += 1;
        }
    }

    /// Notes when a good answer came.
    pub fn note_good(&mut self, now_ns: u64) {
        let (first_ns, _) = self.good_ns.unwrap_or((now_ns, now_ns));
        self.good_ns = Some((first_ns, now_ns));
    }

    /// Requests that ended within the measured time. Resources used in that time are divided by
    /// this number.
    pub fn ended_in_period(&self) -> f64 {
        self.good_in_period + self.failures.total() as f64
    }

    /// All failures, including those before the measured time.
    pub fn all_failures(&self) -> Failures {
        let mut all = self.failures;
        all.add(&self.failures_before);
        all
    }

    /// `ns` as a share of `watched_ns`.
    pub fn share(&self, ns: u64) -> f64 {
        if self.watched_ns > 0 { ns as f64 / self.watched_ns as f64 } else { 0.0 }
    }

    /// Adds the counts of another thread.
    pub fn add(&mut self, other: &ThreadCounts) {
        // This can't fail: all histograms have the same bounds.
        let _ = self.latency.add(&other.latency);
        let _ = self.failed_latency.add(&other.failed_latency);
        self.failures.add(&other.failures);
        self.failures_before.add(&other.failures_before);
        self.good_in_period += other.good_in_period;
        self.bytes_in_period += other.bytes_in_period;
        self.good_ns = match (self.good_ns, other.good_ns) {
            (Some(mine), Some(others)) => Some((mine.0.min(others.0), mine.1.max(others.1))),
            (mine, others) => mine.or(others),
        };
        self.asked_again += other.asked_again;
        self.late += other.late;
        self.own_late += other.own_late;
        let _ = self.own_lateness.add(&other.own_lateness);
        self.unsent += other.unsent;
        self.early += other.early;
        self.unfinished += other.unfinished;
        self.bytes += other.bytes;
        let statuses = self.statuses.iter_mut().zip(&other.statuses);
        statuses.for_each(|(mine, others)| *mine += others);
        let before = self.statuses_before.iter_mut().zip(&other.statuses_before);
        before.for_each(|(mine, others)| *mine += others);
        self.malformed = self.malformed.or(other.malformed);
        self.peak_connected += other.peak_connected;
        self.answered += other.answered;
        self.connections += other.connections;
        self.last_end_ns = self.last_end_ns.max(other.last_end_ns);
        self.busy_ns += other.busy_ns;
        self.spun_ns += other.spun_ns;
        self.waited_ns += other.waited_ns;
        self.watched_ns += other.watched_ns;
    }
}

/// The share of a request's duration that lies within a period.
pub fn share_within(period: (u64, u64), started_ns: u64, ended_ns: u64) -> f64 {
    let (start_ns, end_ns) = period;
    if started_ns >= start_ns && ended_ns <= end_ns {
        return 1.0;
    }
    let within_ns = ended_ns.min(end_ns).saturating_sub(started_ns.max(start_ns));
    within_ns as f64 / ended_ns.saturating_sub(started_ns).max(1) as f64
}

/// What a thread shows of its progress, for the main thread to display.
pub struct ThreadProgress {
    /// Latencies since the last report.
    pub latency: Histogram<u64>,
    /// Requests that have failed so far.
    pub failed: u64,
    /// Clients that are connected now.
    pub connected: usize,
    /// Whether any client was ever connected.
    pub ever_connected: bool,
}

impl Default for ThreadProgress {
    fn default() -> ThreadProgress {
        ThreadProgress { latency: histogram(), failed: 0, connected: 0, ever_connected: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_counts_by_the_share_of_its_time_that_fell_within() {
        let period = (100, 200);
        assert_eq!(share_within(period, 100, 200), 1.0);
        assert_eq!(share_within(period, 150, 150), 1.0);
        assert_eq!(share_within(period, 50, 150), 0.5);
        assert_eq!(share_within(period, 175, 275), 0.25);
        assert_eq!(share_within(period, 0, 400), 0.25);
        assert_eq!((share_within(period, 0, 100), share_within(period, 200, 300)), (0.0, 0.0));
        assert_eq!(share_within((100, u64::MAX), 150, 350), 1.0);
    }

    #[test]
    fn the_rate_of_slow_answers_does_not_depend_on_their_start() {
        // Five clients of a server that takes 3 s, for 10 s: 5/3 a second.
        let (s, period) = (1_000_000_000, (10_000_000_000, 20_000_000_000));
        for first_ns in (0..3).map(|tenth| period.0 - tenth * s / 10 - s / 7) {
            let starts = (0..5).map(|at| first_ns + at * 3 * s);
            let one: f64 = starts.map(|at| share_within(period, at, at + 3 * s)).sum();
            assert!((one * 5.0 / 10.0 - 5.0 / 3.0).abs() < 1e-9, "{one}");
        }
    }
}
