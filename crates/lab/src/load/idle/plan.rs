//! The plan for idle clients, and each process's part.

use std::time::Duration;

use crate::load::target::LoadTarget;

/// Descriptors that a holder needs for itself, not for clients.
const OWN_DESCRIPTORS: u64 = 32;

/// The most clients that wait for their first answer at once, over all processes.
const MAX_OPENING: u32 = 64;

/// The most probes per second, over all processes.
const PROBES_PER_S: u64 = 1000;

/// The plan.
#[derive(Clone, Debug)]
pub struct IdlePlan {
    /// The server, and the request of a probe.
    pub target: LoadTarget,
    /// The number of clients.
    pub clients: u32,
    /// How long to hold the clients after all have had their first answer. Without a time, they
    /// are held until a signal comes.
    pub time: Option<Duration>,
    /// The time-out of a request. A client whose request times out is lost.
    pub timeout: Duration,
}

impl IdlePlan {
    /// The number of processes that are needed if each can have this many descriptors.
    pub fn processes(&self, descriptors: u64) -> u32 {
        let clients = descriptors.saturating_sub(OWN_DESCRIPTORS).max(1);
        let processes = u64::from(self.clients).div_ceil(clients);
        u32::try_from(processes).unwrap_or(u32::MAX)
    }

    /// The clients of process number `process`, of `processes`.
    pub fn share(&self, process: u32, processes: u32) -> HolderShare {
        let start = |process: u32| {
            (u64::from(self.clients) * u64::from(process) / u64::from(processes)) as u32
        };
        HolderShare {
            first: start(process),
            clients: start(process + 1) - start(process),
            opening: (MAX_OPENING / processes).max(1),
            interval_ns: 1_000_000_000 * u64::from(processes) / PROBES_PER_S,
        }
    }
}

/// The clients of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HolderShare {
    /// The number of its first client.
    pub first: u32,
    /// How many clients it has.
    pub clients: u32,
    /// How many of its clients can wait for their first answer at once.
    pub opening: u32,
    /// The time between two probes.
    pub interval_ns: u64,
}
