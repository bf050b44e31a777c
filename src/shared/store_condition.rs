//! The condition of the store, which all processes share: whether the store answers, its last
//! error, when to try again, and its address.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use zerohttpd_core::store::{Query, Scope, StoreFailure};
use zerohttpd_sys::diagnostics;
use zerohttpd_sys::shared_memory::Shared;

use crate::shared::text::SharedText;

/// The kind of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryKind {
    /// A page for a visitor who is counted, so the store writes.
    Visit,
    /// A page for a visitor who is not counted, so the store only reads.
    View,
    /// A remark to keep, so the store writes.
    Sign,
}

impl QueryKind {
    /// The kind of a query.
    pub fn of(query: &Query) -> QueryKind {
        match query {
            Query::Visit { is_counted: true, .. } => QueryKind::Visit,
            Query::Visit { is_counted: false, .. } => QueryKind::View,
            Query::Sign(_) => QueryKind::Sign,
        }
    }
}

/// The condition of the store, in shared memory.
#[derive(Clone, Copy)]
pub struct StoreCondition {
    /// How many connections have failed in a row since the store last answered.
    pub failures: &'static AtomicU64,
    /// No process connects to the store before this time, in milliseconds of the monotonic clock.
    pub retry_at_ms: &'static AtomicU64,
    /// Grows when a connection fails and when the store's address changes. Idle connections of an
    /// earlier epoch are not used again.
    pub epoch: &'static AtomicU64,
    /// [`DOWN`] or [`NOT_YET_UP`] after a message that the store fails, until a message that it
    /// answers again; otherwise 0.
    pub reported_down: &'static AtomicU64,
    /// The resolved address, if the store is reached by TCP.
    address: SharedText,
    /// The outage of connections.
    pub connections: Outage,
    /// The outage of visits, on a connection that works.
    pub visits: Outage,
    /// The outage of remarks, on a connection that works.
    pub remarks: Outage,
}

/// An outage of the store, or of one kind of query. It is ongoing or over.
#[derive(Clone, Copy)]
pub struct Outage {
    /// When the outage began, in milliseconds of the monotonic clock; 0 if it is over.
    since_ms: &'static AtomicU64,
    /// Which answer shows that the outage is over: `BY_ANY_PAGE`, `BY_ANY_WRITE` or `BY_ITS_KIND`.
    scope: &'static AtomicU64,
    /// The latest printed messages: for each of [`REASONS`] reasons, its hash and the time.
    messages: &'static [AtomicU64],
    /// The last failure.
    text: SharedText,
}

/// In `reported_down`: the store was up before.
pub const DOWN: u64 = 1;
/// In `reported_down`: the store has never answered.
pub const NOT_YET_UP: u64 = 2;

/// How many numbers of 64 bits fill a cache line.
const CACHE_LINE: usize = 8;

/// How many reasons are remembered as printed. A further reason is printed only once the message
/// for one of these is due again.
const REASONS: usize = 4;

// In `scope`: which answer shows that an outage is over.

/// The answer to any query for a page, whether its visitor is counted or not.
const BY_ANY_PAGE: u64 = 0;
/// The answer to any query that writes.
const BY_ANY_WRITE: u64 = 1;
/// The answer to a query of the kind that failed.
const BY_ITS_KIND: u64 = 2;

