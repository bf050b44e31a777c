//! A bounded pool of connections to the store, shared by threads.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use zero_core::store::StoreDown;

use super::asker::Lines;
use super::line::Line;
use crate::clock;

/// Threads ask one question each at most; the store would only queue what more connections bring.
pub const STORE_LINES: usize = 16;

/// The pool.
pub struct Pool {
    state: Mutex<State>,
    returned: Condvar,
}

struct State {
    idle: Vec<Line>,
    /// Connections that may still be made or are idle.
    permits: usize,
}

impl Pool {
    /// A pool of up to so many connections; none is opened before it is needed.
    pub fn new(most: usize) -> Pool {
        let state = State { idle: Vec::new(), permits: most };
        Pool { state: Mutex::new(state), returned: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines for &Pool {
    fn take(&mut self, until_ms: u64) -> Result<Option<Line>, StoreDown> {
        let patience = Duration::from_millis(until_ms.saturating_sub(clock::now().ms));
        let (mut state, _) = self
            .returned
            .wait_timeout_while(self.lock(), patience, |state| state.permits == 0)
            .unwrap_or_else(PoisonError::into_inner);
        if state.permits == 0 {
            return Err(StoreDown::TimedOut);
        }
        state.permits -= 1;
        Ok(state.idle.pop())
    }

    fn give_back(&mut self, line: Option<Line>) {
        let mut state = self.lock();
        state.permits += 1;
        state.idle.extend(line);
        drop(state);
        self.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_bound_are_out_at_once() {
        let pool = Pool::new(2);
        let (mut one, mut other) = (&pool, &pool);
        assert!(one.take(0).unwrap().is_none());
        assert!(other.take(0).unwrap().is_none());
        assert!(matches!(one.take(0), Err(StoreDown::TimedOut)));
        other.give_back(None);
        assert!(one.take(0).unwrap().is_none());
    }
}
