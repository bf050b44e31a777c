//! The checks of the doctor, one function for each.

use std::path::Path;

use landlock::{ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr};

use super::check::{Check, Severity};
use super::neighbours::Neighbours;
use crate::host::cores::{self, Cores};
use crate::host::machine::{self, Machine};
use crate::report::agreement::Agreement;

/// The descriptors that server and load generator need for the clients of the largest table, with
/// a few to spare.
const DESCRIPTORS: u64 = 16_384;

/// The length of the accept queue that our servers request.
const QUEUE: u64 = 4096;

/// The ports that the clients of the largest table need.
const PORTS: u16 = 16_384;

/// Other processes that use this many cores disturb a measurement.
const DISTURBING: f64 = 0.1;

/// Other processes that use this many cores spoil a measurement.
const SPOILING: f64 = 0.3;

/// The memory for the largest table in the worst case: a process for each of 15,000 clients.
const MEMORY_KIB: u64 = 4 * 1024 * 1024;

/// Runs all checks.
pub fn all() -> Vec<Check> {
    let machine = Machine::read();
    let mut checks = vec![
        cores(&machine),
        neighbours(Neighbours::watch().unwrap_or_default()),
        quota(&machine),
        governor(machine.frequency_governor.as_deref()),
        descriptors(machine.descriptor_limit_hard),
        queue(machine.accept_queue_limit),
        ports(&machine),
        time_wait(machine::number("net/ipv4/tcp_tw_reuse")),
        memory(machine::memory_kib("MemAvailable").unwrap_or_default()),
        processes(),
    ];
    checks.extend(siblings());
    checks.extend(tracked_connections());
    checks.extend([io_uring(machine::number("kernel/io_uring_disabled")), landlock()]);
    checks.extend(ptrace(machine::number("kernel/yama/ptrace_scope")));
    checks.push(program("wrk", "to compare the load generator with"));
    checks.push(program("redis-server", "for the guestbook on Redis (--store)"));
    checks
}

/// How much one server differs from itself.
pub fn noise(agreement: Result<Agreement, String>) -> Check {
    let wanted = "five rounds tell servers apart that differ by a factor of 1.1";
    match agreement {
        Err(text) => Check::passed("noise", "not measured", wanted).unless(
            false,
            Severity::Warn,
            format!("No server could be measured: {text}"),
            None,
        ),
        Ok(agreement) => Check::passed("noise", agreement.in_short(), wanted).unless(
            agreement.is_quiet(),
            Severity::Warn,
            agreement.in_words(),
            None,
        ),
    }
}

fn cores(machine: &Machine) -> Check {
    Check::passed("cores", machine.cores.to_string(), "2 or more").unless(
        machine.cores > 1,
        Severity::Bad,
        "Server and load generator take each other's time.",
        None,
    )
}

/// Hyperthreads are two cores in name that share one core's units, and slow each other down.
fn siblings() -> Option<Check> {
    let divided = Cores::divide(&cores::allowed());
    let list = |core: &usize| {
        let file = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
        Some(std::fs::read_to_string(file).ok()?.trim().to_owned())
    };
    let of = |cores: &[usize]| cores.iter().filter_map(list).collect::<Vec<_>>();
    let (server, load) = (of(&divided.server), of(&divided.load));
    let shared = server.iter().find(|siblings| load.contains(siblings));
    let found = shared.map_or("server and load on cores of their own".into(), |siblings| {
        format!("server and load share the core of {siblings}")
    });
    let check = Check::passed("hyper-threads", found, "a core of its own for each");
    (!server.is_empty()).then(|| {
        check.unless(
            shared.is_none(),
            Severity::Warn,
            "Each is slower while the other runs.",
            Some("echo off | sudo tee /sys/devices/system/cpu/smt/control".into()),
        )
    })
}

fn neighbours(seen: Neighbours) -> Check {
    let busy = seen.cores_used + seen.stolen_cores;
    let names: Vec<_> =
        seen.busiest.iter().map(|(name, cores)| format!("{name} {cores:.2}")).collect();
    let who = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
    let stolen = match seen.stolen_cores {
        stolen if stolen > 0.01 => format!(", the host took {stolen:.2}"),
        _ => String::new(),
    };
    let found = format!("others use {:.2} cores{who}{stolen}", seen.cores_used);
    let verdict = if busy >= SPOILING { Severity::Bad } else { Severity::Warn };
    Check::passed("neighbours", found, format!("less than {DISTURBING}")).unless(
        busy < DISTURBING,
        verdict,
        "What they do differs from run to run, and is measured with the servers.",
        Some("top -o %CPU   # and end what is not needed".into()),
    )
}

fn quota(machine: &Machine) -> Check {
    let found = match machine.cpu_quota_cores {
        None => "none".to_owned(),
        Some(cores) => format!("{cores} cores"),
    };
    Check::passed("quota of the cgroup", found, "none").unless(
        machine.cpu_quota_cores.is_none(),
        Severity::Bad,
        "Server and load are stopped for the rest of a period when the quota is used up.",
        Some("systemctl set-property YOUR.slice CPUQuota=   # or docker update --cpus 0".into()),
    )
}

fn governor(found: Option<&str>) -> Check {
    let shown = found.unwrap_or("none visible");
    Check::passed("frequency governor", shown, "performance").unless(
        matches!(found, None | Some("performance")),
        Severity::Warn,
        "The first run on a core that was idle is slower than the next.",
        Some("sudo cpupower frequency-set -g performance".into()),
    )
}

