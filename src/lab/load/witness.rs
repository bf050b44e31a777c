//! What can be seen of a server that runs on this machine while it is under load: who it is, what
//! it uses, and who waits for it.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity};
use serde::Serialize;

use super::meter::now_ns;
use crate::lab::listening::{Listening, listening};
use crate::lab::proc::{self, Process, Running};

/// The kernel counts processor time in ticks, mostly of 10 ms: it says little of a shorter time.
pub const SHORTEST_S: f64 = 0.5;

/// A queue that was looked at less often than this may have been looked at by accident.
const FEWEST_LOOKS: u64 = 5;

/// More threads than this are not looked at one by one.
const MOST_THREADS: usize = 1024;

/// Who looks on.
pub struct Witness {
    address: SocketAddr,
    is_here: bool,
    holders: Vec<u32>,
    overflows: Option<u64>,
    start: Option<Glimpse>,
    end: Option<Glimpse>,
    queue: Option<Queue>,
}

/// The server's queue of connections, over all of its sockets.
#[derive(Clone, Copy, Default)]
struct Queue {
    looks: u64,
    /// Those that waited, added up over all looks.
    waiting: u64,
    /// How many may wait.
    most: u64,
}

/// The state of things at one time.
struct Glimpse {
    at_ns: u64,
    machine: Option<(u64, u64)>,
    processes: Vec<Process>,
    threads: HashMap<u32, Running>,
    overflows: Option<u64>,
    descriptors_left: Option<u64>,
}

/// What was seen between the start and the end.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Seen {
    /// Whether the server's address is one of this machine.
    pub server_is_here: bool,
    /// The server's processes, if it could be told which they are.
    pub server: Option<ServerSeen>,
    /// How busy all cores of the machine were, from 0 to 1.
    pub machine_busy_share: Option<f64>,
    /// Connections that the kernel let go because the server's queue was full, since before the
    /// first client came.
    pub listen_overflows: Option<u64>,
    /// How many clients waited to be accepted, on average.
    pub accept_queue_mean: Option<f64>,
    /// How many may wait: the server's backlog.
    pub accept_queue_limit: Option<u64>,
}

/// What a server used.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ServerSeen {
    /// How many cores it kept busy.
    pub cores_used: f64,
    /// How many it may use.
    pub cores_allowed: usize,
    /// How busy the busiest of its threads was, from 0 to 1.
    pub busiest_thread_share: Option<f64>,
    /// For how much of the time others had the core that this thread was ready to use.
    pub busiest_thread_waited_share: Option<f64>,
    /// How many descriptors it might still have opened in the end.
    pub descriptors_left: Option<u64>,
    /// Its processes, by name.
    pub processes: Vec<Group>,
}

/// Processes of one name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// The name.
    pub name: String,
    /// How many there are.
    pub processes: usize,
    /// How many cores they kept busy.
    pub cores_used: f64,
}

impl Witness {
    /// Looks for the server at that address.
    pub fn new(address: SocketAddr) -> Witness {
        // Only an address of this machine can be bound to.
        let is_here = UdpSocket::bind((address.ip(), 0)).is_ok();
        let mut holders = Vec::new();
        if is_here {
            holders = proc::holders(&listening(address));
            holders.retain(|pid| *pid != std::process::id());
        }
        let overflows = proc::listen_overflows();
        let (start, end) = (None, None);
        Witness { address, is_here, holders, overflows, start, end, queue: None }
    }

    /// What counts begins.
    pub fn start(&mut self) {
        self.start = Some(self.glimpse());
    }

    /// Looks how many wait to be accepted.
    pub fn look(&mut self) {
        if self.is_here && self.start.is_some() && self.end.is_none() {
            let sockets = listening(self.address);
            if sockets.is_empty() {
                return;
            }
            let sum = |part: fn(&Listening) -> u64| sockets.iter().map(part).sum::<u64>();
            let queue = self.queue.get_or_insert_default();
            queue.looks += 1;
            queue.waiting += sum(|socket| socket.waiting);
            queue.most = sum(|socket| socket.most_waiting);
        }
    }

    /// What counts has ended; only the first time that this is said matters.
    pub fn end(&mut self) {
        if self.start.is_some() && self.end.is_none() {
            self.end = Some(self.glimpse());
        }
    }

    fn glimpse(&self) -> Glimpse {
        let processes = match self.holders.is_empty() {
            true => Vec::new(),
            false => proc::family(&self.holders, proc::processes()),
        };
        let threads: usize = processes.iter().map(|process| process.threads).sum();
        let looked_at = if threads <= MOST_THREADS { &processes[..] } else { &[] };
        let left = self.holders.iter().filter_map(|pid| proc::descriptors_left(*pid));
        Glimpse {
            at_ns: now_ns(),
            machine: proc::machine_ticks(),
            threads: looked_at.iter().flat_map(|process| proc::threads(process.pid)).collect(),
            processes,
            overflows: proc::listen_overflows(),
            descriptors_left: left.min(),
        }
    }

    /// What was seen.
    pub fn seen(&self) -> Seen {
        let mut seen = Seen { server_is_here: self.is_here, ..Seen::default() };
        let (Some(start), Some(end)) = (&self.start, &self.end) else { return seen };
        if self.is_here {
            let past = |(now, then): (u64, u64)| now.saturating_sub(then);
            seen.listen_overflows = end.overflows.zip(self.overflows).map(past);
            let queue = self.queue.filter(|queue| queue.looks >= FEWEST_LOOKS);
            let mean = |queue: Queue| queue.waiting as f64 / queue.looks as f64;
            seen.accept_queue_mean = queue.map(mean);
            seen.accept_queue_limit = self.queue.map(|queue| queue.most);
        }
        let elapsed_s = end.at_ns.saturating_sub(start.at_ns) as f64 / 1e9;
        if elapsed_s >= SHORTEST_S {
            seen.machine_busy_share = machine_busy_share(start, end);
            seen.server = self.server(start, end, elapsed_s);
        }
        seen
    }

