//! What the threads of a load tell each other: that all clients are in, when to begin, and to stop.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Where the threads meet. All of it is numbers that say nothing about other memory.
#[derive(Default)]
pub struct Gate {
    arrived: AtomicUsize,
    start_ns: AtomicU64,
    is_stopped: AtomicBool,
}

impl Gate {
    /// A thread's clients are in.
    pub fn arrive(&self) {
        self.arrived.fetch_add(1, Relaxed);
    }

    /// How many threads' clients are in.
    pub fn arrived(&self) -> usize {
        self.arrived.load(Relaxed)
    }

    /// What happens counts from this time on.
    pub fn start(&self, now_ns: u64) {
        self.start_ns.store(now_ns, Relaxed);
    }

    /// When it began.
    pub fn start_ns(&self) -> Option<u64> {
        Some(self.start_ns.load(Relaxed)).filter(|start_ns| *start_ns > 0)
    }

    /// Ends everything.
    pub fn stop(&self) {
        self.is_stopped.store(true, Relaxed);
    }

    /// Whether everything is to end.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped.load(Relaxed)
    }
}