fn descriptors(limit: Option<u64>) -> Check {
    let found = limit.map_or("unlimited".into(), |limit| limit.to_string());
    let enough = limit.is_none_or(|limit| limit >= DESCRIPTORS);
    let verdict =
        if limit.is_some_and(|limit| limit < 4096) { Severity::Bad } else { Severity::Warn };
    Check::passed("descriptors (hard)", found, format!("{DESCRIPTORS} or more")).unless(
        enough,
        verdict,
        "A server accepts no more clients than it has descriptors.",
        Some(format!("sudo prlimit --pid $$ --nofile={DESCRIPTORS}:{DESCRIPTORS}")),
    )
}

fn queue(limit: u64) -> Check {
    Check::passed("accept queue", limit.to_string(), format!("{QUEUE} or more")).unless(
        limit >= QUEUE,
        Severity::Bad,
        "If many clients come at once, some are turned away and try again after a second.",
        Some(format!("sudo sysctl -w net.core.somaxconn={QUEUE}")),
    )
}

fn ports(machine: &Machine) -> Check {
    let (found, count) = match machine.client_ports {
        Some((first, last)) => (format!("{first} to {last}"), last.saturating_sub(first)),
        None => ("not known".into(), 0),
    };
    Check::passed("ports for clients", found, format!("{PORTS} or more")).unless(
        count >= PORTS,
        Severity::Warn,
        "With a connection per request, the ports of each local address run out.",
        Some("sudo sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"".into()),
    )
}

fn time_wait(reuse: Option<u64>) -> Check {
    let found = reuse.map_or("not known".into(), |reuse| reuse.to_string());
    Check::passed("tcp_tw_reuse", found, "1 or 2").unless(
        reuse.is_none_or(|reuse| reuse > 0),
        Severity::Warn,
        "A port that was used rests for a minute before it can be used again.",
        Some("sudo sysctl -w net.ipv4.tcp_tw_reuse=2".into()),
    )
}

fn memory(available_kib: u64) -> Check {
    let gib = |kib: u64| format!("{:.1} GiB", kib as f64 / 1024.0 / 1024.0);
    Check::passed("memory", gib(available_kib), format!("{} or more", gib(MEMORY_KIB))).unless(
        available_kib >= MEMORY_KIB,
        Severity::Warn,
        "A process for each of thousands of clients needs memory.",
        None,
    )
}

/// Three limits apply to servers with a process for each client.
fn processes() -> Check {
    const WANTED: u64 = 20_000;
    let own = rustix::process::getrlimit(rustix::process::Resource::Nproc).current;
    let limits = [own, machine::number("kernel/pid_max"), machine::number("kernel/threads-max")];
    let least = limits.into_iter().flatten().min();
    let found = least.map_or("unlimited".into(), |least| least.to_string());
    Check::passed("processes", found, format!("{WANTED} or more")).unless(
        least.is_none_or(|least| least >= WANTED),
        Severity::Warn,
        "If each client has a process or a thread, the largest numbers of clients do not fit.",
        Some(format!("ulimit -u {WANTED}; sudo sysctl -w kernel.pid_max=4194304")),
    )
}

/// The table of tracked connections, if there is one: the kernel drops the packets of connections
/// for which the table has no room.
fn tracked_connections() -> Option<Check> {
    const WANTED: u64 = 65_536;
    let limit = machine::number("net/netfilter/nf_conntrack_max")?;
    let check =
        Check::passed("tracked connections", limit.to_string(), format!("{WANTED} or more"));
    Some(check.unless(
        limit >= WANTED,
        Severity::Warn,
        "The firewall drops connections that it has no room to track.",
        Some(format!("sudo sysctl -w net.netfilter.nf_conntrack_max={WANTED}")),
    ))
}

fn io_uring(disabled: Option<u64>) -> Check {
    let (found, is_allowed) = match disabled {
        Some(0) => ("allowed", true),
        Some(1) => ("allowed to a group", true),
        Some(_) => ("forbidden", false),
        None => ("not restricted by a setting", true),
    };
    Check::passed("io_uring", found, "allowed").unless(
        is_allowed,
        Severity::Warn,
        "Peers that use io_uring do not start.",
        Some("sudo sysctl -w kernel.io_uring_disabled=0".into()),
    )
}

/// Our servers confine themselves where they can, and that is part of what they cost.
fn landlock() -> Check {
    // The rules are only built, not applied.
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V1))
        .and_then(Ruleset::create);
    let found = if rules.is_ok() { "available" } else { "not available" };
    Check::passed("Landlock", found, "available").unless(
        rules.is_ok(),
        Severity::Warn,
        "Our servers run without their sandbox, and are measured without it.",
        None,
    )
}

fn ptrace(scope: Option<u64>) -> Option<Check> {
    let scope = scope?;
    let check = Check::passed("ptrace_scope", scope.to_string(), "2 or less");
    Some(check.unless(
        scope <= 2,
        Severity::Warn,
        "No tool can trace the system calls of a server.",
        Some("sudo sysctl -w kernel.yama.ptrace_scope=1   # after a restart".into()),
    ))
}

/// A program that is useful but not required.
fn program(name: &'static str, for_what: &str) -> Check {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_installed =
        std::env::split_paths(&path).any(|folder| Path::new(&folder).join(name).exists());
    let found = if is_installed { "installed" } else { "not installed" };
    Check::passed(name, format!("{found} (optional, {for_what})"), "optional")
}

#[cfg(test)]
#[path = "checks_tests.rs"]
mod tests;
