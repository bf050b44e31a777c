//! Gauges: how many clients each process has, by what they wait for, in shared memory.
//!
//! A process claims a set of gauges with its process id. When its parent reaps it, the parent sets
//! these gauges to zero. So the gauges count only clients that are connected, even after a process
//! was killed.

use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use rustix::process::{Pid, getpid};
use zerohttpd_core::Timeout;
use zerohttpd_sys::shared_memory::Shared;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientState {
    /// The rest of a request.
    Reading,
    /// Another request.
    Idle,
    /// The store.
    Store,
    /// Room to send.
    Writing,
    /// The end of the client's input.
    Closing,
}

impl ClientState {
    /// All states, in the order of their numbers.
    pub const ALL: [ClientState; 5] = [
        ClientState::Reading,
        ClientState::Idle,
        ClientState::Store,
        ClientState::Writing,
        ClientState::Closing,
    ];

    /// The name of the state in the metrics.
    pub fn name(self) -> &'static str {
        match self {
            ClientState::Reading => "reading",
            ClientState::Idle => "idle",
            ClientState::Store => "store",
            ClientState::Writing => "writing",
            ClientState::Closing => "closing",
        }
    }
}

impl From<Timeout> for ClientState {
    fn from(on: Timeout) -> ClientState {
        match on {
            Timeout::FirstByte | Timeout::Head | Timeout::Body => ClientState::Reading,
            Timeout::KeepAlive => ClientState::Idle,
            // The driver opens a file. The response has not begun.
            Timeout::File => ClientState::Reading,
            Timeout::Store => ClientState::Store,
            Timeout::Delivery => ClientState::Writing,
            Timeout::Linger => ClientState::Closing,
        }
    }
}

/// A process looks for a free set among this many. If all are taken, its clients are not counted.
const WINDOW: usize = 16;

/// The length of a set, which fills a cache line: the id of the process (0 if the set is free),
/// then a gauge for each state.
const SET_LEN: usize = 8;

/// The gauges of all processes.
#[derive(Clone, Copy)]
pub struct Gauges(&'static [[AtomicU64; SET_LEN]]);

/// The gauges of one process.
#[derive(Clone, Copy)]
pub struct ProcessGauges(&'static [AtomicU64; SET_LEN]);

impl Gauges {
    /// `sets` sets of gauges, for this process and its future children.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(sets: usize) -> io::Result<Gauges> {
        Ok(Gauges(Shared::new(sets * SET_LEN)?.leak().as_chunks().0))
    }

    /// The gauges of this process, which its threads share. `None` if there is no free set.
    pub fn of_this_process(&self) -> Option<ProcessGauges> {
        let pid = pid_number(getpid());
        let claim = |set: &&'static [AtomicU64; SET_LEN]| {
            let claimed = set[0].compare_exchange(0, pid, Acquire, Relaxed);
            claimed.is_ok() || claimed == Err(pid)
        };
        self.window(pid).find(claim).map(ProcessGauges)
    }

    /// How many clients a process has, or had when it ended.
    pub fn clients_of(&self, process: Pid) -> u64 {
        let counts = self.sets_of(process).flat_map(|set| &set[1..]);
        counts.map(|count| count.load(Relaxed)).sum()
    }

    /// Frees the gauges of a process that was reaped.
    pub fn vacate(&self, process: Pid) {
        for set in self.sets_of(process) {
            set[1..].iter().for_each(|count| count.store(0, Relaxed));
            // Only now can another process claim the set, whose gauges are at zero.
            set[0].store(0, Release);
        }
    }

    /// The set of a process, if it has one.
    fn sets_of(&self, process: Pid) -> impl Iterator<Item = &'static [AtomicU64; SET_LEN]> {
        let pid = pid_number(process);
        self.window(pid).filter(move |set| set[0].load(Relaxed) == pid)
    }

    /// How many clients are in each state.
    pub fn clients(&self) -> [(ClientState, u64); ClientState::ALL.len()] {
        let mut clients = ClientState::ALL.map(|state| (state, 0));
        for set in self.0.iter().filter(|set| set[0].load(Relaxed) != 0) {
            for (state, count) in &mut clients {
                *count += set[1 + *state as usize].load(Relaxed);
            }
        }
        clients
    }

    /// The sets among which a process looks for a free one.
    fn window(&self, pid: u64) -> impl Iterator<Item = &'static [AtomicU64; SET_LEN]> {
        let sets = self.0;
        (0..WINDOW).map(move |step| &sets[(pid as usize + step) % sets.len()])
    }
}

impl ProcessGauges {
    /// Counts a client that has entered a state.
    pub fn enter(&self, state: ClientState) {
        self.0[1 + state as usize].fetch_add(1, Relaxed);
    }

    /// Counts a client that has left a state.
    pub fn leave(&self, state: ClientState) {
        self.0[1 + state as usize].fetch_sub(1, Relaxed);
    }
}

fn pid_number(pid: Pid) -> u64 {
    u64::from(pid.as_raw_nonzero().get().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_one_set_of_gauges_which_is_cleared_for_the_next() {
        let gauges = Gauges::new(64).unwrap();
        gauges.of_this_process().unwrap().enter(ClientState::Reading);
        gauges.of_this_process().unwrap().enter(ClientState::Idle);
        gauges.of_this_process().unwrap().enter(ClientState::Idle);
        gauges.of_this_process().unwrap().leave(ClientState::Idle);
        let now = || gauges.clients().map(|(_, count)| count);
        assert_eq!(now(), [1, 1, 0, 0, 0]);
        assert_eq!(gauges.clients_of(getpid()), 2);
        gauges.vacate(getpid());
        assert_eq!(now(), [0; 5]);
        assert_eq!(gauges.clients_of(getpid()), 0, "its set is free");
    }

    #[test]
    fn a_process_takes_the_next_free_set_and_none_if_all_are_taken() {
        let gauges = Gauges::new(64).unwrap();
        let pid = getpid();
        let other = |step: usize| &gauges.0[(pid_number(pid) as usize + step) % 64][0];
        (0..WINDOW - 1).for_each(|step| other(step).store(1, Relaxed));
        gauges.of_this_process().unwrap().enter(ClientState::Store);
        assert_eq!(other(WINDOW - 1).load(Relaxed), pid_number(pid));
        gauges.vacate(pid);
        other(WINDOW - 1).store(1, Relaxed);
        assert!(gauges.of_this_process().is_none());
    }

    #[test]
    fn every_state_has_a_number_of_its_own() {
        assert!(
            ClientState::ALL.into_iter().enumerate().all(|(index, state)| state as usize == index)
        );
        const { assert!(ClientState::ALL.len() < SET_LEN) };
    }
}
