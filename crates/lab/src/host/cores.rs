//! Which cores the server and the load generator have. On a machine with two or more cores they
//! have different ones, so that neither takes the other's time.

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};

/// With at least this many cores, the store gets a core of its own.
const CORES_FOR_STORE: usize = 4;

/// The cores of each process, by the kernel's numbers. An empty list stands for all cores.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cores {
    /// The server, with all its threads and children.
    pub server: Vec<usize>,
    /// The embedded store, which is a child of the server. A Redis keeps the cores that it has.
    pub store: Vec<usize>,
    /// The load generator, and the laboratory itself.
    pub load: Vec<usize>,
}

impl Cores {
    /// Divides these cores among server, store and load generator. The generator needs less than
    /// half of what a server needs, so it gets the last third, and at least one core.
    pub fn divide(allowed: &[usize]) -> Cores {
        if allowed.len() < 2 {
            return Cores::default();
        }
        let (rest, load) = allowed.split_at(allowed.len() - (allowed.len() / 3).max(1));
        let has_own = allowed.len() >= CORES_FOR_STORE;
        let (server, store) = if has_own { rest.split_at(rest.len() - 1) } else { (rest, rest) };
        Cores { server: server.to_vec(), store: store.to_vec(), load: load.to_vec() }
    }

    /// Whether server and load generator have different cores.
    pub fn are_separate(&self) -> bool {
        !self.server.is_empty()
    }

    /// Whether the embedded store has the same cores as the server.
    pub fn store_is_with_server(&self) -> bool {
        self.server == self.store
    }

    /// The division in words, for the report.
    pub fn in_words(&self, store_is_embedded: bool) -> String {
        if !self.are_separate() {
            return "server, store and load share one core".into();
        }
        let named = |cores: &[usize]| {
            let word = if cores.len() == 1 { "core" } else { "cores" };
            format!("{word} {}", ranges(cores))
        };
        let (server, load) = (named(&self.server), named(&self.load));
        match (store_is_embedded, self.store_is_with_server()) {
            (false, _) => format!("server on {server}, load on {load}, the store where it runs"),
            (true, true) => format!("server and embedded store on {server}, load on {load}"),
            (true, false) => {
                format!(
                    "server on {server}, embedded store on {}, load on {load}",
                    named(&self.store)
                )
            }
        }
    }
}

/// The numbers in ranges, such as `0-2, 5`.
fn ranges(cores: &[usize]) -> String {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for &core in cores {
        match spans.last_mut() {
            Some((_, last)) if *last + 1 == core => *last = core,
            _ => spans.push((core, core)),
        }
    }
    let span = |(first, last): (usize, usize)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    spans.into_iter().map(span).collect::<Vec<_>>().join(", ")
}

/// The cores that this process can use.
pub fn allowed() -> Vec<usize> {
    let set = sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
    (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect()
}

/// The cores that a thread can use; none if it has ended.
pub fn allowed_to(thread: u32) -> Vec<usize> {
    let Some(pid) = i32::try_from(thread).ok().and_then(Pid::from_raw) else { return Vec::new() };
    let set = sched_getaffinity(Some(pid)).unwrap_or_else(|_| CpuSet::new());
    (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect()
}

/// Restricts a process to these cores. `None` stands for the calling thread, whose children
/// inherit the restriction. An empty list restricts nothing. A failure is ignored: it makes
/// measurements worse, not wrong.
pub fn pin_to(pid: Option<Pid>, cores: &[usize]) {
    if cores.is_empty() {
        return;
    }
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    let _ = sched_setaffinity(pid, &set);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divided(count: usize) -> (usize, usize, usize) {
        let cores = Cores::divide(&(0..count).collect::<Vec<_>>());
        (cores.server.len(), cores.store.len(), cores.load.len())
    }

    #[test]
    fn every_core_is_given_to_a_process() {
        assert_eq!(divided(1), (0, 0, 0));
        assert_eq!(divided(2), (1, 1, 1));
        assert_eq!(divided(3), (2, 2, 1));
        assert_eq!(divided(4), (2, 1, 1));
        assert_eq!(divided(8), (5, 1, 2));
        assert_eq!(divided(64), (42, 1, 21));
    }

    #[test]
    fn the_division_of_cores_has_words() {
        let words_for = |allowed: &[usize]| Cores::divide(allowed).in_words(true);
        assert_eq!(words_for(&[0]), "server, store and load share one core");
        assert_eq!(words_for(&[0, 1]), "server and embedded store on core 0, load on core 1");
        let words = "server on cores 0-1, 4, embedded store on core 5, load on cores 6-7";
        assert_eq!(words_for(&[0, 1, 4, 5, 6, 7]), words);
        let words = "server on core 0, load on core 1, the store where it runs";
        assert_eq!(Cores::divide(&[0, 1]).in_words(false), words);
    }

    #[test]
    fn this_process_can_run_on_a_core() {
        assert!(!allowed().is_empty());
        assert!(!allowed_to(std::process::id()).is_empty());
        assert!(allowed_to(0).is_empty());
    }
}
