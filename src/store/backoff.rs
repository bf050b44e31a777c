//! The back-off: when processes try again to connect to a store that has failed.

use std::sync::atomic::Ordering::Relaxed;

use zerohttpd_core::Now;
use zerohttpd_core::store::{Reply, Scope, StoreDown, StoreFailure};
use zerohttpd_sys::say;

use crate::shared::counters::{ThreadCounters, Timed};
use crate::shared::store_condition::{DOWN, NOT_YET_UP, QueryKind, StoreCondition};

/// The pause after a first failure. It doubles with each further failure.
const FIRST_WAIT_MS: u64 = 25;

/// The longest pause: a store that is back is noticed within this time.
const LONGEST_WAIT_MS: u64 = 1000;

/// The pause between attempts to connect to a store that has failed, the same for all processes.
///
/// During the pause, queries that need a new connection fail at once.
#[derive(Clone, Copy)]
pub struct Backoff {
    /// The condition of the store, which all processes share.
    pub store: StoreCondition,
    /// The counters of this thread.
    pub counters: ThreadCounters,
}

impl Backoff {
    /// Whether the pause is over, so that a process can try to connect.
    pub fn can_connect(&self, now_ms: u64) -> bool {
        self.store.retry_at_ms.load(Relaxed) <= now_ms
    }

    /// The epoch of a connection that is opened now. When a connection fails, another epoch begins.
    /// Idle connections of earlier epochs are not used again, because they have probably failed
    /// too.
    pub fn epoch(&self) -> u64 {
        self.store.epoch.load(Relaxed)
    }

    /// Notes the outcome of a query, which was made at `asked_at`.
    pub fn note_outcome(
        &self,
        kind: QueryKind,
        reply: &Result<Reply, StoreFailure>,
        [asked_at, now]: [Now; 2],
    ) {
        let failure = match reply {
            Ok(_) => {
                self.counters.count_duration(Timed::Store, now.us_since(asked_at));
                return self.note_answer(kind);
            }
            Err(failure) => failure,
        };
        let now_ms = now.ms;
        self.counters.count_store_failure(failure.why);
        self.store.note_refusal(kind, failure, now_ms);
        // `note_failure` reports failures of the connection.
        if failure.why == StoreDown::Refused
            && self.store.outage_of(kind).note_if_due(failure, now_ms)
        {
            let refused = if kind == QueryKind::Sign { "remarks get" } else { "visits get" };
            say!("zerohttpd: the store {failure}; {refused} 503, files are served");
            self.note_reported_down();
        }
    }

    /// Notes that the store can't be reached, has broken the connection, or can't serve.
    pub fn note_failure(&self, failure: &StoreFailure, now_ms: u64) {
        let failures = self.store.failures.fetch_add(1, Relaxed);
        let wait = FIRST_WAIT_MS.saturating_mul(1 << failures.min(10)).min(LONGEST_WAIT_MS);
        self.store.retry_at_ms.fetch_max(now_ms + wait, Relaxed);
        let affects_other_connections = match failure.why {
            StoreDown::TimedOut | StoreDown::Broken => true,
            StoreDown::NotServing => failure.scope != Scope::Connection,
            _ => false,
        };
        if affects_other_connections {
            self.store.epoch.fetch_add(1, Relaxed);
        }
        self.store.connections.begin_for_connections(failure, now_ms);
        if self.store.connections.note_if_due(failure, now_ms) {
            say!("zerohttpd: the store {failure}; the guestbook answers 503, files are served");
            self.note_reported_down();
        }
    }

    /// Notes that the store answers. If it was reported to be down, the first process that notices
    /// reports that it is back.
    pub fn note_answer(&self, kind: QueryKind) {
        if self.store.is_up() && self.store.failures.load(Relaxed) == 0 {
            return;
        }
        self.store.note_answer(kind);
        self.report_if_up();
    }

    /// Notes that the store has accepted a connection and its credentials.
    pub fn note_reached(&self) {
        self.store.note_reached();
        self.report_if_up();
    }

    /// Notes that the store was reported to be down.
    fn note_reported_down(&self) {
        let _ = self.store.reported_down.compare_exchange(0, DOWN, Relaxed, Relaxed);
    }

    fn report_if_up(&self) {
        if !self.store.is_up() {
            return;
        }
        match self.store.reported_down.swap(0, Relaxed) {
            DOWN => say!("zerohttpd: the store answers again"),
            NOT_YET_UP => say!("zerohttpd: the store answers now"),
            _ => {}
        }
    }
}
