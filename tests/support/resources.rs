//! The resources that the processes of a server hold.

use std::collections::BTreeMap;

use super::process;
use super::server::{Server, takes_workers};
use super::{wait_for, wait_until};

/// The number of workers of a small server.
const FEW: &str = "8";

/// The resources of all processes of a server, without its embedded store.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Resources {
    pub(crate) processes: usize,
    pub(crate) threads: usize,
    pub(crate) client_sockets: usize,
    /// How many descriptors lead to each target, sockets left out: a pool opens connections to the
    /// store while it serves.
    pub(crate) descriptors: BTreeMap<String, usize>,
}

impl Server {
    /// Starts an architecture with [`FEW`] workers if it has the option, so that the number of its
    /// processes and threads [without clients](Server::await_idle) is known.
    #[track_caller]
    pub(crate) fn start_small(arch: &str, store: &str, extra: &[&str]) -> Server {
        let workers: &[&str] = if takes_workers(arch) { &["--workers", FEW] } else { &[] };
        Server::start(arch, store, &[extra, workers].concat())
    }

    /// Waits until a [small](Server::start_small) server has created its pool and has no client;
    /// returns the resources that it then has.
    #[track_caller]
    pub(crate) fn await_idle(&self) -> Resources {
        let stderr = self.errors();
        let few: usize = FEW.parse().expect("a number");
        // Threads of all processes: the supervisor, and a server with or without a pool; or the
        // supervisor and several servers.
        let threads = if stderr.contains(&format!(", {FEW} workers:")) {
            2 + few
        } else if stderr.contains(&format!(", {FEW} processes:")) {
            1 + few
        } else {
            2
        };
        let mut last = None;
        wait_for(&format!("{threads} threads and no client"), || {
            let now = self.resources();
            let is_idle = now.client_sockets == 0 && now.threads.max(now.processes) == threads;
            // A new process first has to close the descriptors that it inherited and does not use.
            let is_steady = last.as_ref() == Some(&now);
            last = Some(now);
            if is_idle && is_steady { last.take() } else { None }
        })
    }

    /// Waits until it has no client and its resources no longer change.
    #[track_caller]
    pub(crate) fn await_steady(&self) {
        let mut last = None;
        wait_until("a server without clients whose resources no longer change", || {
            let now = self.resources();
            let is_steady = now.client_sockets == 0 && last.as_ref() == Some(&now);
            last = Some(now);
            is_steady
        });
    }

    /// Its resources now.
    pub(crate) fn resources(&self) -> Resources {
        let mut processes = self.processes();
        processes.retain(|process| !process.is_store());
        let clients = process::client_sockets(self.port);
        let mut resources = Resources {
            processes: processes.len(),
            threads: processes.iter().map(|process| process.threads()).sum(),
            client_sockets: 0,
            descriptors: BTreeMap::new(),
        };
        for target in processes.iter().flat_map(|process| process.descriptors()) {
            if clients.contains(&target) {
                resources.client_sockets += 1;
            } else if !target.starts_with("socket:") {
                *resources.descriptors.entry(target).or_default() += 1;
            }
        }
        resources
    }
}
