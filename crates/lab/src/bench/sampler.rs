//! Resources that a server's processes use: two samples, whose difference is the cost of a run.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use zerohttpd_sys::cpu_clock;

use crate::host::cores;
use crate::host::proc::{self, Process, Running, Threads, keenest_thread, since};
use crate::host::ticks::{self, Ticks};
use crate::results::Cost;

/// The most threads that are sampled one by one; more would take part of the measured time.
const MAX_THREADS: usize = 4096;

/// Samples the processes of a server and of its store.
#[derive(Clone, Debug, Default)]
pub struct Sampler {
    /// The first process of the server.
    pub server: u32,
    /// The processes of a store that is not a child of the server.
    pub store: Vec<u32>,
    /// The cores of the load generator.
    pub load_cores: Vec<usize>,
}

/// What the load generator reports about itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoadUse {
    /// Requests per second that were answered.
    pub requests_per_s: f64,
    /// Its processor time per request.
    pub us_per_request: f64,
    /// How many cores its threads kept busy.
    pub cores: f64,
}

/// Over less time than this, ticks are not used: a tick is ten milliseconds, which is too coarse.
const MIN_S_FOR_TICKS: f64 = 0.25;

/// If taking the two samples takes more than this share of the measured time, they are not used.
const MAX_SHARE: f64 = 0.5;

/// A sample of all processes.
pub struct UsageSample {
    /// The time at the middle of the sampling.
    at: Instant,
    took: Duration,
    server: ResourceUse,
    store: Option<ResourceUse>,
    /// The processor time of all other processes of the machine.
    others: Duration,
    threads: Option<Threads>,
    store_threads: Threads,
    stolen_ticks: Option<u64>,
    cores: BTreeMap<usize, Ticks>,
    /// The cores that server, store and load generator can use.
    server_cores: BTreeSet<usize>,
    store_cores: BTreeSet<usize>,
    load_cores: BTreeSet<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct ResourceUse {
    cpu: Duration,
    page_faults: u64,
}

/// The memory, processes and threads of a server at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerSize {
    /// Its memory, with shared pages counted in part (PSS); none if the kernel hides it.
    pub memory_kib: Option<u64>,
    /// Its processes.
    pub processes: usize,
    /// Its threads.
    pub threads: usize,
}

impl Sampler {
    /// Takes a sample.
    pub fn usage(&self) -> UsageSample {
        let start = Instant::now();
        let all = proc::processes();
        let (server, mut store) = split_off_store(proc::family(&[self.server], all.clone()));
        store.extend(proc::family(&self.store, all.clone()));
        // The load generator and the server are children of this process.
        let family = proc::family(&[std::process::id()], all.clone());
        let measured: HashSet<_> = family.iter().chain(&store).map(|process| process.pid).collect();
        let others = all.iter().filter(|process| !measured.contains(&process.pid));
        let threads = threads_of(&server);
        let store_threads = threads_of(&store).unwrap_or_default();
        let cores_of = |processes: &[Process], threads: Option<&Threads>| {
            let first = processes.iter().map(|process| process.pid);
            let ids = first.chain(threads.into_iter().flat_map(Threads::keys).copied());
            ids.flat_map(cores::allowed_to).collect()
        };
        let (server_cores, store_cores) =
            (cores_of(&server, threads.as_ref()), cores_of(&store, Some(&store_threads)));
        let (server, others) = (resources_of(&server), others.map(cpu_by_ticks).sum());
        let store = (!store.is_empty()).then(|| resources_of(&store));
        let stolen_ticks = ticks::of_machine().map(|machine| machine.stolen);
        let load_cores = self.load_cores.iter().copied().collect();
        let (took, cores) = (start.elapsed(), ticks::of_cores());
        let at = start + took / 2;
        UsageSample {
            at,
            took,
            server,
            store,
            others,
            threads,
            store_threads,
            stolen_ticks,
            cores,
            server_cores,
            store_cores,
            load_cores,
        }
    }

