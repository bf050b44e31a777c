//! What is left of the program that an upgrade has replaced, until this program has its own
//! servers.

use std::os::fd::OwnedFd;

use crate::shared::scoreboard::PassedNumber;
use crate::supervisor::upgrade_state::UpgradeState;

/// The first wait before another attempt to start servers.
const FIRST_WAIT_MS: u64 = 1000;

/// The longest wait before another attempt to start servers.
const LONGEST_WAIT_MS: u64 = 30_000;

/// What is left of the previous program.
#[derive(Default)]
pub struct Predecessor {
    /// The numbers that make its servers drain.
    pub phase_memory: Vec<PassedNumber>,
    /// The numbers that make health fail, as its admin server reports it.
    pub drain_memory: Vec<PassedNumber>,
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
        let open = |files: &mut Vec<OwnedFd>, indices: &[usize]| -> Vec<PassedNumber> {
            let places = std::mem::take(files).into_iter().zip(indices);
            places.filter_map(|(file, index)| PassedNumber::open(file, *index).ok()).collect()
        };
        Predecessor {
            phase_memory: open(&mut received.phase_memory, &received.phase_memory_indices),
            drain_memory: open(&mut received.drain_memory, &received.drain_memory_indices),
            log: received.log.pop(),
            retry_at_ms: 0,
            wait_ms: FIRST_WAIT_MS,
        }
    }

    /// Makes its servers drain, because this program has its own servers now.
    pub fn supersede(&mut self, generation: u64) {
        self.phase_memory.drain(..).for_each(|oldest_generation| {
            oldest_generation.raise_to(generation);
        });
        self.drain_memory.clear();
        self.log = None;
    }

    /// Makes health fail, because this program is to stop after the drain delay.
    pub fn begin_drain(&self) {
        self.drain_memory.iter().for_each(|drain_delay| drain_delay.raise_to(1));
    }

    /// Notes a failed attempt, and returns the time until the next attempt in milliseconds.
    pub fn postpone_retry(&mut self, now_ms: u64) -> u64 {
        let wait_ms = self.wait_ms;
        self.retry_at_ms = now_ms + wait_ms;
        self.wait_ms = (wait_ms * 2).min(LONGEST_WAIT_MS);
        wait_ms
    }
}
