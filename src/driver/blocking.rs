//! The driver of the architectures in which a process or thread has one client and waits for it.
//!
//! Performs one want after the other, and waits until each is done.
//!
//! ```text
//!   accept ──► poll the connection ──► read, open, ask or send ──┐
//!                 ▲        │                                     │
//!                 │        └──► close                            │
//!                 └──────────────────────────────────────────────┘
//! ```

use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use zerohttpd_core::{
    App, CloseReason, Completion, Connection, Operation, Sent, Timeout, Transmit, Want,
};
use zerohttpd_sys::fork::exit;
use zerohttpd_sys::ready::timespec;

use crate::ablations::Push;
use crate::admission::Slot;
use crate::clock;
use crate::driver::acceptor::Admitted;
use crate::files::Asset;
use crate::net::stream::{Outgoing, Pushed, Received, Stream};
use crate::observe::access_log::Log;
use crate::server::Server;
use crate::shared::guard::{ConnectionGuard, MetricsHandle};
use crate::shared::scoreboard::Phase;
use crate::store::blocking::{self, ConnectionSource};

/// A process or thread that serves one client at a time.
pub struct BlockingWorker<'a> {
    server: &'a Server,
    store_connections: Box<dyn ConnectionSource + 'a>,
    log: Log<'a>,
    metrics: MetricsHandle,
    push: Push,
    /// Whether it belongs to a pool, so that clients can wait for it.
    is_pooled: bool,
    /// The buffer for reads. A connection copies what it keeps.
    scratch: Box<[MaybeUninit<u8>]>,
}

/// The client that a worker has now.
struct BlockingClient<'a> {
    stream: Stream,
    connection: Connection<App, Asset>,
    guard: ConnectionGuard<'a>,
}

/// While clients wait for a worker of the pool, an idle connection is closed after this time. A
/// shorter time would cut off clients whose next request is on its way.
const IDLE_IN_FULL_POOL_MS: u64 = 100;

/// The size of the read buffer. Nearly every request fits; a longer one takes several reads.
const SCRATCH_BYTES: usize = 4 * 1024;

