//! A dialogue with the store: questions go out many at once, replies come back in their order.
//!
//! ```text
//!   ask(key, query) ──► asked ──► outgoing() ──► awaited ──► received() ──► reply()
//!                         all at once, when         one entry for
//!                         nothing is awaited:       each command
//!                         visits of a page share
//!                         one INCRBY and LRANGE
//! ```
//!
//! It does no I/O: a driver carries the bytes. What is asked while the store has still to answer
//! waits for that, and then goes out together: all visits among it are counted with one `INCRBY n`,
//! and each gets a number of its own out of the n. So the busier a server is, the less a question
//! costs it and the store, and who asks when nobody else does waits for nobody.
//!
//! A dialogue lives as long as its connection: when that breaks, [`fail`](Dialogue::fail) answers
//! everybody, and nothing is ever asked twice.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::resp::{self, Value};
use super::shown::Shown;
use super::{GUESTBOOK_REMARKS, Query, Reply, StoreDown, VISITOR_COUNT};
use crate::app::Remarks;
use crate::limits::{REMARKS_PER_PAGE, STORE_QUESTIONS};
use crate::text::Decimal;

/// What the store asks of those who connect.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The user of an access control list; the default user if there is none.
    pub user: Option<Vec<u8>>,
    /// The password.
    pub password: Option<Vec<u8>>,
    /// The number of the database.
    pub database: u32,
}

/// The state of one connection to the store. `K` tells whose question it was.
pub struct Dialogue<K> {
    admitted: bool,
    asked: Vec<(K, Query)>,
    awaited: VecDeque<Awaited<K>>,
    /// Questions asked and not yet answered.
    pending: usize,
    out: Vec<u8>,
    written: usize,
    input: Vec<u8>,
    /// What the input begins with has at least so many bytes.
    needs: usize,
    shown: Option<Shown>,
    replies: VecDeque<(K, Result<Reply, StoreDown>)>,
}

/// A reply that is to come.
enum Awaited<K> {
    /// To a command of the greeting; the last of them admits us.
    Greeting { last: bool },
    /// To `INCRBY` or `GET`; the page follows.
    Number(Visits<K>),
    /// To `LRANGE`, with the number that came before it.
    Page(Visits<K>, Option<u64>),
    /// To `RPUSH`.
    Kept(K),
}

/// Those who visit the same page at once.
struct Visits<K> {
    page: u32,
    counted: Vec<K>,
    uncounted: Vec<K>,
}

impl<K> Dialogue<K> {
    /// A dialogue on a new connection; its greeting is the first thing to go out.
    pub fn new(credentials: &Credentials) -> Dialogue<K> {
        let mut dialogue = Dialogue { admitted: false, ..Dialogue::greeted() };
        dialogue.greet(credentials);
        dialogue
    }

    /// A dialogue on a connection that was used before, and on which nothing is owed.
    pub fn greeted() -> Dialogue<K> {
        Dialogue {
            admitted: true,
            asked: Vec::new(),
            awaited: VecDeque::new(),
            pending: 0,
            out: Vec::new(),
            written: 0,
            input: Vec::new(),
            needs: 0,
            shown: None,
            replies: VecDeque::new(),
        }
    }

    fn greet(&mut self, credentials: &Credentials) {
        if let Some(password) = &credentials.password {
            match &credentials.user {
                Some(user) => resp::command(&mut self.out, &[b"AUTH", user, password]),
                None => resp::command(&mut self.out, &[b"AUTH", password]),
            }
            self.awaited.push_back(Awaited::Greeting { last: false });
        }
        if credentials.database != 0 {
            let database = Decimal::of(credentials.database.into());
            resp::command(&mut self.out, &[b"SELECT", &database]);
            self.awaited.push_back(Awaited::Greeting { last: false });
        }
        // Without a password where one is needed, this is what fails.
        resp::command(&mut self.out, &[b"PING"]);
        self.awaited.push_back(Awaited::Greeting { last: true });
    }

    /// Whether the store has let us in.
    pub fn is_admitted(&self) -> bool {
        self.admitted
    }

