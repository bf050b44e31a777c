//! Letting clients in: as fast as the server answers them, so that its queue of connections is not
//! overrun before anything is measured.

/// So many clients at once may wait for their first answer, over all threads: less than the queue
/// that most servers ask for (listen(2)).
const WINDOW: u32 = 64;

/// After this long without an answer, some more are let in anyway: a server that has no more
/// workers answers some of its clients late.
const PATIENCE_NS: u64 = 5_000_000;

/// Nor is the whole held up by the last of them for longer than this.
const LAST_PATIENCE_NS: u64 = 500_000_000;

/// Who of one thread's clients was let in.
pub struct Ramp {
    clients: u32,
    next: u32,
    window: u32,
    unanswered: u32,
    /// How many may be unanswered just now.
    most: u32,
    moved_ns: u64,
}

impl Ramp {
    /// Nobody is in yet. The window is shared by so many threads.
    pub fn new(clients: usize, threads: usize) -> Ramp {
        let window = (WINDOW / threads as u32).max(1);
        Ramp { clients: clients as u32, next: 0, window, unanswered: 0, most: window, moved_ns: 0 }
    }

    /// The next client, if it may come in.
    pub fn let_in(&mut self, now_ns: u64) -> Option<u32> {
        if self.next == self.clients {
            return None;
        }
        if self.unanswered >= self.most {
            if now_ns < self.moved_ns + PATIENCE_NS {
                return None;
            }
            self.most = self.unanswered + self.window;
        }
        let client = self.next;
        self.next += 1;
        self.unanswered += 1;
        self.moved_ns = now_ns;
        Some(client)
    }

    /// A client has an answer, or none and never will.
    pub fn answered(&mut self, now_ns: u64) {
        self.unanswered = self.unanswered.saturating_sub(1);
        self.moved_ns = now_ns;
    }

    /// When something changes here though nothing happens.
    pub fn next_ns(&self) -> u64 {
        match self.next < self.clients {
            true => self.moved_ns + PATIENCE_NS,
            false => self.moved_ns + LAST_PATIENCE_NS,
        }
    }

    /// Whether all are in.
    pub fn is_over(&self, now_ns: u64) -> bool {
        self.next == self.clients && (self.unanswered == 0 || now_ns >= self.next_ns())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_in(ramp: &mut Ramp, now_ns: u64) -> u32 {
        std::iter::from_fn(|| ramp.let_in(now_ns)).count() as u32
    }

    #[test]
    fn a_window_is_let_in_and_one_more_for_each_answer() {
        let mut ramp = Ramp::new(1000, 1);
        assert_eq!(all_in(&mut ramp, 1), WINDOW);
        ramp.answered(2);
        ramp.answered(2);
        assert_eq!(all_in(&mut ramp, 2), 2);
        assert_eq!(all_in(&mut ramp, 3), 0);
    }

    #[test]
    fn a_silent_server_holds_nobody_up_for_ever() {
        let mut ramp = Ramp::new(100, 1);
        assert_eq!(all_in(&mut ramp, 0), WINDOW);
        let later_ns = ramp.next_ns();
        assert_eq!(all_in(&mut ramp, later_ns), 100 - WINDOW);
        assert!(!ramp.is_over(later_ns));
        assert!(ramp.is_over(ramp.next_ns()));
    }

    #[test]
    fn it_is_over_when_all_have_their_answers() {
        let mut ramp = Ramp::new(2, 4);
        assert_eq!(all_in(&mut ramp, 0), 2);
        ramp.answered(1);
        assert!(!ramp.is_over(1));
        ramp.answered(1);
        assert!(ramp.is_over(1));
    }
}