impl<'a> BlockingWorker<'a> {
    /// A worker in `slot`, which gets its connections to the store from `source`.
    pub fn new(
        server: &'a Server,
        slot: Slot,
        source: impl ConnectionSource + 'a,
    ) -> BlockingWorker<'a> {
        let metrics = server.metrics();
        BlockingWorker {
            server,
            store_connections: server.ablations.source(source),
            log: Log::new(&server.log, metrics.counters),
            metrics,
            push: server.ablations.push(),
            is_pooled: matches!(slot, Slot::Pool(_)),
            scratch: Box::new_uninit_slice(server.ablations.read_bytes.min(SCRATCH_BYTES)),
        }
    }

    /// Serves a client until its connection is closed.
    pub fn serve(&mut self, client: Admitted<'_>) {
        let metrics = self.metrics;
        let guard = ConnectionGuard::new(client.permit, &metrics);
        let connection = Connection::new();
        let mut client = BlockingClient { stream: client.stream, connection, guard };
        // A bug that panics ends this client's connection, and the worker goes on.
        let _ = catch_unwind(AssertUnwindSafe(|| self.perform_all(&mut client)));
        self.log.flush();
    }

    /// Performs what the connection wants until it is closed.
    fn perform_all(&mut self, client: &mut BlockingClient<'_>) {
        let server = self.server;
        loop {
            match client.connection.poll(&server.app, clock::now()) {
                Want::Read => self.read(client),
                Want::Perform(ticket, operation) => {
                    let completion = self.perform(operation, client);
                    client.connection.completed(ticket, completion);
                }
                Want::Send(transmit) => self.send(client, transmit),
                Want::Shutdown => client.stream.stop_sending(),
                // Not reached: each want is performed before the next poll.
                Want::Wait => client.connection.reset(),
                Want::Peek => client.connection.peeked(client.stream.has_unread()),
                Want::Close(reason, cut_short) => {
                    if reason == CloseReason::TooSlow {
                        client.stream.reset_on_close();
                    }
                    client.guard.set_close_reason(reason);
                    if let Some(cut_short) = cut_short {
                        self.log.record(&cut_short.record(), client.stream.peer, clock::now());
                    }
                    return;
                }
            }
        }
    }

    fn perform(
        &mut self,
        operation: Operation,
        client: &mut BlockingClient<'_>,
    ) -> Completion<Asset> {
        let server = self.server;
        match operation {
            Operation::Open(path, encodings) => {
                Completion::Opened(server.site.file(&path, encodings, clock::now()))
            }
            Operation::List(path, page) => {
                Completion::Listed(server.site.list(&path, page, clock::now()))
            }
            Operation::Ask(query) => {
                let deadline = client.connection.deadline();
                let until_ms = deadline.map_or(0, |deadline| deadline.at_ms);
                let store = (&server.store, server.backoff(self.metrics.counters));
                client.guard.update_gauge(deadline);
                // Earlier answers are logged before a wait that can be long.
                self.log.flush();
                Completion::Answered(blocking::ask(
                    &mut *self.store_connections,
                    store,
                    query,
                    until_ms,
                ))
            }
        }
    }

    fn read(&mut self, client: &mut BlockingClient<'_>) {
        // After a response, the next request has rarely arrived yet. Waiting with poll(2) first
        // saves a recv(2) that would find nothing.
        if is_kept_alive(&client.connection) && !self.wait_to_read(client) {
            return;
        }
        match client.stream.receive(&mut self.scratch) {
            Received::Bytes(bytes) => {
                let taken = client.connection.received(bytes);
                debug_assert_eq!(taken, bytes.len(), "a connection that wants input takes it all");
                match self.server.phase() {
                    Phase::Serving if self.is_pool_overloaded() => {
                        client.connection.close_when_idle()
                    }
                    Phase::Serving => {}
                    Phase::Draining => client.connection.drain(),
                    Phase::Stopping => client.connection.close_when_idle(),
                }
            }
            Received::Nothing => drop(self.wait_to_read(client)),
            Received::Interrupted => {}
            Received::Reset => client.connection.reset(),
        }
    }

    /// Waits until the client has sent something or its deadline has passed. Returns false if the
    /// connection is to be closed without another read.
    fn wait_to_read(&mut self, client: &mut BlockingClient<'_>) -> bool {
        self.log.flush();
        let connection = &mut client.connection;
        let is_idle = connection.is_idle();
        if is_idle && self.server.is_stopping() {
            connection.close_when_idle();
            return false;
        }
        let is_lingering = connection.deadline().is_some_and(|d| d.on == Timeout::Linger);
        if is_lingering && !connection.has_unread() && self.is_pool_overloaded() {
            // The client has its answer and has sent nothing since.
            connection.reset();
            return false;
        }
        // In a pool, the worker of an idle or lingering client wakes up repeatedly to check whether
        // another client waits for a worker.
        let can_be_closed = is_lingering || is_kept_alive(connection);
        let checks_pool = can_be_closed && self.is_pooled;
        let left_ms = left_ms(connection);
        let wait_ms = if checks_pool { left_ms.min(IDLE_IN_FULL_POOL_MS) } else { left_ms };
        // The stop descriptor is watched only for idle clients: a request that has begun can still
        // be completed.
        let fds = &mut [
            PollFd::new(&client.stream, PollFlags::IN),
            PollFd::new(&self.server.stop_reader, PollFlags::IN),
        ];
        let fds = if is_idle { &mut fds[..] } else { &mut fds[..1] };
        client.guard.update_gauge(connection.deadline());
        match poll(fds, Some(&timespec(wait_ms))) {
            Ok(0) if checks_pool && self.is_pool_overloaded() => {
                match is_lingering {
                    true => connection.reset(),
                    false => connection.close_when_idle(),
                }
                return false;
            }
            Ok(1..) if is_idle && !fds[1].revents().is_empty() => self.server.note_stop(),
            // The kernel has no memory for the wait (poll(2)).
            Err(errno) if errno != Errno::INTR => self.server.pause(),
            _ => {}
        }
        true
    }

    fn send(&mut self, client: &mut BlockingClient<'_>, transmit: Transmit<Asset>) {
        let mut outgoing = Outgoing::new(transmit);
        let outcome = loop {
            match (self.push)(&mut outgoing, &client.stream) {
                Pushed::Ended(outcome) => break outcome,
                Pushed::Blocked => {
                    let left_ms = left_ms(&client.connection);
                    if left_ms == 0 {
                        break Sent::Late(outgoing.sent_bytes());
                    }
                    client.guard.update_gauge(client.connection.deadline());
                    self.log.flush();
                    let fds = &mut [PollFd::new(&client.stream, PollFlags::OUT)];
                    match poll(fds, Some(&timespec(left_ms))) {
                        Ok(_) | Err(Errno::INTR) => {}
                        Err(_) => self.server.pause(),
                    }
                }
            }
        };
        if let Some(record) = client.connection.sent(outgoing.into_transmit(), outcome) {
            debug_assert_eq!(outcome, Sent::Whole);
            self.log.record(&record, client.stream.peer, clock::now());
        }
    }

    /// Whether all workers of the pool have a client, and another client waits.
    fn is_pool_overloaded(&self) -> bool {
        self.is_pooled
            && self.server.admission.is_pool_full(self.server.workers)
            && self.server.listener.has_waiting()
    }
}

/// Whether a connection is idle between two requests.
fn is_kept_alive(connection: &Connection<App, Asset>) -> bool {
    connection.is_idle() && connection.deadline().is_some_and(|d| d.on == Timeout::KeepAlive)
}

/// Serves a client in a child process and ends the process, even if a bug causes a panic. Unwinding
/// further would drop the child's copies of its parent's values, which would release what the
/// parent still holds.
pub fn serve_and_exit(server: &Server, source: impl ConnectionSource, client: Admitted<'_>) -> ! {
    let serve = || BlockingWorker::new(server, server.slot(), source).serve(client);
    exit(match catch_unwind(AssertUnwindSafe(serve)) {
        Ok(()) => 0,
        Err(_) => 1,
    })
}

/// The time left until the connection's deadline. Every connection that waits has a deadline;
/// 1000 ms is only a precaution.
fn left_ms(connection: &Connection<App, Asset>) -> u64 {
    let now_ms = clock::now().ms;
    connection.deadline().map_or(1000, |deadline| deadline.at_ms.saturating_sub(now_ms))
}