    /// Asks. The reply comes out of [`reply`](Dialogue::reply) with the key, sooner or later.
    pub fn ask(&mut self, key: K, query: Query) {
        if self.pending == STORE_QUESTIONS {
            self.replies.push_back((key, Err(StoreDown::Overloaded)));
            return;
        }
        self.pending += 1;
        self.asked.push((key, query));
    }

    /// The bytes to write now. Questions are among them once everything that was asked before is
    /// answered, and the store has let us in: after [`received`](Dialogue::received) is the time to
    /// look again.
    pub fn outgoing(&mut self) -> &[u8] {
        if self.awaited.is_empty() {
            self.compose();
        }
        &self.out[self.written..]
    }

    /// So many of the outgoing bytes were written.
    pub fn wrote(&mut self, count: usize) {
        self.written += count;
        if self.written == self.out.len() {
            self.out.clear();
            self.written = 0;
        }
    }

    /// Bytes came from the store.
    ///
    /// # Errors
    ///
    /// The dialogue can't go on: the connection is of no use any more, and
    /// [`fail`](Dialogue::fail) is what is left to do.
    pub fn received(&mut self, bytes: &[u8]) -> Result<(), StoreDown> {
        if self.input.is_empty() {
            let done = self.read(bytes)?;
            self.input.extend_from_slice(&bytes[done..]);
            return Ok(());
        }
        self.input.extend_from_slice(bytes);
        if self.input.len() < self.needs {
            return Ok(());
        }
        let mut input = core::mem::take(&mut self.input);
        let done = self.read(&input)?;
        input.drain(..done);
        self.input = input;
        Ok(())
    }

    /// Meets all values that are whole. Returns how many bytes they took.
    fn read(&mut self, input: &[u8]) -> Result<usize, StoreDown> {
        let mut done = 0;
        loop {
            let rest = &input[done..];
            if let Some(used) = self.meet_again(rest) {
                done += used;
                continue;
            }
            match resp::decode_or_needs(rest).map_err(|_| StoreDown::Broken)? {
                Ok((value, used)) => {
                    self.meet(&value, &rest[..used])?;
                    done += used;
                }
                Err(needs) => {
                    self.needs = needs;
                    return Ok(done);
                }
            }
        }
    }

    /// The next reply that has come.
    pub fn reply(&mut self) -> Option<(K, Result<Reply, StoreDown>)> {
        self.replies.pop_front()
    }

    /// Whether somebody still waits for a reply.
    pub fn owes(&self) -> bool {
        self.pending > 0
    }

    /// How many still wait for a reply.
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// Answers everybody who waits with `why`. Questions of which a byte was sent are lost with
    /// the rest: nobody can tell what the store did with them.
    pub fn fail(&mut self, why: StoreDown) {
        let asked = core::mem::take(&mut self.asked);
        self.replies.extend(asked.into_iter().map(|(key, _)| (key, Err(why))));
        for awaited in core::mem::take(&mut self.awaited) {
            match awaited {
                Awaited::Greeting { .. } => {}
                Awaited::Number(visits) | Awaited::Page(visits, _) => self.answer(visits, Err(why)),
                Awaited::Kept(key) => self.replies.push_back((key, Err(why))),
            }
        }
        self.pending = 0;
    }

    /// Turns what was asked into commands. Remarks go first, so that who visits in the same turn
    /// sees them.
    fn compose(&mut self) {
        let mut pages: Vec<Visits<K>> = Vec::new();
        for (key, query) in self.asked.drain(..) {
            match query {
                Query::Sign(item) => {
                    resp::command(&mut self.out, &[b"RPUSH", GUESTBOOK_REMARKS, &item]);
                    self.awaited.push_back(Awaited::Kept(key));
                }
                Query::Visit { page, counts } => {
                    let at = pages.iter().position(|visits| visits.page == page);
                    let at = at.unwrap_or_else(|| {
                        pages.push(Visits { page, counted: Vec::new(), uncounted: Vec::new() });
                        pages.len() - 1
                    });
                    let visits = &mut pages[at];
                    if counts { &mut visits.counted } else { &mut visits.uncounted }.push(key);
                }
            }
        }
        for visits in pages {
            visits.write(&mut self.out);
            self.awaited.push_back(Awaited::Number(visits));
        }
    }

