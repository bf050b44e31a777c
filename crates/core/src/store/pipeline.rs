//! A pipeline to the store: many queries go out together, and replies come back in their order.
//!
//! ```text
//!   ask(key, query) ──► unsent ──► outgoing() ──► awaited ──► received() ──► reply()
//!                         all at once, when         one entry for
//!                         nothing is awaited:       each command
//!                         visits of a page share
//!                         one INCRBY and LRANGE
//! ```
//!
//! A pipeline does no I/O: a driver carries the bytes. A query goes out at once if no reply is
//! outstanding. Otherwise it waits, and all waiting queries then go out together: one `INCRBY n`
//! counts all visits of a page, and each visit gets one of the n numbers. So the busier the server
//! is, the less a query costs.
//!
//! A pipeline lives as long as its connection. When the connection breaks, [`fail`](Pipeline::fail)
//! answers every query, and no query is sent twice. When the store says that it can't serve, the
//! pipeline fails after the outstanding replies: a new connection can lead to a store that serves.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::failure::{StoreFailure, first_word};
use super::query::{GUESTBOOK_REMARKS, Query, Reply, VISITOR_COUNT};
use super::remarks::Remarks;
use super::reply_cache::CachedPage;
use super::resp::{self, RespValue};
use super::store_down::StoreDown;
use crate::limits::{REMARKS_PER_PAGE, STORE_QUERIES};
use crate::text::Decimal;

/// The credentials and the database of a connection.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The user of an access control list; the default user if there is none.
    pub user: Option<Vec<u8>>,
    /// The password.
    pub password: Option<Vec<u8>>,
    /// The number of the database.
    pub database: u32,
}

/// One connection to the store. `K` identifies a query.
pub struct Pipeline<K> {
    /// Whether the store has accepted the greeting.
    greeting_accepted: bool,
    unsent: Vec<(K, Query)>,
    awaited: VecDeque<Awaited<K>>,
    /// The number of queries without a reply.
    pending: usize,
    /// Encoded commands.
    out: Vec<u8>,
    /// How many bytes of `out` were written.
    written: usize,
    /// Bytes of a reply that is incomplete.
    input: Vec<u8>,
    /// The least length of that reply.
    min_len: usize,
    cached_page: Option<CachedPage>,
    replies: VecDeque<(K, Result<Reply, StoreFailure>)>,
    /// Why the connection ends after the outstanding replies.
    final_failure: Option<StoreFailure>,
}

/// An outstanding reply.
enum Awaited<K> {
    /// To a command of the greeting. The reply to the last one says whether the store accepts it.
    Greeting { is_last: bool },
    /// To `INCRBY` or `GET`; the reply to `LRANGE` follows.
    Number(Visits<K>),
    /// To `LRANGE`, with the number from the reply before it.
    Page(Visits<K>, Result<u64, StoreFailure>),
    /// To `RPUSH`.
    Signed(K),
}

/// Visits of the same page that share their commands.
struct Visits<K> {
    page: u32,
    /// The keys of the visits that are counted.
    counted: Vec<K>,
    /// The keys of the other visits.
    uncounted: Vec<K>,
}

impl<K> Pipeline<K> {
    /// A pipeline on a new connection, which begins with the greeting.
    pub fn new(credentials: &Credentials) -> Pipeline<K> {
        let mut pipeline = Pipeline { greeting_accepted: false, ..Pipeline::greeted() };
        pipeline.greet(credentials);
        pipeline
    }

    /// A pipeline on a connection that was used before and has no outstanding replies.
    pub fn greeted() -> Pipeline<K> {
        Pipeline {
            greeting_accepted: true,
            unsent: Vec::new(),
            awaited: VecDeque::new(),
            pending: 0,
            out: Vec::new(),
            written: 0,
            input: Vec::new(),
            min_len: 0,
            cached_page: None,
            replies: VecDeque::new(),
            final_failure: None,
        }
    }

    fn greet(&mut self, credentials: &Credentials) {
        if let Some(password) = &credentials.password {
            match &credentials.user {
                Some(user) => resp::command(&mut self.out, &[b"AUTH", user, password]),
                None => resp::command(&mut self.out, &[b"AUTH", password]),
            }
            self.awaited.push_back(Awaited::Greeting { is_last: false });
        }
        if credentials.database != 0 {
            let database = Decimal::of(credentials.database.into());
            resp::command(&mut self.out, &[b"SELECT", &database]);
            self.awaited.push_back(Awaited::Greeting { is_last: false });
        }
        // PING fails with NOAUTH if a password is required and was not given, and with NOPERM if
        // the user has no right to PING. Such a user can have all rights that the guestbook needs.
        resp::command(&mut self.out, &[b"PING"]);
        self.awaited.push_back(Awaited::Greeting { is_last: true });
    }

    /// Whether the store has accepted the greeting.
    pub fn is_greeting_accepted(&self) -> bool {
        self.greeting_accepted
    }

