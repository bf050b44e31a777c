//! What proc(5) tells of processes and of the machine. Any of it may be withheld or gone, so what
//! can't be read is left out.

use std::collections::HashSet;
use std::fs;

use super::listening::Listening;

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its parent's.
    pub parent: u32,
    /// What it calls itself.
    pub name: String,
    /// How many threads it has.
    pub threads: usize,
    /// Ticks of processor time that it used itself.
    pub ticks: u64,
    /// And the children that it has waited for.
    pub childrens_ticks: u64,
    /// Pages that it, and those children, had to be given (or to be told of) by the kernel.
    pub page_faults: u64,
}

/// Every process.
pub fn processes() -> Vec<Process> {
    let pids = numbers("/proc");
    pids.into_iter().filter_map(|pid| process(&read(&format!("/proc/{pid}/stat"))?)).collect()
}

/// A line of `stat`.
fn process(line: &str) -> Option<Process> {
    let (pid, rest) = line.split_once(" (")?;
    // A name may have any character in it.
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

/// Those processes and all that they have started.
pub fn family(first: &[u32], all: Vec<Process>) -> Vec<Process> {
    let mut members: HashSet<u32> = first.iter().copied().collect();
    let me = std::process::id();
    // A child's number may be smaller than its parent's, so one passage may not find all.
    loop {
        let before = members.len();
        let children = all.iter().filter(|one| members.contains(&one.parent) && one.pid != me);
        let children: Vec<_> = children.map(|one| one.pid).collect();
        members.extend(children);
        if members.len() == before {
            break;
        }
    }
    all.into_iter().filter(|one| members.contains(&one.pid)).collect()
}

/// Whether a process is the embedded store of a server of ours.
pub fn is_our_store(process: &Process) -> bool {
    process.name == "zerohttpd-store"
}

/// What a thread had of the processor (sched-stats.rst in the kernel's documentation).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Running {
    /// For how long it ran.
    pub busy_ns: u64,
    /// For how long it could have run, and others did.
    pub waited_ns: u64,
    /// How often it was given a core.
    pub turns: u64,
}

impl Running {
    /// From then to now.
    pub fn since(&self, then: Running) -> Running {
        Running {
            busy_ns: self.busy_ns.saturating_sub(then.busy_ns),
            waited_ns: self.waited_ns.saturating_sub(then.waited_ns),
            turns: self.turns.saturating_sub(then.turns),
        }
    }
}

/// The threads of a process.
pub fn threads(pid: u32) -> Vec<(u32, Running)> {
    let folder = format!("/proc/{pid}/task");
    let thread = |id| Some((id, running(&format!("{folder}/{id}/schedstat"))?));
    numbers(&folder).into_iter().filter_map(thread).collect()
}

