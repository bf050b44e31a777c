//! Processes as /proc shows them: their relations and their resources.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};

/// A process by its number. If it has ended, its values are empty, 0 or false.
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

    /// Its title, as ps(1) shows it.
    pub(crate) fn title(self) -> String {
        let line = String::from_utf8_lossy(&self.command_line()).into_owned();
        line.trim_end_matches('\0').replace('\0', " ")
    }

    /// Whether it is an embedded store.
    pub(crate) fn is_store(self) -> bool {
        // Until it sets its title, it has the command line by which it was started.
        let line = self.command_line();
        let beginnings = [&b"zerohttpd: store "[..], b"zerohttpd\0store\0"];
        beginnings.iter().any(|beginning| line.starts_with(beginning))
    }

    /// Its name, cut to 15 bytes.
    pub(crate) fn name(self) -> String {
        let name = fs::read_to_string(self.file("comm")).unwrap_or_default();
        name.trim_end().to_string()
    }

    /// Whether it is an admin process.
    pub(crate) fn is_admin(self) -> bool {
        self.name() == "zerohttpd-admin"
    }

    /// Whether it is the supervisor's child that tries to reach a failed store.
    pub(crate) fn is_store_lookup(self) -> bool {
        fs::read_to_string(self.file("comm")).is_ok_and(|name| name == "zerohttpd-seek\n")
    }

    pub(crate) fn threads(self) -> usize {
        fs::read_dir(self.file("task")).map_or(0, Iterator::count)
    }

    /// Whether all of its threads are traced (ptrace(2)).
    pub(crate) fn is_traced(self) -> bool {
        let threads = fs::read_dir(self.file("task")).into_iter().flatten().flatten();
        let mut statuses = threads.map(|thread| fs::read_to_string(thread.path().join("status")));
        statuses.all(|status| status.is_ok_and(|text| !text.contains("TracerPid:\t0\n")))
    }

    /// The targets of its descriptors as /proc names them, such as `socket:[1234]`.
    pub(crate) fn descriptors(self) -> Vec<String> {
        let Ok(listing) = fs::read_dir(self.file("fd")) else { return Vec::new() };
        let targets = listing.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
        targets.map(|target| target.to_string_lossy().into_owned()).collect()
    }

    /// The pipes that it can write to, as `pipe:[1234]`. A server's log is a file in these tests.
    pub(crate) fn writable_pipes(self) -> Vec<String> {
        let is_writable = |number: &u64| {
            let info = fs::read_to_string(self.file(&format!("fdinfo/{number}")));
            let flags = info.ok().and_then(|info| {
                let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
                u64::from_str_radix(flags.trim(), 8).ok()
            });
            flags.is_some_and(|flags| flags & 3 != 0)
        };
        let numbers = self.descriptor_numbers().into_iter().filter(is_writable);
        let targets = numbers.filter_map(|n| fs::read_link(self.file(&format!("fd/{n}"))).ok());
        let targets = targets.map(|target| target.to_string_lossy().into_owned());
        targets.filter(|target| target.starts_with("pipe:")).collect()
    }

    /// The numbers of its descriptors.
    pub(crate) fn descriptor_numbers(self) -> Vec<u64> {
        let listing = fs::read_dir(self.file("fd")).into_iter().flatten().flatten();
        listing.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
    }

    /// Its heap and stacks in bytes. Pages that it shares with other processes since a fork are
    /// divided among these (`Pss_Anon`, proc_pid_smaps(5)).
    pub(crate) fn memory(self) -> u64 {
        let text = fs::read_to_string(self.file("smaps_rollup")).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("Pss_Anon:")).unwrap_or_default();
        let kib = line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok());
        kib.unwrap_or(0) * 1024
    }

    /// Whether it is a `zerohttpd` that the kernel is ending. It can still have its descriptors,
    /// but its environment is gone, so nothing tells which server it belonged to.
    pub(crate) fn is_being_torn_down(self) -> bool {
        self.stat().is_some_and(|stat| is_exiting(&stat) && runs(&stat))
            && fs::read_to_string(self.file("comm")).is_ok_and(|name| name == "zerohttpd\n")
    }

    /// Whether it was started with this variable, `NAME=value`, in its environment.
    pub(crate) fn has_variable(self, assignment: &str) -> bool {
        let environment = fs::read(self.file("environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|variable| variable == assignment.as_bytes())
    }

    /// Its children, without zombies.
    pub(crate) fn children(self) -> Vec<Process> {
        living().into_iter().filter(|(_, parent)| *parent == self).map(|(child, _)| child).collect()
    }

    /// The children that its main thread has created; cheap, since this does not read all of /proc.
    pub(crate) fn children_of_main_thread(self) -> Vec<Process> {
        let file = self.file(&format!("task/{}/children", self.0));
        let listed = fs::read_to_string(file).unwrap_or_default();
        listed.split_whitespace().filter_map(|pid| Some(Process(pid.parse().ok()?))).collect()
    }

    /// The process and all its descendants, without zombies.
    pub(crate) fn tree(self) -> Vec<Process> {
        let living = living();
        let mut tree: Vec<_> =
            living.iter().map(|(process, _)| *process).filter(|process| *process == self).collect();
        let mut next = 0;
        while let Some(&parent) = tree.get(next) {
            let children = living.iter().filter(|(_, other)| *other == parent);
            tree.extend(children.map(|(child, _)| *child));
            next += 1;
        }
        tree
    }

    /// Sends a signal; no error if the process has ended.
    pub(crate) fn signal(self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.0 as i32) {
            let _ = kill_process(pid, signal);
        }
    }

    pub(crate) fn kill(self) {
        self.signal(Signal::KILL);
    }
}

