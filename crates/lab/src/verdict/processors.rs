//! Verdicts about processor time in a run of the bench: which process was busy, which threads
//! waited for a core, and what other processes used.

use super::conditions::Conditions;
use super::thresholds::{BUSY, OTHERS_LIMIT, SHARED};
use crate::finding::limit::Limit;
use crate::finding::{Finding, finding};
use crate::results::run::{Cost, Run};
use crate::text::numbers::{counted, percent};

/// From this share on, a part counts as most of the whole: of the time that answers took, of the
/// cores in use, or of one core.
const MAJORITY: f64 = 0.5;

/// If answers take longer than this many times their processor time, and [`WAKE_UPS_US`] more,
/// requests waited for something else.
const WAITED_TIMES: f64 = 5.0;

/// The time that two wake-ups of threads can take.
const WAKE_UPS_US: f64 = 300.0;

/// How many threads were ready and had no core, on average: of the server, and of server, store
/// and load generator together.
struct WaitingThreads {
    server: Option<f64>,
    all: f64,
}

impl WaitingThreads {
    fn of(run: &Run, cost: &Cost) -> WaitingThreads {
        let server = cost.server_threads_waiting;
        let load = run.load_waited_share * run.load_threads.max(1) as f64;
        let all = server.unwrap_or(0.0) + cost.store_threads_waiting.unwrap_or(0.0) + load;
        WaitingThreads { server, all }
    }
}

/// How many requests were under way, on average (Little's law).
fn in_flight(run: &Run) -> f64 {
    run.requests_per_second * run.latency_mean_us / 1e6
}

/// How many cores the load generator kept busy.
fn load_cores(run: &Run) -> f64 {
    run.load_busy_share * run.load_threads.max(1) as f64
}

/// The finding if the server, its store or their cores were busy all the time.
pub fn busy(run: &Run, cost: &Cost, conditions: &Conditions) -> Option<Finding<Limit>> {
    let allowed = cost.server_cores_allowed.unwrap_or(conditions.server_cores);
    let (cores, server) = (allowed as f64, cost.server_cores_used);
    let of_cores = |used: f64| format!("{used:.2} of its {}", counted(allowed as u64, "core"));
    if server >= BUSY * cores {
        let text = format!("The server used {}.", of_cores(server));
        return Some(finding(Limit::ServerCpu, text));
    }
    if let Some(share) = cost.server_busiest_thread.filter(|share| *share >= BUSY) {
        let text = format!(
            "The busiest thread of the server ran {} of the time; the server as a whole used {}.",
            percent(share),
            of_cores(server)
        );
        return Some(finding(Limit::ServerCpu, text));
    }
    if let Some(share) = cost.store_busiest_thread.filter(|share| *share >= BUSY) {
        let text = format!("The busiest thread of the store ran {} of the time.", percent(share));
        return Some(finding(Limit::Store, text));
    }
    cores_full(run, cost, cores)
}

/// The finding if the server's cores were busy all the time, though not with the server alone.
fn cores_full(run: &Run, cost: &Cost, cores: f64) -> Option<Finding<Limit>> {
    let store = cost.store_cores_used.unwrap_or(0.0);
    let on_same = |used: f64, shares: bool| if shares { used } else { 0.0 };
    let load = on_same(load_cores(run), cost.load_shares_cores);
    let (server, store) = (cost.server_cores_used, on_same(store, cost.store_shares_cores));
    let total = server + store + load;
    let (used, others) = match cost.server_cores_idle {
        Some(idle) => (cores - idle, cost.others_on_server_cores.unwrap_or(0.0)),
        None => (total, 0.0),
    };
    if used < BUSY * cores || !wants_a_core(run, cost, used) {
        return None;
    }
    let stolen = cost.stolen_cores.unwrap_or(0.0);
    let mut users = vec![("the server", server)];
    users.extend((store >= 0.005).then_some(("the store", store)));
    users.extend((load >= 0.005).then_some(("the load generator", load)));
    users.extend((others >= 0.005).then_some(("other processes", others)));
    let users: Vec<_> = users.iter().map(|(what, used)| format!("{what} {used:.2}")).collect();
    let text = format!(
        "The {} that the server can use had no time left, and threads waited for {}: {} of a \
         core.",
        if cores == 1.0 { "one core".into() } else { format!("{cores:.0} cores") },
        if cores == 1.0 { "it" } else { "them" },
        users.join(", ")
    );
    let limit = if others + stolen >= OTHERS_LIMIT {
        Limit::Neighbours
    } else if load > 0.0 {
        Limit::SharedCpu
    } else if store > server {
        Limit::Store
    } else {
        Limit::ServerCpu
    };
    Some(finding(limit, text))
}

