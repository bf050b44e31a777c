//! Combines what the load generator's threads counted with what was observed of the server.

use std::collections::BTreeMap;

use super::counts::ThreadCounts;
use super::latency::{Latency, curve};
use super::observer::Observed;
use super::outcome::{LoadOutcome, LoopMode};
use super::plan::LoadPlan;
use super::timeline::Timeline;
use crate::failure::{Failure, Failures};
use crate::verdict::load::judge;
use crate::verdict::observations::Observations;

/// Combines counts and observations into an outcome with its verdict.
pub fn evaluate(
    plan: &LoadPlan,
    counts: &ThreadCounts,
    times: Timeline,
    seen: Observed,
) -> LoadOutcome {
    let elapsed_s = times.elapsed(plan, counts.last_end_ns).as_secs_f64();
    let per_s = |count: f64| if elapsed_s > 0.0 { count / elapsed_s } else { 0.0 };
    let all = counts.ended_in_period();
    let per_request = |us: f64| if all > 0.0 { us / all } else { 0.0 };
    let busy_ns = counts.busy_ns.saturating_sub(counts.spun_ns);
    let lateness = Latency::of(&counts.own_lateness);
    let mode = if plan.rate_per_s.is_some() { LoopMode::Open } else { LoopMode::Closed };
    let server_us = seen.server.as_ref().map(|server| server.cores_used * elapsed_s * 1e6);
    let mut outcome = LoadOutcome {
        url: plan.target.url.clone(),
        address: plan.target.address.to_string(),
        mode,
        rate_asked_per_second: plan.rate_per_s,
        keep_alive: plan.keep_alive,
        think_ms: plan.think.as_millis() as u64,
        timeout_s: plan.timeout.as_secs_f64(),
        clients: plan.clients,
        clients_connected_peak: counts.peak_connected,
        clients_answered: counts.answered,
        connections: counts.connections,
        threads: plan.threads,
        opening_s: times.opening_s(),
        elapsed_s,
        was_interrupted: times.was_interrupted,
        requests: counts.latency.len(),
        requests_per_second: per_s(counts.good_in_period),
        rate_achieved_per_second: plan.rate_per_s.map(|rate| achieved(counts, rate)),
        bytes_received: counts.bytes,
        bytes_received_per_second: per_s(counts.bytes_in_period),
        latency_from: mode.latency_from(),
        latency: Latency::of(&counts.latency),
        latency_curve: curve(&counts.latency),
        failures_total: counts.failures.total(),
        failures: by_name(&counts.failures),
        failures_before_total: counts.failures_before.total(),
        failures_before: by_name(&counts.failures_before),
        failed_latency_p50_us: counts.failed_latency.value_at_quantile(0.5),
        failed_latency_max_us: counts.failed_latency.max(),
        protocol_error: counts.malformed.map(str::to_owned),
        statuses: by_status(&counts.statuses),
        statuses_before: by_status(&counts.statuses_before),
        answered_early: counts.early,
        asked_again: counts.asked_again,
        late: counts.late,
        unsent: counts.unsent,
        unfinished: counts.unfinished,
        generator_late: counts.own_late,
        generator_lateness_p50_us: lateness.latency_p50_us,
        generator_lateness_p99_us: lateness.latency_p99_us,
        generator_lateness_max_us: lateness.latency_max_us,
        generator_busy_share: counts.share(busy_ns),
        generator_spun_share: counts.share(counts.spun_ns.min(counts.busy_ns)),
        generator_waited_share: counts.share(counts.waited_ns),
        generator_cpu_us_per_request: per_request(busy_ns as f64 / 1000.0),
        seen,
        server_cpu_us_per_request: server_us.map(per_request),
        verdict: Vec::new(),
        all_failures: counts.all_failures(),
    };
    outcome.verdict = judge(&observations(&outcome));
    outcome
}

