//! How the load generator's threads agree when to begin and when to stop.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

/// The shared state. `Relaxed` suffices, because no other memory depends on these numbers.
#[derive(Default)]
pub struct Barrier {
    arrived: AtomicUsize,
    start_ns: AtomicU64,
    is_stopped: AtomicBool,
}

impl Barrier {
    /// Notes that all clients of a thread have had their first answer.
    pub fn arrive(&self) {
        self.arrived.fetch_add(1, Relaxed);
    }

    /// The number of threads that have called [`Barrier::arrive`].
    pub fn arrived(&self) -> usize {
        self.arrived.load(Relaxed)
    }

    /// Sets the start of the measured time.
    pub fn start(&self, now_ns: u64) {
        self.start_ns.store(now_ns, Relaxed);
    }

    /// The start of the measured time, once it is set.
    pub fn start_ns(&self) -> Option<u64> {
        Some(self.start_ns.load(Relaxed)).filter(|start_ns| *start_ns > 0)
    }

    /// Tells all threads to stop.
    pub fn stop(&self) {
        self.is_stopped.store(true, Relaxed);
    }

    /// Whether all threads are to stop.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped.load(Relaxed)
    }
}
