//! What limited a server in a run of the bench, judged by what its processes, threads and cores
//! did.
//!
//! The first finding is the limit; remarks follow. A limit that hides others is tested before
//! them: if the load generator has no time left, the numbers say nothing about the server, and if
//! clients did not reach the server, it was not busy with them. The table has the verdicts on
//! processor time and on waiting, with the claim of each and the observations behind it:
//!
//! | verdict | claim | observations |
//! |---|---|---|
//! | load | the load generator had no time left | its threads ran all the time |
//! | cpu | the server had no time left | all its cores, or a thread, ran for it all the time |
//! | cpu, shared, store | cores had no time left | none was idle, and threads waited for one |
//! | disturbed | other processes had the cores | as above, and others used much of them |
//! | store, waiting | answers waited, not for a core | server, store and generator hardly ran |
//! | latency | none of these | |
//!
//! The cores of the third row are those of the server, which it may share: `shared` says that the
//! load generator used them too, `store` that the store used more of them than the server.

use super::conditions::Conditions;
use super::processors;
use super::thresholds::{FAILED, NO_DESCRIPTORS, QUEUED, SHARED};
use crate::failure::Failure;
use crate::finding::limit::Limit;
use crate::finding::{Finding, finding};
use crate::results::run::Run;
use crate::text::numbers::percent;

/// A load generator that is busy for this share of the time measures itself.
const LOAD_BUSY: f64 = 0.95;

/// How long a client waits before it retries a dropped connection (`TCP_TIMEOUT_INIT`).
const SYN_RETRY_S: f64 = 1.0;

/// If clients spend this share of their time waiting to retry, the accept queue is the limit.
const RETRYING: f64 = 0.05;

/// An open loop has kept up if at most this share of its requests had no good answer.
const UNANSWERED: f64 = 0.001;

/// Judges a run. Returns at least one finding.
pub fn judge(run: &Run, conditions: &Conditions) -> Vec<Finding<Limit>> {
    let mut found = Vec::new();
    if run.requests == 0 || run.requests_per_second == 0.0 {
        let failures = run.failures_in_words().unwrap_or_else(|| "no answer came in time".into());
        found.push(finding(Limit::NothingMeasured, format!("No request was good: {failures}.")));
    } else {
        found.extend(errors(run));
        found.extend(kept_up(run, conditions));
        found.extend(load(run));
    }
    found.extend(shortages(run));
    // A server that kept up with the rate was not limited.
    let kept_up = found.first().is_some_and(|first| first.kind == Limit::Rate);
    let (queue_is_limit, queue) = accept_queue(run, conditions);
    let (first, later): (Vec<_>, Vec<_>) =
        queue.into_iter().partition(|_| queue_is_limit && !kept_up);
    found.extend(first);
    if run.requests > 0 && !kept_up {
        found.extend(server(run, conditions));
        if found.is_empty() {
            found.push(processors::none_busy(run, conditions));
        }
    }
    found.extend(later);
    if found.iter().all(|earlier| earlier.kind != Limit::Neighbours) {
        found.extend(processors::neighbours(run));
    }
    found
}

fn load(run: &Run) -> Option<Finding<Limit>> {
    let (busy, waited) = (run.load_busy_share, run.load_waited_share);
    if busy >= LOAD_BUSY {
        let text = format!(
            "The load generator was the limit: it was busy {} of the time. The number is its own, \
             not the server's.",
            percent(busy)
        );
        return Some(finding(Limit::LoadGenerator, text));
    }
    // A load generator that shares the server's cores is judged with them.
    let shares = run.cost.as_ref().is_some_and(|cost| cost.load_shares_cores);
    let is_starved = waited >= SHARED && busy + waited >= LOAD_BUSY && !shares;
    is_starved.then(|| {
        let text = format!(
            "The load generator was kept from its cores: it ran {} of the time, and was ready {} \
             of it while other processes had them.",
            percent(busy),
            percent(waited)
        );
        finding(Limit::Neighbours, text)
    })
}