impl StoreCondition {
    /// The condition of a store before the first connection.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new() -> io::Result<StoreCondition> {
        // The numbers that are read for each reply share one cache line.
        let numbers = Shared::new(CACHE_LINE)?.leak();
        let outage = |index: usize| -> io::Result<Outage> {
            Ok(Outage {
                since_ms: &numbers[4 + index],
                scope: &Shared::new(1)?.leak()[0],
                messages: Shared::new(2 * REASONS)?.leak(),
                text: SharedText::new()?,
            })
        };
        Ok(StoreCondition {
            failures: &numbers[0],
            retry_at_ms: &numbers[1],
            epoch: &numbers[2],
            reported_down: &numbers[3],
            address: SharedText::new()?,
            connections: outage(0)?,
            visits: outage(1)?,
            remarks: outage(2)?,
        })
    }

    /// Whether there is no outage of any kind.
    pub fn is_up(&self) -> bool {
        [self.connections, self.visits, self.remarks].iter().all(Outage::is_over)
    }

    /// Whether connections fail.
    pub fn is_down(&self) -> bool {
        !self.connections.is_over()
    }

    /// Notes that a connection was made.
    pub fn note_reached(&self) {
        self.failures.store(0, Relaxed);
        self.retry_at_ms.store(0, Relaxed);
        self.connections.end();
    }

    /// Notes that a query was answered.
    pub fn note_answer(&self, kind: QueryKind) {
        self.note_reached();
        for (outage, failed) in [(self.visits, QueryKind::Visit), (self.remarks, QueryKind::Sign)] {
            let is_over = match outage.scope.load(Relaxed) {
                BY_ANY_PAGE => {
                    kind == failed || (kind, failed) == (QueryKind::View, QueryKind::Visit)
                }
                BY_ANY_WRITE => kind != QueryKind::View,
                _ => kind == failed,
            };
            if is_over {
                outage.end();
            }
        }
    }

    /// Notes that a query was answered with an error.
    pub fn note_refusal(&self, kind: QueryKind, failure: &StoreFailure, now_ms: u64) {
        let scope = match (failure.scope, kind) {
            (Scope::Connection, _) => return,
            (_, QueryKind::View) => BY_ANY_PAGE,
            (Scope::Writes, _) => BY_ANY_WRITE,
            (Scope::Query, _) => BY_ITS_KIND,
        };
        self.outage_of(kind).begin(failure, scope, now_ms);
    }

    /// The outage of queries of this kind.
    pub fn outage_of(&self, kind: QueryKind) -> Outage {
        match kind {
            QueryKind::Visit | QueryKind::View => self.visits,
            QueryKind::Sign => self.remarks,
        }
    }

    /// The resolved address, if there is one.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address.get().parse().ok()
    }

    /// Sets another address of the store. Idle connections to the old address are not used again.
    pub fn set_address(&self, address: SocketAddr) {
        self.address.set(&address.to_string());
        self.epoch.fetch_add(1, Relaxed);
    }

    /// The text of reports: `store up`, or what fails, for how long and why.
    pub fn describe(&self, now_ms: u64) -> String {
        let details = |outage: Outage| {
            let since_ms = outage.since_ms.load(Relaxed);
            format!("for {} s: {}", now_ms.saturating_sub(since_ms) / 1000, outage.text.get())
        };
        let fails = |outage: Outage| !outage.is_over();
        match (fails(self.connections), fails(self.visits), fails(self.remarks)) {
            (false, false, false) => "store up".to_owned(),
            (true, _, _) => format!("store down {}", details(self.connections)),
            (false, true, false) => format!("store fails visits {}", details(self.visits)),
            (false, false, true) => format!("store fails remarks {}", details(self.remarks)),
            (false, true, true) => {
                let (visits, remarks) = (self.visits.text.get(), self.remarks.text.get());
                let also = if visits == remarks { String::new() } else { format!("; {remarks}") };
                format!("store down {}{also}", details(self.visits))
            }
        }
    }
}

impl Outage {
    /// Whether the outage is over, or has never begun.
    pub fn is_over(&self) -> bool {
        self.since_ms.load(Relaxed) == 0
    }

    /// Begins the outage, or notes another reason for it.
    pub fn begin(&self, failure: &StoreFailure, scope: u64, now_ms: u64) {
        self.scope.store(scope, Relaxed);
        let text = failure.to_string();
        if self.is_over() || self.text.get() != text {
            self.text.set(&text);
        }
        let _ = self.since_ms.compare_exchange(0, now_ms.max(1), Relaxed, Relaxed);
    }

    /// Begins the outage of connections, which any answer ends, whatever the scope.
    pub fn begin_for_connections(&self, failure: &StoreFailure, now_ms: u64) {
        self.begin(failure, BY_ANY_PAGE, now_ms);
    }

    fn end(&self) {
        if !self.is_over() {
            self.since_ms.store(0, Relaxed);
        }
    }

    /// Returns whether to print a failure now, and notes that it is printed if so. False if the
    /// same failure was printed recently, or if [`REASONS`] others were.
    pub fn note_if_due(&self, failure: &StoreFailure, now_ms: u64) -> bool {
        let hash = hash(failure);
        let (messages, _) = self.messages.as_chunks::<2>();
        let same = messages.iter().find(|[known, _]| known.load(Relaxed) == hash);
        if let Some([_, printed_ms]) = same {
            return diagnostics::note_if_due(printed_ms, now_ms);
        }
        let old =
            messages.iter().find(|[_, printed_ms]| diagnostics::note_if_due(printed_ms, now_ms));
        let Some([known, _]) = old else { return false };
        known.store(hash, Relaxed);
        true
    }
}

