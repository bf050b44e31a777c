//! The driver of the architectures in which a process or thread has one client and may wait for it.
//!
//! It pays each want where it stands: reads, opens, asks, sends, and waits as long as that takes.

use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::event::{PollFd, PollFlags, poll};
use zero_core::{Closing, Connection, Patience, Sent, Transmit, Want};

use crate::client::{Client, Outgoing, Pushed, Received};
use crate::clock;
use crate::crowd::Desk;
use crate::habits::StoreConnection;
use crate::log::Log;
use crate::presence::{Post, Presence};
use crate::scoreboard::Phase;
use crate::send_queue::SendQueue;
use crate::server::Server;
use crate::site::Asset;
use crate::store::asker::{self, Lines, UsedOnce};

/// A worker, and what it needs beside a client.
pub struct Worker<'a> {
    server: &'a Server,
    lines: Box<dyn Lines + 'a>,
    log: Log<'a>,
    post: Post,
    /// Its client, while there is one.
    presence: Option<Presence>,
    /// What the kernel holds of its answer.
    queue: SendQueue,
    /// Its place in a pool.
    place: Option<usize>,
    /// What a client sends is read into it.
    scratch: Box<[MaybeUninit<u8>; SCRATCH_BYTES]>,
}

/// An idle client of a full pool may stay this long. Less would cut off clients that are merely
/// slow to send what they have ready.
const GRACE_IN_FULL_POOL_MS: u64 = 100;

/// Enough for nearly every request; longer ones take several reads.
const SCRATCH_BYTES: usize = 4 * 1024;

impl<'a> Worker<'a> {
    /// A worker that gets its connections to the store from `lines`.
    pub fn new(server: &'a Server, lines: impl Lines + 'a) -> Worker<'a> {
        let post = server.post();
        let log = Log::new(&server.log, post.tally);
        let lines: Box<dyn Lines> = match server.habits.store_connection {
            StoreConnection::Reused => Box::new(lines),
            StoreConnection::PerRequest => Box::new(UsedOnce(lines)),
        };
        let scratch = Box::new([MaybeUninit::uninit(); SCRATCH_BYTES]);
        let queue = SendQueue::default();
        Worker { server, lines, log, post, presence: None, queue, place: None, scratch }
    }

    /// A worker of a pool.
    pub fn in_pool(server: &'a Server, lines: impl Lines + 'a, place: usize) -> Worker<'a> {
        Worker { place: Some(place), ..Worker::new(server, lines) }
    }

    /// Accepts one client after the other and serves it, until the server is to stop.
    pub fn serve_all(&mut self) {
        let desk = self.place.map_or(self.server.desk(), Desk::Place);
        while self.server.is_serving() {
            let client = self.server.accept();
            if let Some(client) = client.and_then(|client| self.server.admit(client, desk)) {
                self.serve(&client);
            }
        }
    }

    /// Serves a client to the end.
    pub fn serve(&mut self, client: &Client) {
        self.presence = Some(Presence::new(self.post));
        // Should a bug make it panic, one client suffers, not those who come after.
        let _ = catch_unwind(AssertUnwindSafe(|| self.converse(client)));
        self.presence = None;
        self.queue = SendQueue::default();
        self.log.flush();
        if let Some(place) = self.place {
            self.server.crowd.leave(Desk::Place(place));
        }
    }

    fn converse(&mut self, client: &Client) {
        let server = self.server;
        let mut connection = Connection::new();
        loop {
            match connection.poll(&server.app, clock::now()) {
                Want::Read => self.read(client, &mut connection),
                Want::Open(path, encodings) => {
                    connection.opened(server.site.file(&path, encodings, clock::now()));
                }
                Want::List(path, page) => {
                    connection.listed(server.site.list(&path, page, clock::now()));
                }
                Want::Ask(ticket, query) => {
                    let until_ms = connection.deadline().map_or(0, |deadline| deadline.at_ms);
                    let store = (&server.store, server.gate(self.post.tally));
                    self.waits(&connection);
                    let reply = asker::ask(&mut *self.lines, store, query, until_ms);
                    connection.answered(ticket, reply);
                }
                Want::Send(transmit) => self.send(client, &mut connection, transmit),
                Want::Shutdown => client.stop_sending(),
                // Nothing is ever left owed here.
                Want::Wait => connection.hung_up(),
                Want::Close(_) if connection.may_have_unread() && client.has_unread() => {
                    connection.linger();
                }
                Want::Close(why) => {
                    if why == Closing::TooSlow {
                        client.give_up();
                    }
                    self.presence.iter_mut().for_each(|presence| presence.ends(why));
                    break;
                }
            }
        }
        if let Some(served) = connection.unfinished() {
            self.log.record(&served, client.peer, clock::now());
        }
    }

    fn read(&mut self, client: &Client, connection: &mut Connection<Asset>) {
        // Whoever has just connected or sent something has often sent the rest by now.
        if connection.is_idle() && connection.has_served() {
            self.wait_to_read(client, connection);
        }
        match client.receive(self.server.habits.of(&mut *self.scratch)) {
            Received::Bytes(bytes) => {
                connection.received(bytes);
                match self.server.phase() {
                    Phase::Serving if self.is_crowded() => connection.retire(),
                    Phase::Serving => {}
                    Phase::WindingDown => connection.wind_down(),
                    Phase::Stopping => connection.retire(),
                }
            }
            Received::Nothing => self.wait_to_read(client, connection),
            Received::Interrupted => {}
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
        self.waits(connection);
        match poll(fds, Some(&clock::timespec(slice_ms))) {
            Ok(0) if pooled && self.is_crowded() => {
                if leaves {
                    connection.hung_up()
                } else {
                    connection.retire()
                }
            }
            Ok(1..) if idle && !fds[1].revents().is_empty() => self.server.told_to_stop(),
            _ => {}
        }
    }

    fn send(
        &mut self,
        client: &Client,
        connection: &mut Connection<Asset>,
        transmit: Transmit<Asset>,
    ) {
        let mut outgoing = Outgoing::new(transmit, self.server.habits);
        let outcome = loop {
            match outgoing.push(client, &mut self.queue) {
                Pushed::Ended(outcome) => break outcome,
                Pushed::Blocked => {
                    connection.queues(self.queue.more_bytes(), &self.server.app.limits);
                    let left_ms = left_ms(connection);
                    if left_ms == 0 {
                        // The next poll finds the deadline passed.
                        return;
                    }
                    self.waits(connection);
                    let fds = &mut [PollFd::new(client, PollFlags::OUT)];
                    let _ = poll(fds, Some(&clock::timespec(left_ms)));
                }
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
            && self.server.crowd.is_full(self.server.workers)
            && self.server.listener.has_waiting()
    }

    /// Its client has to be waited for, or has to wait.
    fn waits(&mut self, connection: &Connection<Asset>) {
        if let Some(presence) = &mut self.presence {
            presence.waits(connection.deadline());
        }
    }
}

/// The time to the connection's deadline; a second where it has none, which is never the case while
/// it waits.
fn left_ms(connection: &Connection<Asset>) -> u64 {
    let now_ms = clock::now().ms;
    connection.deadline().map_or(1000, |deadline| deadline.at_ms.saturating_sub(now_ms))
}
