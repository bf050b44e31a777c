//! What limited a server under a load. It is judged from what was observed, and nothing else.
//!
//! The first finding is what limited the numbers; what follows is to be known as well. The order in
//! which it is looked for is that in which one thing hides another: a load that had nothing left
//! says nothing of the server, a server that never saw the clients was not busy with them, and only
//! where nobody was busy was something waited for.

use serde::{Deserialize, Serialize};

use super::limit::Limit;
use super::results::{Cost, Run};

/// A load that is busy for this share of the time measures itself.
const LOAD_BUSY: f64 = 0.95;

/// Whoever waits for a core for this share of the time has to share it.
const SHARED: f64 = 0.1;

/// Others that take this many cores are the limit, where nobody else is seen to be, and where
/// servers and load were ready and had no core for as much of the time.
const SPOILT: f64 = 0.3;

/// A server, or a thread, that is busy for this share of the time has none to spare.
const BUSY: f64 = 0.9;

/// A queue with this share of the clients in it is no accident.
const QUEUED: f64 = 0.05;

/// A client whose connection was let go tries again after this long (`TCP_TIMEOUT_INIT`).
const SYN_RETRY_S: f64 = 1.0;

/// Where clients spend this share of their time in trying again, that is the limit.
const RETRYING: f64 = 0.05;

/// More failures than this share, and the rest says little.
const FAILED: f64 = 0.1;

/// A server that can open no more than this many descriptors accepts nobody.
const NO_DESCRIPTORS: u64 = 2;

/// Answers that take so many times the processor time of all who work for them have waited.
const WAITED_TIMES: f64 = 5.0;

/// What a wake-up or two may take.
const WAKE_UPS_US: f64 = 300.0;

/// Of an open loop, so much may be left out by accident.
const LEFT_OVER: f64 = 0.001;

/// What a run was to be.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Conditions {
    /// Clients.
    pub clients: usize,
    /// The rate of an open loop.
    pub rate_per_s: Option<f64>,
    /// Cores that the server may use.
    pub server_cores: usize,
    /// Whether its store has to use them as well.
    pub store_shares_cores: bool,
    /// How many clients it has at once, if that is known to be limited.
    pub pool: Option<usize>,
    /// Whether what is asked for needs the store.
    pub uses_store: bool,
}

/// One thing that is to be known of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What.
    pub limit: Limit,
    /// In a sentence.
    pub text: String,
}

/// Judges a run: at least one finding.
pub fn judge(run: &Run, on: &Conditions) -> Vec<Finding> {
    let mut found = Vec::new();
    if run.requests == 0 || run.requests_per_second == 0.0 {
        let failures = failures_in_words(run).unwrap_or_else(|| "no answer came in time".into());
        found.push(finding(Limit::NothingMeasured, format!("Nothing was measured: {failures}.")));
    } else {
        found.extend(load(run));
    }
    found.extend(shortages(run));
    found.extend(errors(run));
    let (queue_is_limit, queue) = accept_queue(run, on);
    let queue = queue.into_iter();
    let (first, later): (Vec<_>, Vec<_>) = queue.partition(|_| queue_is_limit);
    found.extend(first);
    if run.requests > 0 {
        found.extend(server(run, on));
    }
    let others = neighbours(run);
    if found.is_empty() {
        match others.clone().filter(|_| is_spoilt(run)) {
            Some(others) => return [vec![others], later].concat(),
            None => found.push(nobody(run, on)),
        }
    }
    found.extend(later);
    found.extend(others.filter(|others| !found.contains(others)));
    found
}

