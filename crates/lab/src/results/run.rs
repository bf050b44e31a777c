//! The results of one run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::finding::Finding;
use crate::finding::limit::Limit;

/// One run of one server under one load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    /// The round; the first is 1.
    pub round: usize,
    /// The measured time in seconds.
    pub measured_s: f64,
    /// How long it took until all clients had a first answer.
    pub opening_s: f64,
    /// Good requests.
    pub requests: u64,
    /// Good requests a second.
    pub requests_per_second: f64,
    /// Bytes of an answer, head included.
    pub bytes_per_answer: f64,
    /// Clients that had an answer at all.
    pub clients_answered: usize,
    /// The mean latency of the good requests.
    pub latency_mean_us: f64,
    /// The median latency.
    pub latency_p50_us: u64,
    /// The 90th percentile.
    pub latency_p90_us: u64,
    /// The 99th percentile.
    pub latency_p99_us: u64,
    /// The 99.9th percentile.
    pub latency_p999_us: u64,
    /// The longest.
    pub latency_max_us: u64,
    /// The latencies as a curve: percentiles, with their latencies in microseconds.
    pub latency_curve: Vec<(f64, u64)>,
    /// Requests that failed in the measured time.
    pub failures_total: u64,
    /// All failures by kind, including those before the measured time.
    pub failures: BTreeMap<String, u64>,
    /// All answers by their status.
    pub statuses: BTreeMap<u16, u64>,
    /// Whether an open loop achieved its rate, according to the load generator.
    pub kept_up: Option<bool>,
    /// Requests of an open loop that were due and never began.
    pub unsent: u64,
    /// How busy the load generator's threads were, from 0 to 1.
    pub load_busy_share: f64,
    /// How much of the time they waited for a core that another thread had.
    pub load_waited_share: f64,
    /// How many threads the load generator had.
    pub load_threads: usize,
    /// The cost, where it could be measured.
    pub cost: Option<Cost>,
    /// The peak memory of the server while it was warmed up with the same load (PSS).
    pub memory_peak_kib: Option<u64>,
    /// The most processes of the server.
    pub processes_peak: usize,
    /// The most threads of the server.
    pub threads_peak: usize,
    /// Connections that were dropped because an accept queue was full.
    pub listen_overflows: Option<u64>,
    /// Connections that listening sockets dropped for any reason.
    pub listen_drops: Option<u64>,
    /// How many clients waited to be accepted, on average.
    pub accept_queue_mean: Option<f64>,
    /// How many more descriptors the server could have opened.
    pub descriptors_left: Option<u64>,
    /// The verdict: the limit first, then remarks.
    pub verdict: Vec<Finding<Limit>>,
}

/// The cost of a run: that of the server with its children, and separately that of other processes.
/// Half the time of one core counts as 0.5 cores used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cost {
    /// Cores used by the server.
    pub server_cores_used: f64,
    /// Cores used by the busiest of its threads.
    pub server_busiest_thread: Option<f64>,
    /// How many of its threads were ready to run and had no core, on average.
    pub server_threads_waiting: Option<f64>,
    /// How much of the time the thread that most wanted a core ran.
    pub keenest_thread_ran: Option<f64>,
    /// How much of the time that thread was ready and had no core.
    pub keenest_thread_waited: Option<f64>,
    /// How many cores the server can use (sched_getaffinity(2)).
    pub server_cores_allowed: Option<usize>,
    /// How many of these were idle, on average.
    pub server_cores_idle: Option<f64>,
    /// Whether the store can use some of the same cores.
    pub store_shares_cores: bool,
    /// Whether the load generator can use some of the same cores.
    pub load_shares_cores: bool,
    /// How many of the server's cores were kept busy by processes other than server, store and
    /// load generator.
    pub others_on_server_cores: Option<f64>,
    /// How many of the load generator's cores were kept busy by such other processes.
    pub others_on_load_cores: Option<f64>,
    /// Processor time of the server per request, in microseconds.
    pub server_cpu_us_per_request: f64,
    /// Cores used by the store.
    pub store_cores_used: Option<f64>,
    /// Processor time of the store per request, in microseconds.
    pub store_cpu_us_per_request: Option<f64>,
    /// Cores used by the busiest of its threads.
    pub store_busiest_thread: Option<f64>,
    /// How many of its threads were ready to run and had no core, on average.
    pub store_threads_waiting: Option<f64>,
    /// Processor time of the load generator per request, in microseconds.
    pub load_cpu_us_per_request: f64,
    /// Cores used by all other processes on this machine.
    pub others_cores_used: Option<f64>,
    /// Cores that the hypervisor gave to other guests.
    pub stolen_cores: Option<f64>,
    /// How often a thread of the server was given a core, per request. Threads that ended before
    /// the end of the run are missing.
    pub switches_per_request: Option<f64>,
    /// Whether some threads are missing, so that the number is a lower bound.
    #[serde(rename = "switches_are_least")]
    pub switches_are_lower_bound: bool,
    /// Page faults of the server per request.
    pub page_faults_per_request: f64,
}

impl Run {
    /// The share of the requests that failed.
    pub fn failed_share(&self) -> f64 {
        let all = self.requests + self.failures_total;
        if self.failures_total > 0 { self.failures_total as f64 / all as f64 } else { 0.0 }
    }

    /// How often requests failed in each way, the most frequent first. A bad answer is named by its
    /// status, if that was recorded.
    pub fn failures_by_kind(&self) -> Vec<(String, u64)> {
        let mut kinds: Vec<_> = self
            .failures
            .iter()
            .filter(|(kind, count)| **count > 0 && !self.is_named_by_status(kind))
            .map(|(kind, count)| (kind.replace('_', " "), *count))
            .collect();
        kinds
            .extend(self.bad_statuses().map(|(status, count)| (format!("status {status}"), count)));
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        kinds
    }

    /// The failures in words: `20 × status 500, 1 × reset`.
    pub fn failures_in_words(&self) -> Option<String> {
        let words: Vec<_> = self
            .failures_by_kind()
            .iter()
            .map(|(kind, count)| format!("{count} × {kind}"))
            .collect();
        (!words.is_empty()).then(|| words.join(", "))
    }

    fn is_named_by_status(&self, kind: &str) -> bool {
        kind == "status" && self.bad_statuses().next().is_some()
    }

    fn bad_statuses(&self) -> impl Iterator<Item = (u16, u64)> {
        let all = self.statuses.iter().map(|(status, count)| (*status, *count));
        all.filter(|(status, count)| !(200..400).contains(status) && *count > 0)
    }
}
