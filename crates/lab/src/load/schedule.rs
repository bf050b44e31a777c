//! The schedule of an open loop: requests are due at fixed times, whatever happens to earlier ones.

/// The times at which one thread's requests are due. The threads take turns, so that the gaps
/// between all requests are even.
#[derive(Clone, Debug)]
pub struct Schedule {
    rate_per_s: f64,
    threads: u64,
    thread: u64,
    start_ns: u64,
    /// How many of this thread's requests were taken.
    taken: u64,
}

impl Schedule {
    /// The schedule of one thread; all threads together make this many requests a second.
    pub fn new(rate_per_s: f64, threads: usize, thread: usize, start_ns: u64) -> Schedule {
        let (threads, thread) = (threads as u64, thread as u64);
        Schedule { rate_per_s, threads, thread, start_ns, taken: 0 }
    }

    /// When the next request is due. Each time is computed from the start, so that rounding errors
    /// do not add up.
    pub fn next_ns(&self) -> u64 {
        self.due_ns(self.taken)
    }

    /// When the request with this number, counted from 0 in this thread, is due.
    fn due_ns(&self, number: u64) -> u64 {
        let number = number as f64 * self.threads as f64 + self.thread as f64;
        self.start_ns.saturating_add((number * 1e9 / self.rate_per_s) as u64)
    }

    /// Takes the next request if it is due by now, and returns when it was due.
    pub fn take(&mut self, now_ns: u64) -> Option<u64> {
        let due_ns = self.next_ns();
        if due_ns > now_ns {
            return None;
        }
        self.taken += 1;
        Some(due_ns)
    }

    /// How many requests that are due before this time were not taken.
    pub fn untaken_before(&self, end_ns: u64) -> u64 {
        // All requests before `low` are due before the end, and none from `high` on.
        let (mut low, mut high) = (self.taken, self.taken + 1);
        while self.due_ns(high - 1) < end_ns {
            (low, high) = (high, high.saturating_mul(2));
        }
        while low < high {
            let middle = low + (high - low) / 2;
            match self.due_ns(middle) < end_ns {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low - self.taken
    }
}

/// The kernel wakes a thread some 50 µs late, later on a virtual machine. So the loop sleeps until
/// this long before a request is due, then polls the clock. Polling costs at most this much of a
/// core's time for each request.
pub const SPIN_NS: u64 = 100_000;

/// How to wait for the next action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// Sleep until this time.
    Sleep(u64),
    /// Poll the sockets and the clock again at once.
    Spin,
}

/// How to wait until a request is due, or until `until_ns`. Without a core to spare the loop does
/// not spin, because that would take time from the server.
pub fn pause(now_ns: u64, due_ns: Option<u64>, until_ns: u64, may_spin: bool) -> Pause {
    let spin_ns = if may_spin { SPIN_NS } else { 0 };
    let wake_ns = due_ns.map_or(until_ns, |due_ns| due_ns.saturating_sub(spin_ns).min(until_ns));
    if wake_ns > now_ns { Pause::Sleep(wake_ns) } else { Pause::Spin }
}

/// How late a request began because of the load generator alone: it was due, and a client was free
/// since `free_since_ns`.
pub fn own_lateness_ns(due_ns: u64, free_since_ns: u64, now_ns: u64) -> u64 {
    now_ns.saturating_sub(due_ns.max(free_since_ns))
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
        // After a stall, all missed requests are due, each with its own time.
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
    }

    #[test]
    fn a_rate_that_does_not_divide_a_second_stays_exact_for_an_hour() {
        let mut schedule = Schedule::new(7.0, 3, 2, 0);
        // Every third of 7 requests a second, for an hour: 8,400.
        assert_eq!(due(&mut schedule, 3_600_000_000_000 - 1).len(), 8_400);
    }