impl fmt::Debug for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text.get())
    }
}

/// A hash of the kind of a failure and of the first word of the store's error. The other words can
/// differ each time.
fn hash(failure: &StoreFailure) -> u64 {
    let word = failure.message.iter().flat_map(|message| message.split(' ').take(1));
    let bytes = word.flat_map(str::bytes).map(u64::from);
    // FNV-1a.
    bytes.fold(0xcbf2_9ce4_8422_2325 ^ failure.why as u64, |hash, byte| {
        (hash ^ byte).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerohttpd_core::store::StoreDown;

    fn failure(why: StoreDown, message: &str, scope: Scope) -> StoreFailure {
        StoreFailure { why, message: Some(message.into()), scope }
    }

    #[test]
    fn an_outage_is_described_until_an_answer_shows_that_it_is_over() {
        use QueryKind::*;
        let oom = failure(StoreDown::Refused, "OOM", Scope::Writes);
        let noperm = failure(StoreDown::Refused, "NOPERM", Scope::Query);
        let error = "answered with an error";
        for (failed, failure, text, then) in [
            (Sign, &oom, "store fails remarks for 2 s", [(View, false), (Visit, true)]),
            (Sign, &noperm, "store fails remarks for 2 s", [(Visit, false), (Sign, true)]),
            (Visit, &oom, "store fails visits for 2 s", [(View, false), (Sign, true)]),
            (Visit, &noperm, "store fails visits for 2 s", [(Sign, false), (Visit, true)]),
            (View, &noperm, "store fails visits for 2 s", [(Sign, false), (View, true)]),
        ] {
            let condition = StoreCondition::new().unwrap();
            assert_eq!(condition.describe(9), "store up");
            condition.note_refusal(failed, failure, 1000);
            condition.note_refusal(failed, failure, 2000);
            let reason = failure.message.as_deref().unwrap();
            assert_eq!(condition.describe(3000), format!("{text}: {error}: {reason}"));
            for (answered, is_over) in then {
                condition.note_answer(answered);
                assert_eq!(condition.is_up(), is_over, "{failed:?} {answered:?}");
            }
        }
        let condition = StoreCondition::new().unwrap();
        condition.note_refusal(Visit, &noperm, 1000);
        condition.note_refusal(Sign, &oom, 1000);
        let both = format!("store down for 1 s: {error}: NOPERM; {error}: OOM");
        assert_eq!(condition.describe(2000), both);
        let refused = StoreFailure::of_connection(StoreDown::Unreachable, "Connection refused");
        condition.connections.begin_for_connections(&refused, 2000);
        let down = "store down for 1 s: can't be reached: Connection refused";
        assert_eq!(condition.describe(3500), down);
    }

    #[test]
    fn each_reason_is_printed_now_and_then_and_few_at_a_time() {
        let outage = StoreCondition::new().unwrap().visits;
        let oom = failure(StoreDown::Refused, "OOM 1", Scope::Writes);
        let again = failure(StoreDown::Refused, "OOM 2", Scope::Writes);
        assert!(outage.note_if_due(&oom, 1000));
        assert!(!outage.note_if_due(&again, 2000));
        let other = |word: usize| failure(StoreDown::Refused, &format!("{word}"), Scope::Writes);
        let printed = (0..100).filter(|word| outage.note_if_due(&other(*word), 3000)).count();
        assert_eq!(printed, REASONS - 1);
        assert!(!outage.note_if_due(&again, 30_000));
        assert!(outage.note_if_due(&again, 31_000));
        assert!(outage.note_if_due(&other(99), 33_000));
    }

    #[test]
    fn another_address_begins_another_epoch() {
        let condition = StoreCondition::new().unwrap();
        assert_eq!(condition.address(), None);
        for (epoch, text) in ["127.0.0.1:6379", "[::1]:6379", "[fe80::1%2]:1"].iter().enumerate() {
            assert_eq!(condition.epoch.load(Relaxed), epoch as u64);
            condition.set_address(text.parse().unwrap());
            assert_eq!(condition.address(), text.parse().ok());
        }
    }
}
