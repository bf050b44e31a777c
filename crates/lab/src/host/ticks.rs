//! How processors spent their time since the machine was started, in ticks of the kernel's clock:
//! on the whole machine, and on each core (`/proc/stat` in proc(5)).

use std::collections::BTreeMap;
use std::iter::Sum;

use super::proc::read;

/// Ticks of processor time, by use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticks {
    /// All ticks, idle ones included.
    pub all: u64,
    /// Ticks of processes, and of the kernel for them.
    pub by_processes: u64,
    /// Idle ticks.
    pub idle: u64,
    /// Ticks that the hypervisor gave to other guests.
    pub stolen: u64,
}

/// The ticks of the whole machine.
pub fn of_machine() -> Option<Ticks> {
    read("/proc/stat")?.lines().find_map(|line| Ticks::parse(line.strip_prefix("cpu ")?))
}

/// The ticks of each core, by its number.
pub fn of_cores() -> BTreeMap<usize, Ticks> {
    rows(&read("/proc/stat").unwrap_or_default())
}

fn rows(text: &str) -> BTreeMap<usize, Ticks> {
    let row = |line: &str| {
        let (number, fields) = line.strip_prefix("cpu")?.split_once(' ')?;
        Some((number.parse().ok()?, Ticks::parse(fields)?))
    };
    text.lines().filter_map(row).collect()
}

impl Ticks {
    fn parse(fields: &str) -> Option<Ticks> {
        // The two columns after these are the time of guests, which the others include.
        let fields = fields.split_whitespace().take(8).map_while(|field| field.parse().ok());
        let fields: Vec<u64> = fields.collect();
        let [user, nice, system, idle, io_wait, ..] = fields[..] else { return None };
        Some(Ticks {
            all: fields.iter().sum(),
            by_processes: user + nice + system,
            idle: idle + io_wait,
            stolen: fields.get(7).copied().unwrap_or(0),
        })
    }

    /// The difference from an earlier sample.
    pub fn since(self, then: Ticks) -> Ticks {
        Ticks {
            all: self.all.saturating_sub(then.all),
            by_processes: self.by_processes.saturating_sub(then.by_processes),
            idle: self.idle.saturating_sub(then.idle),
            stolen: self.stolen.saturating_sub(then.stolen),
        }
    }

    /// The busy share of the time, from 0 to 1; none if no time has passed.
    pub fn busy_share(self) -> Option<f64> {
        (self.all > 0).then(|| 1.0 - self.idle as f64 / self.all as f64)
    }
}

impl Sum for Ticks {
    fn sum<I: Iterator<Item = Ticks>>(all: I) -> Ticks {
        all.fold(Ticks::default(), |one, other| Ticks {
            all: one.all + other.all,
            by_processes: one.by_processes + other.by_processes,
            idle: one.idle + other.idle,
            stolen: one.stolen + other.stolen,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_core_did_is_read() {
        let text = "cpu  9 9 9 9 9 0 0 0\ncpu0 1 2 3 40 5 6 7 8 0 0\ncpu11 1 0 0 9 0\nintr 5 5\n";
        let rows = rows(text);
        assert_eq!(rows[&0], Ticks { all: 72, by_processes: 6, idle: 45, stolen: 8 });
        assert_eq!((rows.len(), rows[&11].idle), (2, 9));
        assert!(!of_cores().is_empty());
        assert!(of_cores().values().all(|core| core.all >= core.idle));
        assert!(of_machine().is_some_and(|machine| machine.by_processes > 0));
    }

    #[test]
    fn the_busy_share_is_the_time_that_was_not_idle() {
        let core = |all, idle| Ticks { all, idle, ..Ticks::default() };
        let of = |cores: &[Ticks]| cores.iter().copied().sum::<Ticks>().busy_share();
        let then = core(100, 50);
        assert_eq!(of(&[core(200, 60).since(then)]), Some(0.9));
        assert_eq!(of(&[core(200, 60).since(then), core(200, 140).since(then)]), Some(0.5));
        assert_eq!(of(&[then.since(then)]), None);
    }
}