/// The observations that the verdict needs.
fn observations(outcome: &LoadOutcome) -> Observations {
    let server = outcome.seen.server.as_ref();
    Observations {
        rate_asked: outcome.rate_asked_per_second.filter(|_| outcome.mode == LoopMode::Open),
        rate_achieved: outcome.rate_achieved_per_second.unwrap_or_default(),
        clients: outcome.clients,
        threads: outcome.threads,
        requests: outcome.requests,
        latency_mean_s: outcome.latency.latency_mean_us / 1e6,
        think_s: outcome.think_ms as f64 / 1e3,
        latency_p99_s: outcome.latency.latency_p99_us as f64 / 1e6,
        failures: outcome.all_failures,
        failed: outcome.failures_total,
        bad_statuses: outcome.bad_statuses(),
        early: outcome.answered_early,
        late: outcome.late,
        own_late: outcome.generator_late,
        own_lateness_us: (outcome.generator_lateness_p99_us, outcome.generator_lateness_max_us),
        unsent: outcome.unsent,
        unfinished: outcome.unfinished,
        generator_busy: outcome.generator_busy_share,
        generator_waited: outcome.generator_waited_share,
        generator_cores: (outcome.generator_busy_share + outcome.generator_spun_share)
            * outcome.threads as f64,
        elapsed_s: outcome.elapsed_s,
        server_is_here: outcome.seen.server_is_here,
        server_cores: server.map(|server| (server.cores_used, server.cores_allowed)),
        server_thread: server.and_then(|server| server.busiest_thread_share),
        server_waited: server.and_then(|server| server.busiest_thread_waited_share),
        server_waiting: server.and_then(|server| server.threads_waiting_mean),
        server_cores_busy: server.and_then(|server| server.cores_busy_share),
        shares_cores: server.is_some_and(|server| server.shares_cores_with_load),
        server_descriptors: server.and_then(|server| server.descriptors_left),
        overflows: outcome.seen.listen_overflows.unwrap_or_default(),
        queue: outcome.seen.accept_queue_mean.unwrap_or_default(),
        queue_limit: outcome.seen.accept_queue_limit,
    }
}

/// The rate of good answers, from the first answer to the last. If all answers that were due in
/// that time came, this is the full rate, however long each took.
fn achieved(counts: &ThreadCounts, rate_per_s: f64) -> f64 {
    let Some((first_ns, last_ns)) = counts.good_ns else { return 0.0 };
    let (good, between_s) = (counts.latency.len() as f64, 1.0 / rate_per_s);
    let took_s = (last_ns - first_ns) as f64 / 1e9 + between_s;
    good / took_s.max(good * between_s)
}

fn by_status(counts: &[u64]) -> BTreeMap<u16, u64> {
    let counts = (0..).zip(counts).filter(|(_, count)| **count > 0);
    counts.map(|(status, count)| (status, *count)).collect()
}

fn by_name(failures: &Failures) -> BTreeMap<String, u64> {
    Failure::ALL.iter().map(|kind| (kind.key().to_owned(), failures.of(*kind))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts of a thread with this many good answers, which came between these times.
    fn counts(good: u64, first_ms: u64, last_ms: u64) -> ThreadCounts {
        let mut counts = ThreadCounts::default();
        counts.latency.record_n(100, good).unwrap();
        counts.good_ns = Some((first_ms * 1_000_000, last_ms * 1_000_000));
        counts
    }

    #[test]
    fn a_rate_is_achieved_if_answers_come_as_fast_as_requests() {
        // 300 at 500 a second are due within 598 ms, and answered 100 ms later.
        assert_eq!(achieved(&counts(300, 100, 698), 500.0), 500.0);
        // Ten clients took turns, and the answers came within 3 s.
        assert!((achieved(&counts(300, 100, 3_000), 500.0) - 103.4).abs() < 0.1);
        // Some of those answers were not good.
        assert!((achieved(&counts(264, 100, 698), 500.0) - 440.0).abs() < 0.1);
        // The rate can't exceed the one that was asked for.
        assert_eq!(achieved(&counts(300, 300, 500), 500.0), 500.0);
        assert_eq!(achieved(&counts(1, 5, 5), 0.5), 0.5);
        assert_eq!(achieved(&ThreadCounts::default(), 5.0), 0.0);
    }
}
