//! What /proc says of processes: whose they are, what they hold.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};

/// A process that lives, or that nobody has waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Process(pub(crate) u32);

impl Process {
    fn file(self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.0))
    }

    /// The fields of `stat` that follow the name: state, parent, ...
    fn stat(self) -> Option<Vec<String>> {
        let text = fs::read_to_string(self.file("stat")).ok()?;
        let (_, rest) = text.rsplit_once(") ")?;
        Some(rest.split(' ').map(str::to_string).collect())
    }

    pub(crate) fn parent(self) -> Option<Process> {
        Some(Process(self.stat()?.get(1)?.parse().ok()?))
    }

    /// Whether it still runs: a zombie does not.
    pub(crate) fn lives(self) -> bool {
        self.stat().is_some_and(|stat| runs(&stat))
    }

    pub(crate) fn command_line(self) -> Vec<u8> {
        fs::read(self.file("cmdline")).unwrap_or_default()
    }

    /// Whether it is an embedded store.
    pub(crate) fn is_store(self) -> bool {
        self.command_line().starts_with(b"zerohttpd\0store\0")
    }

    /// Whether it is the admin's server.
    pub(crate) fn is_admin(self) -> bool {
        fs::read_to_string(self.file("comm")).is_ok_and(|name| name == "zerohttpd-admin\n")
    }

    pub(crate) fn threads(self) -> usize {
        fs::read_dir(self.file("task")).map_or(0, Iterator::count)
    }

    /// Whether each of its threads is traced.
    pub(crate) fn is_traced(self) -> bool {
        let threads = fs::read_dir(self.file("task")).into_iter().flatten().flatten();
        let mut statuses = threads.map(|thread| fs::read_to_string(thread.path().join("status")));
        statuses.all(|status| status.is_ok_and(|text| !text.contains("TracerPid:\t0\n")))
    }

    /// What its descriptors lead to, as in `socket:[1234]`.
    pub(crate) fn descriptors(self) -> Vec<String> {
        let Ok(listing) = fs::read_dir(self.file("fd")) else { return Vec::new() };
        let targets = listing.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
        targets.map(|target| target.to_string_lossy().into_owned()).collect()
    }

    /// The numbers of its descriptors.
    pub(crate) fn descriptor_numbers(self) -> Vec<u64> {
        let listing = fs::read_dir(self.file("fd")).into_iter().flatten().flatten();
        listing.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
    }

    /// The memory of its own, in bytes: heap and stacks. What it shares with others since a fork
    /// counts in part (Pss in proc(5)).
    pub(crate) fn memory(self) -> u64 {
        let text = fs::read_to_string(self.file("smaps_rollup")).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("Pss_Anon:")).unwrap_or_default();
        let kib = line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok());
        kib.unwrap_or(0) * 1024
    }

    /// Whether it is on its way out: it, or one of its threads, may have its descriptors still, but
    /// without its memory nothing tells any more whose process it is.
    pub(crate) fn is_leaving(self) -> bool {
        self.stat().is_some_and(|stat| is_exiting(&stat) && runs(&stat))
            && fs::read_to_string(self.file("comm")).is_ok_and(|name| name == "zerohttpd\n")
    }

    /// Whether it was started with this in its environment.
    pub(crate) fn has_variable(self, assignment: &str) -> bool {
        let environment = fs::read(self.file("environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|variable| variable == assignment.as_bytes())
    }

    /// Its children that live.
    pub(crate) fn children(self) -> Vec<Process> {
        living().into_iter().filter(|(_, parent)| *parent == self).map(|(child, _)| child).collect()
    }

    /// It, its children, theirs, and so on: those that live.
    pub(crate) fn family(self) -> Vec<Process> {
        let living = living();
        let mut family: Vec<_> =
            living.iter().map(|(process, _)| *process).filter(|process| *process == self).collect();
        let mut next = 0;
        while let Some(&parent) = family.get(next) {
            let children = living.iter().filter(|(_, other)| *other == parent);
            family.extend(children.map(|(child, _)| *child));
            next += 1;
        }
        family
    }

    /// Sends it a signal. It may have ended already.
    pub(crate) fn signal(self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.0 as i32) {
            let _ = kill_process(pid, signal);
        }
    }

    pub(crate) fn kill(self) {
        self.signal(Signal::KILL);
    }
}

/// Whether a process runs, by the fields of its `stat`. While its other threads are still on their
/// way out, the first of them is a zombie already, and the process has its descriptors yet.
fn runs(stat: &[String]) -> bool {
    const THREADS: usize = 17;
    !is_zombie(stat) || stat[THREADS].parse::<u32>().is_ok_and(|threads| threads > 1)
}

fn is_zombie(stat: &[String]) -> bool {
    matches!(stat[0].as_str(), "Z" | "X")
}

/// `PF_EXITING` among the flags of proc(5). It is set before memory and descriptors are given back.
fn is_exiting(stat: &[String]) -> bool {
    const FLAGS: usize = 6;
    is_zombie(stat) || stat[FLAGS].parse::<u32>().is_ok_and(|flags| flags & 0x4 != 0)
}

/// Every process that lives, with its parent.
fn living() -> Vec<(Process, Process)> {
    let with_parent = |process: Process| {
        let stat = process.stat()?;
        let parent = Process(stat.get(1)?.parse().ok()?);
        runs(&stat).then_some((process, parent))
    };
    all().into_iter().filter_map(with_parent).collect()
}

/// Every process that there is.
pub(crate) fn all() -> Vec<Process> {
    let listing = fs::read_dir("/proc").expect("/proc");
    let names = listing.flatten().map(|entry| entry.file_name());
    names.filter_map(|name| Some(Process(name.to_str()?.parse().ok()?))).collect()
}

/// The sockets of clients at a port: the descriptors that lead to them.
pub(crate) fn client_sockets(port: u16) -> HashSet<String> {
    const LISTENING: &str = "0A";
    let table = fs::read_to_string("/proc/net/tcp").expect("/proc/net/tcp");
    let here = format!(":{port:04X}");
    let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let ours = rows.filter(|row| row[1].ends_with(&here) && row[3] != LISTENING);
    ours.map(|row| format!("socket:[{}]", row[9])).collect()
}

/// The server's end of a client's connection: its line in /proc/net/tcp.
fn connection(port: u16, client_port: u16) -> Option<Vec<String>> {
    let table = fs::read_to_string("/proc/net/tcp").expect("/proc/net/tcp");
    let (here, there) = (format!(":{port:04X}"), format!(":{client_port:04X}"));
    let mut rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let row = rows.find(|row| row[1].ends_with(&here) && row[2].ends_with(&there))?;
    Some(row.into_iter().map(str::to_string).collect())
}

/// The server's end of a client's connection: the descriptor that leads to it.
pub(crate) fn socket_of(port: u16, client_port: u16) -> Option<String> {
    Some(format!("socket:[{}]", connection(port, client_port)?[9]))
}

/// The bytes that the kernel holds at the server's end of a client's connection, as the client has
/// not taken them.
pub(crate) fn unsent(port: u16, client_port: u16) -> Option<usize> {
    let row = connection(port, client_port)?;
    usize::from_str_radix(row[4].split(':').next()?, 16).ok()
}