    /// Adds a query. [`reply`](Pipeline::reply) returns its reply later, with the key.
    pub fn ask(&mut self, key: K, query: Query) {
        if self.pending == STORE_QUERIES {
            self.replies.push_back((key, Err(StoreDown::Overloaded.into())));
            return;
        }
        self.pending += 1;
        self.unsent.push((key, query));
    }

    /// The bytes to write now. They include new queries once all earlier ones are answered and the
    /// greeting is accepted, so call this again after [`received`](Pipeline::received).
    pub fn outgoing(&mut self) -> &[u8] {
        if self.awaited.is_empty() && self.final_failure.is_none() {
            self.compose();
        }
        &self.out[self.written..]
    }

    /// Notes that `count` of the outgoing bytes were written.
    pub fn wrote(&mut self, count: usize) {
        self.written += count;
        if self.written == self.out.len() {
            self.out.clear();
            self.written = 0;
        }
    }

    /// Decodes bytes from the store.
    ///
    /// # Errors
    ///
    /// The connection can't be used any more, and the caller has to call [`fail`](Pipeline::fail).
    pub fn received(&mut self, bytes: &[u8]) -> Result<(), StoreFailure> {
        if self.input.is_empty() {
            let done = self.read(bytes)?;
            self.input.extend_from_slice(&bytes[done..]);
            return Ok(());
        }
        self.input.extend_from_slice(bytes);
        if self.input.len() < self.min_len {
            return Ok(());
        }
        let mut input = core::mem::take(&mut self.input);
        let done = self.read(&input)?;
        input.drain(..done);
        self.input = input;
        Ok(())
    }

    /// Handles all complete values. Returns how many bytes they took.
    fn read(&mut self, input: &[u8]) -> Result<usize, StoreFailure> {
        let mut done = 0;
        loop {
            if self.awaited.is_empty()
                && let Some(failure) = &self.final_failure
            {
                return Err(failure.clone());
            }
            let rest = &input[done..];
            if let Some(used) = self.handle_cached(rest) {
                done += used;
                continue;
            }
            match resp::decode_or_min_len(rest).map_err(|_| StoreDown::Broken)? {
                Ok((value, used)) => {
                    self.handle_value(&value, &rest[..used])?;
                    done += used;
                }
                Err(min_len) => {
                    self.min_len = min_len;
                    return Ok(done);
                }
            }
        }
    }

    /// The next reply that is ready.
    pub fn reply(&mut self) -> Option<(K, Result<Reply, StoreFailure>)> {
        self.replies.pop_front()
    }

    /// Whether the store has answered everything that was sent, so that all other queries can be
    /// [taken](Pipeline::take_unsent) to another connection.
    pub fn is_between_batches(&self) -> bool {
        self.greeting_accepted && self.awaited.is_empty()
    }

    /// Takes back the queries that were not sent.
    pub fn take_unsent(&mut self) -> Vec<(K, Query)> {
        let unsent = core::mem::take(&mut self.unsent);
        self.pending -= unsent.len();
        unsent
    }

    /// Whether a query has no reply yet.
    pub fn has_pending(&self) -> bool {
        self.pending > 0
    }

    /// How many queries have no reply yet.
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// Answers every query with `failure`. The store may have executed those that were sent.
    pub fn fail(&mut self, failure: StoreFailure) {
        let unsent = core::mem::take(&mut self.unsent);
        self.replies.extend(unsent.into_iter().map(|(key, _)| (key, Err(failure.clone()))));
        for awaited in core::mem::take(&mut self.awaited) {
            match awaited {
                Awaited::Greeting { .. } => {}
                Awaited::Number(visits) | Awaited::Page(visits, _) => {
                    self.answer(visits, Err(failure.clone()));
                }
                Awaited::Signed(key) => self.replies.push_back((key, Err(failure.clone()))),
            }
        }
        self.pending = 0;
    }

    /// Encodes the waiting queries. Remarks go first, so that visitors in the same batch see them.
    fn compose(&mut self) {
        let mut pages: Vec<Visits<K>> = Vec::new();
        for (key, query) in self.unsent.drain(..) {
            match query {
                Query::Sign(item) => {
                    resp::command(&mut self.out, &[b"RPUSH", GUESTBOOK_REMARKS, &item]);
                    self.awaited.push_back(Awaited::Signed(key));
                }
                Query::Visit { page, is_counted } => {
                    let at = pages.iter().position(|visits| visits.page == page);
                    let at = at.unwrap_or_else(|| {
                        pages.push(Visits { page, counted: Vec::new(), uncounted: Vec::new() });
                        pages.len() - 1
                    });
                    let visits = &mut pages[at];
                    if is_counted { &mut visits.counted } else { &mut visits.uncounted }.push(key);
                }
            }
        }
        for visits in pages {
            visits.write(&mut self.out);
            self.awaited.push_back(Awaited::Number(visits));
        }
    }