    /// Meets a page that came as it was shown last.
    fn meet_again(&mut self, input: &[u8]) -> Option<usize> {
        let Some(Awaited::Page(visits, _)) = self.awaited.front() else { return None };
        let shown = self.shown.as_ref()?;
        let used = shown.is_again(visits.page, input)?;
        let remarks = shown.remarks();
        if let Some(Awaited::Page(visits, number)) = self.awaited.pop_front() {
            self.show(visits, number, Some(remarks));
        }
        Some(used)
    }

    fn meet(&mut self, value: &Value<'_>, wire: &[u8]) -> Result<(), StoreDown> {
        match self.awaited.pop_front() {
            // Nothing was asked: what comes is a farewell ("ERR max number of clients reached").
            None => return Err(StoreDown::Broken),
            Some(Awaited::Greeting { last }) => match value {
                Value::Simple(_) => self.admitted |= last,
                Value::Error(text) => return Err(rejection(text)),
                _ => return Err(StoreDown::Broken),
            },
            Some(Awaited::Number(visits)) => {
                self.awaited.push_front(Awaited::Page(visits, count(value)));
            }
            Some(Awaited::Page(visits, number)) => {
                let shown = Shown::new(visits.page, value, wire);
                self.show(visits, number, shown.as_ref().map(Shown::remarks));
                self.shown = shown.or(self.shown.take());
            }
            Some(Awaited::Kept(key)) => {
                let reply = match value {
                    Value::Integer(_) => Ok(Reply::Signed),
                    _ => Err(StoreDown::Refused),
                };
                self.pending -= 1;
                self.replies.push_back((key, reply));
            }
        }
        Ok(())
    }

    fn show(&mut self, visits: Visits<K>, number: Option<u64>, page: Option<Arc<Remarks>>) {
        self.answer(visits, number.zip(page).ok_or(StoreDown::Refused));
    }

    /// Gives each visitor the page, and those who count a number of their own: the last of n
    /// visitors has the number that the count has now.
    fn answer(&mut self, visits: Visits<K>, page: Result<(u64, Arc<Remarks>), StoreDown>) {
        let counted = visits.counted.len() as u64;
        self.pending -= visits.counted.len() + visits.uncounted.len();
        let behind = (0..counted).rev().chain(core::iter::repeat(0));
        for (key, behind) in visits.counted.into_iter().chain(visits.uncounted).zip(behind) {
            let reply = page.as_ref().map_err(|why| *why).map(|(number, remarks)| Reply::Visited {
                number: number.saturating_sub(behind),
                remarks: remarks.clone(),
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
        // One more than fits says whether there is an older page.
        let newer = u64::from(self.page - 1) * u64::from(REMARKS_PER_PAGE);
        // An index below zero counts from the end: -1 is the newest remark.
        let oldest = Decimal::below_zero(newer + u64::from(REMARKS_PER_PAGE) + 1);
        let newest = Decimal::below_zero(newer + 1);
        resp::command(out, &[b"LRANGE", GUESTBOOK_REMARKS, &oldest, &newest]);
    }
}

/// Why the store answers a greeting with an error: for what we said, unless it names a reason of
/// its own that will pass.
fn rejection(text: &[u8]) -> StoreDown {
    let passing = [&b"LOADING"[..], b"BUSY", b"MASTERDOWN", b"ERR max number of clients"];
    match passing.iter().any(|start| text.starts_with(start)) {
        true => StoreDown::Refused,
        false => StoreDown::NotAdmitted,
    }
}

fn count(value: &Value<'_>) -> Option<u64> {
    match value {
        Value::Integer(number) => u64::try_from(*number).ok(),
        Value::Bulk(None) => Some(0),
        Value::Bulk(Some(digits)) => core::str::from_utf8(digits).ok()?.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
#[path = "dialogue_tests.rs"]
mod tests;
