//! The outcome of a load: numbers with their units in their names. The bench reads it as `load
//! --json` writes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::latency::{CurvePoint, Latency};
use super::observer::Observed;
use crate::failure::Failures;
use crate::finding::Finding;
use crate::finding::diagnosis::Diagnosis;

/// The outcome of a load.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LoadOutcome {
    /// The URL.
    pub url: String,
    /// The address.
    pub address: String,
    /// Whether the loop was closed or open.
    pub mode: LoopMode,
    /// The rate of an open loop, in requests per second.
    pub rate_asked_per_second: Option<f64>,
    /// Whether connections were kept alive.
    pub keep_alive: bool,
    /// The think time of a client between an answer and its next request.
    pub think_ms: u64,
    /// The time-out of a request.
    pub timeout_s: f64,
    /// How many clients were asked for.
    pub clients: usize,
    /// The most clients connected at the same time. The kernel can have connected some that the
    /// server has not accepted yet.
    pub clients_connected_peak: usize,
    /// How many clients got an answer at all.
    pub clients_answered: usize,
    /// All connections that were made. There can be more than clients, because a server can close
    /// connections.
    pub connections: u64,
    /// How many threads the load generator had.
    pub threads: usize,
    /// How long it took until all clients had a first answer, before the measured time.
    pub opening_s: f64,
    /// The measured time.
    pub elapsed_s: f64,
    /// Whether a signal stopped it early.
    pub was_interrupted: bool,
    /// Good requests among those that began within the measured time.
    pub requests: u64,
    /// Good requests per second of the measured time. A request that began before that time, or
    /// was answered after it, counts by the share of its duration within it.
    pub requests_per_second: f64,
    /// In an open loop, good answers per second from the first to the last.
    pub rate_achieved_per_second: Option<f64>,
    /// Bytes of whole answers, heads included, to requests that began within the measured time.
    pub bytes_received: u64,
    /// Bytes of answers per second; each answer counts by the same share as its request.
    pub bytes_received_per_second: f64,
    /// The moment from which latency is measured.
    pub latency_from: LatencyFrom,
    /// Latencies of the good requests.
    #[serde(flatten)]
    pub latency: Latency,
    /// The latencies as a curve.
    pub latency_curve: Vec<CurvePoint>,
    /// Requests that failed.
    pub failures_total: u64,
    /// The failures by kind.
    pub failures: BTreeMap<String, u64>,
    /// Requests that failed, among those that began before the measured time.
    pub failures_before_total: u64,
    /// These failures by kind.
    pub failures_before: BTreeMap<String, u64>,
    /// How long failed requests took to fail: the median.
    pub failed_latency_p50_us: u64,
    /// The longest.
    pub failed_latency_max_us: u64,
    /// What was wrong with the first answer that was not HTTP/1.1.
    pub protocol_error: Option<String>,
    /// Answers by their status.
    pub statuses: BTreeMap<u16, u64>,
    /// Answers to requests that began before the measured time, by their status.
    pub statuses_before: BTreeMap<u16, u64>,
    /// Requests that were answered before they were sent completely.
    pub answered_early: u64,
    /// Requests that were sent again, because the server had closed the kept-alive connection.
    pub asked_again: u64,
    /// Requests of an open loop that began more than a millisecond after they were due.
    pub late: u64,
    /// Requests of an open loop that were due and never began.
    pub unsent: u64,
    /// Requests without an answer when the load ended.
    pub unfinished: u64,
    /// Requests that began more than a millisecond late although a client was free, because the
    /// load generator itself was late.
    pub generator_late: u64,
    /// How late requests began although a client was free: the median.
    pub generator_lateness_p50_us: u64,
    /// The 99th percentile.
    pub generator_lateness_p99_us: u64,
    /// The maximum.
    pub generator_lateness_max_us: u64,
    /// How busy the load generator's threads were, from 0 to 1. Polling the clock until a request
    /// is due does not count as busy.
    pub generator_busy_share: f64,
    /// How much of the time they polled the clock.
    pub generator_spun_share: f64,
    /// How much of the time they were ready while other threads had the core.
    pub generator_waited_share: f64,
    /// Processor time of the load generator per request.
    pub generator_cpu_us_per_request: f64,
    /// What was observed of the server.
    #[serde(flatten)]
    pub seen: Observed,
    /// Processor time of the server per request.
    pub server_cpu_us_per_request: Option<f64>,
    /// The verdict; its first finding is what limited the numbers.
    pub verdict: Vec<Finding<Diagnosis>>,
    /// All failures, including those before the measured time. JSON has them above, by kind.
    #[serde(skip)]
    pub all_failures: Failures,
}

/// When clients send their requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoopMode {
    /// When they have the answer to their previous request.
    #[default]
    Closed,
    /// At fixed times.
    Open,
}

impl LoopMode {
    /// The time from which latency counts.
    pub fn latency_from(self) -> LatencyFrom {
        match self {
            LoopMode::Closed => LatencyFrom::Started,
            LoopMode::Open => LatencyFrom::Due,
        }
    }
}

/// The moment from which latency is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LatencyFrom {
    /// When the request began.
    #[default]
    #[serde(rename = "begun")]
    Started,
    /// When the request was due.
    Due,
}

impl LoadOutcome {
    /// Answers that were neither 2xx nor 3xx, by status, including those before the measured time.
    pub fn bad_statuses(&self) -> BTreeMap<u16, u64> {
        let mut bad = BTreeMap::new();
        for (status, count) in self.statuses.iter().chain(&self.statuses_before) {
            if !(200..400).contains(status) {
                *bad.entry(*status).or_default() += count;
            }
        }
        bad
    }

    /// Whether there were good requests, and no failures.
    pub fn is_good(&self) -> bool {
        self.requests > 0 && self.all_failures.total() == 0
    }

    /// Whether an open loop achieved its rate; none for a closed one.
    pub fn kept_up(&self) -> Option<bool> {
        self.verdict.iter().find_map(|finding| match finding.kind {
            Diagnosis::KeptUp => Some(true),
            Diagnosis::FellBehind => Some(false),
            _ => None,
        })
    }
}