/// Whether a process runs, by the fields of its `stat`. If its first thread ends before the others,
/// the state is that of a zombie while the process still runs and has its descriptors.
fn runs(stat: &[String]) -> bool {
    const THREADS: usize = 17;
    !is_zombie(stat) || stat[THREADS].parse::<u32>().is_ok_and(|threads| threads > 1)
}

fn is_zombie(stat: &[String]) -> bool {
    matches!(stat[0].as_str(), "Z" | "X")
}

/// Whether the kernel is ending the process: it sets `PF_EXITING` (the field `flags` in
/// proc_pid_stat(5)) before it frees memory and descriptors.
fn is_exiting(stat: &[String]) -> bool {
    const FLAGS: usize = 6;
    is_zombie(stat) || stat[FLAGS].parse::<u32>().is_ok_and(|flags| flags & 0x4 != 0)
}

/// All processes that run, each with its parent.
fn living() -> Vec<(Process, Process)> {
    let with_parent = |process: Process| {
        let stat = process.stat()?;
        let parent = Process(stat.get(1)?.parse().ok()?);
        runs(&stat).then_some((process, parent))
    };
    all().into_iter().filter_map(with_parent).collect()
}

/// All processes of the machine, with zombies.
pub(crate) fn all() -> Vec<Process> {
    let listing = fs::read_dir("/proc").expect("/proc");
    let names = listing.flatten().map(|entry| entry.file_name());
    names.filter_map(|name| Some(Process(name.to_str()?.parse().ok()?))).collect()
}

/// The server's ends of all connections at a port, named as in [`Process::descriptors`].
pub(crate) fn client_sockets(port: u16) -> HashSet<String> {
    const LISTENING: &str = "0A";
    let table = fs::read_to_string("/proc/net/tcp").expect("/proc/net/tcp");
    let here = format!(":{port:04X}");
    let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let rows = rows.filter(|row| row[1].ends_with(&here) && row[3] != LISTENING);
    rows.map(|row| format!("socket:[{}]", row[9])).collect()
}

/// The server's end of a client's connection: the fields of its line in /proc/net/tcp.
fn connection(port: u16, client_port: u16) -> Option<Vec<String>> {
    let table = fs::read_to_string("/proc/net/tcp").expect("/proc/net/tcp");
    let (here, there) = (format!(":{port:04X}"), format!(":{client_port:04X}"));
    let mut rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let row = rows.find(|row| row[1].ends_with(&here) && row[2].ends_with(&there))?;
    Some(row.into_iter().map(str::to_string).collect())
}

/// The server's end of a client's connection, named as in [`Process::descriptors`].
pub(crate) fn socket_of(port: u16, client_port: u16) -> Option<String> {
    Some(format!("socket:[{}]", connection(port, client_port)?[9]))
}

/// The bytes in the send queue at the server's end of a client's connection.
pub(crate) fn unsent(port: u16, client_port: u16) -> Option<usize> {
    let row = connection(port, client_port)?;
    usize::from_str_radix(row[4].split(':').next()?, 16).ok()
}
