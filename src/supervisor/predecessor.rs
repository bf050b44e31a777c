//! What is left of the program that an upgrade has replaced, until this program has its own
//! servers.

use std::os::fd::OwnedFd;

use crate::shared::scoreboard::PhaseMemory;
use crate::supervisor::upgrade_state::UpgradeState;

/// The first wait before another attempt to start servers.
const FIRST_WAIT_MS: u64 = 1000;

/// The longest wait before another attempt to start servers.
const LONGEST_WAIT_MS: u64 = 30_000;

/// What is left of the previous program.
#[derive(Default)]
pub struct Predecessor {
    /// The shared memory that makes its servers drain.
    pub phase_memory: Vec<PhaseMemory>,
    /// Its open log, for servers to use if the file can't be opened again.
    pub log: Option<OwnedFd>,
    /// When the next attempt to start servers is due.
    pub retry_at_ms: u64,
    /// The wait after that attempt, if the attempt fails.
    wait_ms: u64,
}

impl Predecessor {
    /// Takes what the predecessor passed on. Servers whose phase memory can't be opened do not
    /// drain, except loops, which also watch a pipe.
    pub fn take(received: &mut UpgradeState) -> Predecessor {
        let files = std::mem::take(&mut received.phase_memory).into_iter();
        let phase_memory = files.zip(&received.phase_memory_indices);
        let phase_memory =
            phase_memory.filter_map(|(file, index)| PhaseMemory::open(file, *index).ok());
        Predecessor {
            phase_memory: phase_memory.collect(),
            log: received.log.pop(),
            retry_at_ms: 0,
            wait_ms: FIRST_WAIT_MS,
        }
    }

    /// Makes its servers drain, because this program has its own servers now.
    pub fn supersede(&mut self, generation: u64) {
        self.phase_memory.drain(..).for_each(|phase_memory| phase_memory.supersede(generation));
        self.log = None;
    }

    /// Notes a failed attempt, and returns the time until the next attempt in milliseconds.
    pub fn postpone_retry(&mut self, now_ms: u64) -> u64 {
        let wait_ms = self.wait_ms;
        self.retry_at_ms = now_ms + wait_ms;
        self.wait_ms = (wait_ms * 2).min(LONGEST_WAIT_MS);
        wait_ms
    }
}
