//! The machine: its hardware, and the settings that matter when servers are measured.

use std::fs;
use std::path::Path;

use rustix::process::{Resource, getrlimit};
use serde::{Deserialize, Serialize};

use super::proc::read;

/// The facts about a machine that a report shows with the numbers measured on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Machine {
    /// The model name of the processor.
    pub cpu_model: String,
    /// How many cores this process can use.
    pub cores: usize,
    /// The kernel's release.
    pub kernel: String,
    /// The size of the memory.
    pub memory_kib: u64,
    /// The governor of the processor's frequency (`scaling_governor`); none if it can't be read.
    pub frequency_governor: Option<String>,
    /// The quota of processor time, in cores (cgroups(7)); none if there is no quota.
    pub cpu_quota_cores: Option<f64>,
    /// The longest accept queue that a socket can have (`somaxconn`).
    pub accept_queue_limit: u64,
    /// The range of ports for outgoing connections (`ip_local_port_range`).
    pub client_ports: Option<(u16, u16)>,
    /// The soft limit of descriptors; none if there is no limit.
    pub descriptor_limit: Option<u64>,
    /// The hard limit, to which the soft limit can be raised.
    pub descriptor_limit_hard: Option<u64>,
}

impl Machine {
    /// Reads the facts of this machine.
    pub fn read() -> Machine {
        let limit = getrlimit(Resource::Nofile);
        let cpuinfo = read("/proc/cpuinfo").unwrap_or_default();
        Machine {
            cpu_model: cpu_model(&cpuinfo).unwrap_or("unknown").to_owned(),
            cores: super::cores::allowed().len(),
            kernel: setting("kernel/osrelease").unwrap_or_default(),
            memory_kib: memory_kib("MemTotal").unwrap_or_default(),
            frequency_governor: governor(),
            cpu_quota_cores: cpu_quota_cores(),
            accept_queue_limit: number("net/core/somaxconn").unwrap_or_default(),
            client_ports: client_ports(),
            descriptor_limit: limit.current,
            descriptor_limit_hard: limit.maximum,
        }
    }
}

/// A kernel setting, named as in sysctl(8) but with slashes.
pub fn setting(name: &str) -> Option<String> {
    Some(read(&format!("/proc/sys/{name}"))?.trim().to_owned())
}

/// A kernel setting that is a number.
pub fn number(name: &str) -> Option<u64> {
    setting(name)?.parse().ok()
}

/// The first and the last port for outgoing connections.
pub fn client_ports() -> Option<(u16, u16)> {
    let text = setting("net/ipv4/ip_local_port_range")?;
    let (first, last) = text.split_once(char::is_whitespace)?;
    Some((first.parse().ok()?, last.trim().parse().ok()?))
}

/// The value of the line of `/proc/meminfo` with this name, in KiB.
pub fn memory_kib(what: &str) -> Option<u64> {
    let text = read("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The frequency governor of the first core.
pub fn governor() -> Option<String> {
    let file = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
    Some(fs::read_to_string(file).ok()?.trim().to_owned())
}

fn cpu_model(cpuinfo: &str) -> Option<&str> {
    let lines = cpuinfo.lines().filter_map(|line| line.split_once(':'));
    let named = |(name, _): &(&str, &str)| {
        matches!(name.trim(), "model name" | "Hardware" | "Model" | "cpu model")
    };
    lines.into_iter().find(named).map(|(_, model)| model.trim())
}

/// The least quota of all control groups of this process, in cores.
pub fn cpu_quota_cores() -> Option<f64> {
    let groups = read("/proc/self/cgroup")?;
    let quotas = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        match number {
            "0" => least_quota(Path::new("/sys/fs/cgroup"), path, &|group| {
                unified_quota(&fs::read_to_string(group.join("cpu.max")).ok()?)
            }),
            _ if controllers.split(',').any(|name| name == "cpu") => {
                least_quota(Path::new("/sys/fs/cgroup/cpu"), path, &|group| {
                    let number = |name: &str| fs::read_to_string(group.join(name)).ok();
                    in_cores(&number("cpu.cfs_quota_us")?, &number("cpu.cfs_period_us")?)
                })
            }
            _ => None,
        }
    });
    quotas.reduce(f64::min)
}

/// The least quota of a group and its ancestors.
fn least_quota(root: &Path, group: &str, quota: &dyn Fn(&Path) -> Option<f64>) -> Option<f64> {
    let path = root.join(group.trim_start_matches('/'));
    let groups = path.ancestors().take_while(|group| group.starts_with(root));
    groups.filter_map(quota).reduce(f64::min)
}

/// Reads `cpu.max` of cgroup v2, a quota and a period. The quota `max` is none.
fn unified_quota(text: &str) -> Option<f64> {
    let (quota, period) = text.trim().split_once(' ')?;
    in_cores(quota, period)
}

/// A quota divided by its period, in cores. A quota of -1 or `max` is none.
fn in_cores(quota: &str, period: &str) -> Option<f64> {
    let (quota, period): (f64, f64) = (quota.trim().parse().ok()?, period.trim().parse().ok()?);
    (quota > 0.0 && period > 0.0).then_some(quota / period)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_in_cores() {
        assert_eq!(unified_quota("max 100000\n"), None);
        assert_eq!(unified_quota("150000 100000\n"), Some(1.5));
        assert_eq!(in_cores("-1\n", "100000\n"), None);
    }

    #[test]
    fn the_least_of_nested_quotas_counts() {
        let quota = |group: &Path| match group.to_str() {
            Some("/groups/a") => Some(2.0),
            Some("/groups/a/b") => Some(3.0),
            _ => None,
        };
        assert_eq!(least_quota(Path::new("/groups"), "/a/b", &quota), Some(2.0));
        assert_eq!(least_quota(Path::new("/groups"), "/", &quota), None);
    }

    #[test]
    fn a_processor_has_a_name() {
        let text = "processor\t: 0\nmodel\t\t: 207\nmodel name\t: Some(R) Processor\n";
        assert_eq!(cpu_model(text), Some("Some(R) Processor"));
        assert_eq!(cpu_model("processor : 0\n"), None);
    }

    #[test]
    fn this_machine_can_be_read() {
        let machine = Machine::read();
        assert!(machine.cores > 0 && machine.memory_kib > 0 && !machine.kernel.is_empty());
        assert!(machine.accept_queue_limit > 0);
        assert!(machine.client_ports.is_some_and(|(first, last)| first < last));
    }
}
