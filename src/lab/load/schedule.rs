//! When requests are due in an open loop: at fixed times, whatever becomes of those before.

/// The times at which one thread's requests are due. The threads take turns.
#[derive(Clone, Debug)]
pub struct Schedule {
    rate_per_s: f64,
    threads: u64,
    thread: u64,
    start_ns: u64,
    /// How many of this thread's were taken.
    taken: u64,
}

impl Schedule {
    /// For one of several threads, which together make so many requests a second.
    pub fn new(rate_per_s: f64, threads: usize, thread: usize, start_ns: u64) -> Schedule {
        let (threads, thread) = (threads as u64, thread as u64);
        Schedule { rate_per_s, threads, thread, start_ns, taken: 0 }
    }

    /// When the next one is due. Each is counted from the start, so that no error adds up.
    pub fn next_ns(&self) -> u64 {
        let number = self.taken * self.threads + self.thread;
        self.start_ns + (number as f64 * 1e9 / self.rate_per_s) as u64
    }

    /// Takes the next one, if it is due by now: when it was.
    pub fn take(&mut self, now_ns: u64) -> Option<u64> {
        let due_ns = self.next_ns();
        if due_ns > now_ns {
            return None;
        }
        self.taken += 1;
        Some(due_ns)
    }

    /// How many that are due before this time were not taken.
    pub fn left_before(&self, end_ns: u64) -> u64 {
        let mut rest = self.clone();
        std::iter::from_fn(|| rest.take(end_ns.saturating_sub(1))).count() as u64
    }

    /// The time between two.
    pub fn interval_ns(&self) -> u64 {
        (1e9 * self.threads as f64 / self.rate_per_s) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(schedule: &mut Schedule, now_ns: u64) -> Vec<u64> {
        std::iter::from_fn(|| schedule.take(now_ns)).collect()
    }

    #[test]
    fn requests_are_due_at_fixed_times_and_none_is_forgotten() {
        let mut schedule = Schedule::new(1000.0, 1, 0, 5_000);
        assert_eq!(schedule.take(4_999), None);
        assert_eq!(schedule.take(5_000), Some(5_000));
        assert_eq!(schedule.take(5_001), None);
        // After a stall all that was missed is due, each since its own time.
        assert_eq!(due(&mut schedule, 3_005_000), [1_005_000, 2_005_000, 3_005_000]);
        assert_eq!(schedule.next_ns(), 4_005_000);
    }

    #[test]
    fn threads_take_turns() {
        let mut both: Vec<_> = (0..2)
            .flat_map(|thread| due(&mut Schedule::new(4.0, 2, thread, 0), 999_999_999))
            .collect();
        both.sort_unstable();
        assert_eq!(both, [0, 250_000_000, 500_000_000, 750_000_000]);
        assert_eq!(Schedule::new(4.0, 2, 1, 0).interval_ns(), 500_000_000);
    }

    #[test]
    fn a_rate_that_divides_nothing_stays_true_for_long() {
        let mut schedule = Schedule::new(7.0, 3, 2, 0);
        // Every third of 7 a second, for an hour: 8,400.
        assert_eq!(due(&mut schedule, 3_600_000_000_000 - 1).len(), 8_400);
    }

    #[test]
    fn what_was_due_and_not_taken_is_counted() {
        let mut schedule = Schedule::new(10.0, 1, 0, 0);
        due(&mut schedule, 300_000_000);
        assert_eq!(schedule.left_before(1_000_000_000), 6);
        assert_eq!(schedule.left_before(0), 0);
    }
}
