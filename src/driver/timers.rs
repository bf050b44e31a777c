//! Timers of a loop, ordered by time. A timer is never cancelled: when it is due, the loop checks
//! whether it is still needed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Timers, each with a time in milliseconds of the monotonic clock and a key.
pub struct Timers<K> {
    heap: BinaryHeap<Reverse<Timer<K>>>,
}

struct Timer<K> {
    at_ms: u64,
    key: K,
}

impl<K> Default for Timers<K> {
    fn default() -> Timers<K> {
        Timers { heap: BinaryHeap::new() }
    }
}

impl<K: Copy> Timers<K> {
    /// Sets a timer.
    pub fn push(&mut self, at_ms: u64, key: K) {
        self.heap.push(Reverse(Timer { at_ms, key }));
    }

    /// The time of the earliest timer.
    pub fn next(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse(timer)| timer.at_ms)
    }

    /// Removes and returns the earliest timer, if it is due.
    pub fn pop(&mut self, now_ms: u64) -> Option<(u64, K)> {
        if self.next()? > now_ms {
            return None;
        }
        self.heap.pop().map(|Reverse(timer)| (timer.at_ms, timer.key))
    }
}

impl<K> PartialEq for Timer<K> {
    fn eq(&self, other: &Timer<K>) -> bool {
        self.at_ms == other.at_ms
    }
}

impl<K> Eq for Timer<K> {}

impl<K> PartialOrd for Timer<K> {
    fn partial_cmp(&self, other: &Timer<K>) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> Ord for Timer<K> {
    fn cmp(&self, other: &Timer<K>) -> std::cmp::Ordering {
        self.at_ms.cmp(&other.at_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_comes_first_and_none_too_soon() {
        let mut timers = Timers::default();
        timers.push(30, 'c');
        timers.push(10, 'a');
        timers.push(20, 'b');
        assert_eq!(timers.next(), Some(10));
        assert_eq!(timers.pop(9), None);
        assert_eq!(timers.pop(20), Some((10, 'a')));
        assert_eq!(timers.pop(20), Some((20, 'b')));
        assert_eq!(timers.pop(20), None);
        assert_eq!(timers.next(), Some(30));
    }
}
