//! The limit of descriptors of a server process, and how many clients and workers it allows.

use rustix::process::{Resource, getrlimit, setrlimit};
use zerohttpd_sys::say;

use crate::arch::{Arch, Workers};

/// The limit of descriptors of a process.
#[derive(Clone, Copy)]
pub struct Descriptors(usize);

/// Descriptors for everything except clients and listening sockets: the store, files, the log and
/// the root.
const OWN_DESCRIPTORS: usize = 64;

/// A server with threads needs at least this many descriptors besides those of its clients: a dozen
/// that are open from the start, 16 connections to the store, and some files.
const MIN_OWN_WITH_THREADS: usize = 40;

/// The maximum number of children of a server at a time, one for each client. A machine allows
/// 32,768 processes by default (`pid_max` in proc(5)).
const MAX_CHILDREN: usize = 16 * 1024;

impl Descriptors {
    /// Raises the limit of this process as far as possible, and returns it.
    pub fn raise_limit() -> Descriptors {
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        let _ = setrlimit(Resource::Nofile, limit);
        let count = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        Descriptors(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// The maximum number of clients that a server can serve at a time.
    pub fn clients(self, arch: &Arch, listeners: usize) -> usize {
        if arch.workers == Workers::None && !arch.has_threads {
            // Each client has its own process, with its own limit.
            return MAX_CHILDREN;
        }
        let min = if arch.has_threads { MIN_OWN_WITH_THREADS } else { 0 };
        let own = (OWN_DESCRIPTORS + listeners).min((self.0 / 4).max(min));
        self.0.saturating_sub(own).max(1)
    }

    /// How many of the wanted workers a pool can have. Each thread needs two descriptors: one for a
    /// client, which accept(2) reserves while it waits, and one for a file.
    pub fn workers(self, arch: &Arch, wanted: usize) -> usize {
        let max = (self.0.saturating_sub(MIN_OWN_WITH_THREADS) / 2).max(1);
        if !arch.has_threads || wanted <= max {
            return wanted;
        }
        let count = self.0;
        say!(
            "zerohttpd: {count} descriptors are enough for only {max} of {wanted} workers; raise \
             the limit of descriptors (ulimit -n, LimitNOFILE=)"
        );
        max
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch;

    #[test]
    fn threads_leave_descriptors_for_files_and_the_store() {
        for arch in arch::ALL {
            for count in 10..5000 {
                let descriptors = Descriptors(count);
                let workers = descriptors.workers(arch, 1000);
                assert!(workers >= 1 && descriptors.clients(arch, 1) >= 1);
                assert!(!arch.has_threads || workers == 1 || 2 * workers + 40 <= count);
                assert!(arch.has_threads || workers == 1000);
            }
        }
    }
}
