//! Observes a server on this machine while it is under load: its processes, what they use, and how
//! many clients wait for them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{SocketAddr, UdpSocket};

use serde::{Deserialize, Serialize};

use super::meter::now_ns;
use crate::host::cores;
use crate::host::listening::{Listening, listening};
use crate::host::proc::{self, MIN_OBSERVED_S, Process, Threads, keenest_thread, since};
use crate::host::ticks::{self, Ticks};

/// The accept queue is reported only if it was sampled at least this often.
const MIN_QUEUE_SAMPLES: u64 = 5;

/// The most threads that are sampled one by one.
const MAX_THREADS: usize = 1024;

/// The observer of a server.
pub struct Observer {
    address: SocketAddr,
    is_here: bool,
    server_pids: Vec<u32>,
    overflows: Option<u64>,
    drops: u64,
    start: Option<Snapshot>,
    end: Option<Snapshot>,
    queue: Option<Queue>,
}

/// The accept queue of the server, over all of its sockets.
#[derive(Clone, Copy, Default)]
struct Queue {
    samples: u64,
    /// The sum of its lengths over all samples.
    waiting: u64,
    /// The most clients that can wait in it.
    limit: u64,
}

/// A sample.
struct Snapshot {
    at_ns: u64,
    machine: Option<Ticks>,
    cores: BTreeMap<usize, Ticks>,
    processes: Vec<Process>,
    threads: Threads,
    overflows: Option<u64>,
    /// Connections that the server's sockets have dropped.
    drops: u64,
    descriptors_left: Option<u64>,
}

/// What was observed between the start and the end.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Observed {
    /// Whether the server's address is one of this machine.
    pub server_is_here: bool,
    /// The server's processes, if they could be found.
    pub server: Option<ObservedServer>,
    /// How busy all cores of the machine were, from 0 to 1.
    pub machine_busy_share: Option<f64>,
    /// Connections that the kernel dropped because the server's accept queue was full, counted from
    /// before the first client connected. The kernel counts overflows of the whole machine, and
    /// drops of each socket for any reason. This is the smaller of the two numbers.
    pub listen_overflows: Option<u64>,
    /// How many clients waited to be accepted, on average.
    pub accept_queue_mean: Option<f64>,
    /// How many clients can wait to be accepted: the server's backlog.
    pub accept_queue_limit: Option<u64>,
}

/// The resources that a server used.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ObservedServer {
    /// How many cores it kept busy.
    pub cores_used: f64,
    /// How many cores it can use.
    pub cores_allowed: usize,
    /// How busy its keenest thread was, from 0 to 1: the one that ran or was ready for longest.
    pub busiest_thread_share: Option<f64>,
    /// How much of the time that thread was ready while others had the core.
    pub busiest_thread_waited_share: Option<f64>,
    /// How many of its threads were ready and had no core, on average.
    pub threads_waiting_mean: Option<f64>,
    /// How busy the cores that it can use were, with any process, from 0 to 1.
    pub cores_busy_share: Option<f64>,
    /// Whether the load generator can use some of these cores.
    pub shares_cores_with_load: bool,
    /// How many more descriptors it could have opened at the end.
    pub descriptors_left: Option<u64>,
    /// Its processes, by name.
    pub processes: Vec<Group>,
}

/// Processes that have the same name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// The name.
    pub name: String,
    /// How many there are.
    pub processes: usize,
    /// How many cores they kept busy.
    pub cores_used: f64,
}

impl Observer {
    /// An observer of the server at this address; finds its processes.
    pub fn new(address: SocketAddr) -> Observer {
        // bind(2) accepts only the addresses of this machine.
        let is_here = UdpSocket::bind((address.ip(), 0)).is_ok();
        let mut server_pids = Vec::new();
        if is_here {
            server_pids = proc::holders(&listening(address));
            server_pids.retain(|pid| *pid != std::process::id());
        }
        let (overflows, drops) = (proc::listen_overflows(), drops(address));
        let (start, end) = (None, None);
        Observer { address, is_here, server_pids, overflows, drops, start, end, queue: None }
    }

