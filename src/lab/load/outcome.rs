//! What a load has shown: numbers whose names carry their units.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::failure::{Failure, Failures};
use super::plan::{Length, Plan};
use super::tally::Tally;
use super::verdict::{Finding, Observations, judge};
use super::witness::Seen;

/// What a load has shown.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The URL.
    pub url: String,
    /// Where it led.
    pub address: String,
    /// How requests were begun.
    pub mode: Mode,
    /// How many a second were to be made, in an open loop.
    pub rate_asked_per_second: Option<f64>,
    /// Whether connections were kept.
    pub keep_alive: bool,
    /// How long a client waited before it asked again.
    pub think_ms: u64,
    /// When a request was given up.
    pub timeout_s: f64,
    /// How many clients there were to be.
    pub clients: usize,
    /// The most that were connected at once. The kernel may have connected some whom the server has
    /// not accepted yet.
    pub clients_connected_peak: usize,
    /// How many got an answer at all.
    pub clients_answered: usize,
    /// Connections that came about, from the first client on. A server may close kept ones.
    pub connections: u64,
    /// How many threads of ours there were.
    pub threads: usize,
    /// How long it took to let the clients in, before anything counted.
    pub opening_s: f64,
    /// How long what counts took.
    pub elapsed_s: f64,
    /// Whether it was stopped before its time.
    pub was_interrupted: bool,
    /// Good requests.
    pub requests: u64,
    /// Good requests in a second of the time that counts.
    pub requests_per_second: f64,
    /// Bytes received within the time that counts, heads included.
    pub bytes_received: u64,
    /// Bytes received in a second.
    pub bytes_received_per_second: f64,
    /// From where latency counts.
    pub latency_from: LatencyFrom,
    /// Latencies of the good requests.
    #[serde(flatten)]
    pub latency: Latency,
    /// The same as a curve.
    pub latency_curve: Vec<Point>,
    /// Requests that failed.
    pub failures_total: u64,
    /// By how.
    pub failures: BTreeMap<&'static str, u64>,
    /// Requests that failed before anything counted.
    pub failures_before_total: u64,
    /// By how.
    pub failures_before: BTreeMap<&'static str, u64>,
    /// How long the failed ones took to fail: half of them at most so long.
    pub failed_latency_p50_us: u64,
    /// And the longest.
    pub failed_latency_max_us: u64,
    /// What was wrong with the first answer that was not HTTP/1.1.
    pub protocol_error: Option<&'static str>,
    /// Answers by their status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests asked a second time: the server had closed the kept connection meanwhile.
    pub asked_again: u64,
    /// Requests that were begun more than a millisecond after they were due, in an open loop.
    pub late: u64,
    /// Requests that were due and never begun, in an open loop.
    pub unsent: u64,
    /// Requests whose end was not waited for.
    pub unfinished: u64,
    /// How busy our threads were, from 0 to 1.
    pub generator_busy_share: f64,
    /// For how much of the time another thread had the core that one of ours was ready to use.
    pub generator_waited_share: f64,
    /// Processor time of ours for a request.
    pub generator_cpu_us_per_request: f64,
    /// What was seen of the server.
    #[serde(flatten)]
    pub seen: Seen,
    /// Processor time of the server for a request.
    pub server_cpu_us_per_request: Option<f64>,
    /// What the numbers mean, the first of it what limited them.
    pub verdict: Vec<Finding>,
    /// All failures; for JSON they stand above by name.
    #[serde(skip)]
    pub counted: Failures,
}

/// How requests were begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// When the client had its answer.
    Closed,
    /// When they were due.
    Open,
}

/// From where latency counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LatencyFrom {
    /// From when the request was begun.
    Begun,
    /// From when it was due.
    Due,
}

/// Latencies, to the last byte of the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    /// The shortest.
    pub latency_min_us: u64,
    /// The mean.
    pub latency_mean_us: f64,
    /// The standard deviation.
    pub latency_stdev_us: f64,
    /// Half of them are at most this.
    pub latency_p50_us: u64,
    /// 75 %.
    pub latency_p75_us: u64,
    /// 90 %.
    pub latency_p90_us: u64,
    /// 99 %.
    pub latency_p99_us: u64,
    /// 99.9 %.
    pub latency_p999_us: u64,
    /// 99.99 %.
    pub latency_p9999_us: u64,
    /// The longest.
    pub latency_max_us: u64,
}

/// So many percent of the latencies are at most this.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// The share of them.
    pub percentile: f64,
    /// The latency.
    pub latency_us: u64,
}

impl Latency {
    fn of(histogram: &Histogram<u64>) -> Latency {
        let at = |quantile| histogram.value_at_quantile(quantile).min(histogram.max());
        Latency {
            latency_min_us: histogram.min(),
            latency_mean_us: histogram.mean(),
            latency_stdev_us: histogram.stdev(),
            latency_p50_us: at(0.5),
            latency_p75_us: at(0.75),
            latency_p90_us: at(0.9),
            latency_p99_us: at(0.99),
            latency_p999_us: at(0.999),
            latency_p9999_us: at(0.9999),
            latency_max_us: histogram.max(),
        }
    }
}