/// Whether threads of the server or its store were ready to use more processor time. If a server
/// sleeps, they are not, even if other processes keep its cores busy.
fn wants_a_core(run: &Run, cost: &Cost, used: f64) -> bool {
    let keenest = cost.keenest_thread_ran.zip(cost.keenest_thread_waited);
    if keenest.is_some_and(|(ran, waited)| ran + waited >= BUSY && waited >= SHARED) {
        return true;
    }
    let waiting = WaitingThreads::of(run, cost);
    match waiting.server {
        Some(_) => waiting.all >= MAJORITY * in_flight(run).max(f64::MIN_POSITIVE),
        // Threads that come and go too fast to be sampled are judged by the time that they used.
        None => {
            let store = cost.store_cores_used.unwrap_or(0.0);
            cost.server_cores_used + store >= MAJORITY * used
        }
    }
}

/// The finding if nothing was busy all the time.
pub fn none_busy(run: &Run, conditions: &Conditions) -> Finding<Limit> {
    let Some(cost) = &run.cost else {
        let text = "The load generator was not the limit; what the server used could not be seen.";
        return finding(Limit::Waiting, text);
    };
    let worked_us = cost.server_cpu_us_per_request
        + cost.store_cpu_us_per_request.unwrap_or(0.0)
        + cost.load_cpu_us_per_request;
    let waiting = WaitingThreads::of(run, cost);
    let allowed = cost.server_cores_allowed.unwrap_or(conditions.server_cores) as f64;
    let is_full = cost.server_cores_idle.is_some_and(|idle| idle <= (1.0 - BUSY) * allowed);
    if is_full && waiting.server.is_none() && taken_by_others(cost) >= OTHERS_LIMIT {
        let text = format!(
            "Other processes used {:.2} of the cores that server and load generator can use, which \
             had no time left; whether the server's threads waited for them could not be seen.",
            taken_by_others(cost)
        );
        return finding(Limit::Neighbours, text);
    }
    let (in_flight, latency_us) = (in_flight(run), run.latency_mean_us);
    let for_a_core = (waiting.all / in_flight.max(f64::MIN_POSITIVE)).min(1.0);
    if for_a_core >= MAJORITY {
        let text = format!(
            "No core was busy all the time, but threads became ready at the same time: for {} of \
             the time that answers took they waited for a core.",
            percent(for_a_core)
        );
        return finding(Limit::Nothing, text);
    }
    let rest_us = latency_us * (1.0 - for_a_core);
    let has_waited = rest_us > WAITED_TIMES * worked_us + WAKE_UPS_US;
    if has_waited && nothing_ran(run, cost, in_flight) {
        let (waited, worked) = (latency_us / 1000.0, worked_us / 1000.0);
        let core_ms = for_a_core * latency_us / 1000.0;
        let rest = match (waiting.server.is_some(), conditions.uses_store) {
            (false, _) => "how the rest was spent could not be seen",
            (true, true) => "the rest was spent waiting for the store, its disk or a lock",
            (true, false) => "the rest was spent waiting for a disk, a lock or a timer",
        };
        let limit = match conditions.uses_store && waiting.server.is_some() {
            true => Limit::Store,
            false => Limit::Waiting,
        };
        let text = format!(
            "Nothing was busy: an answer took {waited:.2} ms for {worked:.3} ms of work and \
             {core_ms:.3} ms without a core; {rest}."
        );
        return finding(limit, text);
    }
    let text = "Nothing was busy all the time: server, store and load generator worked in turn, \
        and each waited for the others.";
    finding(Limit::Nothing, text)
}

/// Whether requests waited for something other than their turn: server, store and load generator
/// together ran for less than half of the time, or each request had a thread of its own.
fn nothing_ran(run: &Run, cost: &Cost, in_flight: f64) -> bool {
    let ran = cost.server_cores_used + cost.store_cores_used.unwrap_or(0.0) + load_cores(run);
    let each_has_a_thread = run.threads_peak as f64 >= in_flight && run.threads_peak > 2;
    ran < MAJORITY || each_has_a_thread
}

/// How much of the server's and the load generator's cores other processes used.
fn taken_by_others(cost: &Cost) -> f64 {
    let on_load = cost.others_on_load_cores.filter(|_| !cost.load_shares_cores).unwrap_or(0.0);
    match cost.others_on_server_cores {
        Some(on_server) => on_server + on_load,
        None => cost.others_cores_used.unwrap_or(0.0),
    }
}

/// How many of the server's and the load generator's cores were taken by other processes, and by
/// the host of this machine.
pub fn taken(cost: &Cost) -> f64 {
    taken_by_others(cost) + cost.stolen_cores.unwrap_or(0.0)
}

/// The remark that other processes, or the host of this machine, used the same cores.
pub fn neighbours(run: &Run) -> Option<Finding<Limit>> {
    let cost = run.cost.as_ref()?;
    let (others, stolen) = (taken_by_others(cost), cost.stolen_cores.unwrap_or(0.0));
    (others + stolen >= SHARED).then(|| {
        let text = format!(
            "Meanwhile other processes used {others:.2} of the cores that server and load \
             generator can use, and the host of this machine took {stolen:.2}."
        );
        finding(Limit::Neighbours, text)
    })
}