    /// Begins the measured time.
    pub fn start(&mut self) {
        self.start = Some(self.snapshot());
    }

    /// Samples the accept queue.
    pub fn sample_queue(&mut self) {
        if self.is_here && self.start.is_some() && self.end.is_none() {
            let sockets = listening(self.address);
            if sockets.is_empty() {
                return;
            }
            let sum = |part: fn(&Listening) -> u64| sockets.iter().map(part).sum::<u64>();
            let queue = self.queue.get_or_insert_default();
            queue.samples += 1;
            queue.waiting += sum(|socket| socket.waiting);
            queue.limit = sum(|socket| socket.max_waiting);
        }
    }

    /// Ends the measured time. Only the first call counts.
    pub fn end(&mut self) {
        if self.start.is_some() && self.end.is_none() {
            self.end = Some(self.snapshot());
        }
    }

    fn snapshot(&self) -> Snapshot {
        let processes = match self.server_pids.is_empty() {
            true => Vec::new(),
            false => proc::family(&self.server_pids, proc::processes()),
        };
        let threads: usize = processes.iter().map(|process| process.threads).sum();
        let sampled = if threads <= MAX_THREADS { &processes[..] } else { &[] };
        let left = self.server_pids.iter().filter_map(|pid| proc::descriptors_left(*pid));
        Snapshot {
            at_ns: now_ns(),
            machine: ticks::of_machine(),
            cores: ticks::of_cores(),
            threads: sampled.iter().flat_map(|process| proc::threads(process.pid)).collect(),
            processes,
            overflows: proc::listen_overflows(),
            drops: if self.is_here { drops(self.address) } else { 0 },
            descriptors_left: left.min(),
        }
    }

    /// The observations.
    pub fn observed(&self) -> Observed {
        let mut seen = Observed { server_is_here: self.is_here, ..Observed::default() };
        let (Some(start), Some(end)) = (&self.start, &self.end) else { return seen };
        if self.is_here {
            let difference = |(now, then): (u64, u64)| now.saturating_sub(then);
            let overflows = end.overflows.zip(self.overflows).map(difference);
            seen.listen_overflows =
                overflows.map(|count| count.min(difference((end.drops, self.drops))));
            let queue = self.queue.filter(|queue| queue.samples >= MIN_QUEUE_SAMPLES);
            let mean = |queue: Queue| queue.waiting as f64 / queue.samples as f64;
            seen.accept_queue_mean = queue.map(mean);
            seen.accept_queue_limit = self.queue.map(|queue| queue.limit);
        }
        let elapsed_s = end.at_ns.saturating_sub(start.at_ns) as f64 / 1e9;
        if elapsed_s >= MIN_OBSERVED_S {
            seen.machine_busy_share =
                end.machine.zip(start.machine).and_then(|(now, then)| now.since(then).busy_share());
            seen.server = self.server(start, end, elapsed_s);
        }
        seen
    }

