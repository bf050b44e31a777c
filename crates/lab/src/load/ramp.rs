//! Connects clients as fast as the server gives them a first answer, so that its accept queue does
//! not overflow before the measurement.

/// The most clients that wait for their first answer at once, over all threads. The accept queue
/// of most servers is longer (listen(2)).
const MAX_UNANSWERED: u32 = 64;

/// After this long without an answer, more clients connect anyway: if all workers of a server have
/// a client, further clients are answered late.
const TIMEOUT_NS: u64 = 5_000_000;

/// The most time for which the measurement waits for the last clients' first answers.
const LAST_TIMEOUT_NS: u64 = 500_000_000;

/// The state of one thread's clients until all have had their first answer.
pub struct Ramp {
    clients: u32,
    next: u32,
    window: u32,
    unanswered: u32,
    /// How many clients can be without an answer at once.
    max_unanswered: u32,
    changed_ns: u64,
}

impl Ramp {
    /// A ramp that has started no client. The threads share [`MAX_UNANSWERED`].
    pub fn new(clients: usize, threads: usize) -> Ramp {
        let window = (MAX_UNANSWERED / threads as u32).max(1);
        Ramp {
            clients: clients as u32,
            next: 0,
            window,
            unanswered: 0,
            max_unanswered: window,
            changed_ns: 0,
        }
    }

    /// The next client to start, if one can start now.
    pub fn next_client(&mut self, now_ns: u64) -> Option<u32> {
        if self.next == self.clients {
            return None;
        }
        if self.unanswered >= self.max_unanswered {
            if now_ns < self.changed_ns + TIMEOUT_NS {
                return None;
            }
            self.max_unanswered = self.unanswered + self.window;
        }
        let client = self.next;
        self.next += 1;
        self.unanswered += 1;
        self.changed_ns = now_ns;
        Some(client)
    }

    /// Notes that a client has its first answer, or has failed.
    pub fn answered(&mut self, now_ns: u64) {
        self.unanswered = self.unanswered.saturating_sub(1);
        self.changed_ns = now_ns;
    }

    /// The next time at which a time-out lets more clients start, or ends the ramp.
    pub fn next_ns(&self) -> u64 {
        match self.next < self.clients {
            true => self.changed_ns + TIMEOUT_NS,
            false => self.changed_ns + LAST_TIMEOUT_NS,
        }
    }

    /// Whether all clients have started and have had their first answer, or the time for that is
    /// over.
    pub fn is_over(&self, now_ns: u64) -> bool {
        self.next == self.clients && (self.unanswered == 0 || now_ns >= self.next_ns())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start_all(ramp: &mut Ramp, now_ns: u64) -> u32 {
        std::iter::from_fn(|| ramp.next_client(now_ns)).count() as u32
    }

    #[test]
    fn each_first_answer_lets_one_more_client_start() {
        let mut ramp = Ramp::new(1000, 1);
        assert_eq!(start_all(&mut ramp, 1), MAX_UNANSWERED);
        ramp.answered(2);
        ramp.answered(2);
        assert_eq!(start_all(&mut ramp, 2), 2);
        assert_eq!(start_all(&mut ramp, 3), 0);
    }

    #[test]
    fn a_silent_server_does_not_block_the_ramp() {
        let mut ramp = Ramp::new(100, 1);
        assert_eq!(start_all(&mut ramp, 0), MAX_UNANSWERED);
        let later_ns = ramp.next_ns();
        assert_eq!(start_all(&mut ramp, later_ns), 100 - MAX_UNANSWERED);
        assert!(!ramp.is_over(later_ns));
        assert!(ramp.is_over(ramp.next_ns()));
    }

    #[test]
    fn the_ramp_is_over_when_all_clients_have_their_answers() {
        let mut ramp = Ramp::new(2, 4);
        assert_eq!(start_all(&mut ramp, 0), 2);
        ramp.answered(1);
        assert!(!ramp.is_over(1));
        ramp.answered(1);
        assert!(ramp.is_over(1));
    }
}
