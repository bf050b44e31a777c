//! Sends a query to the store and waits for its reply, in a worker that blocks.

use zerohttpd_core::store::{Query, Reply, StoreDown, StoreFailure};

use crate::clock;
use crate::shared::store_condition::QueryKind;
use crate::store::address::Address;
use crate::store::backoff::Backoff;
use crate::store::blocking_connection::BlockingConnection;

/// Lends a worker the right to use a connection for one query, and an idle connection if there is
/// one.
pub trait ConnectionSource {
    /// Takes the right to use one connection, and an idle connection of this epoch if there is one.
    /// Waits for the right until `until_ms` of the monotonic clock. Closes idle connections of
    /// other epochs.
    ///
    /// # Errors
    ///
    /// [`StoreDown::TimedOut`], or [`StoreDown::Unreachable`] if an idle connection can't be
    /// fetched.
    fn take(&mut self, epoch: u64, until_ms: u64) -> Result<Option<BlockingConnection>, StoreDown>;

    /// Gives back the right, and the connection unless it is broken.
    fn give_back(&mut self, connection: Option<BlockingConnection>);
}

/// The right to use a connection. Dropping it gives the right back, even after a panic.
struct Lease<'a> {
    source: &'a mut dyn ConnectionSource,
    connection: Option<BlockingConnection>,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.source.give_back(self.connection.take());
    }
}

/// A connection that only one worker uses.
#[derive(Default)]
pub struct OwnConnection(Option<BlockingConnection>);

impl ConnectionSource for OwnConnection {
    fn take(
        &mut self,
        epoch: u64,
        _until_ms: u64,
    ) -> Result<Option<BlockingConnection>, StoreDown> {
        Ok(self.0.take().filter(|connection| connection.epoch == epoch))
    }

    fn give_back(&mut self, connection: Option<BlockingConnection>) {
        self.0 = connection;
    }
}

/// Closes each connection that is given back, so that every query has its own.
pub struct ClosedAfterUse<S>(pub S);

impl<S: ConnectionSource> ConnectionSource for ClosedAfterUse<S> {
    fn take(&mut self, epoch: u64, until_ms: u64) -> Result<Option<BlockingConnection>, StoreDown> {
        self.0.take(epoch, until_ms)
    }

    fn give_back(&mut self, _connection: Option<BlockingConnection>) {
        self.0.give_back(None);
    }
}

/// Sends a query and waits for the reply until `until_ms` of the monotonic clock.
///
/// # Errors
///
/// Why there is no reply. The back-off and the counters have noted the failure.
pub fn ask(
    source: &mut dyn ConnectionSource,
    (address, backoff): (&Address, Backoff),
    query: Query,
    until_ms: u64,
) -> Result<Reply, StoreDown> {
    let kind = QueryKind::of(&query);
    let asked_at = clock::now();
    let reply = ask_on_a_connection(source, (address, backoff), query, [asked_at.ms, until_ms]);
    backoff.note_outcome(kind, &reply, [asked_at, clock::now()]);
    reply.map_err(|failure| failure.why)
}

fn ask_on_a_connection(
    source: &mut dyn ConnectionSource,
    (address, backoff): (&Address, Backoff),
    query: Query,
    [asked_ms, until_ms]: [u64; 2],
) -> Result<Reply, StoreFailure> {
    let idle = source.take(backoff.epoch(), until_ms)?;
    let mut lease = Lease { source, connection: None };
    let taken_ms = clock::now().ms;
    // If the wait for the right took more than half of the time, the store has too little time
    // left. A time-out then does not show that the store has failed.
    let has_enough_time = 2 * taken_ms <= asked_ms + until_ms;
    let note_failure = |failure: &StoreFailure| {
        if failure.why != StoreDown::TimedOut || has_enough_time {
            backoff.note_failure(failure, clock::now().ms);
        }
    };
    let mut connection = match idle.filter(BlockingConnection::is_usable) {
        Some(connection) => connection,
        None if !backoff.can_connect(taken_ms) => return Err(StoreDown::Unreachable.into()),
        None => BlockingConnection::open(address, backoff.epoch(), until_ms)
            .inspect_err(note_failure)?,
    };
    let reply = connection.ask(query, until_ms);
    match &reply {
        Ok(_) => lease.connection = Some(connection),
        Err(failure) if failure.why == StoreDown::Refused => lease.connection = Some(connection),
        Err(failure) => note_failure(failure),
    }
    reply
}