fn finding(limit: Limit, text: impl Into<String>) -> Finding {
    Finding { limit, text: text.into() }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn failures_in_words(run: &Run) -> Option<String> {
    let some = run.failures.iter().filter(|(_, count)| **count > 0);
    let words: Vec<_> =
        some.map(|(kind, count)| format!("{count} × {}", kind.replace('_', " "))).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn load(run: &Run) -> Option<Finding> {
    let (busy, waited) = (run.load_busy_share, run.load_waited_share);
    if busy >= LOAD_BUSY {
        let text = format!(
            "The load generator was the limit: it was busy {} of the time. The server could have \
             done more.",
            percent(busy)
        );
        return Some(finding(Limit::LoadGenerator, text));
    }
    let is_starved = waited >= SHARED && busy + waited >= LOAD_BUSY;
    if is_starved && is_spoilt(run) {
        return neighbours(run);
    }
    is_starved.then(|| {
        let text = format!(
            "The load generator was the limit: it ran {} of the time and waited {} for a core that \
             somebody else had.",
            percent(busy),
            percent(waited)
        );
        finding(Limit::LoadGenerator, text)
    })
}

fn shortages(run: &Run) -> Vec<Finding> {
    let failed = |kind: &str| run.failures.get(kind).copied().unwrap_or(0);
    let mut found = Vec::new();
    if failed("no_port") > 0 {
        let text = format!(
            "The load had no port left for {} connections. Widen net.ipv4.ip_local_port_range, or \
             keep connections alive.",
            failed("no_port")
        );
        found.push(finding(Limit::Ports, text));
    }
    if failed("no_descriptor") > 0 {
        let text = format!(
            "The load had no descriptor left for {} connections. Raise the limit (ulimit -Hn).",
            failed("no_descriptor")
        );
        found.push(finding(Limit::LoadDescriptors, text));
    }
    if run.descriptors_left.is_some_and(|left| left <= NO_DESCRIPTORS) {
        let text = "The server had no descriptor left, and could accept nobody. Raise its limit \
            (ulimit -n).";
        found.push(finding(Limit::ServerDescriptors, text));
    }
    found
}

fn errors(run: &Run) -> Option<Finding> {
    let all = run.requests + run.failures_total;
    let share = if all > 0 { run.failures_total as f64 / all as f64 } else { 0.0 };
    (run.requests > 0 && share > FAILED).then(|| {
        let text = format!(
            "{} of the requests failed: {}.",
            percent(share),
            failures_in_words(run).unwrap_or_default()
        );
        finding(Limit::Errors, text)
    })
}

/// Whether it limits, and that it was full at all.
fn accept_queue(run: &Run, on: &Conditions) -> (bool, Option<Finding>) {
    let Some(overflows) = run.listen_overflows.filter(|overflows| *overflows > 0) else {
        return (false, None);
    };
    let clients_s = on.clients as f64 * (run.opening_s + run.measured_s);
    let share = (overflows as f64 * SYN_RETRY_S / clients_s.max(f64::MIN_POSITIVE)).min(1.0);
    let text = format!(
        "The queue of connections was full {overflows} times. Each time a client was left to try \
         again after a second or more: {} of all clients' time. A longer --backlog, and \
         net.core.somaxconn with it, would hold them.",
        percent(share)
    );
    (share >= RETRYING, Some(finding(Limit::AcceptQueue, text)))
}

/// What the server had not enough of: the processor, a store, workers.
fn server(run: &Run, on: &Conditions) -> Vec<Finding> {
    let mut found = Vec::new();
    let is_queued = run.accept_queue_mean.is_some_and(|queue| {
        // A queue of one is that of a client who just came.
        queue > 1.0 && queue >= QUEUED * on.clients as f64
    });
    if let Some(cost) = &run.cost {
        found.extend(processor(cost, on));
    }
    if is_queued {
        found.push(pool(run, on));
    }
    found
}

fn processor(cost: &Cost, on: &Conditions) -> Option<Finding> {
    let (cores, server) = (on.server_cores as f64, cost.server_cores_used);
    let store = cost.store_cores_used.unwrap_or(0.0);
    let thread = cost.server_busiest_thread.filter(|share| *share >= BUSY);
    if server >= BUSY * cores {
        let text = format!("The server used {server:.2} of its {cores} cores.");
        return Some(finding(Limit::ServerCpu, text.replace("1 cores", "1 core")));
    }
    if let Some(share) = thread {
        let text = format!(
            "The busiest thread of the server ran {} of the time; the server as a whole used \
             {server:.2} cores.",
            percent(share)
        );
        return Some(finding(Limit::ServerCpu, text));
    }
    if on.store_shares_cores && on.uses_store && server + store >= BUSY * cores {
        let limit = if store > server { Limit::Store } else { Limit::ServerCpu };
        let text = format!(
            "Server and store used all of the {cores:.0} cores that they share: the server \
             {server:.2}, the store {store:.2}."
        );
        return Some(finding(limit, text.replace("all of the 1 cores", "all of the one core")));
    }
    (store >= BUSY).then(|| {
        finding(Limit::Store, format!("The store used {store:.2} cores, and has one thread."))
    })
}

fn pool(run: &Run, on: &Conditions) -> Finding {
    let waiting = run.accept_queue_mean.unwrap_or_default();
    let all = match on.pool {
        Some(1) => "The one worker that there is had a client".to_owned(),
        Some(pool) => format!("All {pool} workers had a client"),
        None => "Whoever accepts had no time or no room for more".to_owned(),
    };
    let text = format!(
        "{all}, and {waiting:.0} of the {} clients waited to be accepted, on average.",
        on.clients
    );
    finding(Limit::Pool, text)
}

/// What to say where nobody was busy.
fn nobody(run: &Run, on: &Conditions) -> Finding {
    if let Some(rate) = on.rate_per_s {
        let due = run.requests + run.failures_total + run.unsent;
        if run.unsent as f64 <= LEFT_OVER * due as f64 {
            return finding(Limit::Rate, format!("All {rate} requests a second were answered."));
        }
    }
    let Some(cost) = &run.cost else {
        let text = "The load was not the limit; what the server used could not be seen.";
        return finding(Limit::Waiting, text);
    };
    let worked_us = cost.server_cpu_us_per_request
        + cost.store_cpu_us_per_request.unwrap_or(0.0)
        + cost.load_cpu_us_per_request;
    let latency_us = run.latency_mean_us;
    if latency_us > WAITED_TIMES * worked_us + WAKE_UPS_US {
        let (waited, worked) = (latency_us / 1000.0, worked_us / 1000.0);
        let nobody_busy = format!(
            "Nobody was busy, and an answer took {waited:.2} ms for {worked:.3} ms of work"
        );
        return match on.uses_store {
            true => finding(
                Limit::Store,
                format!("{nobody_busy}: the rest was spent waiting for the store, or its disk."),
            ),
            false => finding(
                Limit::Waiting,
                format!("{nobody_busy}: the rest was spent waiting for a disk, a lock, a timer."),
            ),
        };
    }
    let text = "Nobody was busy all the time: each client waited for one thing after the other. \
        More clients would have had more answers.";
    finding(Limit::Nothing, text)
}

fn is_spoilt(run: &Run) -> bool {
    run.cost.as_ref().is_some_and(|cost| {
        let waiting = cost.server_threads_waiting.unwrap_or(0.0) + run.load_waited_share;
        taken_by_others(cost) >= SPOILT && waiting >= SPOILT
    })
}

fn taken_by_others(cost: &Cost) -> f64 {
    cost.others_cores_used.unwrap_or(0.0) + cost.stolen_cores.unwrap_or(0.0)
}

fn neighbours(run: &Run) -> Option<Finding> {
    let cost = run.cost.as_ref().filter(|cost| taken_by_others(cost) >= SHARED)?;
    let text = format!(
        "Meanwhile other processes of this machine used {:.2} cores, and its host took {:.2}. The \
         number may be too low.",
        cost.others_cores_used.unwrap_or(0.0),
        cost.stolen_cores.unwrap_or(0.0)
    );
    Some(finding(Limit::Neighbours, text))
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
