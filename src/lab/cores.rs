//! Which cores the server has, and which the load: apart where there are two or more, so that
//! neither takes the other's time.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};

/// From so many cores on, the store has one of its own.
const FOR_A_STORE: usize = 4;

/// Who runs where. The numbers are the kernel's; an empty list stands for every core.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cores {
    /// The server, with all its threads and children.
    pub server: Vec<usize>,
    /// The embedded store, which is a child of the server. Another store runs where it runs.
    pub store: Vec<usize>,
    /// The load, and the laboratory itself.
    pub load: Vec<usize>,
}

impl Cores {
    /// Divides these. A load needs less than half of what a server does, so it has the last third,
    /// but one at least.
    pub fn divide(allowed: &[usize]) -> Cores {
        if allowed.len() < 2 {
            return Cores::default();
        }
        let (rest, load) = allowed.split_at(allowed.len() - (allowed.len() / 3).max(1));
        let has_own = allowed.len() >= FOR_A_STORE;
        let (server, store) = if has_own { rest.split_at(rest.len() - 1) } else { (rest, rest) };
        Cores { server: server.to_vec(), store: store.to_vec(), load: load.to_vec() }
    }

    /// Whether server and load have each their own.
    pub fn are_apart(&self) -> bool {
        !self.server.is_empty()
    }

    /// Whether the embedded store has the server's.
    pub fn store_is_with_server(&self) -> bool {
        self.server == self.store
    }

    /// In words.
    pub fn in_words(&self, store_is_embedded: bool) -> String {
        if !self.are_apart() {
            return "server, store and load share one core".into();
        }
        let of = |cores: &[usize]| {
            let word = if cores.len() == 1 { "core" } else { "cores" };
            format!("{word} {}", ranges(cores))
        };
        let (server, load) = (of(&self.server), of(&self.load));
        match (store_is_embedded, self.store_is_with_server()) {
            (false, _) => format!("server on {server}, load on {load}, the store where it runs"),
            (true, true) => format!("server and embedded store on {server}, load on {load}"),
            (true, false) => {
                format!("server on {server}, embedded store on {}, load on {load}", of(&self.store))
            }
        }
    }
}

/// `0-2, 5`.
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

/// The cores that this process may run on.
pub fn allowed() -> Vec<usize> {
    let set = sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
    (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect()
}

/// Keeps a process to these cores; none is this thread, whose children then have the same. That it
/// is refused changes how well is measured, not whether.
pub fn keep_to(pid: Option<rustix::process::Pid>, cores: &[usize]) {
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
    fn cores_are_divided_and_none_is_idle() {
        assert_eq!(divided(1), (0, 0, 0));
        assert_eq!(divided(2), (1, 1, 1));
        assert_eq!(divided(3), (2, 2, 1));
        assert_eq!(divided(4), (2, 1, 1));
        assert_eq!(divided(8), (5, 1, 2));
        assert_eq!(divided(64), (42, 1, 21));
    }

    #[test]
    fn who_runs_where_is_told() {
        let told = |allowed: &[usize]| Cores::divide(allowed).in_words(true);
        assert_eq!(told(&[0]), "server, store and load share one core");
        assert_eq!(told(&[0, 1]), "server and embedded store on core 0, load on core 1");
        let words = "server on cores 0-1, 4, embedded store on core 5, load on cores 6-7";
        assert_eq!(told(&[0, 1, 4, 5, 6, 7]), words);
        let words = "server on core 0, load on core 1, the store where it runs";
        assert_eq!(Cores::divide(&[0, 1]).in_words(false), words);
    }

    #[test]
    fn we_may_run_somewhere() {
        assert!(!allowed().is_empty());
    }
}