    /// Measures the size of the server.
    pub fn size(&self) -> ServerSize {
        let (server, _) = split_off_store(proc::family(&[self.server], proc::processes()));
        let kib: Vec<_> =
            server.iter().filter_map(|process| proc::memory_kib(process.pid)).collect();
        ServerSize {
            memory_kib: (!kib.is_empty()).then(|| kib.iter().sum()),
            processes: server.len(),
            threads: server.iter().map(|process| process.threads).sum(),
        }
    }
}

impl UsageSample {
    /// What server, store, load generator and other processes used since the earlier sample. None
    /// if sampling took most of that time.
    pub fn since(&self, then: &UsageSample, load: LoadUse) -> Option<Cost> {
        let elapsed_s = self.at.saturating_duration_since(then.at).as_secs_f64();
        if (self.took + then.took).as_secs_f64() > MAX_SHARE * elapsed_s {
            return None;
        }
        let requests = load.requests_per_s * elapsed_s;
        let each = |all: f64| if requests > 0.0 { all / requests } else { 0.0 };
        let past = |now: Duration, then: Duration| now.saturating_sub(then).as_secs_f64();
        let server_s = past(self.server.cpu, then.server.cpu);
        let store_s = self.store.zip(then.store).map(|(now, then)| past(now.cpu, then.cpu));
        let stolen = self.stolen_ticks.zip(then.stolen_ticks);
        let stolen =
            stolen.map(|(now, then)| tick_duration(now.saturating_sub(then)).as_secs_f64());
        let threads = self.threads_since(then);
        let store_threads = since(&self.store_threads, &then.store_threads);
        let per_s = |ns: u64| ns as f64 / 1e9 / elapsed_s;
        let waited_ns = |threads: &[Running]| threads.iter().map(|thread| thread.waited_ns).sum();
        let busiest_ns = |threads: &[Running]| threads.iter().map(|thread| thread.busy_ns).max();
        let turns = |threads: &[Running]| threads.iter().map(|thread| thread.turns).sum::<u64>();
        let keenest = threads.as_deref().and_then(keenest_thread);
        let faults = self.server.page_faults.saturating_sub(then.server.page_faults);
        let mut cost = Cost {
            server_cores_used: server_s / elapsed_s,
            server_busiest_thread: threads.as_deref().and_then(busiest_ns).map(per_s),
            server_threads_waiting: threads.as_deref().map(waited_ns).map(per_s),
            keenest_thread_ran: keenest.map(|thread| per_s(thread.busy_ns)),
            keenest_thread_waited: keenest.map(|thread| per_s(thread.waited_ns)),
            server_cpu_us_per_request: each(server_s * 1e6),
            store_cores_used: store_s.map(|seconds| seconds / elapsed_s),
            store_cpu_us_per_request: store_s.map(|seconds| each(seconds * 1e6)),
            store_busiest_thread: busiest_ns(&store_threads).map(per_s),
            store_threads_waiting: (!store_threads.is_empty())
                .then(|| per_s(waited_ns(&store_threads))),
            load_cpu_us_per_request: load.us_per_request,
            others_cores_used: Some(past(self.others, then.others) / elapsed_s),
            stolen_cores: stolen.map(|seconds| seconds / elapsed_s),
            switches_per_request: threads.as_deref().map(turns).map(|turns| each(turns as f64)),
            switches_are_lower_bound: self.misses_threads_of(then),
            page_faults_per_request: each(faults as f64),
            ..Cost::default()
        };
        self.add_cores(then, elapsed_s, load, &mut cost);
        Some(cost)
    }

