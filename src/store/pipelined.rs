//! A loop's connection to the store. The queries of all clients are pipelined on it, and the loop
//! never waits for it.
//!
//! Queries gather in the [`Pipeline`] during a turn of the loop and are written at its end. If the
//! connection fails, every query on it is answered with that failure. The next query opens a new
//! connection as soon as the [`Backoff`] allows it.

use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{self, RecvFlags, SendFlags};
use zerohttpd_core::Now;
use zerohttpd_core::store::{Pipeline, Query, Reply, StoreDown, StoreFailure};

use crate::shared::store_condition::QueryKind;
use crate::store::address::Address;
use crate::store::backoff::Backoff;
use crate::store::blocking_connection::{broken, unreachable};

/// The connection. Each query has a key, with which its reply is returned.
pub struct PipelinedConnection<'a, K> {
    address: &'a Address,
    backoff: Backoff,
    timeout_ms: u64,
    /// `None` before the first query, and after a failure.
    open: Option<OpenConnection<PendingQuery<K>>>,
    /// Replies that are left from a closed connection, and failures of queries that got no
    /// connection.
    replies: VecDeque<(PendingQuery<K>, Result<Reply, StoreFailure>)>,
    /// The number of the open connection: another number tells the loop to watch another socket.
    number: u32,
}

/// What is kept of a query until its reply.
struct PendingQuery<K> {
    key: K,
    kind: QueryKind,
    asked_at: Now,
}

struct OpenConnection<K> {
    socket: OwnedFd,
    pipeline: Pipeline<K>,
    /// The [epoch](Backoff::epoch) in which it was opened.
    epoch: u64,
    /// False after a write found the socket still connecting or its send buffer full.
    is_writable: bool,
    /// Whether a byte was written, so that the connection must have been made.
    has_written: bool,
    /// The connection fails at this time unless a reply comes first. It counts only while a query
    /// waits.
    give_up_at_ms: u64,
}