    #[test]
    fn requests_that_were_due_and_not_taken_are_counted() {
        let mut schedule = Schedule::new(10.0, 1, 0, 0);
        due(&mut schedule, 300_000_000);
        assert_eq!(schedule.untaken_before(1_000_000_000), 6);
        assert_eq!(schedule.untaken_before(0), 0);
        for (rate, end_ns) in [(7.0, 999_999_937), (3.0, 1_000_000_000), (0.001, 5_000)] {
            for taken in 0..5 {
                let mut schedule = Schedule::new(rate, 2, 1, 1_000);
                schedule.taken = taken;
                let left = schedule.untaken_before(end_ns);
                assert_eq!(left, due(&mut schedule, end_ns - 1).len() as u64, "{rate} {taken}");
            }
        }
        // Even a year at the highest rate is counted at once.
        let year_ns = 31_536_000_000_000_000;
        let left = Schedule::new(1e8, 1, 0, 0).untaken_before(year_ns);
        assert!(left.abs_diff(3_153_600_000_000_000) < 10, "{left}");
    }

    /// The times at which requests begin in a loop that is woken late, in each turn by the
    /// `lateness` for its number.
    fn departures(
        rate: f64,
        threads: usize,
        count: usize,
        lateness: impl Fn(u64) -> u64,
    ) -> Vec<u64> {
        /// The duration of a turn.
        const TURN_NS: u64 = 500;
        let mut left = Vec::new();
        for thread in 0..threads {
            let (mut schedule, mut now_ns) = (Schedule::new(rate, threads, thread, 1_000_000), 0);
            for turn in 0.. {
                while schedule.take(now_ns).is_some() {
                    left.push(now_ns);
                }
                if left.len() >= count * (thread + 1) {
                    break;
                }
                now_ns = match pause(now_ns, Some(schedule.next_ns()), now_ns + 100_000_000, true) {
                    Pause::Sleep(until_ns) => until_ns + lateness(turn),
                    Pause::Spin => now_ns + TURN_NS,
                };
            }
        }
        left.sort_unstable();
        left
    }

    #[test]
    fn gaps_are_even_at_every_rate_though_the_kernel_wakes_the_loop_late() {
        for rate in [1.0, 7.0, 200.0, 2_000.0, 20_000.0] {
            for threads in [1, 2, 3] {
                let left = departures(rate, threads, 300, |turn| turn * 31 % 97 * 1_000);
                // The threads end at different times.
                let mut gaps: Vec<_> =
                    left[..300].windows(2).map(|pair| pair[1] - pair[0]).collect();
                gaps.sort_unstable();
                let median = gaps[gaps.len() / 2] as f64 * rate / 1e9;
                assert!((median - 1.0).abs() < 0.05, "{rate}/s from {threads}: {median}");
                let max = gaps[gaps.len() - 1] as f64 * rate / 1e9;
                assert!(max < 1.5, "{rate}/s from {threads}: {max}");
            }
        }
    }

    #[test]
    fn a_loop_sleeps_until_shortly_before_a_request_or_until_its_next_action() {
        let ms = 1_000_000;
        assert_eq!(pause(0, None, 5 * ms, true), Pause::Sleep(5 * ms));
        assert_eq!(pause(0, Some(3 * ms), 5 * ms, true), Pause::Sleep(3 * ms - SPIN_NS));
        assert_eq!(pause(0, Some(9 * ms), 5 * ms, true), Pause::Sleep(5 * ms));
        assert_eq!(pause(3 * ms - 1, Some(3 * ms), 5 * ms, true), Pause::Spin);
        assert_eq!(pause(3 * ms - 1, Some(3 * ms), 5 * ms, false), Pause::Sleep(3 * ms));
        assert_eq!(pause(5 * ms, None, 5 * ms, false), Pause::Spin);
    }

    #[test]
    fn a_load_generator_is_late_only_if_a_client_was_free() {
        assert_eq!(own_lateness_ns(100, 0, 130), 30);
        // No client was free before 120.
        assert_eq!(own_lateness_ns(100, 120, 130), 10);
        assert_eq!(own_lateness_ns(100, 0, 100), 0);
    }
}
