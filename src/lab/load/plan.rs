//! What a load is to be.

use std::time::Duration;

use super::target::Target;
use super::worker::Share;

/// A load.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is asked, and whom.
    pub target: Target,
    /// How many ask at once.
    pub clients: usize,
    /// How many threads of ours do that.
    pub threads: usize,
    /// When it ends.
    pub length: Length,
    /// Requests become due at this rate, whatever becomes of them: an open loop. Without it each
    /// client asks as soon as it has its answer: a closed one.
    pub rate_per_s: Option<f64>,
    /// One connection serves many requests.
    pub keep_alive: bool,
    /// In a closed loop, a client waits so long before it asks again.
    pub think: Duration,
    /// Whoever has no whole answer by then gets none.
    pub timeout: Duration,
}

/// When a load ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// When so much time has passed, which begins when all clients have had a first answer.
    Time(Duration),
    /// When so many requests were made. All of them count.
    Requests(u64),
}

impl Plan {
    /// What a thread does of it.
    pub fn share(&self, thread: usize) -> Share {
        let first = start_of(self.clients as u64, self.threads, thread);
        let clients = start_of(self.clients as u64, self.threads, thread + 1) - first;
        let requests = match self.length {
            Length::Time(_) => None,
            Length::Requests(all) => {
                Some(start_of(all, self.threads, thread + 1) - start_of(all, self.threads, thread))
            }
        };
        Share { thread, clients: clients as usize, first: first as u32, requests }
    }
}

/// Where a thread's part of so many begins.
fn start_of(all: u64, threads: usize, thread: usize) -> u64 {
    let (threads, thread) = (threads as u64, thread as u64);
    all / threads * thread + (all % threads).min(thread)
}

/// As many threads as are of use: the server needs the other half of the cores if it runs here, and
/// few clients keep no more than one thread busy.
pub fn useful_threads(clients: usize, cores: usize, is_server_here: bool) -> usize {
    const CLIENTS: usize = 16;
    let cores = if is_server_here { cores / 2 } else { cores };
    clients.div_ceil(CLIENTS).clamp(1, cores.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_or_doubled_when_it_is_shared() {
        for (all, threads) in [(10, 3), (3, 3), (15_000, 7), (1, 1)] {
            let starts: Vec<_> = (0..=threads).map(|at| start_of(all, threads, at)).collect();
            assert_eq!((starts[0], starts[threads]), (0, all));
            let parts: Vec<_> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
            let (least, most) = (parts.iter().min().unwrap(), parts.iter().max().unwrap());
            assert!(most - least <= 1, "{parts:?}");
        }
    }

    #[test]
    fn threads_are_as_many_as_are_of_use() {
        assert_eq!(useful_threads(1, 64, false), 1);
        assert_eq!(useful_threads(50, 64, false), 4);
        assert_eq!(useful_threads(15_000, 64, false), 64);
        assert_eq!(useful_threads(15_000, 64, true), 32);
        assert_eq!(useful_threads(15_000, 1, true), 1);
    }
}