impl<'a, K> PipelinedConnection<'a, K> {
    /// A connection that is opened for the first query. The store has `timeout_ms` to answer.
    pub fn new(
        address: &'a Address,
        backoff: Backoff,
        timeout_ms: u64,
    ) -> PipelinedConnection<'a, K> {
        let replies = VecDeque::new();
        PipelinedConnection { address, backoff, timeout_ms, open: None, replies, number: 0 }
    }

    /// Closes the connection if no query on it waits for its reply.
    pub fn close_if_answered(&mut self) {
        self.open.take_if(|open| !open.pipeline.has_pending());
    }

    /// The socket to watch, and the number of its connection.
    pub fn socket(&self) -> Option<(BorrowedFd<'_>, u32)> {
        self.open.as_ref().map(|open| (open.socket.as_fd(), self.number))
    }

    /// Whether the socket is to be watched for room to write as well.
    pub fn is_blocked(&self) -> bool {
        self.open.as_ref().is_some_and(|open| !open.is_writable)
    }

    /// When to call [`check_deadline`](PipelinedConnection::check_deadline), in milliseconds of the
    /// monotonic clock.
    pub fn deadline_ms(&self) -> Option<u64> {
        if !self.replies.is_empty() {
            return Some(0);
        }
        let open = self.open.as_ref().filter(|open| open.pipeline.has_pending())?;
        Some(open.give_up_at_ms)
    }

    /// Makes a query. The next [`flush`](PipelinedConnection::flush) writes it.
    pub fn ask(&mut self, key: K, query: Query, now: Now) {
        let pending = PendingQuery { key, kind: QueryKind::of(&query), asked_at: now };
        self.enqueue(pending, query, now);
    }

    /// Adds a query to the open connection, or fails the query if no connection can be opened now.
    fn enqueue(&mut self, pending: PendingQuery<K>, query: Query, now: Now) {
        if self.open.is_none() && self.backoff.can_connect(now.ms) {
            self.connect(now);
        }
        match &mut self.open {
            None => self.replies.push_back((pending, Err(StoreDown::Unreachable.into()))),
            Some(open) => {
                if !open.pipeline.has_pending() {
                    open.give_up_at_ms = now.ms + self.timeout_ms;
                }
                open.pipeline.ask(pending, query);
            }
        }
    }

    /// The next reply or failure, with the key of its query. `None` if no query has an outcome yet.
    pub fn reply(&mut self, now: Now) -> Option<(K, Result<Reply, StoreDown>)> {
        let from_open = self.open.as_mut().and_then(|open| open.pipeline.reply());
        let (pending, reply) = from_open.or_else(|| self.replies.pop_front())?;
        let PendingQuery { key, kind, asked_at } = pending;
        self.backoff.note_outcome(kind, &reply, [asked_at, now]);
        Some((key, reply.map_err(|failure| failure.why)))
    }

    /// Writes the queries that were made since the last call. The loop calls this in each turn.
    pub fn flush(&mut self, now: Now) {
        self.renew(now);
        if let Some(Err(failure)) = self.open.as_mut().map(OpenConnection::write) {
            self.fail(failure, now);
        }
    }

    /// Replaces a connection of an earlier epoch once no reply is awaited on it. Queries that were
    /// not even partly sent go to the new connection.
    fn renew(&mut self, now: Now) {
        let epoch = self.backoff.epoch();
        let is_stale = |open: &&mut OpenConnection<PendingQuery<K>>| open.epoch != epoch;
        let Some(open) = self.open.as_mut().filter(is_stale) else { return };
        if !open.pipeline.is_between_batches() || !self.backoff.can_connect(now.ms) {
            return;
        }
        let unsent = open.pipeline.take_unsent();
        while let Some(reply) = open.pipeline.reply() {
            self.replies.push_back(reply);
        }
        self.open = None;
        for (pending, query) in unsent {
            self.enqueue(pending, query, now);
        }
    }

    /// Handles a socket that has room to write.
    pub fn on_writable(&mut self, now: Now) {
        if let Some(open) = &mut self.open {
            open.is_writable = true;
        }
        self.flush(now);
    }

    /// Handles a socket that has something to read: replies, or the end.
    pub fn on_readable(&mut self, scratch: &mut [MaybeUninit<u8>], now: Now) {
        let Some(open) = &mut self.open else { return };
        let pending_before = open.pipeline.pending();
        match open.read(scratch) {
            // Only a whole reply moves the deadline. Otherwise a slow store could make the queries
            // wait without limit.
            Ok(()) if open.pipeline.pending() < pending_before => {
                open.give_up_at_ms = now.ms + self.timeout_ms;
            }
            Ok(()) => {}
            Err(failure) => self.fail(failure, now),
        }
    }

    /// Fails the connection if the store has not answered in time.
    pub fn check_deadline(&mut self, now: Now) {
        let is_overdue = |open: &OpenConnection<PendingQuery<K>>| {
            open.pipeline.has_pending() && open.give_up_at_ms <= now.ms
        };
        if self.open.as_ref().is_some_and(is_overdue) {
            self.fail(StoreDown::TimedOut.into(), now);
        }
    }

    fn connect(&mut self, now: Now) {
        match self.address.connect() {
            Err(error) => self.backoff.note_failure(&unreachable(error), now.ms),
            Ok(socket) => {
                self.number = self.number.wrapping_add(1);
                self.open = Some(OpenConnection {
                    socket,
                    pipeline: Pipeline::new(self.address.credentials()),
                    epoch: self.backoff.epoch(),
                    is_writable: true,
                    has_written: false,
                    give_up_at_ms: 0,
                });
            }
        }
    }

    /// Answers every query with the failure. If no query waits, a closed connection means only that
    /// the store was restarted, so the back-off does not note it.
    fn fail(&mut self, failure: StoreFailure, now: Now) {
        let Some(mut open) = self.open.take() else { return };
        if open.pipeline.has_pending() || failure.why == StoreDown::NotServing {
            self.backoff.note_failure(&failure, now.ms);
        }
        open.pipeline.fail(failure);
        while let Some(reply) = open.pipeline.reply() {
            self.replies.push_back(reply);
        }
    }
}

impl<K> OpenConnection<K> {
    fn write(&mut self) -> Result<(), StoreFailure> {
        while self.is_writable {
            let out = self.pipeline.outgoing();
            if out.is_empty() {
                return Ok(());
            }
            match net::send(&self.socket, out, SendFlags::NOSIGNAL) {
                Ok(count) => {
                    self.pipeline.wrote(count);
                    self.has_written = true;
                }
                Err(Errno::INTR) => {}
                // A socket that is still connecting fails with ENOTCONN or EAGAIN.
                Err(Errno::AGAIN | Errno::NOTCONN) => self.is_writable = false,
                Err(errno) => return Err(self.failure(errno)),
            }
        }
        Ok(())
    }

    /// Reads until the socket is empty.
    fn read(&mut self, scratch: &mut [MaybeUninit<u8>]) -> Result<(), StoreFailure> {
        let room = scratch.len();
        loop {
            match net::recv(&self.socket, &mut *scratch, RecvFlags::empty()) {
                Ok((([], _), _)) => return Err(StoreDown::Broken.into()),
                Ok(((bytes, _), _)) => {
                    self.pipeline.received(bytes)?;
                    if bytes.len() < room {
                        return Ok(());
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN | Errno::NOTCONN) => return Ok(()),
                Err(errno) => return Err(self.failure(errno)),
            }
        }
    }

    /// An error before the first byte was written means that no connection was made.
    fn failure(&self, errno: Errno) -> StoreFailure {
        match self.has_written {
            true => broken(errno),
            false => unreachable(errno.into()),
        }
    }
}