    fn server(&self, start: &Snapshot, end: &Snapshot, elapsed_s: f64) -> Option<ObservedServer> {
        if end.processes.is_empty() {
            return None;
        }
        let ticks_per_s = rustix::param::clock_ticks_per_second() as f64;
        let used = |ticks: u64| ticks as f64 / ticks_per_s / elapsed_s;
        let processes = groups(&start.processes, &end.processes, used);
        let threads = since(&end.threads, &start.threads);
        let busiest = keenest_thread(&threads);
        let share = |ns: u64| ns as f64 / 1e9 / elapsed_s;
        let waited_ns = threads.iter().map(|thread| thread.waited_ns).sum();
        let pids = self.server_pids.iter().copied();
        let allowed: BTreeSet<_> = pids.flat_map(cores::allowed_to).collect();
        let own_cores = cores::allowed();
        let difference = |core: &usize| Some(end.cores.get(core)?.since(*start.cores.get(core)?));
        let core_ticks: Option<Ticks> = allowed.iter().map(difference).sum();
        Some(ObservedServer {
            cores_used: processes.iter().map(|group| group.cores_used).sum(),
            cores_allowed: allowed.len(),
            shares_cores_with_load: own_cores.iter().any(|core| allowed.contains(core)),
            cores_busy_share: core_ticks.and_then(Ticks::busy_share),
            busiest_thread_share: busiest.map(|thread| share(thread.busy_ns)),
            busiest_thread_waited_share: busiest.map(|thread| share(thread.waited_ns)),
            threads_waiting_mean: busiest.map(|_| share(waited_ns)),
            descriptors_left: end.descriptors_left,
            processes,
        })
    }
}

/// Connections that the sockets at that address have dropped so far.
fn drops(address: SocketAddr) -> u64 {
    listening(address).iter().map(|socket| socket.drops).sum()
}

/// What the processes of each name used between two samples. When a parent reaps a child, the
/// child's use is added to the parent's.
fn groups(then: &[Process], now: &[Process], cores: impl Fn(u64) -> f64) -> Vec<Group> {
    let before: HashMap<_, _> = then.iter().map(|process| (process.pid, process)).collect();
    let is_gone = |process: &&Process| !now.iter().any(|other| other.pid == process.pid);
    let ended_ticks: u64 = then.iter().filter(is_gone).map(|process| process.ticks).sum();
    let mut ticks: Vec<(&str, usize, u64)> = Vec::new();
    for process in now {
        let used = |process: &Process| process.ticks + process.childrens_ticks;
        let had = before.get(&process.pid).map_or(0, |process| used(process));
        let difference = used(process).saturating_sub(had);
        match ticks.iter_mut().find(|(name, ..)| *name == process.name) {
            Some(group) => {
                group.1 += 1;
                group.2 += difference;
            }
            None => ticks.push((&process.name, 1, difference)),
        }
    }
    ticks.sort_by_key(|group| std::cmp::Reverse(group.2));
    // Reaped children count with all their use, some of it from before the first sample.
    if let Some(first) = ticks.first_mut() {
        first.2 = first.2.saturating_sub(ended_ticks);
    }
    let group = |(name, processes, ticks): (&str, usize, u64)| Group {
        name: name.to_owned(),
        processes,
        cores_used: cores(ticks),
    };
    ticks.into_iter().map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, parent: u32, ticks: u64, childrens_ticks: u64) -> Process {
        let name = if pid < 10 { "server" } else { "store" };
        Process {
            pid,
            parent,
            name: name.into(),
            threads: 1,
            ticks,
            childrens_ticks,
            page_faults: 0,
        }
    }

    #[test]
    fn the_use_of_ended_children_is_counted_once() {
        // Child 2 had used 40 at first, and 50 when it ended. Child 3 began and ended between the
        // samples, and used 7.
        let then = [process(1, 0, 100, 10), process(2, 1, 40, 0), process(11, 1, 5, 0)];
        let now = [process(1, 0, 110, 10 + 50 + 7), process(11, 1, 9, 0)];
        let groups = groups(&then, &now, |ticks| ticks as f64);
        let expected = [("server", 10.0 + 10.0 + 7.0), ("store", 4.0)];
        let found: Vec<_> =
            groups.iter().map(|group| (group.name.as_str(), group.cores_used)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn nothing_is_observed_of_a_server_on_another_machine() {
        let mut observer = Observer::new("192.0.2.1:80".parse().unwrap());
        observer.start();
        observer.sample_queue();
        observer.end();
        let seen = observer.observed();
        assert!(!seen.server_is_here && seen.server.is_none() && seen.listen_overflows.is_none());
    }
}