    /// Handles a page whose bytes are those of the cached one. Returns how many bytes it took.
    fn handle_cached(&mut self, input: &[u8]) -> Option<usize> {
        let Some(Awaited::Page(visits, _)) = self.awaited.front() else { return None };
        let cached = self.cached_page.as_ref()?;
        let used = cached.matching_len(visits.page, input)?;
        let remarks = cached.remarks();
        if let Some(Awaited::Page(visits, number)) = self.awaited.pop_front() {
            self.answer_visits(visits, number, Ok(remarks));
        }
        Some(used)
    }

    fn handle_value(&mut self, value: &RespValue<'_>, wire: &[u8]) -> Result<(), StoreFailure> {
        match self.awaited.pop_front() {
            // No query was sent, so this is the store's message before it closes the connection.
            None => {
                let message = StoreFailure::of_reply(value).message;
                return Err(StoreFailure { message, ..StoreDown::Broken.into() });
            }
            Some(Awaited::Greeting { is_last }) => match value {
                RespValue::Simple(_) => self.greeting_accepted |= is_last,
                RespValue::Error(text) if is_last && first_word(text) == b"NOPERM" => {
                    self.greeting_accepted = true
                }
                RespValue::Error(text) => return Err(StoreFailure::of_greeting(text)),
                _ => return Err(StoreDown::Broken.into()),
            },
            Some(Awaited::Number(visits)) => {
                let number = count(value).ok_or_else(|| self.unexpected(value));
                self.awaited.push_front(Awaited::Page(visits, number));
            }
            Some(Awaited::Page(visits, number)) => {
                let page = CachedPage::new(visits.page, value, wire);
                let remarks = page.as_ref().map(CachedPage::remarks);
                let remarks = remarks.ok_or_else(|| self.unexpected(value));
                self.answer_visits(visits, number, remarks);
                self.cached_page = page.or(self.cached_page.take());
            }
            Some(Awaited::Signed(key)) => {
                let reply = match value {
                    RespValue::Integer(_) => Ok(Reply::Signed),
                    _ => Err(self.unexpected(value)),
                };
                self.pending -= 1;
                self.replies.push_back((key, reply));
            }
        }
        Ok(())
    }

    /// The failure that a reply of the wrong kind shows. If the store can't serve, the connection
    /// ends after the outstanding replies.
    fn unexpected(&mut self, value: &RespValue<'_>) -> StoreFailure {
        let failure = StoreFailure::of_reply(value);
        if failure.why == StoreDown::NotServing && self.final_failure.is_none() {
            self.final_failure = Some(failure.clone());
        }
        failure
    }

    fn answer_visits(
        &mut self,
        visits: Visits<K>,
        number: Result<u64, StoreFailure>,
        remarks: Result<Arc<Remarks>, StoreFailure>,
    ) {
        self.answer(visits, number.and_then(|number| Ok((number, remarks?))));
    }

    /// Answers visits with the page and a number. The numbers of n counted visits are the last n up
    /// to the count; visits that are not counted get the count itself.
    fn answer(&mut self, visits: Visits<K>, page: Result<(u64, Arc<Remarks>), StoreFailure>) {
        let counted = visits.counted.len() as u64;
        self.pending -= visits.counted.len() + visits.uncounted.len();
        let behind = (0..counted).rev().chain(core::iter::repeat(0));
        for (key, behind) in visits.counted.into_iter().chain(visits.uncounted).zip(behind) {
            let reply = page.clone().map(|(number, remarks)| Reply::Visited {
                number: number.saturating_sub(behind),
                remarks,
            });
            self.replies.push_back((key, reply));
        }
    }
}

impl<K> Visits<K> {
    fn write(&self, out: &mut Vec<u8>) {
        match self.counted.len() {
            0 => resp::command(out, &[b"GET", VISITOR_COUNT]),
            visitors => {
                resp::command(out, &[b"INCRBY", VISITOR_COUNT, &Decimal::of(visitors as u64)]);
            }
        }
        // One remark more than the page shows: if it exists, there is an older page.
        let newer = u64::from(self.page - 1) * u64::from(REMARKS_PER_PAGE);
        // An index below zero counts from the end: -1 is the newest remark.
        let oldest = Decimal::negative(newer + u64::from(REMARKS_PER_PAGE) + 1);
        let newest = Decimal::negative(newer + 1);
        resp::command(out, &[b"LRANGE", GUESTBOOK_REMARKS, &oldest, &newest]);
    }
}

/// The visitor count in a reply to `INCRBY` or `GET`.
fn count(value: &RespValue<'_>) -> Option<u64> {
    match value {
        RespValue::Integer(number) => u64::try_from(*number).ok(),
        RespValue::Bulk(None) => Some(0),
        RespValue::Bulk(Some(digits)) => core::str::from_utf8(digits).ok()?.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
#[path = "pipeline_tests.rs"]
mod tests;
