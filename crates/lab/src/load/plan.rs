//! The plan of a load.

use std::time::Duration;

use super::share::ThreadShare;
use super::target::LoadTarget;

/// What to measure, and how.
#[derive(Clone, Debug)]
pub struct LoadPlan {
    /// The server, and the request.
    pub target: LoadTarget,
    /// The number of clients.
    pub clients: usize,
    /// The number of threads.
    pub threads: usize,
    /// Whether threads are allowed to poll the clock until a request is due.
    pub may_spin: bool,
    /// When it ends.
    pub length: Length,
    /// The rate at which requests become due in an open loop. Without a rate the loop is closed:
    /// each client sends its next request when it has its answer.
    pub rate_per_s: Option<f64>,
    /// Whether a connection serves many requests.
    pub keep_alive: bool,
    /// The think time of a client between an answer and its next request, in a closed loop.
    pub think: Duration,
    /// The time-out of a request, up to the last byte of its answer.
    pub timeout: Duration,
}

/// The end of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// When this much time has passed since all clients had a first answer.
    Time(Duration),
    /// When this many requests were made and have ended. All of them count.
    Requests(u64),
}

impl LoadPlan {
    /// The clients and requests of one thread.
    pub fn share(&self, thread: usize) -> ThreadShare {
        let first = start_of(self.clients as u64, self.threads, thread);
        let clients = start_of(self.clients as u64, self.threads, thread + 1) - first;
        let requests = match self.length {
            Length::Time(_) => None,
            Length::Requests(all) => {
                Some(start_of(all, self.threads, thread + 1) - start_of(all, self.threads, thread))
            }
        };
        ThreadShare { thread, clients: clients as usize, first: first as u32, requests }
    }
}

/// The index of a thread's first item, if `all` items are divided among the threads.
fn start_of(all: u64, threads: usize, thread: usize) -> u64 {
    let (threads, thread) = (threads as u64, thread as u64);
    all / threads * thread + (all % threads).min(thread)
}

/// The number of threads that is useful: a server on this machine needs half of the cores, and one
/// thread for every 16 clients is enough.
pub fn useful_threads(clients: usize, cores: usize, is_server_here: bool) -> usize {
    const CLIENTS: usize = 16;
    let cores = if is_server_here { cores / 2 } else { cores };
    clients.div_ceil(CLIENTS).clamp(1, cores.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_belongs_to_one_thread() {
        for (all, threads) in [(10, 3), (3, 3), (15_000, 7), (1, 1)] {
            let starts: Vec<_> = (0..=threads).map(|at| start_of(all, threads, at)).collect();
            assert_eq!((starts[0], starts[threads]), (0, all));
            let parts: Vec<_> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
            let (min, max) = (parts.iter().min().unwrap(), parts.iter().max().unwrap());
            assert!(max - min <= 1, "{parts:?}");
        }
    }

    #[test]
    fn the_number_of_threads_depends_on_clients_and_cores() {
        assert_eq!(useful_threads(1, 64, false), 1);
        assert_eq!(useful_threads(50, 64, false), 4);
        assert_eq!(useful_threads(15_000, 64, false), 64);
        assert_eq!(useful_threads(15_000, 64, true), 32);
        assert_eq!(useful_threads(15_000, 1, true), 1);
    }
}