/// The curve has this many points from 50 % to 75 %, as many to 87.5 %, and so on.
const POINTS_TO_HALF: u32 = 5;

fn curve(histogram: &Histogram<u64>) -> Vec<Point> {
    let steps = histogram.iter_quantiles(POINTS_TO_HALF);
    let points = steps.map(|step| Point {
        percentile: step.quantile() * 100.0,
        latency_us: step.value_iterated_to().min(histogram.max()),
    });
    let mut points: Vec<_> = points.collect();
    // A few requests do not reach the far end of the curve, and stay where they are.
    points.dedup_by_key(|point| point.latency_us);
    points
}

/// The time of a load.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// When the first client was let in.
    pub opened_ns: u64,
    /// When what counts began, if it did.
    pub start_ns: Option<u64>,
    /// When all was over.
    pub over_ns: u64,
    /// Whether it was stopped before its time.
    pub was_interrupted: bool,
}

impl Times {
    /// How long what counts took.
    fn elapsed(&self, plan: &Plan, last_end_ns: u64) -> Duration {
        let Some(start_ns) = self.start_ns else { return Duration::ZERO };
        let since_start = |ns: u64| Duration::from_nanos(ns.saturating_sub(start_ns));
        match plan.length {
            Length::Time(time) => time.min(since_start(self.over_ns)),
            Length::Requests(_) => since_start(last_end_ns),
        }
    }
}

impl Outcome {
    /// Puts together what was counted and seen.
    pub fn new(plan: &Plan, tally: &Tally, times: Times, seen: Seen) -> Outcome {
        let elapsed_s = times.elapsed(plan, tally.last_end_ns).as_secs_f64();
        let per_s = |count: u64| if elapsed_s > 0.0 { count as f64 / elapsed_s } else { 0.0 };
        let requests = tally.latency.len();
        // What was used while it counted was used for those that ended meanwhile.
        let all = tally.in_time + tally.failures.total();
        let per_request = |us: f64| if all > 0 { us / all as f64 } else { 0.0 };
        let share =
            |ns: u64| if tally.watched_ns > 0 { ns as f64 / tally.watched_ns as f64 } else { 0.0 };
        let opening_ns = times.start_ns.unwrap_or(times.over_ns) - times.opened_ns;
        let mut counted = tally.failures;
        counted.add(&tally.failures_before);
        let server_us = seen.server.as_ref().map(|server| server.cores_used * elapsed_s * 1e6);
        let statuses = (0..).zip(&tally.statuses).filter(|(_, count)| **count > 0);
        let mut outcome = Outcome {
            url: plan.target.url.clone(),
            address: plan.target.address.to_string(),
            mode: if plan.rate_per_s.is_some() { Mode::Open } else { Mode::Closed },
            rate_asked_per_second: plan.rate_per_s,
            keep_alive: plan.keep_alive,
            think_ms: plan.think.as_millis() as u64,
            timeout_s: plan.timeout.as_secs_f64(),
            clients: plan.clients,
            clients_connected_peak: tally.peak_connected,
            clients_answered: tally.answered,
            connections: tally.connections,
            threads: plan.threads,
            opening_s: opening_ns as f64 / 1e9,
            elapsed_s,
            was_interrupted: times.was_interrupted,
            requests,
            requests_per_second: per_s(tally.in_time),
            bytes_received: tally.bytes,
            bytes_received_per_second: per_s(tally.bytes),
            latency_from: if plan.rate_per_s.is_some() {
                LatencyFrom::Due
            } else {
                LatencyFrom::Begun
            },
            latency: Latency::of(&tally.latency),
            latency_curve: curve(&tally.latency),
            failures_total: tally.failures.total(),
            failures: by_name(&tally.failures),
            failures_before_total: tally.failures_before.total(),
            failures_before: by_name(&tally.failures_before),
            failed_latency_p50_us: tally.failed_latency.value_at_quantile(0.5),
            failed_latency_max_us: tally.failed_latency.max(),
            protocol_error: tally.malformed,
            statuses: statuses.map(|(status, count)| (status, *count)).collect(),
            asked_again: tally.asked_again,
            late: tally.late,
            unsent: tally.unsent,
            unfinished: tally.unfinished,
            generator_busy_share: share(tally.busy_ns),
            generator_waited_share: share(tally.waited_ns),
            generator_cpu_us_per_request: per_request(tally.busy_ns as f64 / 1000.0),
            seen,
            server_cpu_us_per_request: server_us.map(per_request),
            verdict: Vec::new(),
            counted,
        };
        outcome.verdict = judge(&Observations::of(&outcome));
        outcome
    }

    /// Whether something was measured, and nothing failed.
    pub fn is_good(&self) -> bool {
        self.requests > 0 && self.counted.total() == 0
    }
}

fn by_name(failures: &Failures) -> BTreeMap<&'static str, u64> {
    Failure::ALL.iter().map(|kind| (kind.key(), failures.of(*kind))).collect()
}
