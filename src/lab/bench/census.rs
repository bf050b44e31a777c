//! What a server's processes have used: counted twice, and the difference is what a run cost.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::lab::proc::{self, Process, Running};
use crate::lab::results::Cost;
use crate::sys::cpu_clock;

/// More threads than this are not looked at one by one: that would take a part of what is measured.
const MOST_THREADS: usize = 4096;

/// Whom to count.
#[derive(Clone, Debug, Default)]
pub struct Whom {
    /// The first process of the server.
    pub server: u32,
    /// The processes of a store that is not the server's child.
    pub store: Vec<u32>,
}

/// A census that takes more than this share of what it is to measure says nothing of it.
const MOST_SHARE: f64 = 0.5;

/// What all had used at one time.
pub struct Census {
    /// The middle of the time that counting took.
    at: Instant,
    took: Duration,
    server: Used,
    store: Option<Used>,
    /// Everybody who is none of us.
    others: Duration,
    threads: Option<HashMap<u32, Running>>,
    stolen_ticks: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Used {
    cpu: Duration,
    page_faults: u64,
}

/// How large a server is just now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Its memory, what it shares counted in parts; none if we may not see that.
    pub memory_kib: Option<u64>,
    /// Its processes.
    pub processes: usize,
    /// Its threads.
    pub threads: usize,
}

impl Census {
    /// Counts.
    pub fn take(whom: &Whom) -> Census {
        let start = Instant::now();
        let all = proc::processes();
        let (server, mut store) = divide(proc::family(&[whom.server], all.clone()));
        store.extend(proc::family(&whom.store, all.clone()));
        // The load and the server are our children.
        let ours = proc::family(&[std::process::id()], all.clone());
        let ours: HashSet<_> = ours.iter().chain(&store).map(|process| process.pid).collect();
        let others = all.iter().filter(|process| !ours.contains(&process.pid));
        let count: usize = server.iter().map(|process| process.threads).sum();
        let threads =
            (count <= MOST_THREADS).then(|| server.iter().flat_map(proc::threads_of).collect());
        let (server, others) = (used(&server), others.map(in_ticks).sum());
        let store = (!store.is_empty()).then(|| used(&store));
        let stolen_ticks = proc::machine_use().map(|machine| machine.stolen);
        let took = start.elapsed();
        Census { at: start + took / 2, took, server, store, others, threads, stolen_ticks }
    }

    /// What was used since then, while the load answered so many requests a second and used so much
    /// for each. None if counting took most of that time.
    pub fn since(&self, then: &Census, requests_per_s: f64, load_us: f64) -> Option<Cost> {
        let elapsed_s = self.at.saturating_duration_since(then.at).as_secs_f64();
        if (self.took + then.took).as_secs_f64() > MOST_SHARE * elapsed_s {
            return None;
        }
        let requests = requests_per_s * elapsed_s;
        let each = |all: f64| if requests > 0.0 { all / requests } else { 0.0 };
        let past = |now: Duration, then: Duration| now.saturating_sub(then).as_secs_f64();
        let server_s = past(self.server.cpu, then.server.cpu);
        let store_s = self.store.zip(then.store).map(|(now, then)| past(now.cpu, then.cpu));
        let stolen = self.stolen_ticks.zip(then.stolen_ticks);
        let stolen = stolen.map(|(now, then)| ticks(now.saturating_sub(then)).as_secs_f64());
        let threads = self.threads_since(then);
        let per_s = |ns: u64| ns as f64 / 1e9 / elapsed_s;
        let waited_ns =
            |threads: &Vec<Running>| threads.iter().map(|thread| thread.waited_ns).sum();
        let busiest_ns = |threads: &Vec<Running>| threads.iter().map(|thread| thread.busy_ns).max();
        let turns = |threads: &Vec<Running>| threads.iter().map(|thread| thread.turns).sum::<u64>();
        let faults = self.server.page_faults.saturating_sub(then.server.page_faults);
        Some(Cost {
            server_cores_used: server_s / elapsed_s,
            server_busiest_thread: threads.as_ref().and_then(busiest_ns).map(per_s),
            server_threads_waiting: threads.as_ref().map(waited_ns).map(per_s),
            server_cpu_us_per_request: each(server_s * 1e6),
            store_cores_used: store_s.map(|seconds| seconds / elapsed_s),
            store_cpu_us_per_request: store_s.map(|seconds| each(seconds * 1e6)),
            load_cpu_us_per_request: load_us,
            others_cores_used: Some(past(self.others, then.others) / elapsed_s),
            stolen_cores: stolen.map(|seconds| seconds / elapsed_s),
            switches_per_request: threads.as_ref().map(turns).map(|turns| each(turns as f64)),
            switches_are_least: self.lacks_some_of(then),
            page_faults_per_request: each(faults as f64),
        })
    }

    /// What each thread that is there has done since then; none if they were not looked at, or most
    /// of them are gone, and what they did with them.
    fn threads_since(&self, then: &Census) -> Option<Vec<Running>> {
        let before = then.threads.as_ref()?;
        let gone = before.keys().filter(|id| !self.has(**id)).count();
        if gone * 2 > before.len() {
            return None;
        }
        let since =
            |(id, now): (&u32, &Running)| now.since(before.get(id).copied().unwrap_or_default());
        let threads: Vec<_> = self.threads.as_ref()?.iter().map(since).collect();
        (!threads.is_empty()).then_some(threads)
    }

