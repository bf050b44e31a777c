//! Other processes on this machine, watched for a second.

use std::thread;
use std::time::Duration;

use crate::host::proc::{self, Process};
use crate::host::ticks;

/// How long to watch.
const SECOND: Duration = Duration::from_secs(1);

/// What other processes did in a second.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Neighbours {
    /// How many cores they kept busy.
    pub cores_used: f64,
    /// How many cores the hypervisor gave to other guests.
    pub stolen_cores: f64,
    /// The busiest of them by name, with the cores that each kept busy.
    pub busiest: Vec<(String, f64)>,
}

/// The most processes that a message names.
const MAX_NAMED: usize = 3;

impl Neighbours {
    /// Watches other processes for a second.
    pub fn watch() -> Option<Neighbours> {
        let (before, then) = (ticks::of_machine()?, proc::processes());
        thread::sleep(SECOND);
        let (after, now) = (ticks::of_machine()?, proc::processes());
        let ticks_per_s = rustix::param::clock_ticks_per_second() as f64;
        let cores = |now: u64, then: u64| now.saturating_sub(then) as f64 / ticks_per_s;
        Some(Neighbours {
            cores_used: cores(after.by_processes, before.by_processes),
            stolen_cores: cores(after.stolen, before.stolen),
            busiest: busiest(&then, &now, ticks_per_s),
        })
    }
}

fn busiest(then: &[Process], now: &[Process], ticks_per_s: f64) -> Vec<(String, f64)> {
    let used = |process: &Process| {
        let before = then.iter().find(|before| before.pid == process.pid);
        let ticks = process.ticks.saturating_sub(before.map_or(0, |before| before.ticks));
        (process.name.clone(), ticks as f64 / ticks_per_s)
    };
    let others = now.iter().filter(|process| process.pid != std::process::id());
    let mut used: Vec<_> = others.map(used).filter(|(_, cores)| *cores >= 0.01).collect();
    used.sort_by(|a, b| b.1.total_cmp(&a.1));
    used.truncate(MAX_NAMED);
    used
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_are_named() {
        let process = |pid: u32, ticks: u64| Process {
            pid: pid + 4_000_000,
            parent: 1,
            name: format!("p{pid}"),
            threads: 1,
            ticks,
            childrens_ticks: 0,
            page_faults: 0,
        };
        let then = [process(1, 100), process(2, 100), process(3, 0)];
        let now: Vec<_> =
            [(1, 150), (2, 100), (3, 90), (4, 5), (5, 2)].map(|(pid, t)| process(pid, t)).into();
        let named = busiest(&then, &now, 100.0);
        let expected = [("p3", 0.9), ("p1", 0.5), ("p4", 0.05)];
        assert_eq!(named, expected.map(|(name, cores)| (name.to_owned(), cores)));
    }
}
