//! Who is there: the clients of each process, by what they wait for, in shared memory.
//!
//! A process takes a seat with its number, and keeps its count there. When it dies, however that
//! comes about, whoever buries it empties the seat: what it had counted is gone with it.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rustix::process::{Pid, getpid};
use zero_core::Patience;

use crate::sys::shared_memory::Shared;

/// What a client and its server wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The rest of a request.
    Reading,
    /// Another request.
    Idle,
    /// The store.
    Store,
    /// The client, to take its answer.
    Writing,
    /// The end of what the client sends.
    Closing,
}

impl State {
    /// All of them, in their order.
    pub const ALL: [State; 5] =
        [State::Reading, State::Idle, State::Store, State::Writing, State::Closing];

    /// A name for counts.
    pub fn name(self) -> &'static str {
        match self {
            State::Reading => "reading",
            State::Idle => "idle",
            State::Store => "store",
            State::Writing => "writing",
            State::Closing => "closing",
        }
    }
}

impl From<Patience> for State {
    fn from(on: Patience) -> State {
        match on {
            Patience::FirstByte | Patience::Head | Patience::Body => State::Reading,
            Patience::NextRequest => State::Idle,
            Patience::Store => State::Store,
            Patience::Delivery => State::Writing,
            Patience::Goodbye => State::Closing,
        }
    }
}

/// A seat is looked for among so many. A process that finds all of them taken is not counted.
const WINDOW: usize = 16;

/// A seat is a cache line: whose it is, and a count for each state.
const NUMBERS: usize = 8;

/// The seats of all processes.
#[derive(Clone, Copy)]
pub struct Seats(&'static [[AtomicU64; NUMBERS]]);

/// The seat of a process.
#[derive(Clone, Copy)]
pub struct Seat(&'static [AtomicU64; NUMBERS]);

impl Seats {
    /// So many seats for this process and those that it will fork.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(seats: usize) -> io::Result<Seats> {
        Ok(Seats(Shared::new(seats * NUMBERS)?.leak().as_chunks().0))
    }

    /// The seat of this process, which all its threads have in common.
    pub fn mine(&self) -> Option<Seat> {
        let pid = number(getpid());
        let is_mine = |seat: &&'static [AtomicU64; NUMBERS]| match seat[0]
            .compare_exchange(0, pid, Relaxed, Relaxed)
        {
            Ok(_) => true,
            Err(other) => other == pid,
        };
        self.window(pid).find(is_mine).map(Seat)
    }

    /// How many clients a process has, or had when it died.
    pub fn clients_of(&self, process: Pid) -> u64 {
        let counts = self.of(process).flat_map(|seat| &seat[1..]);
        counts.map(|count| count.load(Relaxed)).sum()
    }

    /// A process was buried: its seat is free.
    pub fn vacate(&self, process: Pid) {
        for seat in self.of(process) {
            seat[1..].iter().for_each(|count| count.store(0, Relaxed));
            seat[0].store(0, Relaxed);
        }
    }

    fn of(&self, process: Pid) -> impl Iterator<Item = &'static [AtomicU64; NUMBERS]> {
        let pid = number(process);
        self.window(pid).filter(move |seat| seat[0].load(Relaxed) == pid)
    }

    /// How many clients are in each state.
    pub fn clients(&self) -> [(State, u64); State::ALL.len()] {
        let mut clients = State::ALL.map(|state| (state, 0));
        for seat in self.0.iter().filter(|seat| seat[0].load(Relaxed) != 0) {
            for (state, count) in &mut clients {
                *count += seat[1 + *state as usize].load(Relaxed);
            }
        }
        clients
    }

    fn window(&self, pid: u64) -> impl Iterator<Item = &'static [AtomicU64; NUMBERS]> {
        let seats = self.0;
        (0..WINDOW).map(move |step| &seats[(pid as usize + step) % seats.len()])
    }
}

impl Seat {
    /// A client has come into that state.
    pub fn enter(&self, state: State) {
        self.0[1 + state as usize].fetch_add(1, Relaxed);
    }

    /// A client has left that state.
    pub fn leave(&self, state: State) {
        self.0[1 + state as usize].fetch_sub(1, Relaxed);
    }
}

fn number(pid: Pid) -> u64 {
    u64::from(pid.as_raw_nonzero().get().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_one_seat_and_leaves_nothing_behind() {
        let seats = Seats::new(64).unwrap();
        seats.mine().unwrap().enter(State::Reading);
        seats.mine().unwrap().enter(State::Idle);
        seats.mine().unwrap().enter(State::Idle);
        seats.mine().unwrap().leave(State::Idle);
        let now = || seats.clients().map(|(_, count)| count);
        assert_eq!(now(), [1, 1, 0, 0, 0]);
        assert_eq!(seats.clients_of(getpid()), 2);
        seats.vacate(getpid());
        assert_eq!(now(), [0; 5]);
        assert_eq!(seats.clients_of(getpid()), 0, "its seat is free");
    }

    #[test]
    fn neighbours_move_up_and_one_too_many_is_not_counted() {
        let seats = Seats::new(64).unwrap();
        let pid = getpid();
        let other = |step: usize| &seats.0[(number(pid) as usize + step) % 64][0];
        (0..WINDOW - 1).for_each(|step| other(step).store(1, Relaxed));
        seats.mine().unwrap().enter(State::Store);
        assert_eq!(other(WINDOW - 1).load(Relaxed), number(pid));
        seats.vacate(pid);
        other(WINDOW - 1).store(1, Relaxed);
        assert!(seats.mine().is_none());
    }

    #[test]
    fn every_state_has_a_number_of_its_own() {
        assert!(State::ALL.into_iter().enumerate().all(|(index, state)| state as usize == index));
        const { assert!(State::ALL.len() < NUMBERS) };
    }
}