    fn server(&self, start: &Glimpse, end: &Glimpse, elapsed_s: f64) -> Option<ServerSeen> {
        if end.processes.is_empty() {
            return None;
        }
        let ticks_per_s = rustix::param::clock_ticks_per_second() as f64;
        let cores = |ticks: u64| ticks as f64 / ticks_per_s / elapsed_s;
        let processes = groups(&start.processes, &end.processes, cores);
        let busiest = busiest(&start.threads, &end.threads);
        let share = |ns: u64| ns as f64 / 1e9 / elapsed_s;
        Some(ServerSeen {
            cores_used: processes.iter().map(|group| group.cores_used).sum(),
            cores_allowed: cores_allowed(&self.holders),
            busiest_thread_share: busiest.map(|thread| share(thread.busy_ns)),
            busiest_thread_waited_share: busiest.map(|thread| share(thread.waited_ns)),
            descriptors_left: end.descriptors_left,
            processes,
        })
    }
}

/// The thread that wanted most of the processor from then to now.
fn busiest(then: &HashMap<u32, Running>, now: &HashMap<u32, Running>) -> Option<Running> {
    let since = |(id, now): (&u32, &Running)| now.since(then.get(id).copied().unwrap_or_default());
    now.iter().map(since).max_by_key(|thread| thread.busy_ns + thread.waited_ns)
}

fn machine_busy_share(start: &Glimpse, end: &Glimpse) -> Option<f64> {
    let ((all, idle), (all_then, idle_then)) = (end.machine?, start.machine?);
    let (all, idle) = (all.checked_sub(all_then)?, idle.saturating_sub(idle_then));
    (all > 0).then(|| 1.0 - idle as f64 / all as f64)
}

/// What the processes of each name have used from then to now. What a child had used is counted
/// with its parent's once it has ended and was waited for.
fn groups(then: &[Process], now: &[Process], cores: impl Fn(u64) -> f64) -> Vec<Group> {
    let before: HashMap<_, _> = then.iter().map(|process| (process.pid, process)).collect();
    let is_gone = |process: &&Process| !now.iter().any(|other| other.pid == process.pid);
    let gone: u64 = then.iter().filter(is_gone).map(|process| process.ticks).sum();
    let mut ticks: Vec<(&str, usize, u64)> = Vec::new();
    for process in now {
        let used = |process: &Process| process.ticks + process.childrens_ticks;
        let had = before.get(&process.pid).map_or(0, |process| used(process));
        let mine = used(process).saturating_sub(had);
        match ticks.iter_mut().find(|(name, ..)| *name == process.name) {
            Some(group) => {
                group.1 += 1;
                group.2 += mine;
            }
            None => ticks.push((&process.name, 1, mine)),
        }
    }
    ticks.sort_by_key(|group| std::cmp::Reverse(group.2));
    // Those that have ended had used some of it before.
    if let Some(first) = ticks.first_mut() {
        first.2 = first.2.saturating_sub(gone);
    }
    let group = |(name, processes, ticks): (&str, usize, u64)| Group {
        name: name.to_owned(),
        processes,
        cores_used: cores(ticks),
    };
    ticks.into_iter().map(group).collect()
}

/// How many cores these processes may run on, all together.
fn cores_allowed(pids: &[u32]) -> usize {
    let sets = pids.iter().filter_map(|pid| sched_getaffinity(Pid::from_raw(*pid as i32)).ok());
    let sets: Vec<_> = sets.collect();
    (0..CpuSet::MAX_CPU).filter(|core| sets.iter().any(|set| set.is_set(*core))).count()
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
    fn what_ended_children_had_used_is_counted_once() {
        // Child 2 had used 40, and 50 in the end; child 3 came and went with 7 more.
        let then = [process(1, 0, 100, 10), process(2, 1, 40, 0), process(11, 1, 5, 0)];
        let now = [process(1, 0, 110, 10 + 50 + 7), process(11, 1, 9, 0)];
        let groups = groups(&then, &now, |ticks| ticks as f64);
        let expected = [("server", 10.0 + 10.0 + 7.0), ("store", 4.0)];
        let found: Vec<_> =
            groups.iter().map(|group| (group.name.as_str(), group.cores_used)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_busiest_thread_is_that_which_wanted_most() {
        let running = |busy_ns, waited_ns| Running { busy_ns, waited_ns, turns: 0 };
        let then = HashMap::from([(1, running(100, 0)), (2, running(10, 0))]);
        let now = HashMap::from([(1, running(105, 0)), (2, running(20, 7)), (3, running(9, 0))]);
        assert_eq!(busiest(&then, &now), Some(running(10, 7)));
        assert_eq!(busiest(&then, &HashMap::new()), None);
    }

    #[test]
    fn nothing_is_said_of_a_server_elsewhere() {
        let mut witness = Witness::new("192.0.2.1:80".parse().unwrap());
        witness.start();
        witness.look();
        witness.end();
        let seen = witness.seen();
        assert!(!seen.server_is_here && seen.server.is_none() && seen.listen_overflows.is_none());
    }
}
