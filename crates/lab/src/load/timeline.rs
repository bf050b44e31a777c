//! The times at which a load began and ended.

use std::time::Duration;

use super::plan::{Length, LoadPlan};

/// The times of a load, in nanoseconds of the monotonic clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timeline {
    /// When the first client began to connect.
    pub opened_ns: u64,
    /// When the measured time began, if it did.
    pub start_ns: Option<u64>,
    /// When the load ended.
    pub ended_ns: u64,
    /// When a signal stopped it, if one did.
    pub stopped_ns: u64,
    /// Whether a signal stopped it early.
    pub was_interrupted: bool,
}

impl Timeline {
    /// How long it took until all clients had a first answer.
    pub fn opening_s(&self) -> f64 {
        (self.start_ns.unwrap_or(self.ended_ns) - self.opened_ns) as f64 / 1e9
    }

    /// The length of the measured time.
    pub fn elapsed(&self, plan: &LoadPlan, last_end_ns: u64) -> Duration {
        let Some(start_ns) = self.start_ns else { return Duration::ZERO };
        let since_start = |ns: u64| Duration::from_nanos(ns.saturating_sub(start_ns));
        match plan.length {
            Length::Time(time) if !self.was_interrupted => time.min(since_start(self.ended_ns)),
            Length::Time(time) => time.min(since_start(self.stopped_ns)),
            // A load that is stopped ends at that time, not with its last answer.
            Length::Requests(_) if self.was_interrupted => since_start(self.stopped_ns),
            Length::Requests(_) => since_start(last_end_ns),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::target::LoadTarget;

    #[test]
    fn the_time_of_a_load_that_is_stopped_ends_then_and_not_with_its_last_answer() {
        let target = LoadTarget {
            url: String::new(),
            address: "127.0.0.1:1".parse().unwrap(),
            request: Vec::new(),
            is_idempotent: true,
        };
        let mut plan = LoadPlan {
            target,
            clients: 1,
            threads: 1,
            may_spin: false,
            length: Length::Requests(1000),
            rate_per_s: None,
            keep_alive: true,
            think: Duration::ZERO,
            timeout: Duration::from_secs(10),
        };
        let s = 1_000_000_000;
        let mut times = Timeline { start_ns: Some(s), ended_ns: 9 * s, ..Timeline::default() };
        assert_eq!(times.elapsed(&plan, 3 * s), Duration::from_secs(2));
        (times.was_interrupted, times.stopped_ns) = (true, 8 * s);
        assert_eq!(times.elapsed(&plan, 3 * s), Duration::from_secs(7));
        plan.length = Length::Time(Duration::from_secs(5));
        assert_eq!(times.elapsed(&plan, 3 * s), Duration::from_secs(5));
        plan.length = Length::Time(Duration::from_secs(500));
        assert_eq!(times.elapsed(&plan, 3 * s), Duration::from_secs(7));
    }
}