    fn has(&self, thread: u32) -> bool {
        self.threads.as_ref().is_some_and(|threads| threads.contains_key(&thread))
    }

    /// Whether threads are gone that were there then.
    fn lacks_some_of(&self, then: &Census) -> bool {
        then.threads.iter().flat_map(HashMap::keys).any(|id| !self.has(*id))
    }
}

/// The server's own processes, and its store.
fn divide(family: Vec<Process>) -> (Vec<Process>, Vec<Process>) {
    family.into_iter().partition(|process| !proc::is_our_store(process))
}

/// What processes, and the children that they have waited for, have used.
fn used(processes: &[Process]) -> Used {
    let cpu = |process: &Process| {
        // One that has ended and was not waited for has no clock any more.
        let own = cpu_clock::process(process.pid).unwrap_or_default();
        own.max(ticks(process.ticks)) + ticks(process.childrens_ticks)
    };
    Used {
        cpu: processes.iter().map(cpu).sum(),
        page_faults: processes.iter().map(|process| process.page_faults).sum(),
    }
}

/// The same of one process, roughly.
fn in_ticks(process: &Process) -> Duration {
    ticks(process.ticks + process.childrens_ticks)
}

fn ticks(count: u64) -> Duration {
    Duration::from_nanos(count * 1_000_000_000 / rustix::param::clock_ticks_per_second())
}

impl Size {
    /// How large it is.
    pub fn take(whom: &Whom) -> Size {
        let (server, _) = divide(proc::family(&[whom.server], proc::processes()));
        let kib: Vec<_> =
            server.iter().filter_map(|process| proc::memory_kib(process.pid)).collect();
        Size {
            memory_kib: (!kib.is_empty()).then(|| kib.iter().sum()),
            processes: server.len(),
            threads: server.iter().map(|process| process.threads).sum(),
        }
    }

    /// The larger of both, in every way.
    pub fn max(self, other: Size) -> Size {
        Size {
            memory_kib: self.memory_kib.max(other.memory_kib),
            processes: self.processes.max(other.processes),
            threads: self.threads.max(other.threads),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn census(at: Instant, server_ms: u64, threads: &[(u32, u64, u64)]) -> Census {
        let thread = |(id, ran_ms, turns): &(u32, u64, u64)| {
            let (busy_ns, waited_ns) = (ran_ms * 1_000_000, ran_ms * 2_000_000);
            (*id, Running { busy_ns, waited_ns, turns: *turns })
        };
        Census {
            at,
            took: Duration::ZERO,
            server: Used { cpu: Duration::from_millis(server_ms), page_faults: server_ms },
            store: Some(Used { cpu: Duration::from_millis(server_ms / 2), page_faults: 0 }),
            others: Duration::from_millis(server_ms / 10),
            threads: Some(threads.iter().map(thread).collect()),
            stolen_ticks: Some(0),
        }
    }

    #[test]
    fn what_was_used_between_two_times_is_the_cost() {
        let start = Instant::now();
        let then = census(start, 100, &[(1, 10, 5), (2, 20, 5)]);
        let end = start + Duration::from_secs(2);
        let now = census(end, 1100, &[(1, 10, 5), (3, 900, 495)]);
        let cost = now.since(&then, 500.0, 300.0).unwrap();
        assert_eq!(cost.server_cores_used, 0.5);
        assert_eq!(cost.server_cpu_us_per_request, 1000.0);
        assert_eq!(cost.store_cores_used, Some(0.25));
        assert_eq!(cost.server_busiest_thread, Some(0.45));
        assert_eq!(cost.server_threads_waiting, Some(0.9));
        assert_eq!(cost.page_faults_per_request, 1.0);
        // Thread 2 has ended, and what it did since is not known.
        assert_eq!((cost.switches_per_request, cost.switches_are_least), (Some(0.495), true));
        let alone = census(end, 1100, &[(4, 1, 1)]).since(&then, 500.0, 0.0).unwrap();
        assert_eq!((alone.switches_per_request, alone.server_threads_waiting), (None, None));
        assert_eq!((cost.others_cores_used, cost.stolen_cores), (Some(0.05), Some(0.0)));
    }

    #[test]
    fn a_census_that_takes_too_long_says_nothing() {
        let start = Instant::now();
        let (then, end) = (census(start, 0, &[]), start + Duration::from_secs(1));
        let took = Duration::from_millis(501);
        assert!(Census { took, ..census(end, 9, &[]) }.since(&then, 1.0, 1.0).is_none());
    }

    #[test]
    fn where_nothing_was_answered_nothing_is_divided_by_it() {
        let start = Instant::now();
        let (then, now) = (census(start, 0, &[]), census(start + Duration::from_secs(1), 10, &[]));
        let cost = now.since(&then, 0.0, 0.0).unwrap();
        assert_eq!((cost.server_cpu_us_per_request, cost.switches_per_request), (0.0, None));
    }

    #[test]
    fn this_process_has_a_size() {
        let whom = Whom { server: std::process::id(), store: Vec::new() };
        let size = Size::take(&whom);
        assert!(size.processes >= 1 && size.threads >= size.processes, "{size:?}");
        let larger = size.max(Size { memory_kib: Some(u64::MAX), ..Size::default() });
        assert_eq!((larger.memory_kib, larger.threads), (Some(u64::MAX), size.threads));
    }
}
