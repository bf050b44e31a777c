//! The time between a signal to stop and the stop (`--drain`). Health fails at once, and clients
//! are still served, until all load balancers have noticed.

/// Signals that come within this time are one, so that the second ends neither the drain delay nor
/// the answers in flight: timeout(1) sends a signal to the process, and then to its group.
const TOGETHER_MS: u64 = 20;

/// The drain delay of a server.
pub struct DrainDelay {
    delay_ms: u64,
    state: DrainState,
}

enum DrainState {
    /// No signal has said to stop.
    Serving,
    /// A signal has said to stop. Further ones are part of it until the delay begins.
    Signalled { begins_ms: u64 },
    /// The delay has begun. The next signal ends it.
    Running { until_ms: u64 },
}

impl DrainDelay {
    /// A delay that has not begun.
    pub fn new(delay_ms: u64) -> DrainDelay {
        DrainDelay { delay_ms, state: DrainState::Serving }
    }

    /// A signal says to stop.
    pub fn on_signal(&mut self, now_ms: u64) {
        self.state = match self.state {
            DrainState::Serving => DrainState::Signalled { begins_ms: now_ms + TOGETHER_MS },
            DrainState::Signalled { begins_ms } => DrainState::Signalled { begins_ms },
            DrainState::Running { .. } => DrainState::Running { until_ms: now_ms },
        };
    }

    /// Whether the delay begins now.
    pub fn begins(&mut self, now_ms: u64) -> bool {
        let begins =
            matches!(self.state, DrainState::Signalled { begins_ms } if begins_ms <= now_ms);
        if begins {
            self.state = DrainState::Running { until_ms: now_ms + self.delay_ms };
        }
        begins
    }

    /// Whether a signal has said to stop.
    pub fn is_to_stop(&self) -> bool {
        !matches!(self.state, DrainState::Serving)
    }

    /// Whether it has begun.
    pub fn is_running(&self) -> bool {
        matches!(self.state, DrainState::Running { .. })
    }

    /// Whether it is over.
    pub fn is_over(&self, now_ms: u64) -> bool {
        matches!(self.state, DrainState::Running { until_ms } if until_ms <= now_ms)
    }

    /// When it begins, or when it is over once it has begun.
    pub fn next_ms(&self) -> Option<u64> {
        match self.state {
            DrainState::Serving => None,
            DrainState::Signalled { begins_ms: at_ms }
            | DrainState::Running { until_ms: at_ms } => Some(at_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_begins_the_delay_and_another_ends_it() {
        let mut delay = DrainDelay::new(3000);
        assert!(!delay.is_to_stop() && !delay.begins(u64::MAX) && !delay.is_over(u64::MAX));
        delay.on_signal(500);
        assert!(delay.is_to_stop() && !delay.is_running() && !delay.begins(519));
        assert_eq!(delay.next_ms(), Some(520));
        assert!(delay.begins(520) && delay.is_running() && !delay.begins(521));
        assert_eq!(delay.next_ms(), Some(3520));
        assert!(!delay.is_over(3519) && delay.is_over(3520));
        delay.on_signal(700);
        assert!(delay.is_over(700));
    }

    #[test]
    fn signals_that_come_together_are_one() {
        let mut delay = DrainDelay::new(3000);
        [500, 501, 519].into_iter().for_each(|now_ms| delay.on_signal(now_ms));
        assert!(delay.begins(520) && !delay.is_over(3519));
    }

    #[test]
    fn a_delay_of_no_time_is_over_when_it_begins() {
        let mut delay = DrainDelay::new(0);
        delay.on_signal(500);
        assert!(!delay.is_over(520) && delay.begins(520) && delay.is_over(520));
    }
}
