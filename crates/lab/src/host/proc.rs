//! What proc(5) reports about processes and the machine. A process can end or be hidden at any
//! time, so functions leave out what they can't read.

use std::collections::{HashMap, HashSet};
use std::fs;

use super::listening::Listening;

/// Over less time than this, processor time is not judged. The kernel counts it in ticks, mostly of
/// 10 ms, which is too coarse.
pub const MIN_OBSERVED_S: f64 = 0.5;

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its process id.
    pub pid: u32,
    /// The process id of its parent.
    pub parent: u32,
    /// Its name.
    pub name: String,
    /// How many threads it has.
    pub threads: usize,
    /// Ticks of processor time that it used itself.
    pub ticks: u64,
    /// Ticks that its reaped children used.
    pub childrens_ticks: u64,
    /// Page faults of the process and its reaped children.
    pub page_faults: u64,
}

/// All processes.
pub fn processes() -> Vec<Process> {
    let pids = numbers("/proc");
    pids.into_iter().filter_map(|pid| process(&read(&format!("/proc/{pid}/stat"))?)).collect()
}

/// Parses the line in `/proc/PID/stat`.
fn process(line: &str) -> Option<Process> {
    let (pid, rest) = line.split_once(" (")?;
    // A name can contain any character.
    let (name, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<_> = rest.split(' ').collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Process {
        pid: pid.parse().ok()?,
        parent: number(1)? as u32,
        name: name.to_owned(),
        threads: number(17)? as usize,
        ticks: number(11)? + number(12)?,
        childrens_ticks: number(13)? + number(14)?,
        page_faults: number(7)? + number(8)? + number(9)? + number(10)?,
    })
}

/// Of `all`, the processes with these ids and their descendants. The calling process is included
/// only if it is among `first`.
pub fn family(first: &[u32], all: Vec<Process>) -> Vec<Process> {
    let mut members: HashSet<u32> = first.iter().copied().collect();
    let me = std::process::id();
    // A child's number can be smaller than its parent's, so one pass may not find all.
    loop {
        let before = members.len();
        let children =
            all.iter().filter(|process| members.contains(&process.parent) && process.pid != me);
        let children: Vec<_> = children.map(|process| process.pid).collect();
        members.extend(children);
        if members.len() == before {
            break;
        }
    }
    all.into_iter().filter(|process| members.contains(&process.pid)).collect()
}

/// Whether a process exists and has not ended. A zombie has ended.
pub fn is_alive(pid: u32) -> bool {
    read(&format!("/proc/{pid}/stat")).is_some_and(|line| stat_is_alive(&line))
}

fn stat_is_alive(line: &str) -> bool {
    let state = line.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    let threads = process(line).map_or(0, |process| process.threads);
    // The first thread can end before the others.
    state.is_some_and(|state| !matches!(state, 'Z' | 'X')) || threads > 1
}

/// Whether a process is the embedded store of a server of ours.
pub fn is_our_store(process: &Process) -> bool {
    process.name == "zerohttpd-store"
}

/// How long a thread ran and waited for a core (sched-stats.rst in the kernel's documentation).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Running {
    /// How long it ran.
    pub busy_ns: u64,
    /// How long it was ready to run and waited for a core.
    pub waited_ns: u64,
    /// How often the scheduler gave it a core.
    pub turns: u64,
}

impl Running {
    /// The difference from an earlier sample.
    pub fn since(&self, then: Running) -> Running {
        Running {
            busy_ns: self.busy_ns.saturating_sub(then.busy_ns),
            waited_ns: self.waited_ns.saturating_sub(then.waited_ns),
            turns: self.turns.saturating_sub(then.turns),
        }
    }
}

/// Threads by their thread id.
pub type Threads = HashMap<u32, Running>;

/// What each present thread has done since the earlier sample.
pub fn since(now: &Threads, then: &Threads) -> Vec<Running> {
    let before = |id: &u32| then.get(id).copied().unwrap_or_default();
    now.iter().map(|(id, now)| now.since(before(id))).collect()
}

/// The thread that needed a core the most: it ran, or was ready to run, for the longest time.
pub fn keenest_thread(threads: &[Running]) -> Option<&Running> {
    threads.iter().max_by_key(|thread| thread.busy_ns + thread.waited_ns)
}

/// The threads of a process.
pub fn threads(pid: u32) -> Vec<(u32, Running)> {
    let folder = format!("/proc/{pid}/task");
    let thread = |id| Some((id, running(&format!("{folder}/{id}/schedstat"))?));
    numbers(&folder).into_iter().filter_map(thread).collect()
}

/// The threads of a process whose number of threads is known, without those that never ran. A
/// kernel that was built without these statistics reports no thread.
pub fn threads_of(process: &Process) -> Vec<(u32, Running)> {
    // A single thread has the id of its process, so no folder has to be read.
    let mut threads = match process.threads {
        1 => running(&format!("/proc/{}/schedstat", process.pid))
            .map(|running| (process.pid, running))
            .into_iter()
            .collect(),
        _ => threads(process.pid),
    };
    threads.retain(|(_, running)| running.turns > 0);
    threads
}

/// The calling thread.
pub fn this_thread() -> Option<Running> {
    running("/proc/thread-self/schedstat")
}

fn running(path: &str) -> Option<Running> {
    schedstat(&read(path)?)
}

fn schedstat(text: &str) -> Option<Running> {
    let mut numbers = text.split_whitespace().map(|number| number.parse().ok());
    Some(Running {
        busy_ns: numbers.next()??,
        waited_ns: numbers.next()??,
        turns: numbers.next()??,
    })
}