/// The same, where it is known of the process how many it has: a kernel that was built without
/// these statistics tells of none.
pub fn threads_of(process: &Process) -> Vec<(u32, Running)> {
    // The only thread has the number of the process.
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

/// The thread that asks.
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

/// The memory of a process, in KiB: what it shares with others counts in parts (`Pss`).
pub fn memory_kib(pid: u32) -> Option<u64> {
    let text = read(&format!("/proc/{pid}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Those who hold one of these sockets, as far as we may see that.
pub fn holders(sockets: &[Listening]) -> Vec<u32> {
    let targets: HashSet<_> =
        sockets.iter().map(|socket| format!("socket:[{}]", socket.inode)).collect();
    if targets.is_empty() {
        return Vec::new();
    }
    let holds = |pid: &u32| {
        let Ok(listing) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
        let mut leads = listing.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
        leads.any(|target| target.to_str().is_some_and(|target| targets.contains(target)))
    };
    numbers("/proc").into_iter().filter(holds).collect()
}

/// How many descriptors a process may yet open.
pub fn descriptors_left(pid: u32) -> Option<u64> {
    let limits = read(&format!("/proc/{pid}/limits"))?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let most: u64 = line.split_whitespace().next()?.parse().ok()?;
    let open = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64;
    Some(most.saturating_sub(open))
}

/// How often a queue of connections was full, on this machine since it was started.
pub fn listen_overflows() -> Option<u64> {
    tcp_counter(&read("/proc/net/netstat")?, "ListenOverflows")
}

/// How many connections a listening socket let go, for whatever reason, likewise.
pub fn listen_drops() -> Option<u64> {
    tcp_counter(&read("/proc/net/netstat")?, "ListenDrops")
}

/// A counter of `/proc/net/netstat`, where names and values have a line each.
fn tcp_counter(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt: "));
    let (names, values) = (lines.next()?, lines.next()?);
    let mut pairs = names.split(' ').zip(values.split(' '));
    pairs.find(|(other, _)| *other == name)?.1.parse().ok()
}

/// The machine's processor time, in ticks: all of it, and what nobody used.
pub fn machine_ticks() -> Option<(u64, u64)> {
    let text = read("/proc/stat")?;
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    // What guests used is in what their hosts used.
    let fields = line.split_whitespace().take(8).map(|field| field.parse().unwrap_or(0));
    let fields: Vec<u64> = fields.collect();
    Some((fields.iter().sum(), fields.get(3)? + fields.get(4)?))
}

/// Processor time of the whole machine, in ticks, by what it went to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MachineTicks {
    /// Processes, and what the kernel did for them.
    pub by_processes: u64,
    /// Nothing.
    pub idle: u64,
    /// Other guests of the machine that this one is a guest of.
    pub stolen: u64,
}

/// The machine's processor time so far.
pub fn machine_use() -> Option<MachineTicks> {
    let text = read("/proc/stat")?;
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let fields: Vec<u64> = line.split_whitespace().filter_map(|field| field.parse().ok()).collect();
    let at = |index: usize| fields.get(index).copied().unwrap_or(0);
    let (user, nice, system) = (at(0), at(1), at(2));
    Some(MachineTicks { by_processes: user + nice + system, idle: at(3) + at(4), stolen: at(7) })
}

/// A file of the kernel's, if it is there and ours to read.
pub fn read(path: &str) -> Option<String> {
    Some(String::from_utf8_lossy(&fs::read(path).ok()?).into_owned())
}

/// The entries of a folder that are numbers.
fn numbers(folder: &str) -> Vec<u32> {
    let Ok(listing) = fs::read_dir(folder) else { return Vec::new() };
    let names = listing.flatten().map(|entry| entry.file_name());
    names.filter_map(|name| name.to_str()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::listening::listening;
    use std::net::TcpListener;

    #[test]
    fn who_holds_a_socket_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let found = listening(listener.local_addr().unwrap());
        assert!(holders(&found).contains(&std::process::id()));
        assert!(holders(&[]).is_empty());
    }

    #[test]
    fn a_process_may_have_any_name() {
        let line = "7 (a) b (c) S 3 7 7 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 5 0 99 1 1";
        let process = process(line).unwrap();
        assert_eq!(process.page_faults, 1 + 2 + 3 + 4);
        assert_eq!((process.pid, process.parent, process.threads), (7, 3, 5));
        assert_eq!((process.ticks, process.childrens_ticks), (30, 70));
        assert_eq!(process.name, "a) b (c");
    }

    fn child(pid: u32, parent: u32) -> Process {
        let text = format!("{pid} (x) S {parent} ") + &"1 ".repeat(40);
        process(&text).unwrap()
    }

    #[test]
    fn a_family_is_the_holders_and_whoever_comes_of_them() {
        let all = vec![child(3, 5), child(5, 1), child(2, 3), child(7, 1)];
        let family = family(&[5], all);
        assert_eq!(family.iter().map(|one| one.pid).collect::<Vec<_>>(), [3, 5, 2]);
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
        assert!(machine_ticks().is_some_and(|(all, idle)| all >= idle));
        assert!(machine_use().is_some_and(|machine| machine.by_processes > 0));
        assert!(memory_kib(me.pid).is_none_or(|kib| kib > 0));
    }

    #[test]
    fn the_schedulers_numbers_are_read_if_it_keeps_them() {
        let running = Running { busy_ns: 12, waited_ns: 34, turns: 5 };
        assert_eq!(schedstat("12 34 5\n"), Some(running));
        assert_eq!((schedstat("12 34\n"), schedstat("")), (None, None));
    }
}