    /// Adds to `cost` what the cores of the server and of the load generator did.
    fn add_cores(&self, then: &UsageSample, elapsed_s: f64, load: LoadUse, cost: &mut Cost) {
        let server_cores: BTreeSet<_> =
            self.server_cores.union(&then.server_cores).copied().collect();
        let store_cores: BTreeSet<_> = self.store_cores.union(&then.store_cores).copied().collect();
        if server_cores.is_empty() {
            return;
        }
        cost.server_cores_allowed = Some(server_cores.len());
        cost.store_shares_cores = !server_cores.is_disjoint(&store_cores);
        cost.load_shares_cores = !server_cores.is_disjoint(&self.load_cores);
        if elapsed_s < MIN_S_FOR_TICKS {
            return;
        }
        let sum = |of: &BTreeSet<usize>, part: fn(Ticks) -> u64| -> Option<f64> {
            let past =
                |core: &usize| Some(part(self.cores.get(core)?.since(*then.cores.get(core)?)));
            let count = of.iter().map(past).sum::<Option<u64>>()?;
            Some(tick_duration(count).as_secs_f64() / elapsed_s)
        };
        cost.server_cores_idle = sum(&server_cores, |core| core.idle);
        // A measured process that can use other cores too may have run on those. All its time is
        // subtracted nevertheless, so that none of it counts as other processes' time.
        let (server, store) = (cost.server_cores_used, cost.store_cores_used.unwrap_or(0.0));
        let users =
            [(&server_cores, server), (&store_cores, store), (&self.load_cores, load.cores)];
        let others = |cores: &BTreeSet<usize>| {
            let measured = users.iter().filter(|(of, _)| !of.is_disjoint(cores));
            let measured: f64 = measured.map(|(_, used)| used).sum();
            sum(cores, |core| core.by_processes).map(|used| (used - measured).max(0.0))
        };
        cost.others_on_server_cores = others(&server_cores);
        cost.others_on_load_cores = others(&self.load_cores);
    }

    /// What each present thread has done since the earlier sample. None if threads were not
    /// sampled, or if most of those sampled have ended, for instance because the clients had left
    /// before this sample.
    fn threads_since(&self, then: &UsageSample) -> Option<Vec<Running>> {
        let before = then.threads.as_ref()?;
        let ended = before.keys().filter(|id| !self.has(**id)).count();
        let threads = since(self.threads.as_ref()?, before);
        (ended * 2 <= before.len() && !threads.is_empty()).then_some(threads)
    }

    fn has(&self, thread: u32) -> bool {
        self.threads.as_ref().is_some_and(|threads| threads.contains_key(&thread))
    }

    /// Whether threads of the earlier sample have ended.
    fn misses_threads_of(&self, then: &UsageSample) -> bool {
        then.threads.iter().flat_map(HashMap::keys).any(|id| !self.has(*id))
    }
}

/// The threads of these processes, unless there are too many to sample.
fn threads_of(processes: &[Process]) -> Option<Threads> {
    let count: usize = processes.iter().map(|process| process.threads).sum();
    (count <= MAX_THREADS).then(|| processes.iter().flat_map(proc::threads_of).collect())
}

/// Divides a server's processes into its own and those of its embedded store.
fn split_off_store(family: Vec<Process>) -> (Vec<Process>, Vec<Process>) {
    family.into_iter().partition(|process| !proc::is_our_store(process))
}

/// What these processes and their reaped children have used.
fn resources_of(processes: &[Process]) -> ResourceUse {
    let cpu = |process: &Process| {
        // A process that ended and was not reaped has no clock.
        let own = cpu_clock::time_of_process(process.pid).unwrap_or_default();
        own.max(tick_duration(process.ticks)) + tick_duration(process.childrens_ticks)
    };
    ResourceUse {
        cpu: processes.iter().map(cpu).sum(),
        page_faults: processes.iter().map(|process| process.page_faults).sum(),
    }
}

/// The processor time of a process and its reaped children, counted in ticks.
fn cpu_by_ticks(process: &Process) -> Duration {
    tick_duration(process.ticks + process.childrens_ticks)
}

/// The duration of this number of ticks.
fn tick_duration(count: u64) -> Duration {
    Duration::from_nanos(count * 1_000_000_000 / rustix::param::clock_ticks_per_second())
}

impl ServerSize {
    /// The larger one of each number.
    pub fn max(self, other: ServerSize) -> ServerSize {
        ServerSize {
            memory_kib: self.memory_kib.max(other.memory_kib),
            processes: self.processes.max(other.processes),
            threads: self.threads.max(other.threads),
        }
    }
}

#[cfg(test)]
#[path = "sampler_tests.rs"]
mod tests;
