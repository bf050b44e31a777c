//! The back-off: who may try to connect to a store that has failed, and when.

use std::sync::atomic::Ordering::Relaxed;

use zero_core::store::{Reply, StoreDown};

use crate::say;
use crate::scoreboard::Scoreboard;
use crate::tally::{Tally, Timed};

/// The wait after a first failure; it doubles with each further one.
const FIRST_WAIT_MS: u64 = 25;

/// The wait never gets longer: a store that is back is noticed within this.
const LONGEST_WAIT_MS: u64 = 1000;

/// A gate in front of the store, the same for all processes of a server.
///
/// While it is shut, questions fail at once instead of knocking at a door that nobody opens.
#[derive(Clone, Copy)]
pub struct Gate {
    /// What the processes have in common.
    pub board: Scoreboard,
    /// Where this thread counts.
    pub tally: Tally,
}

impl Gate {
    /// Whether one may connect now.
    pub fn is_open(&self, now_ms: u64) -> bool {
        self.board.store_retry_at_ms.load(Relaxed) <= now_ms
    }

    /// Learns what came of a question.
    pub fn note(&self, reply: &Result<Reply, StoreDown>, now_ms: u64) {
        match reply {
            Ok(_) => self.answered(),
            // The connection is good: others may be answered.
            Err(why @ StoreDown::Refused) => drop(self.say(*why, now_ms)),
            Err(why) => self.failed(*why, now_ms),
        }
    }

    /// Counts a question that was asked at `asked_ms`, by what came of it.
    pub fn count(&self, reply: &Result<Reply, StoreDown>, asked_ms: u64, now_ms: u64) {
        match reply {
            Ok(_) => self.tally.time(Timed::Store, now_ms.saturating_sub(asked_ms)),
            Err(why) => self.tally.store_failed(*why),
        }
    }

    /// The store could not be reached, or broke off.
    pub fn failed(&self, why: StoreDown, now_ms: u64) {
        let failures = self.board.store_failures.fetch_add(1, Relaxed);
        if failures == 0 {
            self.board.store_down_ms.store(now_ms, Relaxed);
        }
        let wait = FIRST_WAIT_MS.saturating_mul(1 << failures.min(10)).min(LONGEST_WAIT_MS);
        self.board.store_retry_at_ms.fetch_max(now_ms + wait, Relaxed);
        if self.say(why, now_ms) {
            self.board.store_said_down.store(1, Relaxed);
        }
    }

    /// The store answers. If it was said to be down, the first to notice says that it is back.
    pub fn answered(&self) {
        if self.board.store_failures.load(Relaxed) == 0 {
            return;
        }
        self.board.store_failures.store(0, Relaxed);
        self.board.store_retry_at_ms.store(0, Relaxed);
        if self.board.store_said_down.swap(0, Relaxed) != 0 {
            say!("zerohttpd: the store answers again");
        }
    }

    /// Says what is wrong, once in a while and not for every visitor; whether it was said now.
    pub fn say(&self, why: StoreDown, now_ms: u64) -> bool {
        if !say::is_due(self.board.store_complaint_ms, now_ms) {
            return false;
        }
        say!("zerohttpd: the store {why}; the guestbook answers 503, files are served");
        true
    }
}
