//! Timers of a loop: which comes first. They are never taken back; what is no longer needed is
//! found to be so when its time comes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Timers, each with a time in milliseconds and what it is for.
pub struct Timers<K> {
    heap: BinaryHeap<Reverse<Timer<K>>>,
}

struct Timer<K> {
    at_ms: u64,
    what: K,
}

impl<K> Default for Timers<K> {
    fn default() -> Timers<K> {
        Timers { heap: BinaryHeap::new() }
    }
}

impl<K: Copy> Timers<K> {
    /// Sets one more.
    pub fn push(&mut self, at_ms: u64, what: K) {
        self.heap.push(Reverse(Timer { at_ms, what }));
    }

    /// The next time that one is due.
    pub fn next(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse(timer)| timer.at_ms)
    }

    /// The next one that is due by now, with its time.
    pub fn pop(&mut self, now_ms: u64) -> Option<(u64, K)> {
        if self.next()? > now_ms {
            return None;
        }
        self.heap.pop().map(|Reverse(timer)| (timer.at_ms, timer.what))
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
