//! The observations behind the verdict of a load, and what follows from them directly.

use std::collections::BTreeMap;

use super::thresholds::{BUSY, SHARED};
use crate::failure::Failures;

/// A server has kept up with a rate if at most this share of the requests that were due had no good
/// answer, and the rate of good answers fell short by at most this share.
const MISSING: f64 = 0.01;

/// If the load generator itself was late with more than this share of its requests, the verdict
/// says so.
const OWN_LATE: f64 = 0.01;

/// The observations.
#[derive(Clone, Debug, Default)]
pub struct Observations {
    /// The rate of an open loop, in requests per second; none for a closed loop.
    pub rate_asked: Option<f64>,
    /// The rate of good answers of an open loop.
    pub rate_achieved: f64,
    /// The number of clients.
    pub clients: usize,
    /// The number of the load generator's threads.
    pub threads: usize,
    /// Good requests.
    pub requests: u64,
    /// Their mean latency.
    pub latency_mean_s: f64,
    /// The think time between an answer and the next request.
    pub think_s: f64,
    /// The 99th percentile of the latencies.
    pub latency_p99_s: f64,
    /// All failures.
    pub failures: Failures,
    /// Failures of requests that began within the measured time.
    pub failed: u64,
    /// Answers that were neither 2xx nor 3xx, by status.
    pub bad_statuses: BTreeMap<u16, u64>,
    /// Requests that were answered before they were sent completely.
    pub early: u64,
    /// Requests that began more than a millisecond after they were due.
    pub late: u64,
    /// The late requests for which a client was free.
    pub own_late: u64,
    /// How late requests began although a client was free: the 99th percentile, and the maximum.
    pub own_lateness_us: (u64, u64),
    /// Requests that never began.
    pub unsent: u64,
    /// Requests without an answer when the load ended.
    pub unfinished: u64,
    /// How busy the load generator's threads were, as a share of the time.
    pub generator_busy: f64,
    /// How long they waited for a core, as a share of the time.
    pub generator_waited: f64,
    /// How many cores they used, including for polling the clock.
    pub generator_cores: f64,
    /// The measured time.
    pub elapsed_s: f64,
    /// Whether the server is on this machine.
    pub server_is_here: bool,
    /// How many cores the server kept busy, and how many it can use.
    pub server_cores: Option<(f64, usize)>,
    /// How busy the server's keenest thread was, as a share of the time.
    pub server_thread: Option<f64>,
    /// How long that thread waited for a core, as a share of the time.
    pub server_waited: Option<f64>,
    /// How many of the server's threads were ready and had no core, on average.
    pub server_waiting: Option<f64>,
    /// How busy the cores that the server can use were, with any process, as a share of the time.
    pub server_cores_busy: Option<f64>,
    /// Whether the load generator can use some of those cores.
    pub shares_cores: bool,
    /// How many descriptors the server had left.
    pub server_descriptors: Option<u64>,
    /// Connections that were dropped because the accept queue was full.
    pub overflows: u64,
    /// How many clients waited to be accepted, on average.
    pub queue: f64,
    /// How many clients can wait to be accepted.
    pub queue_limit: Option<u64>,
}

impl Observations {
    /// The number of requests that were due early enough to be answered by the end.
    pub fn due(&self) -> u64 {
        // Requests that became due just before the load was stopped can have no answer yet.
        let rate = self.rate_asked.unwrap_or_default();
        let on_their_way = (rate * self.latency_p99_s).ceil() as u64 + 1;
        let overdue = self.unfinished.saturating_sub(on_their_way);
        self.requests + self.failed + self.unsent + overdue
    }

    /// Whether good answers came as fast as requests were due.
    pub fn has_kept_up(&self, rate: f64) -> bool {
        self.rate_achieved >= (1.0 - MISSING) * rate
            && self.requests as f64 >= (1.0 - MISSING) * self.due() as f64
    }

    /// Whether the load generator was slow enough to leave answers unread that had come.
    pub fn generator_is_slow(&self) -> bool {
        self.generator_is_late() || self.generator_busy >= BUSY || self.generator_waited >= SHARED
    }

    /// Whether the load generator itself was late with more than a few requests.
    pub fn generator_is_late(&self) -> bool {
        let started = self.requests + self.failed + self.unfinished;
        self.own_late as f64 > OWN_LATE * started as f64
    }

    /// Whether the server used nearly all of its cores, or one of its threads ran nearly all the
    /// time.
    pub fn server_is_busy(&self) -> bool {
        let all = self.server_cores.is_some_and(|(used, allowed)| used >= BUSY * allowed as f64);
        all || self.server_thread.is_some_and(|share| share >= BUSY)
    }
}
