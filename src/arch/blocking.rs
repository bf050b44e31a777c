//! The driver of the architectures in which a process or thread has one client and may wait for it.
//!
//! It pays each want where it stands: reads, opens, asks, sends, and waits as long as that takes.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::event::{PollFd, PollFlags, poll};
use zero_core::{Connection, Patience, Sent, Transmit, Want};

use crate::client::{Client, Outgoing, Pushed, Received};
use crate::clock;
use crate::log::Log;
use crate::server::Server;
use crate::site::Asset;
use crate::store::asker::{self, Lines};

/// A worker, and what it needs beside a client.
pub struct Worker<'a> {
    server: &'a Server,
    lines: Box<dyn Lines + 'a>,
    log: Log<'a>,
    /// Its place in a pool.
    place: Option<usize>,
}

/// An idle client of a full pool may stay this long. Less would cut off clients that are merely
/// slow to send what they have ready.
const GRACE_IN_FULL_POOL_MS: u64 = 100;

/// Enough for nearly every request; longer ones take several reads.
const SCRATCH_BYTES: usize = 8 * 1024;

impl<'a> Worker<'a> {
    /// A worker that gets its connections to the store from `lines`.
    pub fn new(server: &'a Server, lines: impl Lines + 'a) -> Worker<'a> {
        let log = Log::new(&server.log, server.scoreboard);
        Worker { server, lines: Box::new(lines), log, place: None }
    }

    /// A worker of a pool.
    pub fn in_pool(server: &'a Server, lines: impl Lines + 'a, place: usize) -> Worker<'a> {
        Worker { place: Some(place), ..Worker::new(server, lines) }
    }

    /// Accepts one client after the other and serves it, until the server is to stop.
    pub fn serve_all(&mut self) {
        while !self.server.is_stopping() {
            if let Some(client) = self.server.accept() {
                self.serve(&client);
            }
        }
    }

    /// Serves a client to the end.
    pub fn serve(&mut self, client: &Client) {
        self.occupy(true);
        // Should a bug make it panic, one client suffers, not those who come after.
        let _ = catch_unwind(AssertUnwindSafe(|| self.converse(client)));
        self.log.flush();
        self.occupy(false);
    }

    fn converse(&mut self, client: &Client) {
        let server = self.server;
        let mut connection = Connection::new();
        let mut scratch = [0; SCRATCH_BYTES];
        loop {
            match connection.poll(&server.app, clock::now()) {
                Want::Read => self.read(client, &mut connection, &mut scratch),
                Want::Open(path, encodings) => {
                    connection.opened(server.site.file(&path, encodings, clock::now()));
                }
                Want::Ask(ticket, query) => {
                    let until_ms = connection.deadline().map_or(0, |deadline| deadline.at_ms);
                    let store = (&server.store, server.gate());
                    let reply = asker::ask(&mut *self.lines, store, query, until_ms);
                    connection.answered(ticket, reply);
                }
                Want::Send(transmit) => self.send(client, &mut connection, transmit),
                Want::Shutdown => client.stop_sending(),
                // Nothing is ever left owed here.
                Want::Wait => connection.hung_up(),
                Want::Close(_) => break,
            }
        }
        if let Some(served) = connection.unfinished() {
            self.log.record(&served, client.peer, clock::now());
        }
    }

    fn read(&mut self, client: &Client, connection: &mut Connection<Asset>, scratch: &mut [u8]) {
        // Whoever has just connected or sent something has often sent the rest by now.
        if connection.is_idle() && connection.has_served() {
            self.wait_to_read(client, connection);
        }
        match client.receive(scratch) {
            Received::Bytes(count) => {
                connection.received(&scratch[..count]);
                if self.server.is_stopping() || self.is_crowded() {
                    connection.retire();
                }
            }
            Received::Nothing => self.wait_to_read(client, connection),
            Received::HungUp => connection.hung_up(),
        }
    }

    /// Waits for input, or for a reason not to.
    fn wait_to_read(&mut self, client: &Client, connection: &mut Connection<Asset>) {
        self.log.flush();
        let idle = connection.is_idle();
        if idle && self.server.is_stopping() {
            return connection.retire();
        }
        let leaves = connection.deadline().is_some_and(|d| d.on == Patience::Goodbye);
        if leaves && !connection.has_unread() && self.is_crowded() {
            // It has its answer, and nothing more has come of it.
            return connection.hung_up();
        }
        // In a pool, look around now and then.
        let dispensable = leaves || (idle && connection.has_served());
        let pooled = dispensable && self.place.is_some();
        let left_ms = left_ms(connection);
        let slice_ms = if pooled { left_ms.min(GRACE_IN_FULL_POOL_MS) } else { left_ms };
        // What wakes an idle client need not wake one that is in the middle of a request.
        let fds = &mut [
            PollFd::new(client, PollFlags::IN),
            PollFd::new(&self.server.stop, PollFlags::IN),
        ];
        let fds = if idle { &mut fds[..] } else { &mut fds[..1] };
        if let Ok(0) = poll(fds, Some(&clock::timespec(slice_ms)))
            && pooled
            && self.is_crowded()
        {
            if leaves { connection.hung_up() } else { connection.retire() }
        }
    }

    fn send(
        &mut self,
        client: &Client,
        connection: &mut Connection<Asset>,
        transmit: Transmit<Asset>,
    ) {
        let mut outgoing = Outgoing::new(transmit);
        let outcome = loop {
            match outgoing.push(client) {
                Pushed::Ended(outcome) => break outcome,
                Pushed::Blocked => match left_ms(connection) {
                    // The next poll finds the deadline passed.
                    0 => return,
                    left_ms => {
                        let fds = &mut [PollFd::new(client, PollFlags::OUT)];
                        let _ = poll(fds, Some(&clock::timespec(left_ms)));
                    }
                },
            }
        };
        if let Some(served) = connection.sent(outgoing.into_transmit(), outcome) {
            debug_assert_eq!(outcome, Sent::Whole);
            self.log.record(&served, client.peer, clock::now());
        }
    }

    /// Whether all workers of the pool have clients, and another one waits.
    fn is_crowded(&self) -> bool {
        self.place.is_some()
            && self.server.scoreboard.is_full(self.server.workers)
            && self.server.listener.has_waiting()
    }

    fn occupy(&self, busy: bool) {
        if let Some(place) = self.place {
            self.server.scoreboard.set_busy(place, busy);
        }
    }
}

/// The time to the connection's deadline; a second where it has none, which is never the case while
/// it waits.
fn left_ms(connection: &Connection<Asset>) -> u64 {
    let now_ms = clock::now().ms;
    connection.deadline().map_or(1000, |deadline| deadline.at_ms.saturating_sub(now_ms))
}