fn shortages(run: &Run) -> Vec<Finding<Limit>> {
    let failed = |kind: Failure| run.failures.get(kind.key()).copied().unwrap_or(0);
    let mut found = Vec::new();
    if failed(Failure::NoPort) > 0 {
        let text = format!(
            "The load generator had no port left for {} connections. Widen \
             net.ipv4.ip_local_port_range, or keep connections alive.",
            failed(Failure::NoPort)
        );
        found.push(finding(Limit::Ports, text));
    }
    if failed(Failure::NoDescriptor) > 0 {
        let text = format!(
            "The load generator had no descriptor left for {} connections. Raise the limit \
             (ulimit -Hn).",
            failed(Failure::NoDescriptor)
        );
        found.push(finding(Limit::LoadDescriptors, text));
    }
    if run.descriptors_left.is_some_and(|left| left <= NO_DESCRIPTORS) {
        let text = "The server had no descriptor left, and could accept no client. Raise its limit \
            (ulimit -n).";
        found.push(finding(Limit::ServerDescriptors, text));
    }
    found
}

fn errors(run: &Run) -> Option<Finding<Limit>> {
    let share = run.failed_share();
    // A separate finding says what the load generator lacked.
    let lacked = [Failure::NoPort, Failure::NoDescriptor]
        .iter()
        .any(|kind| run.failures.contains_key(kind.key()));
    (share > FAILED && !lacked).then(|| {
        let text = format!(
            "{} of the requests failed: {}.",
            percent(share),
            run.failures_in_words().unwrap_or_default()
        );
        finding(Limit::Errors, text)
    })
}

/// The finding if an open loop got a good answer to all requests that were due.
fn kept_up(run: &Run, conditions: &Conditions) -> Option<Finding<Limit>> {
    let rate = conditions.rate_per_s?;
    let due = run.requests + run.failures_total + run.unsent;
    let is_complete = (due - run.requests) as f64 <= UNANSWERED * due as f64;
    (is_complete && run.kept_up != Some(false)).then(|| {
        let text = format!(
            "The rate of {rate} requests a second was kept up: {} of {due} that were due had a \
             good answer.",
            run.requests
        );
        finding(Limit::Rate, text)
    })
}

/// The finding if the accept queue was full, and whether that is the limit.
fn accept_queue(run: &Run, conditions: &Conditions) -> (bool, Option<Finding<Limit>>) {
    let Some(overflows) = run.listen_overflows.filter(|overflows| *overflows > 0) else {
        return (false, None);
    };
    let clients_s = conditions.clients as f64 * (run.opening_s + run.measured_s);
    let share = (overflows as f64 * SYN_RETRY_S / clients_s.max(f64::MIN_POSITIVE)).min(1.0);
    let times = if overflows == 1 { "once".into() } else { format!("{overflows} times") };
    let text = format!(
        "The accept queue was full {times}. Each time a client had to try again after a \
         second or more, which took {} of all clients' time. A longer --backlog, with a higher \
         net.core.somaxconn, would hold them.",
        percent(share)
    );
    (share >= RETRYING, Some(finding(Limit::AcceptQueue, text)))
}

/// Findings about what the server lacked: processor time, a store, workers.
fn server(run: &Run, conditions: &Conditions) -> Vec<Finding<Limit>> {
    let mut found = Vec::new();
    let is_queued = run.accept_queue_mean.is_some_and(|queue| {
        // A queue of one holds only a client that has just come.
        queue > 1.0 && queue >= QUEUED * conditions.clients as f64
    });
    if let Some(cost) = &run.cost {
        found.extend(processors::busy(run, cost, conditions));
    }
    if is_queued {
        found.push(pool(run, conditions));
    }
    found
}

fn pool(run: &Run, conditions: &Conditions) -> Finding<Limit> {
    let waiting = run.accept_queue_mean.unwrap_or_default();
    let all = match conditions.pool {
        Some(1) => "The one worker had a client".to_owned(),
        Some(pool) => format!("All {pool} workers had a client"),
        None => "The server had no time or no room to accept more clients".to_owned(),
    };
    let text = format!(
        "{all}, and {waiting:.0} of the {} clients waited to be accepted, on average.",
        conditions.clients
    );
    finding(Limit::Pool, text)
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