/// The memory of a process in KiB, with shared pages counted in part (`Pss`).
pub fn memory_kib(pid: u32) -> Option<u64> {
    let text = read(&format!("/proc/{pid}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The processes that have one of these sockets open, as far as the kernel lets us see.
pub fn holders(sockets: &[Listening]) -> Vec<u32> {
    let targets: HashSet<_> =
        sockets.iter().map(|socket| format!("socket:[{}]", socket.inode)).collect();
    if targets.is_empty() {
        return Vec::new();
    }
    let holds = |pid: &u32| {
        let Ok(listing) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
        let mut links = listing.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
        links.any(|target| target.to_str().is_some_and(|target| targets.contains(target)))
    };
    numbers("/proc").into_iter().filter(holds).collect()
}

/// How many more descriptors a process can open.
pub fn descriptors_left(pid: u32) -> Option<u64> {
    let limits = read(&format!("/proc/{pid}/limits"))?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let limit: u64 = line.split_whitespace().next()?.parse().ok()?;
    let open = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64;
    Some(limit.saturating_sub(open))
}

/// How often an accept queue was full when a connection came, on this machine since it was
/// started.
pub fn listen_overflows() -> Option<u64> {
    tcp_counter(&read("/proc/net/netstat")?, "ListenOverflows")
}

/// How many connections listening sockets have dropped for any reason, on this machine since it
/// was started.
pub fn listen_drops() -> Option<u64> {
    tcp_counter(&read("/proc/net/netstat")?, "ListenDrops")
}

/// A counter of `/proc/net/netstat`, which has names in one line and values in the next.
fn tcp_counter(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt: "));
    let (names, values) = (lines.next()?, lines.next()?);
    let mut pairs = names.split(' ').zip(values.split(' '));
    pairs.find(|(other, _)| *other == name)?.1.parse().ok()
}

/// The content of a kernel file, if it exists and can be read.
pub fn read(path: &str) -> Option<String> {
    Some(String::from_utf8_lossy(&fs::read(path).ok()?).into_owned())
}

/// The entries of a folder whose names are numbers.
fn numbers(folder: &str) -> Vec<u32> {
    let Ok(listing) = fs::read_dir(folder) else { return Vec::new() };
    let names = listing.flatten().map(|entry| entry.file_name());
    names.filter_map(|name| name.to_str()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::listening::listening;
    use std::net::TcpListener;

    #[test]
    fn the_holder_of_a_socket_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let found = listening(listener.local_addr().unwrap());
        assert!(holders(&found).contains(&std::process::id()));
        assert!(holders(&[]).is_empty());
    }

    #[test]
    fn a_name_with_spaces_and_parentheses_is_read() {
        let line = "7 (a) b (c) S 3 7 7 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 5 0 99 1 1";
        let process = process(line).unwrap();
        assert_eq!(process.page_faults, 1 + 2 + 3 + 4);
        assert_eq!((process.pid, process.parent, process.threads), (7, 3, 5));
        assert_eq!((process.ticks, process.childrens_ticks), (30, 70));
        assert_eq!(process.name, "a) b (c");
    }

    #[test]
    fn ended_processes_are_told_from_running_ones() {
        let line = |state: &str, threads: u32| {
            format!("7 (x) y) {state} 3 7 7 0 -1 0 1 2 3 4 10 20 30 40 20 0 {threads} 0 99 1 1")
        };
        assert!(stat_is_alive(&line("S", 1)) && stat_is_alive(&line("Z", 2)));
        assert!(!stat_is_alive(&line("Z", 1)) && !stat_is_alive("") && !is_alive(0));
        assert!(is_alive(std::process::id()));
    }

    fn child(pid: u32, parent: u32) -> Process {
        let text = format!("{pid} (x) S {parent} ") + &"1 ".repeat(40);
        process(&text).unwrap()
    }

    #[test]
    fn a_family_is_the_holders_and_their_descendants() {
        let all = vec![child(3, 5), child(5, 1), child(2, 3), child(7, 1)];
        let family = family(&[5], all);
        assert_eq!(family.iter().map(|process| process.pid).collect::<Vec<_>>(), [3, 5, 2]);
    }

    #[test]
    fn a_counter_is_found_by_its_name() {
        let text = "TcpExt: A ListenOverflows B\nTcpExt: 1 22 3\nIpExt: A\nIpExt: 9\n";
        assert_eq!(tcp_counter(text, "ListenOverflows"), Some(22));
        assert_eq!(tcp_counter(text, "C"), None);
        assert!(listen_overflows().is_some());
    }

    #[test]
    fn this_process_is_among_all() {
        let me = processes().into_iter().find(|process| process.pid == std::process::id()).unwrap();
        assert!(me.threads >= 1 && !threads(me.pid).is_empty());
        assert!(descriptors_left(me.pid).is_some_and(|left| left > 0));
        assert!(this_thread().is_some());
        assert!(memory_kib(me.pid).is_none_or(|kib| kib > 0));
    }

    #[test]
    fn schedstat_is_read_if_it_is_complete() {
        let running = Running { busy_ns: 12, waited_ns: 34, turns: 5 };
        assert_eq!(schedstat("12 34 5\n"), Some(running));
        assert_eq!((schedstat("12 34\n"), schedstat("")), (None, None));
    }

    #[test]
    fn the_keenest_thread_ran_or_waited_for_a_core_the_longest() {
        let running = |busy_ns, waited_ns| Running { busy_ns, waited_ns, turns: 0 };
        let then = HashMap::from([(1, running(100, 0)), (2, running(10, 0))]);
        let now = HashMap::from([(1, running(105, 0)), (2, running(20, 7)), (3, running(9, 0))]);
        assert_eq!(keenest_thread(&since(&now, &then)), Some(&running(10, 7)));
        assert_eq!(keenest_thread(&since(&HashMap::new(), &then)), None);
    }
}
