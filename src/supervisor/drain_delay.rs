//! The time between a signal to stop and the stop (`--drain`). Health fails at once, and clients
//! are still served, until all load balancers have noticed.

/// The drain delay of a server.
pub struct DrainDelay {
    delay_ms: u64,
    /// When it is over; `None` until a signal says to stop.
    until_ms: Option<u64>,
}

impl DrainDelay {
    /// A delay that has not begun.
    pub fn new(delay_ms: u64) -> DrainDelay {
        DrainDelay { delay_ms, until_ms: None }
    }

    /// A signal says to stop. The first one begins the delay, and a second one ends it.
    pub fn on_signal(&mut self, now_ms: u64) {
        self.until_ms = match self.until_ms {
            None => Some(now_ms + self.delay_ms),
            Some(_) => Some(now_ms),
        };
    }

    /// Whether it has begun.
    pub fn is_running(&self) -> bool {
        self.until_ms.is_some()
    }

    /// Whether it is over.
    pub fn is_over(&self, now_ms: u64) -> bool {
        self.until_ms.is_some_and(|until_ms| until_ms <= now_ms)
    }

    /// When it is over, if it has begun.
    pub fn until_ms(&self) -> Option<u64> {
        self.until_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_signal_begins_the_delay_and_the_second_ends_it() {
        let mut delay = DrainDelay::new(3000);
        assert!(!delay.is_running() && !delay.is_over(u64::MAX));
        delay.on_signal(500);
        assert!(delay.is_running() && !delay.is_over(3499) && delay.is_over(3500));
        assert_eq!(delay.until_ms(), Some(3500));
        delay.on_signal(700);
        assert!(delay.is_over(700));
    }

    #[test]
    fn without_a_delay_the_first_signal_ends_it() {
        let mut delay = DrainDelay::new(0);
        delay.on_signal(500);
        assert!(delay.is_over(500));
    }
}
