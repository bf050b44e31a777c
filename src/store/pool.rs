//! A bounded pool of connections to the store, shared by threads.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use zerohttpd_core::store::StoreDown;

use crate::clock;
use crate::store::blocking::ConnectionSource;
use crate::store::blocking_connection::BlockingConnection;

/// The maximum number of connections of a pool. With more connections, queries would only queue in
/// the store.
pub const STORE_CONNECTIONS: usize = 16;

/// A pool of connections. A thread takes one for each query.
pub struct Pool {
    state: Mutex<PoolState>,
    /// Wakes a thread when a connection is given back.
    returned: Condvar,
}

struct PoolState {
    idle: Vec<BlockingConnection>,
    /// How many more connections can be in use.
    permits: usize,
}

impl Pool {
    /// A pool of at most `limit` connections, each of which is opened when it is first needed.
    pub fn new(limit: usize) -> Pool {
        let state = PoolState { idle: Vec::new(), permits: limit };
        Pool { state: Mutex::new(state), returned: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionSource for &Pool {
    fn take(&mut self, epoch: u64, until_ms: u64) -> Result<Option<BlockingConnection>, StoreDown> {
        let timeout = Duration::from_millis(until_ms.saturating_sub(clock::now().ms));
        let (mut state, _) = self
            .returned
            .wait_timeout_while(self.lock(), timeout, |state| state.permits == 0)
            .unwrap_or_else(PoisonError::into_inner);
        if state.permits == 0 {
            return Err(StoreDown::TimedOut);
        }
        state.permits -= 1;
        state.idle.retain(|connection| connection.epoch == epoch);
        Ok(state.idle.pop())
    }

    fn give_back(&mut self, connection: Option<BlockingConnection>) {
        let mut state = self.lock();
        state.permits += 1;
        state.idle.extend(connection);
        drop(state);
        self.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_connections_are_in_use_than_the_limit() {
        let pool = Pool::new(2);
        let (mut first, mut second) = (&pool, &pool);
        assert!(first.take(0, 0).unwrap().is_none());
        assert!(second.take(0, 0).unwrap().is_none());
        assert!(matches!(first.take(0, 0), Err(StoreDown::TimedOut)));
        second.give_back(None);
        assert!(first.take(0, 0).unwrap().is_none());
    }
}
